//! Paths and operations.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    LowerError, Lowering, emit,
    keywords::{percent_decoded, text},
    model::{ComponentKind, Operation, Shape, TypeRef},
    names::{field_name, type_name},
    parameters::{Route, placeholders},
};
use crate::node::{Node, join};

/// The methods that reqwest, and so progenitor, has a function for.
const METHODS: [&str; 6] = ["get", "put", "post", "delete", "head", "patch"];

/// Methods that the hand-written layer has, which a generated one would collide with.
const RESERVED: [&str; 8] =
    ["new", "builder", "from_env", "base_url", "with_options", "stream_message", "run_tools", "clone"];

/// An operation, and what progenitor reads of it.
pub(super) struct LoweredOperation {
    pub(crate) model: Operation,
    pub(crate) document: Value,
    response: Option<TypeRef>,
}

impl LoweredOperation {
    /// The types that the operation refers to.
    pub(super) fn referenced_types(&self) -> impl Iterator<Item = &str> {
        [&self.model.body, &self.response].into_iter().flatten().filter_map(|type_ref| type_ref.shape.named())
    }
}

/// What an operation sends or answers with.
enum Content {
    Json(TypeRef),
    Form(TypeRef),
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
    pub(super) fn operations(&mut self) -> Result<Vec<LoweredOperation>, LowerError> {
        let document = self.document;
        let mut operations = Vec::new();
        let mut names: HashSet<String> = RESERVED.iter().map(|name| (*name).to_owned()).collect();
        for (path, item) in document.get("paths").and_then(Node::as_object).into_iter().flatten() {
            let at = join("/paths", path);
            if path.starts_with("x-") {
                continue;
            }
            let path = path.split('#').next().unwrap_or_default();
            let Some(placeholders) = placeholders(path) else {
                self.note(&at, "the path is none that a client can be written for; its operations are left out");
                continue;
            };
            let item = self.followed(&at, item)?;
            for method in ["options", "trace"].into_iter().filter(|method| item.get(method).is_some()) {
                self.note(&join(&at, method), "reqwest has no function for the method; the operation is left out");
            }
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let at = join(&at, method);
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
                let route = Route { path, placeholders: &placeholders, method };
                self.operation(&at, &route, &name, item, operation, &mut names, &mut operations)?;
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
        route: &Route<'_>,
        name: &str,
        item: &Node,
        operation: &Node,
        names: &mut HashSet<String>,
        operations: &mut Vec<LoweredOperation>,
    ) -> Result<(), LowerError> {
        let body = match operation.get("requestBody") {
            Some(body) => {
                let at = join(at, "requestBody");
                let body = self.followed(&at, body)?;
                match self.content(&at, body, &format!("{}Request", type_name(name)))? {
                    // Generated code has no argument that may be `null`: an `Option` is what may be left out.
                    Some((mut content, _)) => {
                        if let Content::Json(type_ref) | Content::Form(type_ref) = &mut content
                            && std::mem::take(&mut type_ref.nullable)
                        {
                            self.note(&at, "a body of `null` can't be sent");
                        }
                        content
                    }
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
        let (parameters, parameter_documents) = self.parameters(at, route, item, operation)?;
        let is_any_optional = parameter_documents.iter().any(|document| document["required"] == false);
        let type_ref = |content: &Content| match content {
            Content::Json(type_ref) | Content::Form(type_ref) => Some(type_ref.clone()),
            Content::Bytes | Content::Nothing => None,
        };
        let response = type_ref(&answer.content);
        let model = Operation {
            requires: self.answer_requires(at, operation, response.as_ref())?,
            declares_error: response.as_ref().is_some_and(|response| self.declares(response, "error")),
            answer: response.clone(),
            name: name.to_owned(),
            pointer: at.to_owned(),
            method: route.method.to_owned(),
            path: route.path.to_owned(),
            summary: text(operation, "summary"),
            description: text(operation, "description"),
            params: is_any_optional.then(|| self.names.claim(&format!("{}Params", type_name(name)))),
            parameters,
            body: type_ref(&body),
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
        let twin = format!("{name}_stream");
        let has_twin = answer.has_events && model.body.as_ref().is_some_and(|body| self.has_property(body, "stream"));
        operations.push(LoweredOperation { document: document(name, &answer.content), response, model: model.clone() });
        if has_twin && names.insert(twin.clone()) {
            let document = document(&twin, &Content::Bytes);
            operations.push(LoweredOperation {
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

    /// Reads `x-answer-requires`, the members that make a document an answer of the operation.
    fn answer_requires(&self, at: &str, operation: &Node, answer: Option<&TypeRef>) -> Result<Vec<String>, LowerError> {
        let at = join(at, "x-answer-requires");
        let Some(members) = operation.get("x-answer-requires") else { return Ok(Vec::new()) };
        let members: Option<Vec<&str>> =
            members.as_array().and_then(|members| members.iter().map(Node::as_str).collect());
        let members = members.ok_or_else(|| LowerError::new(&at, "it is a list of names of members"))?;
        let fields = match answer.and_then(|answer| self.components.get(answer.shape.named()?)) {
            Some(component) => match &component.kind {
                ComponentKind::Object { fields } => fields.as_slice(),
                _ => &[],
            },
            None => &[],
        };
        match members.iter().find(|member| !fields.iter().any(|field| field.name == **member)) {
            Some(member) => {
                Err(LowerError::new(&at, format!("the answer of the operation has no property `{member}`")))
            }
            None => Ok(members.into_iter().map(str::to_owned).collect()),
        }
    }

    /// Returns `true` if a value of a type may have a member of this name by the contract.
    fn declares(&self, type_ref: &TypeRef, member: &str) -> bool {
        let name = match &type_ref.shape {
            Shape::Map(_) => return true,
            Shape::Named(name) => name,
            _ => return false,
        };
        match self.components.get(name).map(|component| &component.kind) {
            Some(ComponentKind::Object { fields }) => fields.iter().any(|field| field.name == member),
            Some(ComponentKind::Tagged { variants, .. }) => {
                variants.iter().any(|variant| self.declares(&Shape::Named(variant.component.clone()).into(), member))
            }
            Some(ComponentKind::Untagged { variants }) => {
                variants.iter().any(|variant| self.declares(&variant.value, member))
            }
            _ => false,
        }
    }

    fn has_property(&self, body: &TypeRef, property: &str) -> bool {
        let Shape::Named(name) = &body.shape else { return false };
        match self.components.get(name).map(|component| &component.kind) {
            Some(ComponentKind::Object { fields }) => fields
                .iter()
                .any(|field| field.name == property && field.value.shape == Shape::Boolean && !field.required),
            _ => false,
        }
    }

    /// The answer of a call that went well. Every other status is the transport's to read.
    fn answer(&mut self, at: &str, operation: &Node, name: &str) -> Result<Answer, LowerError> {
        let at = join(at, "responses");
        let responses = operation.get("responses").and_then(Node::as_object);
        let mut good: Vec<(&String, &Node)> =
            responses.into_iter().flatten().filter(|(status, _)| is_good(status)).collect();
        if good.is_empty() {
            good.extend(responses.into_iter().flatten().filter(|(status, _)| *status == "default"));
        }
        let mut answers = Vec::new();
        for (status, response) in good {
            let at = join(&at, status);
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
        let events = find(|media_type| media_type == "text/event-stream");
        let has_events = events.is_some();
        let schema = events.and_then(|(_, media)| media.get("schema")?.get("$ref")?.as_str()?.strip_prefix('#'));
        self.events.extend(schema.map(str::to_owned));
        let json = find(|media_type| media_type == "application/json")
            .or_else(|| find(|media_type| media_type.ends_with("+json")))
            .or_else(|| find(|media_type| media_type == "*/*"));
        let form = find(|media_type| media_type == "application/x-www-form-urlencoded");
        if types.len() > 1 && !(types.len() == 2 && json.is_some() && has_events) {
            self.note(at, "of several media types the first that generated code can handle counts");
        }
        for (found, wrap) in [(json, Content::Json as fn(TypeRef) -> Content), (form, Content::Form)] {
            let Some((media_type, media)) = found else { continue };
            if essence(media_type).ends_with("+json") {
                self.note(at, format!("`{media_type}` is sent and read as `application/json`"));
            }
            let at = join(&join(&join(at, "content"), media_type), "schema");
            let type_ref = match media.get("schema") {
                Some(schema) => self.schema(&at, schema, name, true)?,
                None => Shape::Any.into(),
            };
            return Ok(Some((wrap(type_ref), has_events)));
        }
        let only_multipart = types.keys().all(|media_type| essence(media_type).starts_with("multipart/"));
        Ok(if only_multipart { None } else { Some((Content::Bytes, has_events)) })
    }

    /// An object that may be a `$ref` to one elsewhere in the document.
    pub(super) fn followed<'n>(&self, at: &str, node: &'n Node) -> Result<&'n Node, LowerError>
    where
        Self: 'n,
    {
        let mut node = node;
        let mut seen = Vec::new();
        while let Some(target) = node.get("$ref").and_then(Node::as_str) {
            if seen.contains(&target) {
                return Err(LowerError::new(at, format!("the `$ref` {target} leads back to itself")));
            }
            seen.push(target);
            node = target
                .strip_prefix('#')
                .and_then(|pointer| self.document.pointer(&percent_decoded(pointer)))
                .ok_or_else(|| LowerError::new(at, format!("the `$ref` {target} points to nothing in the document")))?;
        }
        Ok(node)
    }
}

/// `200` to `299` and `2XX`.
fn is_good(status: &str) -> bool {
    match status.as_bytes() {
        [b'2', rest @ ..] => {
            rest.len() == 2 && (rest.iter().all(u8::is_ascii_digit) || rest.eq_ignore_ascii_case(b"XX"))
        }
        _ => false,
    }
}

fn body_document(content: &Content) -> Option<Value> {
    let (media_type, schema) = match content {
        Content::Nothing => return None,
        Content::Json(type_ref) => ("application/json", emit::type_ref(type_ref)),
        Content::Form(type_ref) => ("application/x-www-form-urlencoded", emit::type_ref(type_ref)),
        Content::Bytes => ("application/octet-stream", json!({"type": "string", "format": "binary"})),
    };
    Some(json!({"required": true, "content": {media_type: {"schema": schema}}}))
}

fn response_document(content: &Content) -> Value {
    match content {
        Content::Nothing => json!({"description": ""}),
        Content::Json(type_ref) | Content::Form(type_ref) => {
            json!({"description": "", "content": {"application/json": {"schema": emit::type_ref(type_ref)}}})
        }
        Content::Bytes => {
            json!({"description": "", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}})
        }
    }
}
