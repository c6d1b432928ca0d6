//! Writes the OpenAPI 3.0 document of a model.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{
    model::{Component, ComponentKind, Shape, TypeRef},
    operations::LoweredOperation,
};
use crate::node::Node;

pub(super) fn document(
    source: &Node,
    components: &IndexMap<String, Component>,
    operations: &[LoweredOperation],
) -> Value {
    let text = |pointer: &str| source.pointer(pointer).and_then(Node::as_str).unwrap_or_default();
    // The version becomes a header value at compile time, which takes visible ASCII only.
    let version: String = text("/info/version").chars().filter(char::is_ascii_graphic).collect();
    let mut paths = Map::new();
    for operation in operations {
        // A second operation with the same method and path, such as a stream twin, gets an extra slash. progenitor
        // collapses repeated slashes.
        let mut path = operation.model.path.clone();
        while paths.get(&path).is_some_and(|item: &Value| item.get(&operation.model.method).is_some()) {
            path.insert(0, '/');
        }
        if let Value::Object(item) = paths.entry(path).or_insert_with(|| json!({})) {
            item.insert(operation.model.method.clone(), operation.document.clone());
        }
    }
    let schemas: Map<String, Value> =
        components.iter().map(|(name, component)| (name.clone(), schema(&component.kind))).collect();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": text("/info/title"),
            "version": if version.is_empty() { "0.0.0" } else { &version },
        },
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// Leaves out descriptions: the finished code has its own documentation.
fn schema(kind: &ComponentKind) -> Value {
    match kind {
        ComponentKind::Pending => json!({"type": "object"}),
        ComponentKind::Object { fields } => {
            let fields = fields.iter().filter(|field| !field.is_tag);
            let required: Vec<&str> =
                fields.clone().filter(|field| field.required).map(|field| field.name.as_str()).collect();
            let properties: Map<String, Value> =
                fields.map(|field| (field.name.clone(), type_ref(&field.value))).collect();
            if required.is_empty() {
                json!({"type": "object", "properties": properties})
            } else {
                json!({"type": "object", "properties": properties, "required": required})
            }
        }
        ComponentKind::Enum { values } => json!({"type": "string", "enum": values}),
        ComponentKind::Tagged { variants, .. } => {
            let branches: Vec<Value> = variants.iter().map(|variant| named(&variant.component)).collect();
            json!({"oneOf": branches})
        }
        ComponentKind::Untagged { variants } => {
            let branches: Vec<Value> =
                variants.iter().map(|variant| type_ref(&variant.value.shape.clone().into())).collect();
            json!({"oneOf": branches})
        }
    }
}

pub(super) fn type_ref(type_ref: &TypeRef) -> Value {
    let schema = match &type_ref.shape {
        Shape::Any => json!({}),
        Shape::AnyObject => json!({"type": "object"}),
        Shape::String => json!({"type": "string"}),
        Shape::Integer => json!({"type": "integer", "format": "int64"}),
        Shape::Unsigned => json!({"type": "integer", "format": "uint64"}),
        Shape::Number => json!({"type": "number"}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::List(item) => json!({"type": "array", "items": self::type_ref(item)}),
        Shape::Map(value) => json!({"type": "object", "additionalProperties": self::type_ref(value)}),
        // OpenAPI 3.0 ignores the siblings of a `$ref`.
        Shape::Named(name) if type_ref.nullable => json!({"allOf": [named(name)]}),
        Shape::Named(name) => named(name),
    };
    match schema {
        Value::Object(mut schema) if type_ref.nullable && type_ref.shape != Shape::Any => {
            schema.insert("nullable".to_owned(), true.into());
            Value::Object(schema)
        }
        schema => schema,
    }
}

fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
