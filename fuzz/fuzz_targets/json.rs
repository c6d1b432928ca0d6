//! The JSON reader beside serde_json, on any bytes: both accept the same, and read the same out of it.
//!
//! `cargo +nightly fuzz run json -- -runs=10000000`
//!
//! The differences, and there are no others:
//!
//! | what | serde_json | the reader |
//! |---|---|---|
//! | a byte-order mark at the start | refused | skipped |
//! | more than 128 levels | no limit for raw text, 127 for values | refused |
//! | half of a surrogate pair | refused in strings | U+FFFD in strings, spelled out in keys |
//! | an integer spelled `1.0` or `1e3` | refused | read |
//! | a member that is repeated | the last is kept in maps | refused |

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

use self::json::{Json, Map, read_slice, read_str};

#[path = "../../src/json/mod.rs"]
#[allow(
    dead_code,
    unexpected_cfgs,
    unused_imports,
    unused_macros,
    reason = "the crate's layer, of which the reader is tried alone"
)]
mod json;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        let error = read_slice::<Json>(input).expect_err("not UTF-8");
        assert!(error.is_syntax() && error.offset().is_some_and(|offset| offset < input.len()));
        return;
    };
    let plain = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let raw: Result<&RawValue, _> = serde_json::from_str(plain);
    let ours = Json::parse(text);
    let (raw, ours) = match (raw, ours) {
        (Ok(raw), Ok(ours)) => (raw.get(), ours),
        (Err(_), Err(error)) => {
            assert!(error.offset().is_some_and(|offset| offset <= text.len()), "{error}");
            refused(text);
            return;
        }
        (Ok(raw), Err(error)) => {
            assert!(depth(raw.get()) > 128, "{error}");
            return;
        }
        (Err(error), Ok(_)) => panic!("accepted, but {error}"),
    };
    assert_eq!(ours.as_str(), raw);
    strings(raw);
    numbers(raw);
    parts(raw);
    values(raw, &ours);
});

/// Text that isn't JSON is refused as every type.
fn refused(text: &str) {
    assert!(read_str::<String>(text).is_err() && read_str::<i64>(text).is_err() && read_str::<f64>(text).is_err());
    assert!(read_str::<Vec<Json>>(text).is_err() && read_str::<Map<Json>>(text).is_err());
    assert!(read_str::<bool>(text).is_err() && read_str::<Option<Json>>(text).is_err());
}

fn strings(raw: &str) {
    let theirs = serde_json::from_str::<String>(raw);
    match (read_str::<String>(raw), theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Ok(ours), Err(error)) => assert!(ours.contains('\u{FFFD}'), "{error}"),
        (Err(error), Ok(_)) => panic!("{error}"),
        (Err(_), Err(_)) => {}
    }
}

fn numbers(raw: &str) {
    match (read_str::<i64>(raw), serde_json::from_str::<i64>(raw)) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Ok(ours), Err(_)) => assert!(raw.contains(['.', 'e', 'E']) || raw == "-0", "{ours}"),
        (Err(error), Ok(_)) => panic!("{error}"),
        (Err(_), Err(_)) => {}
    }
    match (read_str::<f64>(raw), serde_json::from_str::<f64>(raw)) {
        // serde_json may be one step off, unless it has the feature `float_roundtrip`.
        (Ok(ours), Ok(_)) => assert_eq!(Ok(ours.to_bits()), raw.trim().parse::<f64>().map(f64::to_bits)),
        (Ok(_), Err(error)) => assert!(error.to_string().starts_with("number out of range"), "{error}"),
        (Err(error), Ok(theirs)) => {
            assert!(theirs == f64::MAX || error.to_string().contains("out of range"), "{error}")
        }
        (Err(_), Err(_)) => {}
    }
    assert_eq!(read_str::<bool>(raw).ok(), serde_json::from_str::<bool>(raw).ok());
    assert_eq!(read_str::<Option<Json>>(raw).is_ok_and(|value| value.is_none()), raw == "null");
}

fn parts(raw: &str) {
    match (read_str::<Vec<Json>>(raw), serde_json::from_str::<Vec<&RawValue>>(raw)) {
        (Ok(ours), Ok(theirs)) => {
            assert!(ours.iter().map(Json::as_str).eq(theirs.iter().map(|raw| raw.get())));
        }
        (Err(_), Err(_)) => {}
        (ours, theirs) => panic!("{ours:?}, {theirs:?}"),
    }
    match (read_str::<Map<Json>>(raw), serde_json::from_str::<indexmap::IndexMap<String, &RawValue>>(raw)) {
        (Ok(ours), Ok(theirs)) => {
            assert!(
                ours.iter()
                    .map(|(name, value)| (&**name, value.as_str()))
                    .eq(theirs.iter().map(|(name, raw)| (&**name, raw.get())))
            );
        }
        // Half of a surrogate pair in a key.
        (Ok(ours), Err(error)) => assert!(ours.keys().any(|key| key.contains("\\ud")), "{error}"),
        (Err(error), Ok(_)) => assert!(error.to_string().starts_with("duplicate field"), "{error}"),
        (Err(_), Err(_)) => {}
    }
}

fn values(raw: &str, ours: &Json) {
    assert_eq!(*ours, ours.clone());
    match (ours.decode::<Value>(), serde_json::from_str::<Value>(raw)) {
        (Ok(ours), Ok(theirs)) => assert!(is_same(&ours, &theirs), "{ours}, {theirs}"),
        (Ok(_), Err(error)) => {
            let error = error.to_string();
            let is_known =
                ["recursion limit", "lone leading surrogate", "unexpected end of hex escape", "number out of range"];
            assert!(is_known.iter().any(|known| error.starts_with(known)), "{error}");
        }
        (Err(error), Ok(_)) => assert!(error.to_string().starts_with("number out of range"), "{error}"),
        (Err(_), Err(_)) => {}
    }
    let again = serde_json::to_string(ours).expect("JSON is written");
    assert_eq!(again, raw);
    assert_eq!(serde_json::from_str::<Json>(raw).expect("it was read").as_str(), raw);
}

/// Equality of values, but for the last step of a number.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => left == right || ((left - right) / left).abs() < 1e-15,
            _ => left == right,
        },
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| is_same(left, right)))
        }
        _ => left == right,
    }
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
