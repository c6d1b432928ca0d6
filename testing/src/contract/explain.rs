//! Words for what is wrong with a body.

use jsonschema::error::{ValidationError, ValidationErrorKind};

/// The longest explanation: an error quotes the value that is wrong, which can be a whole image.
const LONGEST_EXPLANATION: usize = 400;

/// A sentence that starts with the JSON pointer of what is wrong.
pub(super) fn explain(error: &ValidationError<'_>) -> String {
    let error = most_telling(error);
    let mut pointer = error.instance_path().to_string();
    let mut sentence = if let ValidationErrorKind::Required { property } = error.kind() {
        let property = property.as_str().unwrap_or_default().replace('~', "~0").replace('/', "~1");
        pointer = format!("{pointer}/{property}");
        "this field is required".to_owned()
    } else {
        error.to_string()
    };
    if sentence.chars().count() > LONGEST_EXPLANATION {
        sentence = sentence.chars().take(LONGEST_EXPLANATION).chain(['…']).collect();
    }
    let place = if pointer.is_empty() { "the body" } else { &pointer };
    format!("{place}: {sentence}")
}

/// Inside a union, the error of the one alternative whose tag fits says more than "none fits".
fn most_telling<'error, 'value>(error: &'error ValidationError<'value>) -> &'error ValidationError<'value> {
    let (ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context }) = error.kind() else {
        return error;
    };
    let depth = error.instance_path().to_string().len();
    let mut fitting = context.iter().filter(|errors| !errors.iter().any(|inner| is_about_the_tag(inner, depth)));
    match (fitting.next().and_then(|errors| errors.first()), fitting.next()) {
        (Some(inner), None) => most_telling(inner),
        _ => error,
    }
}

/// Whether an error says that an alternative of a union is another one: wrong tag, or wrong JSON
/// type.
fn is_about_the_tag(error: &ValidationError<'_>, depth: usize) -> bool {
    let place = error.instance_path().to_string();
    let below = place.get(depth..).unwrap_or_default();
    match error.kind() {
        ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => below == "/type" || below == "/role",
        ValidationErrorKind::Type { .. } => below.is_empty(),
        ValidationErrorKind::Required { property } => {
            below.is_empty() && matches!(property.as_str(), Some("type" | "role"))
        }
        _ => false,
    }
}
