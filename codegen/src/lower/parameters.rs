//! Parameters of operations: in the path, in the query and in headers.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    LowerError, Lowering, emit,
    keywords::{is_true, text},
    model::{ComponentKind, Location, Parameter, Shape, TypeRef},
    names::{field_name, type_name},
};
use crate::node::{Node, join};

/// Where an operation is to be found.
pub(super) struct Route<'r> {
    pub path: &'r str,
    pub placeholders: &'r [&'r str],
    pub method: &'r str,
}

impl Lowering<'_> {
    /// The parameters, and what progenitor reads of each.
    pub(super) fn parameters(
        &mut self,
        at: &str,
        route: &Route<'_>,
        item: &Node,
        operation: &Node,
    ) -> Result<(Vec<Parameter>, Vec<Value>), LowerError> {
        let at = join(at, "parameters");
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut documents = Vec::new();
        let own = operation.get("parameters").and_then(Node::as_array).unwrap_or_default();
        let shared = item.get("parameters").and_then(Node::as_array).unwrap_or_default();
        let mut idents = HashSet::from(["body".to_owned(), "header_map".to_owned(), "self_".to_owned()]);
        idents.extend(route.placeholders.iter().map(|name| field_name(name)));
        for (index, parameter) in own.iter().chain(shared).enumerate() {
            let at = join(&at, index);
            let parameter = self.followed(&at, parameter)?;
            let Some(name) = text(parameter, "name") else { continue };
            let location = match text(parameter, "in").as_deref() {
                Some("path") => Location::Path,
                Some("query") => Location::Query,
                Some("header") => Location::Header,
                _ => {
                    self.note(&at, "a parameter that is not in the path, the query or a header is left out");
                    continue;
                }
            };
            if location == Location::Path && !route.placeholders.contains(&name.as_str()) {
                self.note(&at, format!("the path has no `{{{name}}}`; the parameter is left out"));
                continue;
            }
            if parameters.iter().any(|other| other.name == name && other.location == location) {
                continue;
            }
            if location == Location::Header && !is_own_header(&name) {
                self.note(&at, format!("`{name}` is no header that an operation can set; the parameter is left out"));
                continue;
            }
            if location != Location::Path && !idents.insert(field_name(&name)) {
                self.note(&at, format!("`{name}` has the Rust name of another argument; the parameter is left out"));
                continue;
            }
            let required = location == Location::Path || is_true(parameter, "required");
            let type_ref = match parameter.get("schema") {
                Some(schema) => self.schema(&join(&at, "schema"), schema, &type_name(&name), false)?,
                None => Shape::String.into(),
            };
            let schema = self.parameter_schema(&at, &type_ref, location);
            let location_name = match location {
                Location::Path => "path",
                Location::Query => "query",
                Location::Header => "header",
            };
            documents.push(json!({"name": name, "in": location_name, "required": required, "schema": schema}));
            let is_string = type_ref.shape == Shape::String;
            let description = text(parameter, "description");
            parameters.push(Parameter { name, location, description, required, is_string });
        }
        for name in route.placeholders {
            if !parameters.iter().any(|parameter| parameter.name == *name && parameter.location == Location::Path) {
                documents.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
                let (name, location) = ((*name).to_owned(), Location::Path);
                parameters.push(Parameter { name, location, description: None, required: true, is_string: true });
            }
        }
        Ok((parameters, documents))
    }

    /// The schema of a parameter: scalars, and lists of them in the query; all else is a string.
    fn parameter_schema(&mut self, at: &str, type_ref: &TypeRef, location: Location) -> Value {
        match &type_ref.shape {
            Shape::String | Shape::Integer | Shape::Number | Shape::Boolean => {
                emit::type_ref(&type_ref.shape.clone().into())
            }
            Shape::List(item)
                if location == Location::Query
                    && matches!(item.shape, Shape::String | Shape::Integer | Shape::Number | Shape::Boolean) =>
            {
                json!({"type": "array", "items": emit::type_ref(&item.shape.clone().into())})
            }
            Shape::List(_) if location == Location::Query => json!({"type": "array", "items": {"type": "string"}}),
            shape => {
                let is_enum = shape.named().is_some_and(|name| {
                    matches!(
                        self.components.get(name).map(|component| &component.kind),
                        Some(ComponentKind::Enum { .. })
                    )
                });
                if !is_enum {
                    self.note(at, "a parameter that is no scalar is taken as a string");
                }
                json!({"type": "string"})
            }
        }
    }
}

/// The parameters in a path, or `None` where progenitor could not read it or could not tell them apart.
pub(super) fn placeholders(path: &str) -> Option<Vec<&str>> {
    let mut names: Vec<&str> = Vec::new();
    let mut rest = path;
    while let Some((constant, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if constant.contains('}') || name.is_empty() || name.contains(['/', '{']) {
            return None;
        }
        if !names.contains(&name) {
            if names.iter().any(|other| field_name(other) == field_name(name)) {
                return None;
            }
            names.push(name);
        }
        rest = after;
    }
    (path.starts_with('/') && !rest.contains('}')).then_some(names)
}

/// Whether a header may be a parameter: its name is a token (RFC 9110, section 5.6.2), and none that OpenAPI
/// (section "Parameter Object") leaves to other parts of the document.
fn is_own_header(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let others = ["accept", "content-type", "authorization"];
    !name.is_empty() && name.bytes().all(is_token) && !others.contains(&name.to_ascii_lowercase().as_str())
}
