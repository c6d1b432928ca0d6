//! Strict schemas.
//!
//! For `strict` tools and for `output_config` the API compiles a schema into a grammar, which expresses less than JSON Schema:
//! every object must have `additionalProperties: false`, there is no `oneOf`, and numbers and lengths have no limits. A schema
//! is changed as long as its meaning stays, limits become words for the model to read, and anything else is an error.

use serde_json::{Map, Value};

use super::{definition, drop_unused, merge};
use crate::{
    error::{Error, ErrorKind, Result},
    rules,
};

/// Keywords that limit a value and that no grammar expresses. The model reads them instead.
const LIMITS: [&str; 12] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// The formats of strings that a grammar expresses.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Keywords that describe a schema and restrict nothing.
const ANNOTATIONS: [&str; 5] = ["title", "description", "default", "examples", "deprecated"];

/// Returns the strict form of a schema. `owner` is its name in error messages.
///
/// # Errors
/// Fails with [`ErrorKind::Contract`] for a type that contains itself, for objects with members of any name, for several
/// flattened enums in one type, and for what [`rules::unsupported`] finds.
pub(super) fn strict(mut root: Map<String, Value>, owner: &str) -> Result<Map<String, Value>> {
    if let Some(circle) = rules::circular_reference(&Value::Object(root.clone())) {
        let problem = match circle.as_slice() {
            [name, _] if name == "#" => "contains itself, which a strict schema can't".to_owned(),
            _ => format!("contains itself, which a strict schema can't: {}", circle.join(" -> ")),
        };
        return Err(error(owner, &problem, ""));
    }
    let document = root.clone();
    let definitions = root.remove(super::DEFINITIONS);
    let mut pass = Pass { document: &document, owner, path: Vec::new() };
    pass.schema(&mut root)?;
    if let Some(Value::Object(mut definitions)) = definitions {
        for (name, definition) in &mut definitions {
            pass.path = vec![super::DEFINITIONS.to_owned(), name.clone()];
            pass.value(definition)?;
        }
        root.insert(super::DEFINITIONS.to_owned(), definitions.into());
    }
    drop_unused(&mut root);
    let schema = Value::Object(root);
    if let Some(unsupported) = rules::unsupported(&schema) {
        return Err(error(owner, unsupported.problem, &unsupported.pointer));
    }
    match schema {
        Value::Object(root) => Ok(root),
        _ => Ok(Map::new()),
    }
}

struct Pass<'a> {
    document: &'a Map<String, Value>,
    owner: &'a str,
    /// The current place.
    path: Vec<String>,
}

impl Pass<'_> {
    fn value(&mut self, value: &mut Value) -> Result<()> {
        match value {
            Value::Object(schema) => self.schema(schema),
            _ => Ok(()),
        }
    }

    fn schema(&mut self, schema: &mut Map<String, Value>) -> Result<()> {
        self.resolve(schema);
        if let Some(branches) = schema.remove("oneOf") {
            if schema.contains_key("anyOf") {
                return Err(self.error("combines several enums, which a strict schema can't"));
            }
            schema.insert("anyOf".to_owned(), branches);
        }
        if schema.contains_key("allOf") {
            return Err(self.error("combines several enums, which a strict schema can't"));
        }
        distribute(schema);
        self.close(schema)?;
        drop_optional_nulls(schema);
        describe_limits(schema);
        self.members(schema)?;
        Ok(())
    }

    /// Replaces a `$ref` that has sibling keywords with its definition.
    fn resolve(&self, schema: &mut Map<String, Value>) {
        while schema.len() > 1
            && let Some(definition) = definition(self.document, schema.get("$ref"))
        {
            schema.remove("$ref");
            merge(schema, definition.clone());
        }
    }

    /// Restricts an object to the members that it names.
    fn close(&self, schema: &mut Map<String, Value>) -> Result<()> {
        let is_object = schema.contains_key("properties") || names_object(schema.get("type"));
        schema.remove("unevaluatedProperties");
        let is_open = schema.get("additionalProperties").is_some_and(|value| *value != Value::Bool(false));
        if is_open || schema.contains_key("patternProperties") {
            return Err(self.error("has members of any name, which a strict schema can't have; use a list of pairs"));
        }
        if is_object {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        Ok(())
    }

    /// Converts the schemas within this one.
    fn members(&mut self, schema: &mut Map<String, Value>) -> Result<()> {
        for (keyword, value) in schema.iter_mut() {
            self.path.push(keyword.clone());
            match (keyword.as_str(), value) {
                ("properties", Value::Object(members)) => {
                    for (name, member) in members {
                        self.path.push(name.clone());
                        self.value(member)?;
                        self.path.pop();
                    }
                }
                ("anyOf" | "prefixItems", Value::Array(schemas)) => {
                    schemas.iter_mut().try_for_each(|schema| self.value(schema))?;
                }
                ("items", value) => self.value(value)?,
                _ => {}
            }
            self.path.pop();
        }
        Ok(())
    }

    fn error(&self, problem: &str) -> Error {
        let pointer: String = self.path.iter().map(|part| format!("/{part}")).collect();
        error(self.owner, problem, &pointer)
    }
}

fn error(owner: &str, problem: &str, pointer: &str) -> Error {
    let place = if pointer.is_empty() { String::new() } else { format!(", at {pointer}") };
    Error::new(ErrorKind::Contract, format!("the schema of {owner} {problem}{place}"))
}

/// Removes `null` from members that can be left out: the API limits the number of optional members and of members with
/// several types, and an `Option` would count as both.
fn drop_optional_nulls(schema: &mut Map<String, Value>) {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Object(members)) = schema.get_mut("properties") else { return };
    let optional = members.iter_mut().filter(|(name, _)| !required.iter().any(|required| required == *name));
    for (_, member) in optional {
        let Value::Object(member) = member else { continue };
        if let Some(Value::Array(types)) = member.get_mut("type") {
            types.retain(|name| name != "null");
            if let [single] = types.as_slice() {
                let single = single.clone();
                member.insert("type".to_owned(), single);
            }
            if let Some(Value::Array(values)) = member.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
        }
        if let Some(Value::Array(branches)) = member.get_mut("anyOf") {
            branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
            if let [Value::Object(single)] = branches.as_slice() {
                let single = single.clone();
                member.remove("anyOf");
                merge(member, single);
            }
        }
    }
}

/// Moves members beside `anyOf`, as of a flattened enum, into each of its branches: an object that takes no other members must
/// name all of them.
fn distribute(schema: &mut Map<String, Value>) {
    if !schema.contains_key("properties") {
        return;
    }
    let Some(Value::Array(branches)) = schema.remove("anyOf") else { return };
    let (about, shared): (Map<_, _>, Map<_, _>) =
        std::mem::take(schema).into_iter().partition(|(keyword, _)| is_annotation(keyword));
    let branches = branches.into_iter().filter_map(|branch| match branch {
        Value::Object(branch) => {
            let mut whole = shared.clone();
            whole.remove("additionalProperties");
            merge(&mut whole, branch);
            Some(Value::Object(whole))
        }
        _ => None,
    });
    let branches: Value = branches.collect();
    *schema = about;
    schema.insert("anyOf".to_owned(), branches);
}

/// Moves limits into the description.
fn describe_limits(schema: &mut Map<String, Value>) {
    let is_moved = |keyword: &str, value: &Value| match keyword {
        "minItems" => value.as_u64().is_none_or(|items| items > 1),
        "format" => !value.as_str().is_some_and(|format| FORMATS.contains(&format)),
        _ => LIMITS.contains(&keyword),
    };
    let limits: Vec<String> = std::iter::once("format")
        .chain(LIMITS)
        .filter_map(|keyword| Some((keyword, schema.get(keyword)?)))
        .filter(|(keyword, value)| is_moved(keyword, value) && !is_fractional(value))
        .map(|(keyword, value)| match value.as_str() {
            Some(text) => format!("{keyword}: {text}"),
            None => format!("{keyword}: {value}"),
        })
        .collect();
    schema.retain(|keyword, value| !is_moved(keyword, value));
    if limits.is_empty() {
        return;
    }
    let limits = limits.join(", ");
    let description = match schema.get("description").and_then(Value::as_str) {
        Some(description) => format!("{description}\n\n({limits})"),
        None => format!("({limits})"),
    };
    schema.insert("description".to_owned(), description.into());
}

/// Returns `true` for the formats of `f32` and `f64`, which say nothing about a number.
fn is_fractional(format: &Value) -> bool {
    format == "float" || format == "double"
}

fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword)
}

fn names_object(types: Option<&Value>) -> bool {
    match types {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        _ => false,
    }
}
