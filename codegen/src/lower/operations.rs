//! Paths and operations.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    LowerError, Lowering, emit,
    keywords::{percent_decoded, text},
    model::{ComponentKind, Operation, PartContent, RequestBody, ResponseBody, Shape, TypeRef},
    names::{field_name, type_name},
    parameters::{Route, placeholders},
};
use crate::node::{Node, join};

/// The methods that reqwest, and so progenitor, has a function for.
const METHODS: [&str; 6] = ["get", "put", "post", "delete", "head", "patch"];

/// Methods that the hand-written layer has, which a generated one would collide with.
const RESERVED: [&str; 9] = [
    "new",
    "builder",
    "from_env",
    "base_url",
    "with_options",
    "stream_message",
    "run_tools",
    "wait_for_batch",
    "clone",
];

/// An operation, and what progenitor reads of it.
pub(super) struct LoweredOperation {
    pub(crate) model: Operation,
    pub(crate) document: Value,
}

impl LoweredOperation {
    /// Returns the names of the types that the operation refers to.
    pub(super) fn referenced_types(&self) -> impl Iterator<Item = &str> {
        self.sent_types().into_iter().chain(self.received_types())
    }

    /// Replaces the names of the types that the operation refers to.
    pub(super) fn rename_types(&mut self, names: &HashMap<String, String>) {
        match &mut self.model.request {
            RequestBody::Json(type_ref) | RequestBody::Form(type_ref) => type_ref.rename_types(names),
            RequestBody::Multipart(form) => {
                for part in &mut form.parts {
                    if let PartContent::Value(type_ref) = &mut part.content {
                        type_ref.rename_types(names);
                    }
                }
            }
            RequestBody::None | RequestBody::Bytes => {}
        }
        if let ResponseBody::Json(type_ref) | ResponseBody::JsonLines(type_ref) = &mut self.model.response {
            type_ref.rename_types(names);
        }
        rename_references(&mut self.document, names);
    }

    /// Returns the names of the types in the request body.
    pub(super) fn sent_types(&self) -> Vec<&str> {
        match &self.model.request {
            RequestBody::Json(type_ref) | RequestBody::Form(type_ref) => type_ref.shape.named().into_iter().collect(),
            RequestBody::Multipart(form) => {
                let parts = form.parts.iter().filter_map(|part| match &part.content {
                    PartContent::Value(type_ref) => type_ref.shape.named(),
                    PartContent::File | PartContent::Files => None,
                });
                parts.collect()
            }
            RequestBody::None | RequestBody::Bytes => Vec::new(),
        }
    }

    /// Returns the name of the type in the response, if it has one.
    pub(super) fn received_types(&self) -> Option<&str> {
        match &self.model.response {
            ResponseBody::Json(type_ref) | ResponseBody::JsonLines(type_ref) => type_ref.shape.named(),
            ResponseBody::None | ResponseBody::Events | ResponseBody::Bytes => None,
        }
    }
}

struct Response {
    status: String,
    body: ResponseBody,
    /// `true` if a stream of events is among the media types.
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
        let request = match operation.get("requestBody") {
            Some(body) => {
                let at = join(at, "requestBody");
                let body = self.followed(&at, body)?;
                match self.request_body(&at, body, &format!("{}Request", type_name(name)))? {
                    Some(request) => request,
                    None => {
                        let sentence =
                            "no media type of the body can be sent by generated code; the operation is left out";
                        self.note(&at, sentence);
                        return Ok(());
                    }
                }
            }
            None => RequestBody::None,
        };
        let response = self.response(at, operation, name)?;
        let (parameters, parameter_documents) = self.parameters(at, route, item, operation)?;
        let is_any_optional = parameter_documents.iter().any(|document| document["required"] == false);
        let json = match &response.body {
            ResponseBody::Json(type_ref) => Some(type_ref),
            _ => None,
        };
        let model = Operation {
            requires: self.answer_requires(at, operation, json)?,
            declares_error: json.is_some_and(|json| self.declares(json, "error")),
            pages: self.pages(at, operation, &parameters, json)?,
            name: name.to_owned(),
            pointer: at.to_owned(),
            method: route.method.to_owned(),
            path: route.path.to_owned(),
            summary: text(operation, "summary"),
            description: text(operation, "description"),
            params: is_any_optional.then(|| self.names.claim(&format!("{}Params", type_name(name)))),
            parameters,
            request,
            response: response.body,
            twin_of: None,
        };
        let document = |model: &Operation| {
            let responses = json!({response.status.as_str(): response_document(&model.response)});
            let mut document = Map::from_iter([
                ("operationId".to_owned(), model.name.as_str().into()),
                ("parameters".to_owned(), parameter_documents.clone().into()),
                ("responses".to_owned(), responses),
            ]);
            document.extend(body_document(&model.request).map(|body| ("requestBody".to_owned(), body)));
            Value::Object(document)
        };
        operations.push(LoweredOperation { document: document(&model), model: model.clone() });
        let twin = format!("{name}_stream");
        let has_twin = response.has_events
            && matches!(&model.request, RequestBody::Json(body) if self.has_property(body, "stream"));
        if has_twin && names.insert(twin.clone()) {
            let twin_of = Some(model.name);
            let model = Operation { name: twin, response: ResponseBody::Events, pages: None, twin_of, ..model };
            operations.push(LoweredOperation { document: document(&model), model });
        } else if response.has_events {
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

    /// The body of a request, or `None` if generated code can send none of its media types.
    fn request_body(&mut self, at: &str, holder: &Node, name: &str) -> Result<Option<RequestBody>, LowerError> {
        let Some(types) = media_types(holder) else { return Ok(Some(RequestBody::None)) };
        let json = json(&types);
        let form = find(&types, |media_type| media_type == "application/x-www-form-urlencoded");
        let multipart = find(&types, |media_type| media_type == "multipart/form-data");
        let bytes = find(&types, |media_type| !media_type.starts_with("multipart/"));
        if types.len() > 1 {
            self.note(at, "of several media types the first that generated code can handle counts");
        }
        let media = |media_type: &str| join(&join(at, "content"), media_type);
        Ok(Some(match (json, form, multipart, bytes) {
            (Some(found), ..) => RequestBody::Json(self.body_type(at, found, name)?),
            (_, Some(found), ..) => RequestBody::Form(self.body_type(at, found, name)?),
            (_, _, Some(found), _) => RequestBody::Multipart(self.multipart(&media(found.name), found.media, name)?),
            (_, _, _, Some(_)) => RequestBody::Bytes,
            _ => return Ok(None),
        }))
    }

    /// The type of a body. Generated code has no argument that may be `null`: an `Option` is what may be left out.
    fn body_type(&mut self, at: &str, found: MediaType<'_>, name: &str) -> Result<TypeRef, LowerError> {
        let mut type_ref = self.media_schema(at, found, name)?;
        if std::mem::take(&mut type_ref.nullable) {
            self.note(at, "a body of `null` can't be sent");
        }
        Ok(type_ref)
    }

    /// The response to a call that went well. Every other status is the transport's to read.
    fn response(&mut self, at: &str, operation: &Node, name: &str) -> Result<Response, LowerError> {
        let at = join(at, "responses");
        let declared = operation.get("responses").and_then(Node::as_object);
        let mut good: Vec<(&String, &Node)> =
            declared.into_iter().flatten().filter(|(status, _)| is_good(status)).collect();
        if good.is_empty() {
            good.extend(declared.into_iter().flatten().filter(|(status, _)| *status == "default"));
        }
        let mut responses = Vec::new();
        for (status, response) in good {
            let at = join(&at, status);
            let response = self.followed(&at, response)?;
            let (body, has_events) = self.response_body(&at, response, &format!("{}Response", type_name(name)))?;
            let status = if status == "default" { "2XX".to_owned() } else { status.to_uppercase() };
            responses.push(Response { status, body, has_events });
        }
        if responses.len() > 1 {
            self.note(&at, "of several answers that are good, the first one with content counts");
        }
        let first = responses.iter().position(|response| response.body != ResponseBody::None).unwrap_or(0);
        Ok(match responses.into_iter().nth(first) {
            Some(response) => response,
            None => Response { status: "2XX".to_owned(), body: ResponseBody::None, has_events: false },
        })
    }

    /// The body of a response, and `true` if a stream of events is among its media types.
    fn response_body(&mut self, at: &str, holder: &Node, name: &str) -> Result<(ResponseBody, bool), LowerError> {
        let Some(types) = media_types(holder) else { return Ok((ResponseBody::None, false)) };
        let events = find(&types, |media_type| media_type == "text/event-stream");
        let schema = events.and_then(|events| events.media.get("schema")?.get("$ref")?.as_str()?.strip_prefix('#'));
        self.events.extend(schema.map(str::to_owned));
        let json = json(&types);
        let lines = find(&types, |media_type| JSON_LINES.contains(&media_type));
        if types.len() > 1 && !(types.len() == 2 && json.is_some() && events.is_some()) {
            self.note(at, "of several media types the first that generated code can handle counts");
        }
        let body = match (json, lines) {
            (Some(json), _) if is_binary(json.media.get("schema")) => ResponseBody::Bytes,
            (Some(json), _) => ResponseBody::Json(self.media_schema(at, json, name)?),
            (None, Some(lines)) => ResponseBody::JsonLines(self.media_schema(at, lines, name)?),
            (None, None) => ResponseBody::Bytes,
        };
        Ok((body, events.is_some()))
    }

    /// The type by the schema of a media type. For JSON lines it is the schema of a line, by 3.2's `itemSchema` or the
    /// `x-line-schema` of older generators too.
    fn media_schema(&mut self, at: &str, found: MediaType<'_>, name: &str) -> Result<TypeRef, LowerError> {
        let MediaType { name: media_type, media } = found;
        if essence(media_type).ends_with("+json") {
            self.note(at, format!("`{media_type}` is sent and read as `application/json`"));
        }
        let mut at = join(&join(at, "content"), media_type);
        let mut schema = media.get("schema").map(|schema| ("schema", schema));
        if JSON_LINES.contains(&essence(media_type).as_str()) {
            let line = schema.and_then(|(_, schema)| schema.get("x-line-schema"));
            if line.is_some() {
                at = join(&at, "schema");
            }
            let item = media.get("itemSchema").map(|schema| ("itemSchema", schema));
            schema = item.or(line.map(|schema| ("x-line-schema", schema))).or(schema);
        }
        match schema {
            Some((keyword, schema)) => self.schema(&join(&at, keyword), schema, name, true),
            None => Ok(Shape::Any.into()),
        }
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

/// Replaces the names of types in the `$ref`s of a lowered document.
fn rename_references(document: &mut Value, names: &HashMap<String, String>) {
    match document {
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, names)),
        Value::Object(members) => {
            for (name, member) in members {
                let target = member.as_str().and_then(|target| target.strip_prefix("#/components/schemas/"));
                match target.and_then(|target| names.get(target)) {
                    Some(target) if name == "$ref" => *member = format!("#/components/schemas/{target}").into(),
                    _ => rename_references(member, names),
                }
            }
        }
        _ => {}
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

fn body_document(body: &RequestBody) -> Option<Value> {
    let (media_type, schema) = match body {
        // progenitor has no form of several parts.
        RequestBody::None | RequestBody::Multipart(_) => return None,
        RequestBody::Json(type_ref) => ("application/json", emit::type_ref(type_ref)),
        RequestBody::Form(type_ref) => ("application/x-www-form-urlencoded", emit::type_ref(type_ref)),
        RequestBody::Bytes => ("application/octet-stream", json!({"type": "string", "format": "binary"})),
    };
    Some(json!({"required": true, "content": {media_type: {"schema": schema}}}))
}

fn response_document(body: &ResponseBody) -> Value {
    match body {
        ResponseBody::None => json!({"description": ""}),
        ResponseBody::Json(type_ref) => {
            json!({"description": "", "content": {"application/json": {"schema": emit::type_ref(type_ref)}}})
        }
        ResponseBody::JsonLines(_) | ResponseBody::Events | ResponseBody::Bytes => {
            json!({"description": "", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}})
        }
    }
}

/// The media types of JSON lines.
const JSON_LINES: [&str; 3] = ["application/x-jsonl", "application/jsonl", "application/x-ndjson"];

/// A media type, and what stands under it.
#[derive(Clone, Copy)]
struct MediaType<'n> {
    name: &'n str,
    media: &'n Node,
}

/// The media types under `content`, or `None` if there are none.
fn media_types(holder: &Node) -> Option<Vec<MediaType<'_>>> {
    let types = holder.get("content").and_then(Node::as_object).filter(|types| !types.is_empty())?;
    Some(types.iter().map(|(name, media)| MediaType { name, media }).collect())
}

fn find<'n>(types: &[MediaType<'n>], matches: impl Fn(&str) -> bool) -> Option<MediaType<'n>> {
    types.iter().copied().find(|found| matches(&essence(found.name)))
}

/// The media type that is JSON.
fn json<'n>(types: &[MediaType<'n>]) -> Option<MediaType<'n>> {
    find(types, |media_type| media_type == "application/json")
        .or_else(|| find(types, |media_type| media_type.ends_with("+json")))
        .or_else(|| find(types, |media_type| media_type == "*/*"))
}

/// A media type without its parameters.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns `true` for the schema of bytes.
pub(super) fn is_binary(schema: Option<&Node>) -> bool {
    schema.and_then(|schema| schema.get("format")).and_then(Node::as_str) == Some("binary")
}
