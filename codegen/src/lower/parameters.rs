//! Parameters of operations: in the path, in the query and in headers.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    LowerError, Lowering, emit,
    keywords::{constraints, is_true, text},
    model::{ComponentKind, Location, Parameter, Shape, Style, TypeRef},
    names::{field_name, type_name},
};
use crate::node::{Node, join};

/// The location of an operation.
pub(super) struct Route<'r> {
    pub path: &'r str,
    pub placeholders: &'r [&'r str],
    pub method: &'r str,
    /// The name of the operation, which the types of its parameters begin with.
    pub operation: &'r str,
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
            let json = parameter.get("content").and_then(Node::as_object).and_then(|content| {
                let (media_type, media) = content.iter().find(|(media_type, _)| is_json(media_type))?;
                Some((join(&join(&at, "content"), media_type), media.get("schema")?))
            });
            let is_json = json.is_some() && location == Location::Query;
            let (schema_at, schema) = match json {
                Some((at, schema)) if is_json => (at, Some(schema)),
                _ => (at.clone(), parameter.get("schema")),
            };
            let schema_at = join(&schema_at, "schema");
            let mut type_ref = match schema {
                Some(schema) => {
                    self.schema(&schema_at, schema, &type_name(&format!("{}-{name}", route.operation)), false)?
                }
                None => Shape::String.into(),
            };
            let mut style = if is_json { Style::Json } else { style(parameter) };
            let schema = self.parameter_schema(&at, &mut type_ref, location, &mut style);
            let constraints = match parameter.get("schema") {
                Some(schema) if location != Location::Path => {
                    constraints(self.followed(&schema_at, schema)?, &type_ref.shape)
                }
                _ => Vec::new(),
            };
            let location_name = match location {
                Location::Path => "path",
                Location::Query => "query",
                Location::Header => "header",
            };
            documents.push(json!({"name": name, "in": location_name, "required": required, "schema": schema}));
            let description = text(parameter, "description");
            parameters.push(Parameter { name, location, description, required, type_ref, style, constraints });
        }
        for name in route.placeholders {
            if !parameters.iter().any(|parameter| parameter.name == *name && parameter.location == Location::Path) {
                documents.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
                let (name, location) = ((*name).to_owned(), Location::Path);
                parameters.push(Parameter {
                    name,
                    location,
                    description: None,
                    required: true,
                    type_ref: Shape::String.into(),
                    style: Style::Form,
                    constraints: Vec::new(),
                });
            }
        }
        Ok((parameters, documents))
    }

    /// The schema of a parameter. In a path and a header it is a scalar, and in the query anything that has a style; all
    /// else is a string.
    fn parameter_schema(&mut self, at: &str, type_ref: &mut TypeRef, location: Location, style: &mut Style) -> Value {
        let shape = &type_ref.shape;
        let in_query = location == Location::Query;
        let is_typed = match shape {
            shape if self.is_scalar(shape) => true,
            Shape::List(item) => in_query && (*style == Style::Json || self.is_scalar(&item.shape)),
            Shape::Any | Shape::AnyObject => in_query && *style == Style::Json,
            Shape::Map(_) | Shape::Named(_) => in_query,
            _ => false,
        };
        if !is_typed {
            self.note(at, "a parameter that is no scalar is taken as a string");
            *style = Style::Form;
            let is_list = in_query && matches!(shape, Shape::List(_));
            *type_ref = if is_list { Shape::List(Box::new(Shape::String.into())).into() } else { Shape::String.into() };
            return emit::type_ref(type_ref);
        }
        match shape {
            Shape::List(item) => json!({"type": "array", "items": emit::type_ref(&item.shape.clone().into())}),
            shape => emit::type_ref(&shape.clone().into()),
        }
    }

    /// Returns `true` for what is one text: an enum of strings, a string, a number or a boolean.
    fn is_scalar(&self, shape: &Shape) -> bool {
        match shape {
            Shape::Named(name) => {
                matches!(self.components.get(name).map(|component| &component.kind), Some(ComponentKind::Enum { .. }))
            }
            Shape::Any | Shape::AnyObject | Shape::List(_) | Shape::Map(_) => false,
            _ => true,
        }
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

/// Reads `style` and `explode`.
fn style(node: &Node) -> Style {
    let style = text(node, "style").unwrap_or_else(|| "form".to_owned());
    let explode = node.get("explode").and_then(Node::as_bool);
    match (style.as_str(), explode) {
        ("deepObject", _) => Style::DeepObject,
        (_, Some(true)) | ("form", None) => Style::Form,
        ("spaceDelimited", _) => Style::Delimited(" "),
        ("pipeDelimited", _) => Style::Delimited("|"),
        _ => Style::Delimited(","),
    }
}

/// The styles of a form's properties, by the `encoding` of its media type.
pub(super) fn form_styles(media: &Node) -> Vec<(String, Style)> {
    let encodings = media.get("encoding").and_then(Node::as_object).into_iter().flatten();
    let styles = encodings.filter_map(|(name, encoding)| {
        let found = match text(encoding, "contentType") {
            Some(media_type) if is_json(&media_type) => Style::Json,
            _ if encoding.get("style").is_none() && encoding.get("explode").is_none() => return None,
            _ => style(encoding),
        };
        Some((name.clone(), found))
    });
    styles.collect()
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

/// Returns `true` if a header can be a parameter: its name is a token (RFC 9110, section 5.6.2) and isn't one that
/// OpenAPI (section "Parameter Object") leaves to other parts of the document.
fn is_own_header(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let others = ["accept", "content-type", "authorization"];
    !name.is_empty() && name.bytes().all(is_token) && !others.contains(&name.to_ascii_lowercase().as_str())
}
