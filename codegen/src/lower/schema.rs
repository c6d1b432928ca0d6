//! Lowers a schema to a type reference.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{
    LowerError, Lowering, SchemaState,
    keywords::{access, constraints, is_true, only_value, percent_decoded, text, types, values},
    model::{Access, Component, ComponentKind, Field, Shape, TypeRef},
    names::{field_name, type_name},
};
use crate::node::{Node, join};

/// Keywords that don't affect the type.
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

/// The deepest nesting of schemas, references included. The stack of [`run`](crate::run) is sized for it.
const MAX_DEPTH: usize = 2_000;

/// The longest chain of references and unions that is searched for `null`.
const MAX_REFERENCES: usize = 16;

impl Lowering<'_> {
    /// Returns the type of the schema at a pointer, and lowers it on the first call.
    pub(super) fn at(&mut self, pointer: &str) -> Result<TypeRef, LowerError> {
        match self.lowered.get(pointer) {
            Some(SchemaState::Done(type_ref)) => {
                let type_ref = type_ref.clone();
                self.referenced.extend(type_ref.shape.named().map(str::to_owned));
                return Ok(type_ref);
            }
            Some(SchemaState::InProgress) => {
                self.note(pointer, "the schema only refers to itself; it becomes any JSON");
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

    /// Returns the type of a schema.
    ///
    /// `name` is the name of the type, if the schema needs one of its own. `named` is `true` for schemas that are named
    /// in the document.
    pub(super) fn schema(&mut self, at: &str, schema: &Node, name: &str, named: bool) -> Result<TypeRef, LowerError> {
        if let Some(SchemaState::Done(type_ref)) = self.lowered.get(at).cloned() {
            // Lowered already, through a reference.
            self.referenced.extend(type_ref.shape.named().map(str::to_owned));
            return Ok(type_ref);
        }
        if self.depth == MAX_DEPTH {
            self.note(at, "the schema is nested too deeply; it becomes any JSON");
            return Ok(Shape::Any.into());
        }
        self.spend(at, 1)?;
        self.depth += 1;
        let type_ref = self.unseen(at, schema, name, named);
        self.depth -= 1;
        type_ref
    }

    fn unseen(&mut self, at: &str, schema: &Node, name: &str, named: bool) -> Result<TypeRef, LowerError> {
        let members = match schema {
            Node::Bool(true) => return Ok(Shape::Any.into()),
            Node::Bool(false) => {
                self.note(at, "`false` allows no value; it becomes any JSON");
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
            if let Some(type_ref) = self.enclosing_type(at, schema) {
                return Ok(type_ref);
            }
            let merged = self.merged(at, schema, 0)?;
            self.enclosing.push((schema.clone(), at.to_owned()));
            let type_ref = self.shaped(at, &merged, name, named);
            self.enclosing.pop();
            return type_ref;
        }
        self.shaped(at, schema, name, named)
    }

    /// Returns the type of a merged schema that is nested in itself, such as a property that refers to its own object
    /// and adds to it.
    pub(super) fn enclosing_type(&mut self, at: &str, schema: &Node) -> Option<TypeRef> {
        let (_, outer) = self.enclosing.iter().find(|(enclosing, _)| enclosing == schema)?;
        if let Some(SchemaState::Done(type_ref)) = self.lowered.get(outer).cloned() {
            self.referenced.extend(type_ref.shape.named().map(str::to_owned));
            return Some(type_ref);
        }
        self.note(at, "the schema only refers to itself; it becomes any JSON");
        Some(Shape::Any.into())
    }

    /// Returns the messages that a property is part of. The keywords may be in the target of its `$ref`.
    fn access(&self, schema: &Node) -> Access {
        let target = schema.get("$ref").and_then(Node::as_str).and_then(|target| target.strip_prefix('#'));
        match (access(schema), target.and_then(|pointer| self.document.pointer(&percent_decoded(pointer)))) {
            (Access::ReadWrite, Some(target)) => access(target),
            (access, _) => access,
        }
    }

    /// Returns `true` if a schema allows `null`, itself or in a branch.
    pub(super) fn allows_null(&self, schema: &Node, depth: usize) -> bool {
        if depth == MAX_REFERENCES {
            return false;
        }
        let branches = ["oneOf", "anyOf"].into_iter().filter_map(|union| schema.get(union).and_then(Node::as_array));
        let target = schema.get("$ref").and_then(Node::as_str).and_then(|target| target.strip_prefix('#'));
        is_true(schema, "nullable")
            || types(schema).iter().any(|name| name == "null")
            || values(schema).is_some_and(|values| values.contains(&Node::Null))
            || branches.flatten().any(|branch| self.allows_null(branch, depth + 1))
            || target
                .and_then(|pointer| self.document.pointer(&percent_decoded(pointer)))
                .is_some_and(|target| self.allows_null(target, depth + 1))
    }

    pub(super) fn reference(&mut self, at: &str, target: &str) -> Result<TypeRef, LowerError> {
        match self.target(at, target)? {
            Some(pointer) => self.at(&pointer),
            None => Ok(Shape::Any.into()),
        }
    }

    /// Returns the pointer of a `$ref`, or `None` with a note if it leads out of the document.
    pub(super) fn target(&mut self, at: &str, target: &str) -> Result<Option<String>, LowerError> {
        let Some(pointer) = target.strip_prefix('#') else {
            self.note(
                at,
                format!("the external `$ref` {target} becomes any JSON; bundle the documents to keep its type"),
            );
            return Ok(None);
        };
        if !pointer.starts_with('/') {
            self.note(at, format!("the `$ref` {target} to an anchor or the whole document becomes any JSON"));
            return Ok(None);
        }
        let pointer = percent_decoded(pointer);
        match self.document.pointer(&pointer) {
            Some(_) => Ok(Some(pointer)),
            None => Err(LowerError::new(at, format!("the `$ref` {target} points to nothing"))),
        }
    }

    /// Returns the type of a schema without `$ref` and `allOf`.
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
                "integer" if text(schema, "format").is_some_and(|format| format == "uint64") => Shape::Unsigned,
                "integer" => Shape::Integer,
                "number" => Shape::Number,
                "boolean" => Shape::Boolean,
                other => return Err(LowerError::new(at, format!("`{other}` is not a type of JSON Schema"))),
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
                    self.note(at, "two values of the enum have the same Rust name; it becomes a string");
                    return Ok(Shape::String);
                }
                Ok(self.define(at, schema, name, ComponentKind::Enum { values: texts }, nullable))
            }
            Some(_) if !texts.is_empty() => {
                self.note(at, "an enum of several types becomes any JSON");
                Ok(Shape::Any)
            }
            Some(first) => {
                self.note(at, "the values of an enum that aren't strings are not checked");
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
                self.note(at, "the items of a tuple become any JSON");
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
            self.note(at, "`patternProperties` become any JSON");
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
            self.note(at, "`additionalProperties` beside `properties` are any JSON in `extra`");
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
                is_argument: required.contains(&property.as_str()),
                constraints: constraints(schema, &value.shape),
                value,
                constant: only_value(schema),
                is_preset: false,
                access: self.access(schema),
                lenient: is_true(schema, "x-lenient") || is_lenient,
                is_tag: false,
                incomplete_as_string: is_true(schema, "x-incomplete-as-string"),
            });
        }
        for missing in required.iter().filter(|name| !properties.contains_key(**name)) {
            self.note(at, format!("`{missing}` is required but not described; it stays in `extra`"));
        }
        if let Some(component) = self.components.get_mut(&own_name) {
            component.kind = ComponentKind::Object { fields };
        }
        Ok(shape)
    }

    /// Adds a type. Its pointer resolves to it at once, so that its schema can refer to itself.
    pub(super) fn define(&mut self, at: &str, schema: &Node, hint: &str, kind: ComponentKind, nullable: bool) -> Shape {
        let name = self.names.of_type(at, hint);
        let shape = Shape::Named(name.clone());
        self.referenced.remove(&name);
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

/// Returns the target of a schema that is a reference without other keywords that affect the type.
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
