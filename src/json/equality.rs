//! Equality of JSON values, given as text.

use std::cmp::Ordering;

use super::{
    number::Decimal,
    reader::{JsonType, Reader, code_points},
};

/// Returns `true` if two JSON values are the same: white space, the order of members and the spelling of numbers and
/// strings do not count.
pub(super) fn is_equal(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    match (json_type(left), json_type(right)) {
        (JsonType::Object, JsonType::Object) => match (members(left), members(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left.iter().zip(&right).all(|((left_key, left), (right_key, right))| {
                        compare(left_key, right_key).is_eq() && is_equal(left, right)
                    })
            }
            _ => false,
        },
        (JsonType::Array, JsonType::Array) => match (items(left), items(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| is_equal(left, right))
            }
            _ => false,
        },
        (JsonType::String, JsonType::String) => compare(left, right).is_eq(),
        (JsonType::Number, JsonType::Number) => match (Decimal::parse(left), Decimal::parse(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
        _ => false,
    }
}

/// Returns the type of a JSON value without white space before it.
pub(super) fn json_type(json: &str) -> JsonType {
    match json.bytes().next() {
        Some(b'{') => JsonType::Object,
        Some(b'[') => JsonType::Array,
        Some(b'"') => JsonType::String,
        Some(b't' | b'f') => JsonType::Boolean,
        Some(b'n') => JsonType::Null,
        _ => JsonType::Number,
    }
}

/// Compares two strings with their quotation marks, character by character: lone surrogates differ.
fn compare(left: &str, right: &str) -> Ordering {
    if left.contains('\\') || right.contains('\\') {
        code_points(left).cmp(code_points(right))
    } else {
        left.trim_matches('"').cmp(right.trim_matches('"'))
    }
}

/// Returns the members of an object as text, sorted by key. The values of a repeated key keep their order.
fn members(json: &str) -> Option<Vec<(&str, &str)>> {
    let mut reader = Reader::new(json);
    reader.object("an object").ok()?;
    let mut members = Vec::new();
    while let Some(key) = reader.raw_key().ok()? {
        members.push((key, reader.value().ok()?));
    }
    members.sort_by(|(left, _), (right, _)| compare(left, right));
    Some(members)
}

fn items(json: &str) -> Option<Vec<&str>> {
    let mut reader = Reader::new(json);
    reader.array().ok()?;
    let mut items = Vec::new();
    while reader.item().ok()? {
        items.push(reader.value().ok()?);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_value() {
        let equal = [
            ("1.0", "1"),
            ("-0", "0"),
            ("1e2", "100"),
            ("0.10", "1e-1"),
            (r#""\u0041""#, r#""A""#),
            (r#""\ud83d\ude00""#, r#""😀""#),
            (r#""\ud800""#, r#""\uD800""#),
            (r#"{"a":1,"b":[2, 3]}"#, r#"{ "b":[2.0,3],"a":1 }"#),
            (r#"{"\u0061":1}"#, r#"{"a":1}"#),
            (r#"{"":1,"\u0000":2}"#, r#"{"\u0000":2,"":1}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#),
            (r#"{"\ud800":1,"\ud801":2}"#, r#"{"\ud801":2,"\ud800":1}"#),
            ("123456789012345678901234567890", "123456789012345678901234567890.0"),
            (" [ ] ", "[]"),
        ];
        for (left, right) in equal {
            assert!(is_equal(left.trim(), right), "{left} {right}");
        }
        let different = [
            ("1", "2"),
            ("1", "-1"),
            ("1e400", "1e401"),
            ("123456789012345678901234567890", "123456789012345678901234567891"),
            (r#""\ud800""#, r#""\ud801""#),
            (r#""\ud800""#, "\"\u{FFFD}\""),
            (r#""a""#, r#""a\"""#),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            (r#"{"\ud800":1}"#, r#"{"\\ud800":1}"#),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            ("null", "0"),
            ("true", "false"),
            ("1e99999999999999999999", "1e99999999999999999998"),
        ];
        for (left, right) in different {
            assert!(!is_equal(left, right), "{left} {right}");
        }
    }
}
