//! Paths and operations.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    LowerError, Lowering, emit,
    keywords::{is_true, percent_decoded, text},
    model::{ComponentKind, Location, Operation, PartContent, RequestBody, ResponseBody, Shape, TypeRef},
    names::{field_name, type_name},
    parameters::{Route, form_styles, placeholders},
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
        let parameters = self.model.parameters.iter_mut().map(|parameter| &mut parameter.type_ref);
        parameters.for_each(|type_ref| type_ref.rename_types(names));
        match &mut self.model.request {
            RequestBody::Json { type_ref, .. } | RequestBody::Form { type_ref, .. } => type_ref.rename_types(names),
            RequestBody::Multipart(form) => {
                for part in &mut form.parts {
                    if let PartContent::Value(type_ref) = &mut part.content {
                        type_ref.rename_types(names);
                    }
                }
            }
            RequestBody::None | RequestBody::Bytes { .. } => {}
        }
        let bodies = self.model.statuses.iter_mut().map(|(.., body)| body).chain([&mut self.model.response]);
        for body in bodies {
            if let ResponseBody::Json(type_ref) | ResponseBody::JsonLines(type_ref) = body {
                type_ref.rename_types(names);
            }
        }
        rename_references(&mut self.document, names);
    }

    /// Returns the names of the types in the parameters and the request body.
    pub(super) fn sent_types(&self) -> Vec<&str> {
        let parameters = self.model.parameters.iter().filter_map(|parameter| parameter.type_ref.shape.named());
        let body: Vec<&str> = match &self.model.request {
            RequestBody::Json { type_ref, .. } | RequestBody::Form { type_ref, .. } => {
                type_ref.shape.named().into_iter().collect()
            }
            RequestBody::Multipart(form) => {
                let parts = form.parts.iter().filter_map(|part| match &part.content {
                    PartContent::Value(type_ref) => type_ref.shape.named(),
                    PartContent::File | PartContent::Files => None,
                });
                parts.collect()
            }
            RequestBody::None | RequestBody::Bytes { .. } => Vec::new(),
        };
        parameters.chain(body).collect()
    }

    /// Returns the names of the types in the responses.
    pub(super) fn received_types(&self) -> Vec<&str> {
        let types = self.model.statuses.iter().filter_map(|(.., body)| match body {
            ResponseBody::Json(type_ref) | ResponseBody::JsonLines(type_ref) => type_ref.shape.named(),
            ResponseBody::None | ResponseBody::Events | ResponseBody::Bytes => None,
        });
        types.collect()
    }
}

struct Responses {
    /// The body of the response if all are alike, and else the first with content.
    body: ResponseBody,
    statuses: Vec<(u16, u16, ResponseBody)>,
    /// `true` if the responses differ by status.
    differ: bool,
    /// `true` if a stream of events is among the media types.
    has_events: bool,
}

impl Lowering<'_> {
    pub(super) fn operations(&mut self) -> Result<Vec<LoweredOperation>, LowerError> {
        self.note_what_is_left_out();
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
            for (method, _) in item.get("additionalOperations").and_then(Node::as_object).into_iter().flatten() {
                let at = join(&join(&at, "additionalOperations"), method);
                self.note(&at, "reqwest has no function for the method; the operation is left out");
            }
            for method in ["options", "trace", "query"].into_iter().filter(|method| item.get(method).is_some()) {
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
                let route = Route { path, placeholders: &placeholders, method, operation: &name };
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
        let mut is_body_optional = false;
        let request = match operation.get("requestBody") {
            Some(body) => {
                let at = join(at, "requestBody");
                let body = self.followed(&at, body)?;
                is_body_optional = !is_true(body, "required");
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
        let response = self.responses(at, operation, name)?;
        self.note_what_is_not_sent(at, item, operation);
        let (parameters, parameter_documents) = self.parameters(at, route, item, operation)?;
        let has_params = parameters.iter().any(|parameter| parameter.location != Location::Path);
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
            params: has_params.then(|| self.names.claim(&format!("{}Params", type_name(name)))),
            parameters,
            request,
            is_body_optional,
            response: response.body,
            statuses: response.statuses,
            by_status: response.differ.then(|| self.names.claim(&format!("{}ByStatus", type_name(name)))),
            is_deprecated: is_true(operation, "deprecated"),
            twin_of: None,
        };
        let document = |model: &Operation| {
            let responses = json!({"200": response_document(&model.response)});
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
            && matches!(&model.request, RequestBody::Json { type_ref, .. } if self.has_property(type_ref, "stream"));
        if has_twin && names.insert(twin.clone()) {
            let twin_of = Some(model.name);
            let statuses =
                model.statuses.iter().map(|(first, last, _)| (*first, *last, ResponseBody::Events)).collect();
            let (response, by_status, pages) = (ResponseBody::Events, None, None);
            let model = Operation { name: twin, response, statuses, by_status, pages, twin_of, ..model };
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
            (Some(found), ..) => {
                let media_type =
                    Some(found.name).filter(|name| !matches!(essence(name).as_str(), "application/json" | "*/*"));
                RequestBody::Json {
                    type_ref: self.body_type(at, found, name)?,
                    media_type: media_type.filter(|name| is_header_value(name)).map(str::to_owned),
                }
            }
            (_, Some(found), ..) => {
                RequestBody::Form { type_ref: self.body_type(at, found, name)?, styles: form_styles(found.media) }
            }
            (_, _, Some(found), _) => RequestBody::Multipart(self.multipart(&media(found.name), found.media, name)?),
            (_, _, _, Some(found)) => {
                let is_one = !found.name.contains('*') && is_header_value(found.name);
                let media_type = if is_one { found.name } else { "application/octet-stream" };
                RequestBody::Bytes { media_type: media_type.to_owned() }
            }
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

    /// The responses to a call that went well. Every other status is the transport's to read.
    fn responses(&mut self, at: &str, operation: &Node, name: &str) -> Result<Responses, LowerError> {
        let at = join(at, "responses");
        let declared = operation.get("responses").and_then(Node::as_object);
        let mut good: Vec<(&String, &Node)> =
            declared.into_iter().flatten().filter(|(status, _)| is_good(status)).collect();
        if good.is_empty() {
            good.extend(declared.into_iter().flatten().filter(|(status, _)| *status == "default"));
        }
        let mut statuses: Vec<(u16, u16, ResponseBody)> = Vec::new();
        let mut has_events = false;
        for (status, response) in good {
            let at = join(&at, status);
            let response = self.followed(&at, response)?;
            let (body, events) = self.response_body(&at, response, &format!("{}Response", type_name(name)))?;
            has_events |= events;
            let (first, last) = status.parse().map_or((200, 299), |status: u16| (status, status));
            statuses.push((first, last, body));
        }
        if statuses.is_empty() {
            statuses.push((200, 299, ResponseBody::None));
        }
        // A range applies to statuses that aren't listed individually.
        statuses.sort_by_key(|(first, last, _)| last - first);
        let with_content = statuses.iter().find(|(.., body)| *body != ResponseBody::None);
        let body = with_content.map_or(ResponseBody::None, |(.., body)| body.clone());
        let mut differ = statuses.iter().any(|(.., other)| *other != body);
        let is_whole = |body: &ResponseBody| matches!(body, ResponseBody::None | ResponseBody::Json(_));
        if differ && (has_events || !statuses.iter().all(|(.., body)| is_whole(body))) {
            self.note(&at, "of several answers that are good, the first one with content counts");
            statuses.retain(|(.., other)| *other == body);
            differ = false;
        }
        Ok(Responses { body, statuses, differ, has_events })
    }

    /// Notes the parts of an operation that don't change a call.
    fn note_what_is_not_sent(&mut self, at: &str, item: &Node, operation: &Node) {
        let document = self.document;
        let path = at.rsplit_once('/').map_or(at, |(path, _)| path);
        let own = operation.get("servers").map(|servers| (at, servers));
        if let Some((at, servers)) = own.or(item.get("servers").map(|servers| (path, servers)))
            && document.get("servers") != Some(servers)
        {
            let at = join(at, "servers");
            self.note(&at, "a server of its own is not used: the operation is sent to the client's base URL");
        }
        if operation.get("callbacks").is_some() {
            self.note(&join(at, "callbacks"), "callbacks are requests of the server; they are left out");
        }
    }

    /// Notes the parts of a document that don't become operations.
    fn note_what_is_left_out(&mut self) {
        let document = self.document;
        for (name, _) in document.get("webhooks").and_then(Node::as_object).into_iter().flatten() {
            self.note(&join("/webhooks", name), "a webhook is a request of the server; it is left out");
        }
        let schemes = document.pointer("/components/securitySchemes").and_then(Node::as_object);
        for (name, scheme) in schemes.into_iter().flatten() {
            let is_key = text(scheme, "type").as_deref() == Some("apiKey");
            if is_key && text(scheme, "in").as_deref() != Some("header") {
                let at = join("/components/securitySchemes", name);
                self.note(&at, "a key outside of the headers is not sent: the client's credential is a header");
            }
        }
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
            if !target.starts_with('#') {
                let problem = format!("the `$ref` {target} leads out of the document; bundle it with `redocly bundle`");
                return Err(LowerError::new(at, problem));
            }
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
        RequestBody::Json { type_ref, .. } => ("application/json", emit::type_ref(type_ref)),
        RequestBody::Form { type_ref, .. } => ("application/x-www-form-urlencoded", emit::type_ref(type_ref)),
        RequestBody::Bytes { .. } => ("application/octet-stream", json!({"type": "string", "format": "binary"})),
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

/// Returns `true` for visible ASCII.
fn is_header_value(media_type: &str) -> bool {
    media_type.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// A media type and its contents.
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
