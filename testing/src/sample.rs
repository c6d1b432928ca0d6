//! Sample values of JSON Schemas, for tool inputs and for replies that aren't scripted.

use serde_json::{Map, Value, json};

/// The maximum depth of a sample. A schema that goes deeper is assumed to be recursive.
const MAX_DEPTH: usize = 16;

/// Returns a small value that matches the types, required fields, constants, enumerations, defaults and examples of
/// `schema`. Strings are `text`. `root` is the document that references point into.
pub(crate) fn sample(schema: &Value, root: &Value, text: &str) -> Value {
    Sampler { root, text }.sample(schema, 0)
}

/// Returns a [`sample`] that also has the optional fields of the outermost object, because the contract requires few
/// fields of a response.
pub(crate) fn full_sample(schema: &Value, root: &Value, text: &str) -> Value {
    let sampler = Sampler { root, text };
    let schema = sampler.resolved(schema);
    let mut value = sampler.sample(schema, 0);
    if let (Some(fields), Some(properties)) = (value.as_object_mut(), schema.get("properties")) {
        for (name, property) in properties.as_object().into_iter().flatten() {
            fields.entry(name.clone()).or_insert_with(|| sampler.sample(property, 1));
        }
    }
    value
}

struct Sampler<'document> {
    root: &'document Value,
    text: &'document str,
}

impl Sampler<'_> {
    fn sample(&self, schema: &Value, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if schema.get("$ref").is_some() {
            return self.sample(self.resolved(schema), depth + 1);
        }
        let given = ["const", "default", "example"].iter().find_map(|name| schema.get(name));
        let listed = ["examples", "enum"].iter().find_map(|name| schema.get(name)?.get(0));
        if let Some(value) = given.or(listed) {
            return value.clone();
        }
        if let Some(first) = ["oneOf", "anyOf"].iter().find_map(|name| schema.get(name)?.get(0)) {
            return self.sample(first, depth + 1);
        }
        match type_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => json!(self.text),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            // `true` would make a page claim that there are more.
            "boolean" => json!(false),
            _ => Value::Null,
        }
    }

    /// Follows a reference one step. Returns any other schema unchanged.
    fn resolved<'schema>(&'schema self, schema: &'schema Value) -> &'schema Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)).unwrap_or(&Value::Null)
            }
            None => schema,
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let mut fields = Map::new();
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Value::Object(more) = self.sample(part, depth + 1) {
                fields.extend(more);
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str() {
                let field = schema.get("properties").and_then(|properties| properties.get(name));
                fields.insert(name.to_owned(), self.sample(field.unwrap_or(&Value::Null), depth + 1));
            }
        }
        Value::Object(fields)
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let item = schema.get("items").unwrap_or(&Value::Null);
        Value::Array((0..least.min(MAX_DEPTH as u64)).map(|_| self.sample(item, depth + 1)).collect())
    }
}

fn type_of(schema: &Value) -> &str {
    let stated = match schema.get("type") {
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    };
    let is_object = schema.get("properties").is_some() || schema.get("allOf").is_some();
    stated.unwrap_or(if is_object { "object" } else { "null" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_fits_its_schema() {
        let schema = json!({
            "type": "object",
            "required": ["city", "unit", "days", "deep", "tags", "flag", "maybe"],
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "kelvin"]},
                "days": {"type": "integer", "minimum": 3},
                "deep": {"$ref": "#/$defs/deep"},
                "tags": {"type": "array", "minItems": 2, "items": {"type": "string"}},
                "flag": {"type": "boolean"},
                "maybe": {"type": ["null", "number"]},
                "optional": {"type": "string"}
            },
            "$defs": {"deep": {"allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"const": 5}}}]}}
        });
        let value = sample(&schema, &schema, "Paris");
        assert!(jsonschema::is_valid(&schema, &value), "{value}");
        assert_eq!(value["city"], "Paris");
        assert!(value.get("optional").is_none());
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema, &schema, "").is_object());
    }
}
