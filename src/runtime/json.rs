//! Free-form JSON, kept as it was sent.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    decode::Decode,
    decode_error::{DecodeError, from_slice},
    text,
};

/// How deep arrays and objects may nest in free-form JSON: 128 levels, as in serde_json.
pub(crate) const MAX_DEPTH: usize = 128;

/// A JSON value of any shape, kept as the text that was sent.
///
/// Tool input, JSON Schemas, fields and variants that this version of the contract does not name
/// are all of this type. Numbers are never rounded (`1e400` and 30 digits survive), the order of
/// keys and the spelling stay, and strings may hold lone surrogates. Reading it into a Rust type
/// is one call: [`Json::to`].
///
/// Two values are equal when they are the same JSON: white space, key order and the spelling of
/// numbers and strings do not count.
///
/// It can be read from and written to JSON only, through `serde_json`.
///
/// ```
/// use anthropic_messages::Json;
/// use serde_json::json;
///
/// let input = Json::from(json!({"city": "Paris", "days": 3}));
/// assert_eq!(input.get(), r#"{"city":"Paris","days":3}"#);
/// assert_eq!(input, Json::parse(r#"{ "days": 3, "city": "Paris" }"#)?);
///
/// #[derive(serde::Deserialize)]
/// struct Forecast { city: String, days: u8 }
/// let forecast: Forecast = input.to()?;
/// assert_eq!((forecast.city.as_str(), forecast.days), ("Paris", 3));
/// # Ok::<(), anthropic_messages::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Json(Box<RawValue>);

/// The six types of a JSON value (RFC 8259, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonType {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number, whole or not.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Json {
    /// Takes JSON text as it is.
    ///
    /// # Errors
    /// When the text is not one JSON value, or nests deeper than 128 levels.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        from_slice(text.as_bytes())
    }

    /// Writes any serialisable value as JSON.
    ///
    /// # Errors
    /// When the value's `Serialize` fails, has a map key that is not a string, or nests deeper
    /// than 128 levels.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, DecodeError> {
        let raw = serde_json::value::to_raw_value(value).map_err(DecodeError::of_serialize)?;
        Self::bounded(raw).map_err(DecodeError::of_depth)
    }

    /// The text, as it was sent.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Reads the value into a Rust type.
    ///
    /// # Errors
    /// When the value has another shape; the error names the place as a JSON pointer.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        from_slice(self.get().as_bytes())
    }

    /// The type of the value.
    #[must_use]
    pub fn json_type(&self) -> JsonType {
        match self.get().bytes().next() {
            Some(b'{') => JsonType::Object,
            Some(b'[') => JsonType::Array,
            Some(b'"') => JsonType::String,
            Some(b't' | b'f') => JsonType::Boolean,
            Some(b'n') => JsonType::Null,
            _ => JsonType::Number,
        }
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// `{}`.
    #[must_use]
    pub fn empty_object() -> Self {
        Self::from(serde_json::Value::Object(serde_json::Map::new()))
    }

    /// Takes a value whose nesting has yet to be checked.
    fn bounded(raw: Box<RawValue>) -> Result<Self, TooDeep> {
        if depth(raw.get()) > MAX_DEPTH { Err(TooDeep) } else { Ok(Self(raw)) }
    }
}

/// Free-form JSON nested deeper than [`MAX_DEPTH`].
#[derive(Debug)]
pub(super) struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recursion limit exceeded: free-form JSON nests deeper than {MAX_DEPTH} levels")
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        same(self.get(), other.get(), MAX_DEPTH + 1)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::bounded(Box::<RawValue>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Decode for Json {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        // A `Value` has string keys and finite numbers only, so writing it can't fail.
        Self(serde_json::value::to_raw_value(&value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

macro_rules! from_scalar {
    ($($scalar:ty),*) => {$(
        impl From<$scalar> for Json {
            fn from(value: $scalar) -> Self {
                serde_json::Value::from(value).into()
            }
        }
    )*};
}
from_scalar!(bool, i32, i64, u32, u64, f64, &str, String);

/// How deep arrays and objects nest in valid JSON text.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// Whether two JSON texts say the same.
fn same(left: &str, right: &str, levels: usize) -> bool {
    if left == right {
        return true;
    }
    if levels == 0 {
        return false;
    }
    match (left.bytes().next(), right.bytes().next()) {
        (Some(b'{'), Some(b'{')) => match (members(left), members(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left.iter().zip(&right).all(|((left_key, left), (right_key, right))| {
                        left_key == right_key && same(left.get(), right.get(), levels - 1)
                    })
            }
            _ => false,
        },
        (Some(b'['), Some(b'[')) => match (elements(left), elements(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left.iter().zip(&right).all(|(left, right)| same(left.get(), right.get(), levels - 1))
            }
            _ => false,
        },
        (Some(b'"'), Some(b'"')) => match (text::exact(left), text::exact(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => match (Decimal::of(left), Decimal::of(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
        _ => false,
    }
}

/// The members of an object by key; a key that is given twice counts once, with its last value.
fn members(json: &str) -> Option<BTreeMap<Cow<'_, [u8]>, &RawValue>> {
    let members: BTreeMap<text::Exact<'_>, &RawValue> = serde_json::from_str(json).ok()?;
    Some(members.into_iter().map(|(key, value)| (key.0, value)).collect())
}

fn elements(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

/// A number by value: digits without leading and trailing zeros, times a power of ten.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// `None` when the exponent leaves `i64`; such numbers are equal only when spelled the same.
    fn of(number: &str) -> Option<Self> {
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (number, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let trailing = i64::try_from(significant.len() - digits.len()).ok()?;
        let fraction = i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.checked_sub(fraction)?.checked_add(trailing)?;
        Some(Self { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn equality_is_by_value() {
        let equal = [
            ("1.0", "1"),
            ("-0", "0"),
            ("1e2", "100"),
            ("0.10", "1e-1"),
            (r#""\u0041""#, r#""A""#),
            (r#"{"a":1,"b":[2, 3]}"#, r#"{ "b":[2.0,3],"a":1 }"#),
            (r#"{"\u0061":1}"#, r#"{"a":1}"#),
            ("123456789012345678901234567890", "123456789012345678901234567890.0"),
        ];
        for (left, right) in equal {
            assert_eq!(json(left), json(right));
        }
        let different = [
            ("1", "2"),
            ("1", "-1"),
            ("1e400", "1e401"),
            ("123456789012345678901234567890", "123456789012345678901234567891"),
            (r#""\ud800""#, r#""\ud801""#),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            ("[1,2]", "[2,1]"),
            ("null", "0"),
            ("1e99999999999999999999", "1e99999999999999999998"),
        ];
        for (left, right) in different {
            assert_ne!(json(left), json(right));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(&nested(128)).is_ok());
        for levels in [129, 100_000] {
            let error = Json::parse(&nested(levels)).unwrap_err();
            assert!(error.to_string().contains("128 levels"), "{error}");
        }
        assert!(Json::parse(&format!("\"{}\"", "[".repeat(1000))).is_ok());
    }
}
