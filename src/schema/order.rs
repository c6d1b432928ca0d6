//! The order in which a schema names the members of an object.
//!
//! A model writes members in the order of the schema, so a member that is thought up first has to
//! stand first. `serde_json` sorts the members of an object by name, unless its feature
//! `preserve_order` is on, and that would be on for every crate of a program. `required` is an
//! array, and keeps the order of the type: members that it names are written first and in its
//! order. For strict schemas the API puts required members first in any case.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Map, Value};

/// Keywords whose values are data or names, and no schemas.
const DATA: [&str; 5] = ["const", "default", "enum", "examples", "required"];

/// Keywords whose value has a schema for each name.
const SCHEMAS_BY_NAME: [&str; 3] = ["$defs", "dependentSchemas", "patternProperties"];

/// A schema that is written with its members in order.
pub(super) struct Ordered<'a>(pub(super) &'a Map<String, Value>);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (keyword, value) in self.0 {
            match (keyword.as_str(), value) {
                ("properties", Value::Object(members)) => {
                    map.serialize_entry(keyword, &ByName(in_order(members, self.0.get("required"))))?;
                }
                (name, Value::Object(schemas)) if SCHEMAS_BY_NAME.contains(&name) => {
                    map.serialize_entry(keyword, &ByName(schemas.iter().collect()))?;
                }
                (name, value) if DATA.contains(&name) => map.serialize_entry(keyword, value)?,
                (_, value) => map.serialize_entry(keyword, &Part(value))?,
            }
        }
        map.end()
    }
}

/// A schema, several of them, or the value of a keyword that has none.
struct Part<'a>(&'a Value);

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(schema) => Ordered(schema).serialize(serializer),
            Value::Array(schemas) => {
                let mut seq = serializer.serialize_seq(Some(schemas.len()))?;
                schemas.iter().try_for_each(|schema| seq.serialize_element(&Part(schema)))?;
                seq.end()
            }
            value => value.serialize(serializer),
        }
    }
}

/// Schemas, each with its name.
struct ByName<'a>(Vec<(&'a String, &'a Value)>);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, schema)| map.serialize_entry(name, &Part(schema)))?;
        map.end()
    }
}

/// The members that `required` names, in its order, and then the others as they come.
fn in_order<'a>(members: &'a Map<String, Value>, required: Option<&Value>) -> Vec<(&'a String, &'a Value)> {
    let required = required.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let place = |name: &str| required.iter().position(|required| required == name).unwrap_or(required.len());
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_cached_key(|(name, _)| place(name));
    members
}
