//! Reads the keywords of a schema.

use super::model::{Access, Constraint, Shape};
use crate::node::Node;

/// Returns the value of a keyword that is a string.
pub(super) fn text(schema: &Node, keyword: &str) -> Option<String> {
    schema.get(keyword).and_then(Node::as_str).map(str::to_owned)
}

/// Returns `true` if a keyword is present and `true`.
pub(super) fn is_true(schema: &Node, keyword: &str) -> bool {
    schema.get(keyword).and_then(Node::as_bool) == Some(true)
}

/// Returns the names in `type`, which is a string or a list.
pub(crate) fn types(schema: &Node) -> Vec<String> {
    match schema.get("type") {
        Some(Node::String(name)) => vec![name.clone()],
        Some(Node::Array(names)) => names.iter().filter_map(Node::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Returns the values of `enum` or `const`.
pub(super) fn values(schema: &Node) -> Option<Vec<Node>> {
    match (schema.get("const"), schema.get("enum").and_then(Node::as_array)) {
        (Some(value), _) => Some(vec![value.clone()]),
        (None, Some(values)) => Some(values.to_vec()),
        (None, None) => None,
    }
}

/// Returns the constant of a schema that allows one string only.
pub(super) fn only_value(schema: &Node) -> Option<String> {
    match values(schema)?.as_slice() {
        [Node::String(value)] => Some(value.clone()),
        _ => None,
    }
}

/// Returns the messages that a property is part of.
pub(super) fn access(schema: &Node) -> Access {
    match (is_true(schema, "readOnly"), is_true(schema, "writeOnly")) {
        (true, false) => Access::ReadOnly,
        (false, true) => Access::WriteOnly,
        _ => Access::ReadWrite,
    }
}

/// Returns the constraints that apply to values of a shape.
pub(super) fn constraints(schema: &Node, shape: &Shape) -> Vec<Constraint> {
    let count = |keyword: &str| schema.get(keyword).and_then(Node::as_u64);
    let bound = |keyword: &str| schema.get(keyword).and_then(Node::as_f64);
    let mut constraints = Vec::new();
    constraints.extend(count("minItems").filter(|least| *least > 0).map(Constraint::MinItems));
    constraints.extend(count("maxItems").map(Constraint::MaxItems));
    constraints.extend(count("minLength").filter(|least| *least > 0).map(Constraint::MinLength));
    constraints.extend(count("maxLength").map(Constraint::MaxLength));
    // In OpenAPI 3.0 the exclusive bounds are booleans next to the bounds.
    constraints.extend(bound("minimum").map(if is_true(schema, "exclusiveMinimum") {
        Constraint::ExclusiveMinimum
    } else {
        Constraint::Minimum
    }));
    constraints.extend(bound("maximum").map(if is_true(schema, "exclusiveMaximum") {
        Constraint::ExclusiveMaximum
    } else {
        Constraint::Maximum
    }));
    constraints.extend(bound("exclusiveMinimum").map(Constraint::ExclusiveMinimum));
    constraints.extend(bound("exclusiveMaximum").map(Constraint::ExclusiveMaximum));
    constraints.retain(|constraint| match constraint {
        Constraint::MinItems(_) | Constraint::MaxItems(_) => matches!(shape, Shape::List(_)),
        Constraint::MinLength(_) | Constraint::MaxLength(_) => *shape == Shape::String,
        _ => matches!(shape, Shape::Integer | Shape::Unsigned | Shape::Number),
    });
    constraints
}

/// Decodes the percent-encoding of a URI fragment (RFC 3986, section 2.1). Invalid escapes are kept.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => {
                let digits = [*high, *low];
                std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = after.get(if escaped.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
