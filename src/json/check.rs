//! Checks of the contract's constraints. They run on requests, and never on responses.

use std::{error, fmt};

use indexmap::IndexMap;

use super::{extra::Extra, reader::JsonType, value::Json};

/// The error of a value that violates a constraint of the contract.
///
/// ```
/// use anthropic_messages::types::{AnthropicMessage, MessageCreateRequest};
///
/// let request = MessageCreateRequest::new("claude-sonnet-5", Vec::<AnthropicMessage>::new(), 1024);
/// let violation = request.check().unwrap_err();
/// assert_eq!(violation.pointer(), "/messages");
/// assert_eq!(violation.to_string(), "/messages has 0 items, and the contract asks for at least 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    pointer: String,
    rule: String,
}

impl ValidationError {
    fn new(rule: String) -> Self {
        Self { pointer: String::new(), rule }
    }

    /// Returns the place in the value as a JSON pointer (RFC 6901), empty for the whole value.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    fn below(mut self, step: impl fmt::Display) -> Self {
        let step = step.to_string().replace('~', "~0").replace('/', "~1");
        self.pointer.insert_str(0, &format!("/{step}"));
        self
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the value" } else { &self.pointer };
        write!(f, "{place} {}", self.rule)
    }
}

impl error::Error for ValidationError {}

/// A type whose constraints can be checked.
pub(crate) trait Check {
    /// Checks the value and everything in it.
    ///
    /// # Errors
    /// Fails with the first constraint that is violated.
    fn check(&self) -> Result<(), ValidationError>;
}

/// Checks the value of a field.
pub(crate) fn field<T: Check + ?Sized>(value: &T, name: &str) -> Result<(), ValidationError> {
    value.check().map_err(|violation| violation.below(name))
}

/// Fails if a member in `extra` repeats a field, except for a lenient one.
pub(crate) fn extra(extra: &Extra, fields: &[&str], lenient: &[&str]) -> Result<(), ValidationError> {
    match extra.repeated(fields, lenient) {
        Some(name) => {
            Err(ValidationError::new(format!("is set twice: `extra` repeats the field `{name}`")).below(name))
        }
        None => Ok(()),
    }
}

/// A constraint on the value of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// `minItems`
    MinItems(u64),
    /// `maxItems`
    MaxItems(u64),
    /// `minLength`, in characters
    MinLength(u64),
    /// `maxLength`, in characters
    MaxLength(u64),
    /// `minimum`
    Minimum(f64),
    /// `maximum`
    Maximum(f64),
    /// `exclusiveMinimum`
    ExclusiveMinimum(f64),
    /// `exclusiveMaximum`
    ExclusiveMaximum(f64),
}

/// The quantities that constraints apply to. `None` if a constraint doesn't apply to the value.
pub(crate) trait Measure {
    /// Returns the number of items.
    fn items(&self) -> Option<usize> {
        None
    }
    /// Returns the number of characters.
    fn characters(&self) -> Option<usize> {
        None
    }
    /// Returns the value as a number.
    fn number(&self) -> Option<f64> {
        None
    }
}

/// Checks a field against the contract's constraints.
pub(crate) fn rules<T: Measure + ?Sized>(value: &T, name: &str, rules: &[Rule]) -> Result<(), ValidationError> {
    rules.iter().try_for_each(|rule| match broken(value, *rule) {
        Some(text) => Err(ValidationError::new(text).below(name)),
        None => Ok(()),
    })
}

fn broken<T: Measure + ?Sized>(value: &T, rule: Rule) -> Option<String> {
    let asks = |found: String, bound: String| Some(format!("{found}, and the contract asks for {bound}"));
    let count = |found: Option<usize>| found.and_then(|found| u64::try_from(found).ok());
    match rule {
        Rule::MinItems(least) => match count(value.items())? {
            found if found < least => asks(format!("has {found} items"), format!("at least {least}")),
            _ => None,
        },
        Rule::MaxItems(most) => match count(value.items())? {
            found if found > most => asks(format!("has {found} items"), format!("at most {most}")),
            _ => None,
        },
        Rule::MinLength(least) => match count(value.characters())? {
            found if found < least => asks(format!("has {found} characters"), format!("at least {least}")),
            _ => None,
        },
        Rule::MaxLength(most) => match count(value.characters())? {
            found if found > most => asks(format!("has {found} characters"), format!("at most {most}")),
            _ => None,
        },
        Rule::Minimum(least) => match value.number()? {
            found if found < least => asks(format!("is {found}"), format!("at least {least}")),
            _ => None,
        },
        Rule::Maximum(most) => match value.number()? {
            found if found > most => asks(format!("is {found}"), format!("at most {most}")),
            _ => None,
        },
        Rule::ExclusiveMinimum(bound) => match value.number()? {
            found if found <= bound => asks(format!("is {found}"), format!("more than {bound}")),
            _ => None,
        },
        Rule::ExclusiveMaximum(bound) => match value.number()? {
            found if found >= bound => asks(format!("is {found}"), format!("less than {bound}")),
            _ => None,
        },
    }
}

/// Free-form JSON that must be an object, or a collection of it.
pub(crate) trait Objects {
    /// Checks that all of it are objects.
    fn objects(&self) -> Result<(), ValidationError>;
}

/// Checks that the free-form JSON in a field consists of objects.
pub(crate) fn objects<T: Objects + ?Sized>(value: &T, name: &str) -> Result<(), ValidationError> {
    value.objects().map_err(|violation| violation.below(name))
}

macro_rules! nothing_to_check {
    ($($type:ty),*) => {$(
        impl Check for $type {
            fn check(&self) -> Result<(), ValidationError> {
                Ok(())
            }
        }
    )*};
}
nothing_to_check!(String, bool, i64, u64, f64, Json);

impl<T: Check> Check for Option<T> {
    fn check(&self) -> Result<(), ValidationError> {
        self.as_ref().map_or(Ok(()), T::check)
    }
}

impl<T: Check> Check for Box<T> {
    fn check(&self) -> Result<(), ValidationError> {
        T::check(self)
    }
}

impl<T: Check> Check for Vec<T> {
    fn check(&self) -> Result<(), ValidationError> {
        self.iter().enumerate().try_for_each(|(index, item)| item.check().map_err(|violation| violation.below(index)))
    }
}

impl<T: Check> Check for IndexMap<String, T> {
    fn check(&self) -> Result<(), ValidationError> {
        self.iter().try_for_each(|(name, value)| field(value, name))
    }
}

impl<T: Measure> Measure for Option<T> {
    fn items(&self) -> Option<usize> {
        self.as_ref()?.items()
    }
    fn characters(&self) -> Option<usize> {
        self.as_ref()?.characters()
    }
    fn number(&self) -> Option<f64> {
        self.as_ref()?.number()
    }
}

impl<T> Measure for Vec<T> {
    fn items(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<T: Measure + ?Sized> Measure for &T {
    fn items(&self) -> Option<usize> {
        T::items(self)
    }
    fn characters(&self) -> Option<usize> {
        T::characters(self)
    }
    fn number(&self) -> Option<f64> {
        T::number(self)
    }
}

impl Measure for str {
    fn characters(&self) -> Option<usize> {
        Some(self.chars().count())
    }
}

impl Measure for String {
    fn characters(&self) -> Option<usize> {
        Some(self.chars().count())
    }
}

impl Measure for i64 {
    #[expect(clippy::cast_precision_loss, reason = "a bound beyond 53 bits is no bound that a contract sets")]
    fn number(&self) -> Option<f64> {
        Some(*self as f64)
    }
}

impl Measure for u64 {
    #[expect(clippy::cast_precision_loss, reason = "a bound beyond 53 bits is no bound that a contract sets")]
    fn number(&self) -> Option<f64> {
        Some(*self as f64)
    }
}

impl Measure for f64 {
    fn number(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Objects for Json {
    fn objects(&self) -> Result<(), ValidationError> {
        match self.json_type() {
            JsonType::Object => Ok(()),
            other => {
                Err(ValidationError::new(format!("is of type {}, and the contract asks for an object", other.name())))
            }
        }
    }
}

impl<T: Objects> Objects for Option<T> {
    fn objects(&self) -> Result<(), ValidationError> {
        self.as_ref().map_or(Ok(()), T::objects)
    }
}

impl<T: Objects> Objects for Vec<T> {
    fn objects(&self) -> Result<(), ValidationError> {
        self.iter().enumerate().try_for_each(|(index, item)| item.objects().map_err(|violation| violation.below(index)))
    }
}

impl<T: Objects> Objects for IndexMap<String, T> {
    fn objects(&self) -> Result<(), ValidationError> {
        self.iter().try_for_each(|(name, value)| objects(value, name))
    }
}
