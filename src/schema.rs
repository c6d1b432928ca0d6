//! JSON Schemas of Rust types, in the form that the API takes.

mod strict;

use std::collections::BTreeSet;

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
    rules,
};

/// The keyword of the schemas of named types.
const DEFINITIONS: &str = "$defs";

/// Keywords that the API rejects at the root of a tool's schema.
const REJECTED_AT_ROOT: [&str; 3] = ["oneOf", "anyOf", "allOf"];

impl AnthropicTool {
    /// Creates a tool whose input is a Rust type.
    ///
    /// The schema describes what serde reads: names, optional fields, the representation of enums, and doc comments as
    /// descriptions. The ranges of integer types are bounds. A model writes fields in the order of the schema: required
    /// ones first, in the order of the type. Optional ones follow by name, or in the order of the type if a program turns
    /// on `preserve_order` of `serde_json`. Types that occur in several places or contain themselves are in `$defs`.
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
    /// assert!(tool.input_schema.as_str().contains("A city, such as `Paris`."));
    /// # Ok::<(), anthropic_messages::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Contract`] if the root of the schema is not an object, or has `oneOf`, `anyOf` or `allOf`: the
    /// API rejects both. Only structs with named fields and maps have such a schema. The message names the type.
    pub fn of<T: JsonSchema + ?Sized>(name: impl Into<String>, description: impl Into<String>) -> Result<Self> {
        Ok(Self {
            name: name.into(),
            description: Some(description.into()),
            input_schema: json(&of_tool::<T>()?)?,
            ..Self::empty()
        })
    }

    /// Creates a tool whose input is guaranteed to fit its schema (`strict`).
    ///
    /// The schema is that of [`of`](Self::of) with the changes that the API requires: objects have no members but those
    /// named, `oneOf` becomes `anyOf`, an `Option` that can be left out can't also be `null`, and limits such as
    /// `minimum` move into the description.
    ///
    /// # Errors
    /// Fails as [`of`](Self::of) does, and with [`ErrorKind::Contract`] for a type that has no strict schema: one that
    /// contains itself, a map, a tuple, or a value of any type, and patterns with look-around, back-references or word
    /// boundaries. The message names the type and the place.
    pub fn strict_of<T: JsonSchema + ?Sized>(name: impl Into<String>, description: impl Into<String>) -> Result<Self> {
        Self::of::<T>(name, description)?.into_strict()
    }

    /// Makes the schema strict.
    pub(crate) fn into_strict(mut self) -> Result<Self> {
        let unreadable =
            |error| Error::new(ErrorKind::Contract, "the schema of a tool can't be read").with_source(error);
        let schema = self.input_schema.decode().map_err(unreadable)?;
        self.input_schema = json(&strict::strict(schema, &format!("the tool `{}`", self.name))?)?;
        self.strict = Some(true);
        Ok(self)
    }
}

/// Returns the schema of structured output.
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
    if let Some(keyword) = REJECTED_AT_ROOT.iter().find(|keyword| schema.contains_key(**keyword)) {
        return refused(format!("has `{keyword}` at its root"));
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "object" => Ok(schema),
        _ => refused("is not an object".to_owned()),
    }
}

/// Returns the schema of a type. Its root is the type itself, not a reference.
fn of<T: JsonSchema + ?Sized>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    let root = settings.into_generator().into_root_schema_for::<T>().to_value();
    // The only schema that is not an object is `true`, of a type that accepts anything.
    let Value::Object(mut schema) = root else { return Map::new() };
    if schema.get("title").and_then(Value::as_str) == Some(&*T::schema_name()) {
        schema.remove("title");
    }
    while let Some(definition) = definition(&schema, schema.get("$ref")).cloned() {
        schema.remove("$ref");
        merge(&mut schema, definition);
        drop_unused(&mut schema);
    }
    let mut schema = Value::Object(schema);
    normalize(&mut schema);
    match schema {
        Value::Object(mut schema) => {
            if schema.get("type").is_some_and(|name| name == "object") && !schema.contains_key("additionalProperties") {
                schema.entry("properties").or_insert_with(|| Map::new().into());
            }
            schema
        }
        _ => Map::new(),
    }
}

/// Replaces the formats of Rust's integers, which no validator knows, with the bounds that they stand for.
fn normalize(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            if let Some(format) = keywords.get("format").and_then(Value::as_str)
                && let Some((minimum, maximum)) = integer_bounds(format)
            {
                keywords.remove("format");
                if let Some(minimum) = minimum {
                    keywords.entry("minimum").or_insert(minimum);
                }
                if let Some(maximum) = maximum {
                    keywords.entry("maximum").or_insert(maximum);
                }
            }
            for (keyword, value) in keywords {
                match value {
                    Value::Object(schemas)
                        if keyword == "properties" || SCHEMAS_BY_NAME.contains(&keyword.as_str()) =>
                    {
                        schemas.values_mut().for_each(normalize);
                    }
                    _ if DATA.contains(&keyword.as_str()) => {}
                    value => normalize(value),
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(normalize),
        _ => {}
    }
}

/// Returns the least and the greatest value of an integer format, as far as JSON numbers of 64 bits express them. `None` if it
/// is no integer format.
fn integer_bounds(format: &str) -> Option<(Option<Value>, Option<Value>)> {
    let bounds = |minimum: i64, maximum: u64| Some((Some(minimum.into()), Some(maximum.into())));
    match format {
        "int8" => bounds(i8::MIN.into(), 127),
        "int16" => bounds(i16::MIN.into(), 32_767),
        "int32" => bounds(i32::MIN.into(), 2_147_483_647),
        "int64" | "int" => bounds(i64::MIN, i64::MAX.unsigned_abs()),
        "uint8" => bounds(0, u8::MAX.into()),
        "uint16" => bounds(0, u16::MAX.into()),
        "uint32" => bounds(0, u32::MAX.into()),
        "uint64" | "uint" => bounds(0, u64::MAX),
        "int128" => Some((None, None)),
        "uint128" => Some((Some(0.into()), None)),
        _ => None,
    }
}

/// Returns the definition that a `$ref` refers to.
fn definition<'a>(root: &'a Map<String, Value>, reference: Option<&Value>) -> Option<&'a Map<String, Value>> {
    root.get(DEFINITIONS)?.get(definition_name(reference?)?)?.as_object()
}

/// Returns the name of the definition that a `$ref` refers to.
fn definition_name(reference: &Value) -> Option<String> {
    Some(rules::unescaped(reference.as_str()?.strip_prefix("#/$defs/")?))
}

/// Merges another schema into one. Members and requirements are joined, and other keywords stay as they are.
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

/// Removes definitions that nothing refers to.
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

/// Collects the names of the definitions that a value refers to.
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
    Json::from_serialize(&Ordered(schema)).map_err(unwritable)
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
