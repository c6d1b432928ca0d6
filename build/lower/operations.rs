//! Paths and operations.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    LowerError, Lowering, emit,
    model::{Kind, Location, Operation, Parameter, Shape, Use},
    names::{field_name, type_name},
    schema::text,
};
use crate::pipeline::node::{Node, below};

/// The methods that reqwest, and so progenitor, has a function for.
const METHODS: [&str; 6] = ["get", "put", "post", "delete", "head", "patch"];

/// Methods that the hand-written layer has, which a generated one would collide with.
const RESERVED: [&str; 8] =
    ["new", "builder", "from_env", "with_options", "stream_message", "run_tools", "clone", "exec"];

/// An operation, and what progenitor reads of it.
pub(super) struct Lowered {
    pub model: Operation,
    pub document: Value,
    response: Option<Use>,
}

impl Lowered {
    /// The types that the operation refers to.
    pub(super) fn uses(&self) -> impl Iterator<Item = &str> {
        [&self.model.body, &self.response].into_iter().flatten().filter_map(|used| used.shape.named())
    }
}

/// What an operation sends or answers with.
enum Content {
    Json(Use),
    Form(Use),
    /// Bytes as they are: files, text, streams.
    Bytes,
    Nothing,
}

struct Answer {
    status: String,
    content: Content,
    has_events: bool,
}

impl Lowering<'_> {
    pub(super) fn operations(&mut self) -> Result<Vec<Lowered>, LowerError> {
        let document = self.document;
        let mut operations = Vec::new();
        let mut names: HashSet<String> = RESERVED.iter().map(|name| (*name).to_owned()).collect();
        for (path, item) in document.get("paths").and_then(Node::as_object).into_iter().flatten() {
            let at = below("/paths", path);
            let item = self.followed(&at, item)?;
            for method in ["options", "trace"].into_iter().filter(|method| item.get(method).is_some()) {
                self.note(&below(&at, method), "reqwest has no function for the method; the operation is left out");
            }
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let at = below(&at, method);
                let hint = match text(operation, "operationId") {
                    Some(id) => field_name(&id),
                    None => field_name(&format!("{method} {path}")),
                };
                let mut name = hint.clone();
                let mut number = 2;
                while !names.insert(name.clone()) {
                    name = format!("{hint}{number}");
                    number += 1;
                }
                if text(operation, "operationId").is_some() && name != hint {
                    self.note(&at, format!("the operation is called `{name}`: `{hint}` is taken"));
                }
                self.operation(&at, path, method, &name, item, operation, &mut names, &mut operations)?;
            }
        }
        Ok(operations)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and the arguments are what is known of the operation there"
    )]
    fn operation(
        &mut self,
        at: &str,
        path: &str,
        method: &str,
        name: &str,
        item: &Node,
        operation: &Node,
        names: &mut HashSet<String>,
        operations: &mut Vec<Lowered>,
    ) -> Result<(), LowerError> {
        let body = match operation.get("requestBody") {
            Some(body) => {
                let at = below(at, "requestBody");
                let body = self.followed(&at, body)?;
                match self.content(&at, body, &format!("{}Request", type_name(name)))? {
                    Some((content, _)) => content,
                    None => {
                        self.note(
                            &at,
                            "no media type of the body can be sent by generated code; the operation is left out",
                        );
                        return Ok(());
                    }
                }
            }
            None => Content::Nothing,
        };
        let answer = self.answer(at, operation, name)?;
        let (parameters, parameter_documents) = self.parameters(at, path, item, operation)?;
        let used = |content: &Content| match content {
            Content::Json(used) | Content::Form(used) => Some(used.clone()),
            Content::Bytes | Content::Nothing => None,
        };
        let model = Operation {
            name: name.to_owned(),
            pointer: at.to_owned(),
            method: method.to_owned(),
            path: path.split('#').next().unwrap_or_default().to_owned(),
            summary: text(operation, "summary"),
            description: text(operation, "description"),
            parameters,
            body: used(&body),
            is_stream_twin: false,
        };
        let document = |id: &str, response: &Content| {
            let mut document = Map::from_iter([
                ("operationId".to_owned(), id.into()),
                ("parameters".to_owned(), parameter_documents.clone().into()),
                ("responses".to_owned(), json!({answer.status.as_str(): response_document(response)})),
            ]);
            document.extend(body_document(&body).map(|body| ("requestBody".to_owned(), body)));
            Value::Object(document)
        };
        let response = used(&answer.content);
        let twin = format!("{name}_stream");
        let has_twin = answer.has_events && model.body.as_ref().is_some_and(|body| self.has_property(body, "stream"));
        operations.push(Lowered { document: document(name, &answer.content), response, model: model.clone() });
        if has_twin && names.insert(twin.clone()) {
            let document = document(&twin, &Content::Bytes);
            operations.push(Lowered {
                document,
                response: None,
                model: Operation { name: twin, is_stream_twin: true, ..model },
            });
        } else if answer.has_events {
            self.note(
                at,
                "the answer as a stream of events is left out: the body has no property `stream` to ask for it",
            );
        }
        Ok(())
    }

    fn has_property(&self, body: &Use, property: &str) -> bool {
        let Shape::Named(name) = &body.shape else { return false };
        match self.components.get(name).map(|component| &component.kind) {
            Some(Kind::Object { fields }) => fields
                .iter()
                .any(|field| field.name == property && field.value.shape == Shape::Boolean && !field.required),
            _ => false,
        }
    }

    /// The answer of a call that went well. Every other status is the transport's to read.
    fn answer(&mut self, at: &str, operation: &Node, name: &str) -> Result<Answer, LowerError> {
        let at = below(at, "responses");
        let responses = operation.get("responses").and_then(Node::as_object);
        let mut good: Vec<(&String, &Node)> =
            responses.into_iter().flatten().filter(|(status, _)| status.starts_with('2')).collect();
        if good.is_empty() {
            good.extend(responses.into_iter().flatten().filter(|(status, _)| *status == "default"));
        }
        let mut answers = Vec::new();
        for (status, response) in good {
            let at = below(&at, status);
            let response = self.followed(&at, response)?;
            let (content, has_events) = self
                .content(&at, response, &format!("{}Response", type_name(name)))?
                .unwrap_or((Content::Bytes, false));
            let status = if status == "default" { "2XX".to_owned() } else { status.to_uppercase() };
            answers.push(Answer { status, content, has_events });
        }
        if answers.len() > 1 {
            self.note(&at, "of several answers that are good, the first one with content counts");
        }
        let first = answers.iter().position(|answer| !matches!(answer.content, Content::Nothing)).unwrap_or(0);
        Ok(match answers.into_iter().nth(first) {
            Some(answer) => answer,
            None => Answer { status: "2XX".to_owned(), content: Content::Nothing, has_events: false },
        })
    }

    /// What stands under `content`, and whether a stream of events is among it. `None` when there
    /// is nothing that generated code can handle.
    fn content(&mut self, at: &str, holder: &Node, name: &str) -> Result<Option<(Content, bool)>, LowerError> {
        let Some(types) = holder.get("content").and_then(Node::as_object).filter(|types| !types.is_empty()) else {
            return Ok(Some((Content::Nothing, false)));
        };
        let essence = |media_type: &str| media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let find = |wanted: fn(&str) -> bool| types.iter().find(|(media_type, _)| wanted(&essence(media_type)));
        let has_events = find(|media_type| media_type == "text/event-stream").is_some();
        let json = find(|media_type| media_type == "application/json")
            .or_else(|| find(|media_type| media_type.ends_with("+json")))
            .or_else(|| find(|media_type| media_type == "*/*"));
        let form = find(|media_type| media_type == "application/x-www-form-urlencoded");
        if types.len() > 1 && !(types.len() == 2 && json.is_some() && has_events) {
            self.note(at, "of several media types the first that generated code can handle counts");
        }
        for (found, wrap) in [(json, Content::Json as fn(Use) -> Content), (form, Content::Form)] {
            let Some((media_type, media)) = found else { continue };
            if essence(media_type).ends_with("+json") {
                self.note(at, format!("`{media_type}` is sent and read as `application/json`"));
            }
            let at = below(&below(&below(at, "content"), media_type), "schema");
            let used = match media.get("schema") {
                Some(schema) => self.schema(&at, schema, name, true)?,
                None => Shape::Any.plain(),
            };
            return Ok(Some((wrap(used), has_events)));
        }
        let only_multipart = types.keys().all(|media_type| essence(media_type).starts_with("multipart/"));
        Ok(if only_multipart { None } else { Some((Content::Bytes, has_events)) })
    }

    fn parameters(
        &mut self,
        at: &str,
        path: &str,
        item: &Node,
        operation: &Node,
    ) -> Result<(Vec<Parameter>, Vec<Value>), LowerError> {
        let at = below(at, "parameters");
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut documents = Vec::new();
        let own = operation.get("parameters").and_then(Node::as_array).unwrap_or_default();
        let shared = item.get("parameters").and_then(Node::as_array).unwrap_or_default();
        let mut idents = HashSet::from(["body".to_owned(), "header_map".to_owned(), "self_".to_owned()]);
        for (index, parameter) in own.iter().chain(shared).enumerate() {
            let at = below(&at, index);
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
            if location == Location::Path && !path.contains(&format!("{{{name}}}")) {
                self.note(&at, format!("the path has no `{{{name}}}`; the parameter is left out"));
                continue;
            }
            if parameters.iter().any(|other| other.name == name && other.location == location) {
                continue;
            }
            if !idents.insert(field_name(&name)) {
                self.note(&at, format!("`{name}` has the Rust name of another argument; the parameter is left out"));
                continue;
            }
            let required = location == Location::Path || super::schema::is_true(parameter, "required");
            let used = match parameter.get("schema") {
                Some(schema) => self.schema(&below(&at, "schema"), schema, &type_name(&name), false)?,
                None => Shape::String.plain(),
            };
            let schema = self.parameter_schema(&at, &used, location);
            let location_name = match location {
                Location::Path => "path",
                Location::Query => "query",
                Location::Header => "header",
            };
            documents.push(json!({"name": name, "in": location_name, "required": required, "schema": schema}));
            parameters.push(Parameter { name, location, description: text(parameter, "description") });
        }
        for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            if !parameters.iter().any(|parameter| parameter.name == name && parameter.location == Location::Path) {
                documents.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
                parameters.push(Parameter { name: name.to_owned(), location: Location::Path, description: None });
            }
        }
        Ok((parameters, documents))
    }

    /// The schema of a parameter: scalars, and lists of them in the query; all else is a string.
    fn parameter_schema(&mut self, at: &str, used: &Use, location: Location) -> Value {
        match &used.shape {
            Shape::String | Shape::Integer | Shape::Number | Shape::Boolean => emit::used(&used.shape.clone().plain()),
            Shape::List(item)
                if location == Location::Query
                    && matches!(item.shape, Shape::String | Shape::Integer | Shape::Number | Shape::Boolean) =>
            {
                emit::used(&used.shape.clone().plain())
            }
            Shape::List(_) if location == Location::Query => json!({"type": "array", "items": {"type": "string"}}),
            shape => {
                let is_enum = shape.named().is_some_and(|name| {
                    matches!(self.components.get(name).map(|component| &component.kind), Some(Kind::Enum { .. }))
                });
                if !is_enum {
                    self.note(at, "a parameter that is no scalar is taken as a string");
                }
                json!({"type": "string"})
            }
        }
    }

    /// An object that may be a `$ref` to one elsewhere in the document.
    fn followed<'n>(&self, at: &str, node: &'n Node) -> Result<&'n Node, LowerError>
    where
        Self: 'n,
    {
        let Some(target) = node.get("$ref").and_then(Node::as_str) else { return Ok(node) };
        target
            .strip_prefix('#')
            .and_then(|pointer| self.document.pointer(pointer))
            .ok_or_else(|| LowerError::new(at, format!("the `$ref` {target} points to nothing")))
    }
}

fn body_document(content: &Content) -> Option<Value> {
    let (media_type, schema) = match content {
        Content::Nothing => return None,
        Content::Json(used) => ("application/json", emit::used(used)),
        Content::Form(used) => ("application/x-www-form-urlencoded", emit::used(used)),
        Content::Bytes => ("application/octet-stream", json!({"type": "string", "format": "binary"})),
    };
    Some(json!({"required": true, "content": {media_type: {"schema": schema}}}))
}

fn response_document(content: &Content) -> Value {
    match content {
        Content::Nothing => json!({"description": ""}),
        Content::Json(used) | Content::Form(used) => {
            json!({"description": "", "content": {"application/json": {"schema": emit::used(used)}}})
        }
        Content::Bytes => {
            json!({"description": "", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}})
        }
    }
}
