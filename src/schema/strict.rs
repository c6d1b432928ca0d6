//! Schemas that the API can hold a model to.
//!
//! For `strict` tools and for `output_config` the API turns a schema into a grammar, which knows
//! less than JSON Schema: every object must have `additionalProperties: false`, there is no
//! `oneOf`, and numbers and lengths have no limits. A schema is changed so far as it means the
//! same, limits become words for the model to read, and what has no such schema is an error.

use serde_json::{Map, Value};

use super::{definition, definition_name, drop_unused, merge};
use crate::error::{Error, ErrorKind, Result};

/// Keywords that limit a value and that no grammar expresses; the model reads them instead.
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

/// Keywords that say something about a schema and restrict nothing.
const ANNOTATIONS: [&str; 5] = ["title", "description", "default", "examples", "deprecated"];

/// The schema in its strict form. `owner` is what messages call it.
///
/// # Errors
/// [`ErrorKind::Contract`] for objects with members of any name, for several flattened enums in
/// one type, and for an enum in whose variant a type contains itself.
pub(super) fn strict(mut root: Map<String, Value>, owner: &str) -> Result<Map<String, Value>> {
    let document = root.clone();
    let definitions = root.remove(super::DEFINITIONS);
    let mut pass = Pass { document: &document, owner, open: Vec::new(), path: Vec::new() };
    pass.schema(&mut root)?;
    if let Some(Value::Object(mut definitions)) = definitions {
        for (name, definition) in &mut definitions {
            pass.open = vec![name.clone()];
            pass.path = vec![super::DEFINITIONS.to_owned(), name.clone()];
            pass.value(definition)?;
        }
        root.insert(super::DEFINITIONS.to_owned(), definitions.into());
    }
    drop_unused(&mut root);
    Ok(root)
}

struct Pass<'a> {
    document: &'a Map<String, Value>,
    owner: &'a str,
    /// The definitions that the place at hand is a part of.
    open: Vec<String>,
    /// The place at hand.
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
        let opened = self.open.len();
        self.resolve(schema)?;
        if let Some(branches) = schema.remove("oneOf") {
            if schema.contains_key("anyOf") {
                return Err(self.error("combines several enums"));
            }
            schema.insert("anyOf".to_owned(), branches);
        }
        if schema.contains_key("allOf") {
            return Err(self.error("combines several enums"));
        }
        distribute(schema);
        self.close(schema)?;
        describe_limits(schema);
        self.members(schema)?;
        self.open.truncate(opened);
        Ok(())
    }

    /// Puts a definition in the place of a `$ref` that has anything beside it.
    fn resolve(&mut self, schema: &mut Map<String, Value>) -> Result<()> {
        while schema.len() > 1
            && let Some(reference) = schema.get("$ref").cloned()
        {
            let name = definition_name(&reference);
            let again = name.as_ref().is_none_or(|name| self.open.contains(name));
            match definition(self.document, Some(&reference)) {
                Some(definition) if !again => {
                    schema.remove("$ref");
                    merge(schema, definition.clone());
                    self.open.extend(name);
                }
                _ if schema.keys().all(|keyword| keyword == "$ref" || is_annotation(keyword)) => {
                    schema.retain(|keyword, _| keyword == "$ref");
                }
                _ => return Err(self.error("contains itself in a variant of an enum")),
            }
        }
        Ok(())
    }

    /// Lets an object have no members but those that it names.
    fn close(&self, schema: &mut Map<String, Value>) -> Result<()> {
        let is_object = schema.contains_key("properties") || names_object(schema.get("type"));
        schema.remove("unevaluatedProperties");
        let is_open = schema.get("additionalProperties").is_some_and(|value| *value != Value::Bool(false));
        if is_open || schema.contains_key("patternProperties") {
            return Err(self.error("has members of any name"));
        }
        if is_object {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        Ok(())
    }

    /// Goes into the schemas that this one is made of.
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
        let place = if pointer.is_empty() { String::new() } else { format!(", at {pointer}") };
        Error::new(
            ErrorKind::Contract,
            format!("the schema of {} {problem}, which has no strict schema{place}", self.owner),
        )
    }
}

/// Members beside `anyOf`, as of a flattened enum, go into each of its branches: an object that
/// takes no other members must name all of them.
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

/// The formats of Rust's fractions say no more than that a number is one.
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
