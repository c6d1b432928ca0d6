//! `Deserialize` for the types of the contract, which are read from JSON text. serde_json hands the text over; values of
//! any other format are written as JSON first.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use super::{
    error::DecodeError,
    read::{FromJson, read_str},
    reader::MAX_DEPTH,
};

/// The name with which serde_json exchanges a value as its text. `RawValue` uses it too, but copies the text.
pub(super) const RAW: &str = "$serde_json::private::RawValue";

/// The key with which serde_json exchanges a number as its text under its feature `arbitrary_precision`.
pub(super) const NUMBER: &str = "$serde_json::private::Number";

/// Reads a value of any self-describing format.
///
/// serde_json's deserializers provide the text of the value, which is read in place. All others provide values of any
/// type, including serde's own buffers for `flatten`, `untagged` and internally tagged enums. Errors of a buffered value
/// have offsets from the start of the value.
pub(crate) fn deserialize<'de, T: FromJson, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(RAW, Raw(PhantomData))
}

struct Raw<T>(PhantomData<T>);

impl<'de, T: FromJson> Visitor<'de> for Raw<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    /// serde_json, and the crate's own reader: a map of one entry, whose value is the text. Also an object of a format
    /// that takes a newtype for what it contains.
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<T, A::Error> {
        let key = entries.next_key_seed(Key)?;
        if key.as_deref() != Some(RAW) {
            return transcoded(|transcoder| transcoder.members(key, entries));
        }
        entries.next_value_seed(Text(PhantomData))?.map_err(|error| {
            let offset = Offset(error.offset().unwrap_or_default());
            match entries.next_key_seed(offset) {
                Ok(Some(true)) => de::Error::custom(error.message()),
                _ => de::Error::custom(NestedError(&error)),
            }
        })
    }

    /// Another format, and serde's buffers.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        transcoded(|transcoder| deserializer.deserialize_any(transcoder))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        transcoded(|transcoder| transcoder.visit_seq(items))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<T, E> {
        transcoded(|transcoder| transcoder.visit_bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        transcoded(|transcoder| transcoder.visit_i64(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        transcoded(|transcoder| transcoder.visit_u64(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        transcoded(|transcoder| transcoder.visit_f64(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        transcoded(|transcoder| transcoder.visit_str(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        transcoded(|transcoder| transcoder.visit_unit())
    }
}

/// Writes a value as JSON, and reads that.
fn transcoded<T: FromJson, E: de::Error>(write: impl FnOnce(Transcoder<'_>) -> Result<(), E>) -> Result<T, E> {
    let mut json = String::new();
    write(Transcoder { json: &mut json, depth: 0 })?;
    read_str(&json).map_err(|error| E::custom(NestedError(&error)))
}

/// Reads the text of a value.
struct Text<T>(PhantomData<T>);

impl<'de, T: FromJson> DeserializeSeed<'de> for Text<T> {
    type Value = Result<T, DecodeError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T: FromJson> Visitor<'_> for Text<T> {
    type Value = Result<T, DecodeError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a value")
    }

    fn visit_str<E: de::Error>(self, json: &str) -> Result<Self::Value, E> {
        Ok(read_str(json))
    }
}

/// Hands the byte of an error to the crate's own reader, which finds the pointer in the whole document. All others have
/// no more keys, or the same again, and the pointer within the value goes into the message.
struct Offset(usize);

impl<'de> DeserializeSeed<'de> for Offset {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_tuple(self.0, self)
    }
}

impl Visitor<'_> for Offset {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a receiver of bytes")
    }

    fn visit_bool<E: de::Error>(self, is_received: bool) -> Result<bool, E> {
        Ok(is_received)
    }
}

/// An error as part of another one, which adds its own position.
pub(super) struct NestedError<'e>(pub(super) &'e DecodeError);

impl fmt::Display for NestedError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message())?;
        if self.0.pointer().is_empty() { Ok(()) } else { write!(f, ", at {}", self.0.pointer()) }
    }
}

/// Writes a value of any format as JSON. Not by way of `serde_json::Value`, which sorts the members unless a feature
/// of some other crate keeps their order, and makes `null` of numbers that JSON does not have.
struct Transcoder<'j> {
    json: &'j mut String,
    depth: usize,
}

impl Transcoder<'_> {
    fn nested(&mut self) -> Transcoder<'_> {
        Transcoder { json: self.json, depth: self.depth + 1 }
    }

    fn text<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.json.push_str(text);
        Ok(())
    }

    /// Writes an object, whose first key has been read.
    fn members<'de, A: MapAccess<'de>>(mut self, first: Option<String>, mut entries: A) -> Result<(), A::Error> {
        self.check_depth()?;
        if first.as_ref().is_some_and(|key| key == NUMBER || key == RAW) {
            // The text of a value, from serde_json.
            let text: String = entries.next_value()?;
            read_str::<()>(&text).map_err(|error| de::Error::custom(NestedError(&error)))?;
            return self.text(&text);
        }
        self.json.push('{');
        let mut next = first;
        while let Some(key) = next {
            self.json.push_str(&serde_json::to_string(&key).map_err(de::Error::custom)?);
            self.json.push(':');
            entries.next_value_seed(self.nested())?;
            next = entries.next_key_seed(Key)?;
            if next.is_some() {
                self.json.push(',');
            }
        }
        self.text("}")
    }

    fn check_depth<E: de::Error>(&self) -> Result<(), E> {
        // The reader has its own limits, and no value beyond both of them passes.
        if self.depth == 2 * MAX_DEPTH { Err(E::custom("recursion limit exceeded")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Transcoder<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Transcoder<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.text(if value { "true" } else { "false" })
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<(), E> {
        self.text(&value.to_string())
    }

    /// As short as `f32` allows: 0.1 is not 0.10000000149011612.
    fn visit_f32<E: de::Error>(self, value: f32) -> Result<(), E> {
        if value.is_finite() { self.text(&format!("{value:?}")) } else { Err(not_a_number(value.into(), &self)) }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        if value.is_finite() { self.text(&format!("{value:?}")) } else { Err(not_a_number(value, &self)) }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.text(&serde_json::to_string(value).map_err(E::custom)?)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.text("null")
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.text("null")
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.check_depth()?;
        self.json.push('[');
        let start = self.json.len();
        loop {
            let end = self.json.len();
            if end > start {
                self.json.push(',');
            }
            if items.next_element_seed(self.nested())?.is_none() {
                self.json.truncate(end);
                self.json.push(']');
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let key = entries.next_key_seed(Key)?;
        self.members(key, entries)
    }
}

fn not_a_number<E: de::Error>(value: f64, expected: &dyn de::Expected) -> E {
    E::invalid_value(de::Unexpected::Float(value), expected)
}

/// A key, which formats other than JSON may have as a number or a boolean.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that JSON has")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }
}
