//! Free-form JSON, kept as it was sent.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::SerializeStruct as _};

use super::{
    deserialize::{RAW, deserialize},
    deserializer,
    equality::{is_equal, json_type},
    error::DecodeError,
    read::{FromJson, read_str},
    reader::{JsonType, Reader},
};

/// A JSON value of any shape, kept as text.
///
/// The type of tool input, of JSON Schemas, and of fields and variants that this version of the contract doesn't name.
/// Nothing is lost: numbers are never rounded (`1e400` and 30 digits survive), keys keep their order, repeated members are
/// all kept, and strings may contain lone surrogates. Arrays and objects may nest 128 levels. [`decode`](Self::decode)
/// reads the value into a Rust type.
///
/// Two values are equal if they are the same JSON. White space, the order of keys and the spelling of numbers and strings
/// don't matter.
///
/// It implements `Deserialize` for any self-describing format, and `Serialize` for JSON through `serde_json` only.
///
/// ```
/// use anthropic_messages::Json;
/// use serde_json::json;
///
/// let input = Json::from(json!({"city": "Paris", "days": 3}));
/// assert_eq!(input.as_str(), r#"{"city":"Paris","days":3}"#);
/// assert_eq!(input, Json::parse(r#"{ "days": 3, "city": "Paris" }"#)?);
///
/// #[derive(serde::Deserialize)]
/// struct Forecast { city: String, days: u8 }
/// let forecast: Forecast = input.decode()?;
/// assert_eq!((forecast.city.as_str(), forecast.days), ("Paris", 3));
/// # Ok::<(), anthropic_messages::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Json(Box<str>);

impl Json {
    /// Parses JSON text, and keeps it as it is. Skips a leading byte-order mark.
    ///
    /// # Errors
    /// Fails if the text is not one JSON value, or nests deeper than 128 levels.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        read_str(text)
    }

    /// Writes any value that implements `Serialize` as JSON.
    ///
    /// # Errors
    /// Fails if the value's `Serialize` fails, if a map key is not a string, or if the value nests deeper than 128 levels.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, DecodeError> {
        let text = serde_json::to_string(value).map_err(|error| DecodeError::from_serialize(&error))?;
        read_str::<()>(&text)?;
        Ok(Self(text.into()))
    }

    /// Returns the text, as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the value into a Rust type.
    ///
    /// # Errors
    /// Fails if the value has another shape. The error has the place as a JSON pointer.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        deserializer::from_str(self.as_str())
    }

    /// Returns the type of the value.
    #[must_use]
    pub fn json_type(&self) -> JsonType {
        json_type(self.as_str())
    }

    /// Returns `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Returns `{}`.
    #[must_use]
    pub fn empty_object() -> Self {
        Self("{}".into())
    }
}

/// Converts the value, where serde_json can hold it.
///
/// # Errors
/// Fails for numbers that don't fit, such as `1e400`, and for halves of surrogate pairs, which [`Json`] keeps.
impl TryFrom<Json> for serde_json::Value {
    type Error = DecodeError;

    fn try_from(json: Json) -> Result<Self, DecodeError> {
        json.decode()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        is_equal(self.as_str(), other.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Like `RawValue`, without parsing the text again to create one.
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, &*self.0)?;
        raw.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        // A `Value` has string keys and finite numbers only, so writing it can't fail.
        Self(value.to_string().into())
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

/// Free-form JSON that must be an object, or may also be a string with the text of one that was cut.
pub(crate) struct FreeObject<const INCOMPLETE_AS_STRING: bool = false>(pub(crate) Json);

impl<const INCOMPLETE_AS_STRING: bool> FromJson for FreeObject<INCOMPLETE_AS_STRING> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.peek_type()? {
            JsonType::Object => {}
            JsonType::String if INCOMPLETE_AS_STRING => {}
            _ => return Err(reader.wrong_type("an object")),
        }
        Json::read(reader).map(Self)
    }
}

impl FromJson for Json {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.value().map(|text| Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

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

    /// The name is serde_json's own secret. A version that changes it must fail here.
    #[test]
    fn raw_values_have_the_name_that_we_use() {
        let json = Json::parse(r#"{"a": [1e400, "\ud800"]}"#).unwrap();
        let raw: Box<RawValue> = serde_json::from_str(json.as_str()).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), json.as_str());
        assert_eq!(serde_json::from_str::<Json>(json.as_str()).unwrap().as_str(), json.as_str());
        assert_eq!(
            serde_json::to_value(&raw).unwrap_err().to_string(),
            serde_json::to_value(&json).unwrap_err().to_string()
        );
    }
}
