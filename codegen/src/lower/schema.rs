//! One schema to one use of a type.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{
    LowerError, Lowering, SchemaState,
    keywords::{constraints, is_true, only_value, percent_decoded, text, types, values},
    model::{Component, ComponentKind, Field, Shape, TypeRef},
    names::{field_name, type_name},
};
use crate::node::{Node, join};

/// Keywords that say nothing about the shape.
const ANNOTATIONS: [&str; 11] = [
    "title",
    "description",
    "summary",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "externalDocs",
];

/// How many schemas may stand in each other, references followed. More than any document that people read has; the
/// pipeline's stack is made for it.
const LEVELS: usize = 2_000;

impl Lowering<'_> {
    /// What the schema at a pointer is used as; lowers it when it is met for the first time.
    pub(super) fn at(&mut self, pointer: &str) -> Result<TypeRef, LowerError> {
        match self.lowered.get(pointer) {
            Some(SchemaState::Done(type_ref)) => {
                let type_ref = type_ref.clone();
                self.seen.extend(type_ref.shape.named().map(str::to_owned));
                return Ok(type_ref);
            }
            Some(SchemaState::InProgress) => {
                self.note(pointer, "the schema refers to itself and nothing else; taken as any JSON");
                return Ok(Shape::Any.into());
            }
            None => {}
        }
        self.lowered.insert(pointer.to_owned(), SchemaState::InProgress);
        let document = self.document;
        let schema = document.pointer(pointer).ok_or_else(|| LowerError::new(pointer, "there is no schema"))?;
        let name =
            super::super::node::reference_tokens(pointer).and_then(|steps| steps.last().cloned()).unwrap_or_default();
        let is_component = pointer.starts_with("/components/schemas/") && pointer.matches('/').count() == 3;
        let type_ref = self.schema(pointer, schema, &name, is_component)?;
        self.lowered.insert(pointer.to_owned(), SchemaState::Done(type_ref.clone()));
        Ok(type_ref)
    }

    /// What a schema is used as. `name` is the name it gets if it has to become a type of its own;
    /// `named` says that it is one of the document's named schemas.
    pub(super) fn schema(&mut self, at: &str, schema: &Node, name: &str, named: bool) -> Result<TypeRef, LowerError> {
        if let Some(SchemaState::Done(type_ref)) = self.lowered.get(at).cloned() {
            // A reference led here before.
            self.seen.extend(type_ref.shape.named().map(str::to_owned));
            return Ok(type_ref);
        }
        if self.level == LEVELS {
            self.note(at, "the schema stands too deep in others; taken as any JSON");
            return Ok(Shape::Any.into());
        }
        self.spend(at, 1)?;
        self.level += 1;
        let type_ref = self.unseen(at, schema, name, named);
        self.level -= 1;
        type_ref
    }

    fn unseen(&mut self, at: &str, schema: &Node, name: &str, named: bool) -> Result<TypeRef, LowerError> {
        let members = match schema {
            Node::Bool(true) => return Ok(Shape::Any.into()),
            Node::Bool(false) => {
                self.note(at, "`false` allows nothing; taken as any JSON");
                return Ok(Shape::Any.into());
            }
            Node::Object(members) => members,
            _ => return Err(LowerError::new(at, "a schema must be an object or a boolean")),
        };
        if let Some(target) = only_reference(members) {
            let mut type_ref = self.reference(at, target)?;
            type_ref.nullable |= is_true(schema, "nullable");
            return Ok(type_ref);
        }
        if members.contains_key("$ref") || members.contains_key("allOf") {
            if let Some(type_ref) = self.opened(at, schema) {
                return Ok(type_ref);
            }
            let merged = self.merged(at, schema, 0)?;
            self.open.push((schema.clone(), at.to_owned()));
            let type_ref = self.shaped(at, &merged, name, named);
            self.open.pop();
            return type_ref;
        }
        self.shaped(at, schema, name, named)
    }

    /// What a schema is used as that is put together inside of itself: a property that refers to the object it is a
    /// property of, and adds to it.
    pub(super) fn opened(&mut self, at: &str, schema: &Node) -> Option<TypeRef> {
        let (_, outer) = self.open.iter().find(|(open, _)| open == schema)?;
        if let Some(SchemaState::Done(type_ref)) = self.lowered.get(outer).cloned() {
            self.seen.extend(type_ref.shape.named().map(str::to_owned));
            return Some(type_ref);
        }
        self.note(at, "the schema refers to itself and nothing else; taken as any JSON");
        Some(Shape::Any.into())
    }

    pub(super) fn reference(&mut self, at: &str, target: &str) -> Result<TypeRef, LowerError> {
        match self.target(at, target)? {
            Some(pointer) => self.at(&pointer),
            None => Ok(Shape::Any.into()),
        }
    }

    /// The pointer that a `$ref` names; `None`, with a note, where it can't be followed.
    pub(super) fn target(&mut self, at: &str, target: &str) -> Result<Option<String>, LowerError> {
        let Some(pointer) = target.strip_prefix('#') else {
            self.note(at, format!("the `$ref` {target} leads out of the document; taken as any JSON"));
            return Ok(None);
        };
        if !pointer.starts_with('/') {
            self.note(at, format!("the `$ref` {target} names an anchor or the whole document; taken as any JSON"));
            return Ok(None);
        }
        let pointer = percent_decoded(pointer);
        match self.document.pointer(&pointer) {
            Some(_) => Ok(Some(pointer)),
            None => Err(LowerError::new(at, format!("the `$ref` {target} points to nothing"))),
        }
    }

    /// A schema without `$ref` and `allOf`.
    fn shaped(&mut self, at: &str, schema: &Node, name: &str, named: bool) -> Result<TypeRef, LowerError> {
        let mut types = types(schema);
        let mut nullable = is_true(schema, "nullable") || types.iter().any(|name| name == "null");
        types.retain(|name| name != "null");
        if let Some(values) = values(schema) {
            nullable |= values.contains(&Node::Null);
            let shape = self.enumeration(at, schema, &values, name, nullable)?;
            return Ok(TypeRef { shape, nullable });
        }
        for keyword in ["oneOf", "anyOf"] {
            let Some(branches) = schema.get(keyword).and_then(Node::as_array) else { continue };
            if let Some(type_ref) = self.union(&join(at, keyword), at, schema, branches, name, nullable)? {
                return Ok(type_ref);
            }
        }
        let shape = match types.as_slice() {
            [] if schema.get("properties").is_some()
                || schema.get("additionalProperties").is_some_and(|node| node.as_object().is_some()) =>
            {
                self.object(at, schema, name, named, nullable)?
            }
            [] if schema.get("items").is_some() || schema.get("prefixItems").is_some() => {
                self.list(at, schema, name)?
            }
            [] => Shape::Any,
            [one] => match one.as_str() {
                "object" => self.object(at, schema, name, named, nullable)?,
                "array" => self.list(at, schema, name)?,
                "string" => Shape::String,
                "integer" => Shape::Integer,
                "number" => Shape::Number,
                "boolean" => Shape::Boolean,
                other => return Err(LowerError::new(at, format!("`{other}` is no type of JSON Schema"))),
            },
            several => return self.type_list(at, schema, several, name, nullable),
        };
        Ok(TypeRef { shape, nullable })
    }

    fn enumeration(
        &mut self,
        at: &str,
        schema: &Node,
        values: &[Node],
        name: &str,
        nullable: bool,
    ) -> Result<Shape, LowerError> {
        let texts: Vec<String> = values.iter().filter_map(Node::as_str).map(str::to_owned).collect();
        let others = values.iter().filter(|value| !matches!(value, Node::Null | Node::String(_)));
        match others.clone().next() {
            None if texts.is_empty() => Ok(Shape::Any),
            None => {
                let idents: HashSet<String> = texts.iter().map(|text| type_name(text)).collect();
                if idents.len() < texts.len() || idents.contains("Unknown") {
                    self.note(at, "the values of the enum can't be told apart as Rust names; taken as a string");
                    return Ok(Shape::String);
                }
                Ok(self.define(at, schema, name, ComponentKind::Enum { values: texts }, nullable))
            }
            Some(_) if !texts.is_empty() => {
                self.note(at, "an enum of several types; taken as any JSON");
                Ok(Shape::Any)
            }
            Some(first) => {
                self.note(at, "the values of an enum that is not of strings are not checked");
                let integers = others
                    .clone()
                    .all(|value| matches!(value, Node::Number(number) if number.is_i64() || number.is_u64()));
                Ok(match first {
                    Node::Bool(_) => Shape::Boolean,
                    Node::Number(_) if integers => Shape::Integer,
                    Node::Number(_) => Shape::Number,
                    Node::Array(_) => Shape::List(Box::new(Shape::Any.into())),
                    _ => Shape::AnyObject,
                })
            }
        }
    }

    fn list(&mut self, at: &str, schema: &Node, name: &str) -> Result<Shape, LowerError> {
        let items = match schema.get("items") {
            Some(items @ (Node::Object(_) | Node::Bool(true))) if schema.get("prefixItems").is_none() => {
                self.schema(&join(at, "items"), items, &format!("{name}Item"), false)?
            }
            None if schema.get("prefixItems").is_none() => Shape::Any.into(),
            _ => {
                self.note(at, "the items of a tuple are taken as any JSON");
                Shape::Any.into()
            }
        };
        Ok(Shape::List(Box::new(items)))
    }

    fn object(
        &mut self,
        at: &str,
        schema: &Node,
        name: &str,
        named: bool,
        nullable: bool,
    ) -> Result<Shape, LowerError> {
        let properties = schema.get("properties").and_then(Node::as_object).filter(|properties| !properties.is_empty());
        let typed = schema
            .get("additionalProperties")
            .filter(|node| node.as_object().is_some_and(|members| !members.is_empty()));
        if schema.get("patternProperties").is_some() {
            self.note(at, "`patternProperties` are taken as any JSON");
        }
        let Some(properties) = properties else {
            return match typed {
                Some(values) => {
                    let values =
                        self.schema(&join(at, "additionalProperties"), values, &format!("{name}Value"), false)?;
                    Ok(Shape::Map(Box::new(values)))
                }
                None if named => {
                    Ok(self.define(at, schema, name, ComponentKind::Object { fields: Vec::new() }, nullable))
                }
                None => Ok(Shape::AnyObject),
            };
        };
        if typed.is_some() {
            self.note(at, "the type of further properties is not kept; they are raw JSON in `extra`");
        }
        let shape = self.define(at, schema, name, ComponentKind::Pending, nullable);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Node::as_array)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::as_str)
            .collect();
        let is_lenient = is_true(schema, "x-lenient");
        let mut fields: Vec<Field> = Vec::new();
        let own_name = match &shape {
            Shape::Named(own) => own.clone(),
            _ => name.to_owned(),
        };
        self.pending_objects.insert(own_name.clone());
        for (property, schema) in properties {
            let at = join(&join(at, "properties"), property);
            if let Some(other) = fields.iter().find(|field| field_name(&field.name) == field_name(property)) {
                let text =
                    format!("`{property}` and `{}` have the same Rust name; `{property}` stays in `extra`", other.name);
                self.note(&at, text);
                continue;
            }
            let value = self.schema(&at, schema, &format!("{own_name}{}", type_name(property)), false)?;
            fields.push(Field {
                name: property.clone(),
                description: text(schema, "description"),
                required: required.contains(&property.as_str()),
                constraints: constraints(schema, &value.shape),
                value,
                constant: only_value(schema),
                lenient: is_true(schema, "x-lenient") || is_lenient,
                is_tag: false,
                incomplete_as_string: is_true(schema, "x-incomplete-as-string"),
            });
        }
        for missing in required.iter().filter(|name| !properties.contains_key(**name)) {
            self.note(at, format!("`{missing}` is required and not described; it goes through `extra`"));
        }
        if let Some(component) = self.components.get_mut(&own_name) {
            component.kind = ComponentKind::Object { fields };
        }
        Ok(shape)
    }

    /// Makes a type. It is known under its pointer at once, so that it can refer to itself.
    pub(super) fn define(&mut self, at: &str, schema: &Node, hint: &str, kind: ComponentKind, nullable: bool) -> Shape {
        let name = self.names.of_type(at, hint);
        let shape = Shape::Named(name.clone());
        self.seen.remove(&name);
        self.lowered.insert(at.to_owned(), SchemaState::Done(TypeRef { shape: shape.clone(), nullable }));
        let is_inline = !(at.starts_with("/components/schemas/") && at.matches('/').count() == 3);
        let description = text(schema, "description");
        let (boxed, merges) = (is_true(schema, "x-boxed"), is_true(schema, "x-merge"));
        let component =
            Component { pointer: at.to_owned(), description, kind, boxed, is_inline, is_event: false, merges };
        self.components.insert(name, component);
        shape
    }
}

/// The target of a schema that is a reference and says nothing else about the shape.
fn only_reference(members: &IndexMap<String, Node>) -> Option<&str> {
    let beside = |key: &String| key != "nullable" && !ANNOTATIONS.contains(&key.as_str()) && !key.starts_with("x-");
    let mut shape_keywords = members.keys().filter(|key| beside(key));
    match (shape_keywords.next()?.as_str(), shape_keywords.next()) {
        ("$ref", None) => members.get("$ref")?.as_str(),
        ("allOf", None) => match members.get("allOf")?.as_array()? {
            [Node::Object(only)] => only_reference(only),
            _ => None,
        },
        _ => None,
    }
}
