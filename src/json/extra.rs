//! Members of an object that the contract doesn't name, and fields that are explicitly `null`.

use std::fmt;

use indexmap::IndexMap;
use serde::Serialize;

use super::{
    error::DecodeError,
    reader::{JsonType, Reader},
    value::Json,
};

/// The members of an object that this version of the contract doesn't name, in their order and as they were sent.
///
/// Every generated type has one in its field `extra`, so that nothing in the reply of a newer server is lost. To send a
/// member that the API accepts and the contract doesn't name, add it with [`insert`](Self::insert), or with `set_extra`
/// while building a value.
///
/// `Extra` also keeps which optional fields were explicitly `null`, so that a value is written as it was read. A field that
/// is `None` is written as `null` if it was read as `null` or set with `set_null`, and left out otherwise. Equality ignores
/// this.
///
/// Reading an object with a repeated member fails, whether the contract names the member or not: one of its values would
/// be lost. Half of a surrogate pair in a name, which a `String` can't contain, becomes the six characters of its escape.
///
/// An empty `Extra` is the size of a pointer and doesn't allocate.
///
/// ```
/// use anthropic_messages::{Json, types::AnthropicMessage};
///
/// let json = Json::parse(r#"{"role": "user", "content": [], "priority": 1e400}"#)?;
/// let message: AnthropicMessage = json.decode()?;
/// assert_eq!(message.extra.get("priority").map(Json::as_str), Some("1e400"));
/// assert_eq!(Json::from_serialize(&message)?, json);
/// # Ok::<(), anthropic_messages::DecodeError>(())
/// ```
#[derive(Clone, Default)]
pub struct Extra(Option<Box<Members>>);

#[derive(Clone, Default)]
struct Members {
    unknown: IndexMap<String, Json>,
    nulls: Nulls,
    source: Option<Source>,
}

/// The text that a value was read from, if the value is written differently.
#[derive(Clone)]
pub(crate) struct Source {
    sent: Box<str>,
    /// The original text of the value, to detect a later change.
    written: Box<str>,
    pub(crate) is_joined: bool,
}

impl Source {
    /// Returns the text that a value was read from, given how it is written now. Returns `None` if it has changed.
    pub(crate) fn text_of(&self, written: &str) -> Option<&str> {
        (*self.written == *written).then_some(&self.sent)
    }

    /// Returns the text that the value was read from.
    pub(crate) fn sent(&self) -> &str {
        &self.sent
    }
}

/// A set of fields of one type.
#[derive(Clone, Default)]
struct Nulls {
    /// The names of the type's fields, which identify the type: the set is ignored in a value of another one.
    fields: &'static [&'static str],
    first: u64,
    /// The fields from the 65th on, which few types have.
    others: Vec<usize>,
}

impl Extra {
    /// Returns the value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.as_ref()?.unknown.get(name)
    }

    /// Sets a member, and returns its previous value.
    ///
    /// Doesn't fail for the name of a field. The type's `check` does, and writing the type too.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Json>) -> Option<Json> {
        self.0.get_or_insert_default().unknown.insert(name.into(), value.into())
    }

    /// Removes a member, and returns its value. Keeps the order of the others.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.0.as_mut()?.unknown.shift_remove(name)
    }

    /// Returns the members in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        let members = self.0.as_ref().map(|members| &members.unknown).unwrap_or(&EMPTY);
        members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |members| members.unknown.len())
    }

    /// Returns `true` if there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the members of `later`, except for a `null` in place of a value.
    pub(crate) fn merge(&mut self, later: Self) {
        let Some(later) = later.0 else { return };
        for (name, value) in later.unknown {
            if value.json_type() != JsonType::Null || self.get(&name).is_none() {
                self.insert(name, value);
            }
        }
        for index in (0..later.nulls.fields.len()).filter(|index| later.nulls.contains(*index)) {
            self.set_null(later.nulls.fields, later.nulls.fields.get(index).copied().unwrap_or_default());
        }
    }

    /// Sets the text that the value was read from.
    pub(crate) fn keep_source(&mut self, sent: &str, written: String, is_joined: bool) {
        let source = Source { sent: sent.into(), written: written.into(), is_joined };
        self.0.get_or_insert_default().source = Some(source);
    }

    /// Returns the text that the value was read from, if it was kept.
    pub(crate) fn source(&self) -> Option<&Source> {
        self.0.as_ref()?.source.as_ref()
    }

    /// Records that a field is `null`, given the names of all fields of its type.
    pub(crate) fn set_null(&mut self, fields: &'static [&'static str], name: &str) {
        let Some(index) = fields.iter().position(|field| *field == name) else { return };
        let nulls = &mut self.0.get_or_insert_default().nulls;
        if nulls.fields != fields {
            *nulls = Nulls { fields, ..Nulls::default() };
        }
        match bit(index) {
            Some(bit) => nulls.first |= bit,
            None if nulls.others.contains(&index) => {}
            None => nulls.others.push(index),
        }
    }

    /// Forgets which fields are explicitly `null`, so that they are left out.
    pub(crate) fn clear_nulls(&mut self) {
        if let Some(members) = &mut self.0 {
            members.nulls = Nulls::default();
        }
    }

    /// Returns `true` if a field was set to `null`, given by its index.
    pub(super) fn is_null(&self, fields: &'static [&'static str], index: usize) -> bool {
        self.0.as_ref().is_some_and(|members| members.nulls.contains(index) && members.nulls.fields == fields)
    }

    /// Returns the first member that repeats one of these fields, other than a lenient one.
    pub(super) fn repeated(&self, fields: &[&str], lenient: &[&str]) -> Option<&str> {
        self.iter().map(|(name, _)| name).find(|name| fields.contains(name) && !lenient.contains(name))
    }
}

impl Nulls {
    fn contains(&self, index: usize) -> bool {
        match bit(index) {
            Some(bit) => self.first & bit != 0,
            None => self.others.contains(&index),
        }
    }
}

/// Reads an object, and keeps its text in its `extra` if it is written differently.
pub(crate) fn keep_source<T: Serialize>(
    reader: &mut Reader<'_>,
    read: fn(&mut Reader<'_>) -> Result<T, DecodeError>,
    extra: fn(&mut T) -> Option<&mut Extra>,
) -> Result<T, DecodeError> {
    reader.peek()?;
    let start = reader.offset();
    let mut value = read(reader)?;
    if reader.is_respelled()
        && let Ok(written) = serde_json::to_string(&value)
        && let Some(extra) = extra(&mut value)
    {
        extra.keep_source(reader.text_since(start), written, false);
    }
    Ok(value)
}

static EMPTY: std::sync::LazyLock<IndexMap<String, Json>> = std::sync::LazyLock::new(IndexMap::new);

fn bit(index: usize) -> Option<u64> {
    1_u64.checked_shl(u32::try_from(index).ok()?)
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_neither_pays_one_pointer() {
        assert_eq!(size_of::<Extra>(), size_of::<usize>());
    }

    #[test]
    fn nulls_are_kept_for_the_fields_of_one_type() {
        const NAMES: [&str; 70] = {
            let mut names = ["x"; 70];
            (names[0], names[63], names[64], names[69]) = ("a", "b", "c", "d");
            names
        };
        let mut extra = Extra::default();
        for name in ["a", "b", "c", "d", "d", "no field"] {
            extra.set_null(&NAMES, name);
        }
        let nulls: Vec<usize> = (0..70).filter(|index| extra.is_null(&NAMES, *index)).collect();
        assert_eq!(nulls, [0, 63, 64, 69]);
        assert!(!extra.is_null(&["a"], 0), "moved to another type");
        assert_eq!(extra, Extra::default());
        assert!(extra.is_empty());
    }
}
