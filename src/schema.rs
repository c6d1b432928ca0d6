//! JSON Schemas of Rust types, in the form that the API takes.

mod strict;

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Map, Value};

use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::AnthropicTool,
    json::{Empty, Json},
};

/// Where the schemas of named types stand.
const DEFINITIONS: &str = "$defs";

/// What the API refuses at the root of a tool's schema.
const REFUSED_AT_ROOT: [&str; 3] = ["oneOf", "anyOf", "allOf"];

impl AnthropicTool {
    /// A tool whose input is a Rust type.
    ///
    /// The schema says what serde reads: names, optional fields, the representation of enums, and
    /// doc comments as descriptions. A model writes fields in the order of the schema: required ones
    /// stand first, in the order of the type. Optional ones follow by name, or in the order of the
    /// type where a program turns on `preserve_order` of `serde_json`. Types that are used in several
    /// places or contain themselves stand once, in `$defs`.
    ///
    /// ```
    /// use anthropic_messages::{AnthropicTool, schemars::{self, JsonSchema}};
    ///
    /// /// Where and when.
    /// #[derive(JsonSchema)]
    /// struct Weather {
    ///     /// A city, such as `Paris`.
    ///     city: String,
    ///     days: Option<u8>,
    /// }
    /// let tool = AnthropicTool::of::<Weather>("get_weather", "Weather of a city")?;
    /// assert!(tool.input_schema.get().contains("A city, such as `Paris`."));
    /// # Ok::<(), anthropic_messages::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Contract`] when the root of the schema is no object, or has `oneOf`, `anyOf` or
    /// `allOf` beside it: the API refuses both. That is so for every type but structs with named
    /// fields and maps. The message names the type.
    pub fn of<T: JsonSchema + ?Sized>(name: impl Into<String>, description: impl Into<String>) -> Result<Self> {
        Ok(Self {
            name: name.into(),
            description: Some(description.into()),
            input_schema: json(&of_tool::<T>()?)?,
            ..Self::empty()
        })
    }

    /// A tool whose input always fits its schema: the API holds the model to it (`strict`).
    ///
    /// The schema is that of [`of`](Self::of), changed to what the API can hold a model to: objects
    /// take no members but those named, `oneOf` becomes `anyOf`, and limits such as `minimum` move
    /// into the description.
    ///
    /// # Errors
    /// As [`of`](Self::of), and [`ErrorKind::Contract`] for maps and other objects with members of
    /// any name, which have no strict schema.
    pub fn strict_of<T: JsonSchema + ?Sized>(name: impl Into<String>, description: impl Into<String>) -> Result<Self> {
        Self::of::<T>(name, description)?.into_strict()
    }

    /// The same tool with its schema made strict.
    pub(crate) fn into_strict(mut self) -> Result<Self> {
        let unreadable =
            |error| Error::new(ErrorKind::Contract, "the schema of a tool can't be read").with_source(error);
        let schema = self.input_schema.to().map_err(unreadable)?;
        self.input_schema = json(&strict::strict(schema, &format!("the tool `{}`", self.name))?)?;
        self.strict = Some(true);
        Ok(self)
    }
}

/// The schema that a reply's text shall fit.
pub(crate) fn of_output<T: JsonSchema + ?Sized>() -> Result<Json> {
    json(&strict::strict(of::<T>(), &format!("`{}`", T::schema_name()))?)
}

fn of_tool<T: JsonSchema + ?Sized>() -> Result<Map<String, Value>> {
    let schema = of::<T>();
    let refused = |problem: String| {
        let sentence = format!(
            "the schema of `{}` {problem}; the input of a tool must be a struct with named fields or a map",
            T::schema_name()
        );
        Err(Error::new(ErrorKind::Contract, sentence))
    };
    if let Some(keyword) = REFUSED_AT_ROOT.iter().find(|keyword| schema.contains_key(**keyword)) {
        return refused(format!("has `{keyword}` at its root"));
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "object" => Ok(schema),
        _ => refused("is no object".to_owned()),
    }
}

/// The schema of a type. Its root is the type itself, never a reference.
fn of<T: JsonSchema + ?Sized>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    let root = settings.into_generator().into_root_schema_for::<T>().to_value();
    // The one schema that is no object is `true`, of a type that takes anything.
    let Value::Object(mut schema) = root else { return Map::new() };
    if schema.get("title").and_then(Value::as_str) == Some(&*T::schema_name()) {
        schema.remove("title");
    }
    while let Some(definition) = definition(&schema, schema.get("$ref")).cloned() {
        schema.remove("$ref");
        merge(&mut schema, definition);
        drop_unused(&mut schema);
    }
    schema
}

/// The definition that a `$ref` of this document names.
fn definition<'a>(root: &'a Map<String, Value>, reference: Option<&Value>) -> Option<&'a Map<String, Value>> {
    root.get(DEFINITIONS)?.get(definition_name(reference?)?)?.as_object()
}

/// The name of the definition that a `$ref` is about.
fn definition_name(reference: &Value) -> Option<String> {
    let name = reference.as_str()?.strip_prefix("#/$defs/")?;
    Some(percent_decode_str(name).decode_utf8().ok()?.replace("~1", "/").replace("~0", "~"))
}

/// Adds to a schema what another one says: members and requirements come together, of everything
/// else what stands there stays.
fn merge(schema: &mut Map<String, Value>, other: Map<String, Value>) {
    for (keyword, value) in other {
        match (schema.get_mut(&keyword), value) {
            (Some(Value::Object(own)), Value::Object(members)) if keyword == "properties" => {
                for (name, member) in members {
                    own.entry(name).or_insert(member);
                }
            }
            (Some(Value::Array(own)), Value::Array(names)) if keyword == "required" => {
                for name in names {
                    if !own.contains(&name) {
                        own.push(name);
                    }
                }
            }
            (Some(_), _) => {}
            (None, value) => drop(schema.insert(keyword, value)),
        }
    }
}

/// Drops the definitions that nothing names.
fn drop_unused(root: &mut Map<String, Value>) {
    let Some(Value::Object(mut definitions)) = root.remove(DEFINITIONS) else { return };
    let (mut used, mut waiting) = (BTreeSet::new(), Vec::new());
    root.values().for_each(|value| references(value, &mut waiting));
    while let Some(name) = waiting.pop() {
        if let Some(definition) = definitions.get(&name)
            && used.insert(name)
        {
            references(definition, &mut waiting);
        }
    }
    definitions.retain(|name, _| used.contains(name));
    if !definitions.is_empty() {
        root.insert(DEFINITIONS.to_owned(), definitions.into());
    }
}

/// The names of the definitions that a value refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(definition_name));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn json(schema: &Map<String, Value>) -> Result<Json> {
    let unwritable =
        |error| Error::new(ErrorKind::Contract, "the schema of a type can't be written").with_source(error);
    Json::of(&Ordered(schema)).map_err(unwritable)
}

/// Keywords whose values are data or names, not schemas.
const DATA: [&str; 5] = ["const", "default", "enum", "examples", "required"];

/// Keywords whose value has a schema for each name.
const SCHEMAS_BY_NAME: [&str; 3] = ["$defs", "dependentSchemas", "patternProperties"];

/// A schema that is written with its members in order.
///
/// A model writes members in the order of the schema, so a member that it should think about first must be first.
/// `serde_json` sorts the members of an object by name unless its feature `preserve_order` is on, which would be on for every
/// crate of a program. `required` is an array and keeps the order of the type: its members are written first, in its order.
struct Ordered<'a>(&'a Map<String, Value>);

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
