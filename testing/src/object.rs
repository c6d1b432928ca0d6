//! A JSON object that keeps the order of its fields and the text of its values.
//!
//! A map that sorts its keys or parses its numbers would send other bytes than the API, which writes the tag of an object
//! first and numbers as they were.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON object with its fields in order and its values as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct JsonObject {
    fields: Vec<(String, Box<RawValue>)>,
}

impl JsonObject {
    /// Converts a value to an object.
    ///
    /// # Errors
    ///
    /// Fails if `value` can't be serialized or isn't an object.
    pub(crate) fn from_serialize(value: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::from_str(&serde_json::to_string(value)?)
    }

    /// Returns the value of a field as it was written.
    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| &**value)
    }

    /// Returns the value of a field, or `None` if it is absent, `null` or of another type.
    pub(crate) fn decoded<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok())
    }

    /// Returns the value of a field that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.decoded(name)
    }

    /// Returns `true` if the field is present and not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|raw| raw.get() != "null")
    }

    /// Sets a field in place, or adds it at the end.
    pub(crate) fn set(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        let value = raw(value);
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    /// Adds a field if it is absent.
    pub(crate) fn set_default(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// Removes a field.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Box<RawValue>> {
        let position = self.fields.iter().position(|(field, _)| field == name)?;
        Some(self.fields.remove(position).1)
    }

    /// Returns the fields in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// Moves the named fields to the front, in the given order.
    pub(crate) fn lead_with(&mut self, names: &[&str]) {
        let place = |name: &str| names.iter().position(|lead| *lead == name).unwrap_or(names.len());
        self.fields.sort_by_key(|(name, _)| place(name));
    }

    /// Returns the object as JSON text.
    pub(crate) fn to_raw(&self) -> Box<RawValue> {
        raw(self)
    }
}

/// Serializes a value that can't fail to: strings, numbers and JSON text.
pub(crate) fn raw(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(JsonObject { fields })
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_numbers_are_kept() {
        let text = r#"{"b":123456789012345678901234567890,"a":1e400}"#;
        let object: JsonObject = serde_json::from_str(text).unwrap();
        assert_eq!(object.to_raw().get(), text);
    }

    #[test]
    fn leading_fields_move_and_the_rest_keeps_its_order() {
        let mut object: JsonObject = serde_json::from_str(r#"{"z":1,"type":2,"a":3,"id":4}"#).unwrap();
        object.lead_with(&["id", "type"]);
        assert_eq!(object.to_raw().get(), r#"{"id":4,"type":2,"z":1,"a":3}"#);
    }
}
