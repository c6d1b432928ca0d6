//! Any JSON: what serde_json reads and writes is read and written equal, and what it refuses is refused.

use anthropic_messages::Json;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, value::RawValue};

use crate::round_trip;

/// The text of any JSON value, in more spellings than serde_json writes.
fn json() -> impl Strategy<Value = String> {
    let space = || select(&["", "", "", " ", "\n\t", " \r\n "][..]);
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:?}")),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
    ];
    let leaf = prop_oneof![select(&["null", "true", "false"][..]).prop_map(str::to_owned), number, string(),];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let spaced = move |inner: BoxedStrategy<String>| {
            (space(), inner, space()).prop_map(|(before, inner, after)| format!("{before}{inner}{after}"))
        };
        prop_oneof![
            vec(spaced(inner.clone().boxed()), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            vec((spaced(string().boxed()), spaced(inner.boxed())), 0..6).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
            "[ -!#-\\[\\]-~]{0,12}",
            any::<char>().prop_filter("plain", |char| *char >= ' ' && !"\"\\".contains(*char)).prop_map(String::from),
            select(
                &[
                    "\\n",
                    "\\\"",
                    "\\\\",
                    "\\/",
                    "\\b",
                    "\\u0000",
                    "\\u00e9",
                    "\\ud83d\\ude00",
                    "\\uFFFF",
                    "type",
                    "text"
                ][..]
            )
            .prop_map(str::to_owned),
        ];
    vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// The text of any JSON value with some bytes replaced, removed or repeated.
fn nearly_json() -> impl Strategy<Value = String> {
    (json(), vec((any::<prop::sample::Index>(), 0..4_u8, any::<char>()), 0..4)).prop_map(|(json, edits)| {
        let mut characters: Vec<char> = json.chars().collect();
        for (at, kind, other) in edits {
            if characters.is_empty() {
                break;
            }
            let at = at.index(characters.len());
            match kind {
                0 => drop(characters.remove(at)),
                1 => characters.insert(at, other),
                2 => {
                    characters[at] =
                        ['{', '}', '[', ']', ',', ':', '"', '\\', '0', '-', '.', 'e', 'u', ' '][other as usize % 14]
                }
                _ => characters.truncate(at),
            }
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_of_serde_json_round_trip(text in json()) {
        // It refuses numbers beyond `f64`, and keeps the last of members that are repeated.
        prop_assume!(serde_json::from_str::<Value>(&text).is_ok());
        let value: Value = serde_json::from_str(&text).unwrap();
        let written = value.to_string();
        let json = Json::parse(&written).unwrap();
        prop_assert_eq!(json.as_str(), &*written);
        prop_assert_eq!(json.decode::<Value>().unwrap(), value.clone());
        for (document, pointer) in [
            (format!(r#"{{"type":"novel","x":{written}}}"#), "/x"),
            (format!(r#"{{"type":"text","text":"","x":{written}}}"#), "/x"),
            (format!(r#"{{"x":{written},"type":"text","text":""}}"#), "/x"),
            (format!(r#"{{"type":"tool_use","name":"f","input":{{"x":{written}}}}}"#), "/input/x"),
        ] {
            let back: Value = serde_json::from_str(&round_trip("ContentBlock", &document).unwrap()).unwrap();
            prop_assert_eq!(back.pointer(pointer), Some(&value));
        }
    }

    /// But for a byte-order mark at the start, which is skipped.
    #[test]
    fn json_is_what_serde_json_takes_for_it(text in nearly_json()) {
        let theirs = serde_json::from_str::<&RawValue>(text.strip_prefix('\u{FEFF}').unwrap_or(&text));
        match Json::parse(&text) {
            Ok(ours) => prop_assert_eq!(ours.as_str(), theirs.unwrap().get()),
            Err(error) => prop_assert!(theirs.is_err(), "{}: {}", text, error),
        }
    }

    #[test]
    fn strings_are_what_serde_json_reads(text in string()) {
        let expected: String = serde_json::from_str(&text).unwrap();
        let document = format!(r#"{{"type":"text","text":{text},{text}:1}}"#);
        prop_assume!(!["type", "text"].contains(&&*expected));
        let back: Value = serde_json::from_str(&round_trip("ContentBlock", &document).unwrap()).unwrap();
        prop_assert_eq!(&back["text"], &Value::from(expected.clone()));
        prop_assert_eq!(&back[&expected], &Value::from(1));
    }

    #[test]
    fn equality_is_that_of_the_values(left in json(), right in json()) {
        let values: Option<(Value, Value)> =
            serde_json::from_str(&left).ok().zip(serde_json::from_str(&right).ok());
        let Some((left_value, right_value)) = values else { return Ok(()) };
        let (left, right) = (Json::from(left_value.clone()), Json::from(right_value.clone()));
        prop_assert_eq!(&left, &left.clone());
        prop_assert_eq!(left == right, right == left);
        if left_value == right_value {
            prop_assert_eq!(left, right);
        }
    }
}
