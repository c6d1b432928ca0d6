//! The batches, files and models that a server keeps.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::form::{Part, parts};
use crate::identifiers::Identifiers;
use crate::reply::Reply;
use crate::request::ReceivedRequest;
use crate::script::lock;

/// The time at which the batches of a server end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BatchEnd {
    /// After this many `getBatch` requests that return an unfinished batch.
    AfterPolls(usize),
    /// At this time after their creation, on the server's clock.
    After(Duration),
}

/// The batches, files and models of a server.
#[derive(Debug)]
pub(crate) struct Resources {
    batch_end: BatchEnd,
    models: Vec<Value>,
    batches: Mutex<Vec<Batch>>,
    files: Mutex<Vec<File>>,
}

/// A request of a batch.
#[derive(Clone, Debug)]
pub(crate) struct BatchRequest {
    pub(crate) custom_id: String,
    pub(crate) params: Value,
}

/// The result of a batch's request, with the JSON text of a message or an error.
#[derive(Debug)]
pub(crate) enum BatchResult {
    Succeeded(String),
    Errored(String),
    Canceled,
    Expired,
}

/// The time that the clock of a server starts at: 2026-10-21, the version of the API.
const CLOCK_START: Duration = Duration::from_secs(1_792_540_800);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Resources {
    pub(crate) fn new(batch_end: BatchEnd, models: Vec<Value>) -> Self {
        let models = if models.is_empty() { default_models() } else { models };
        Self { batch_end, models, batches: Mutex::default(), files: Mutex::default() }
    }

    /// Returns the reply to a request, or `None` if the operation isn't about batches, files or models. `process` returns
    /// the result of a batch's request, given its position in the batch.
    pub(crate) fn reply(
        &self,
        operation: &str,
        request: &ReceivedRequest,
        clock: &Clock,
        identifiers: Identifiers,
        process: &dyn Fn(usize, &BatchRequest) -> BatchResult,
    ) -> Option<Reply> {
        let now = clock.now();
        let id = last_segment(request.path(), operation);
        Some(match operation {
            "createBatch" => self.create_batch(request, now, identifiers),
            "listBatches" => {
                let ids: Vec<String> = lock(&self.batches).iter().map(|batch| batch.id.clone()).collect();
                for id in ids {
                    self.settle(&id, now, false, process);
                }
                let batches = lock(&self.batches).iter().rev().map(|batch| batch.to_json(request)).collect();
                page_by_id(request, batches)
            }
            "getBatch" => {
                self.settle(id, now, true, process);
                self.with_batch(id, |batch| Reply::json(200, batch.to_json(request)))
            }
            "cancelBatch" => self.with_batch(id, |batch| {
                batch.canceled_at.get_or_insert(now);
                Reply::json(200, batch.to_json(request))
            }),
            "deleteBatch" => self.delete_batch(id),
            "batchResults" => {
                self.settle(id, now, false, process);
                self.with_batch(id, |batch| match &batch.end {
                    Some(end) => Reply::raw(200, "application/x-jsonl", end.lines.concat()),
                    None => Reply::error(404, "not_found_error", format!("batch {id} has no results yet")),
                })
            }
            "listModels" => self.list_models(request),
            "getModel" => self.get_model(id),
            "uploadFile" => self.upload_file(request, now, identifiers),
            "listFiles" => self.list_files(request),
            "getFile" => self.with_file(id, now, |file| Reply::json(200, file.to_json())),
            "downloadFile" => {
                self.with_file(id, now, |file| Reply::raw(200, file.mime_type.clone(), file.content.clone()))
            }
            "deleteFile" => {
                let mut files = lock(&self.files);
                match files.iter().position(|file| file.id == id) {
                    Some(position) => {
                        let file = files.remove(position);
                        Reply::json(200, json!({"id": file.id, "type": "file_deleted"}))
                    }
                    None => not_found("file", id),
                }
            }
            _ => return None,
        })
    }

    fn create_batch(&self, request: &ReceivedRequest, now: Duration, identifiers: Identifiers) -> Reply {
        let requests = request.pointer("/requests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut batch_requests = Vec::new();
        for (index, item) in requests.iter().enumerate() {
            let custom_id = item.get("custom_id").and_then(Value::as_str).unwrap_or_default();
            let params = item.get("params").cloned().unwrap_or_default();
            if !is_custom_id(custom_id) {
                return invalid(format!("/requests/{index}/custom_id: must have 1 to 64 letters, digits, `_` or `-`"));
            }
            if !seen.insert(custom_id) {
                return invalid(format!("/requests/{index}/custom_id: `{custom_id}` is not unique"));
            }
            if params.get("stream").and_then(Value::as_bool) == Some(true) {
                return invalid(format!("/requests/{index}/params/stream: a batch can't stream"));
            }
            batch_requests.push(BatchRequest { custom_id: custom_id.to_owned(), params });
        }
        if batch_requests.is_empty() {
            return invalid("/requests: a batch needs at least one request".to_owned());
        }
        let batch = Batch {
            id: identifiers.batch(request.number()),
            seed: identifiers,
            created_at: now,
            requests: batch_requests,
            polls: 0,
            canceled_at: None,
            end: None,
        };
        let reply = Reply::json(200, batch.to_json(request));
        lock(&self.batches).push(batch);
        reply
    }

    fn delete_batch(&self, id: &str) -> Reply {
        let mut batches = lock(&self.batches);
        match batches.iter().position(|batch| batch.id == id) {
            Some(position) if batches.get(position).is_some_and(|batch| batch.end.is_none()) => {
                invalid(format!("batch {id} has not ended: cancel it first"))
            }
            Some(position) => {
                batches.remove(position);
                Reply::json(200, json!({"id": id, "type": "message_batch_deleted"}))
            }
            None => not_found("batch", id),
        }
    }

    /// Ends a batch if it is time to. The lock isn't held while its requests are processed, since closures of the script
    /// may use the server.
    fn settle(&self, id: &str, now: Duration, is_poll: bool, process: &dyn Fn(usize, &BatchRequest) -> BatchResult) {
        let (requests, is_canceled) = {
            let mut batches = lock(&self.batches);
            let Some(batch) = batches.iter_mut().find(|batch| batch.id == id && batch.end.is_none()) else { return };
            let is_due = match self.batch_end {
                BatchEnd::AfterPolls(polls) => batch.polls >= polls,
                BatchEnd::After(duration) => now >= batch.created_at.saturating_add(duration),
            };
            batch.polls += usize::from(is_poll);
            if !is_due && batch.canceled_at.is_none() {
                return;
            }
            (batch.requests.clone(), batch.canceled_at.is_some())
        };
        let mut end = End { at: now, lines: Vec::new(), succeeded: 0, errored: 0, canceled: 0, expired: 0 };
        for (index, request) in requests.iter().enumerate() {
            let result = if is_canceled { BatchResult::Canceled } else { process(index, request) };
            end.add(&request.custom_id, result);
        }
        let mut batches = lock(&self.batches);
        if let Some(batch) = batches.iter_mut().find(|batch| batch.id == id && batch.end.is_none()) {
            batch.seed.shuffle(&mut end.lines);
            batch.end = Some(end);
        }
    }

    fn with_batch(&self, id: &str, reply: impl FnOnce(&mut Batch) -> Reply) -> Reply {
        match lock(&self.batches).iter_mut().find(|batch| batch.id == id) {
            Some(batch) => reply(batch),
            None => not_found("batch", id),
        }
    }

    fn list_models(&self, request: &ReceivedRequest) -> Reply {
        let mut wanted = values(request, "lifecycle[]");
        if wanted.is_empty() {
            wanted = vec!["active".to_owned(), "deprecated".to_owned()];
        }
        let is_wanted = |model: &&Value| {
            let lifecycle = model.get("lifecycle").and_then(Value::as_str).unwrap_or("active");
            wanted.iter().any(|wanted| wanted == lifecycle)
        };
        page_by_id(request, self.models.iter().filter(is_wanted).cloned().collect())
    }

    /// Returns the model with this id, or the one that it is an alias of: an id without the date.
    fn get_model(&self, id: &str) -> Reply {
        let is_alias = |model: &str| model.strip_prefix(id).is_some_and(|rest| rest.starts_with('-'));
        let id_of = |model: &Value| model.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let exact = self.models.iter().find(|model| id_of(model) == id);
        match exact.or_else(|| self.models.iter().find(|model| is_alias(&id_of(model)))) {
            Some(model) => Reply::json(200, model),
            None => not_found("model", id),
        }
    }

    fn upload_file(&self, request: &ReceivedRequest, now: Duration, identifiers: Identifiers) -> Reply {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(parts) = parts(content_type, request.body_bytes()) else {
            return invalid("the body is not a form of type multipart/form-data".to_owned());
        };
        let part = |name: &str| parts.iter().find(|part| part.name == name);
        let Some(Part { filename: Some(filename), content_type, body, .. }) = part("file") else {
            return invalid("/file: this field is required".to_owned());
        };
        let expires_in = part("expires_in_seconds").map(|part| String::from_utf8_lossy(&part.body).parse());
        let Ok(expires_in) = expires_in.transpose() else {
            return invalid("/expires_in_seconds: expected an integer".to_owned());
        };
        let file = File {
            id: identifiers.file(request.number()),
            filename: filename.clone(),
            mime_type: content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
            created_at: now,
            expires_at: expires_in.map(|seconds| now.saturating_add(Duration::from_secs(seconds))),
            content: body.clone(),
        };
        let reply = Reply::json(200, file.to_json());
        lock(&self.files).push(file);
        reply
    }

    fn list_files(&self, request: &ReceivedRequest) -> Reply {
        let wanted = values(request, "ids[]");
        let is_wanted = |file: &&File| wanted.is_empty() || wanted.contains(&file.id);
        let files: Vec<Value> = lock(&self.files).iter().rev().filter(is_wanted).map(File::to_json).collect();
        let Ok(limit) = limit(request) else { return invalid(INVALID_LIMIT.to_owned()) };
        let cursor = value(request, "page");
        let start = match cursor.as_deref().map(|cursor| cursor.strip_prefix("page_").and_then(|at| at.parse().ok())) {
            None => 0,
            Some(Some(start)) if start <= files.len() => start,
            Some(_) => return invalid("page: unknown cursor".to_owned()),
        };
        let end = files.len().min(start + limit);
        let next_page = (end < files.len()).then(|| format!("page_{end}"));
        Reply::json(200, json!({"data": files.get(start..end), "next_page": next_page}))
    }

    fn with_file(&self, id: &str, now: Duration, reply: impl FnOnce(&File) -> Reply) -> Reply {
        match lock(&self.files).iter().find(|file| file.id == id) {
            Some(file) if file.expires_at.is_some_and(|expires_at| now >= expires_at) => {
                not_found("file", id).details(json!({"error_code": "file_expired"}))
            }
            Some(file) => reply(file),
            None => not_found("file", id),
        }
    }
}

#[derive(Debug)]
struct Batch {
    id: String,
    /// Decides the order of the results.
    seed: Identifiers,
    created_at: Duration,
    requests: Vec<BatchRequest>,
    /// `getBatch` requests so far.
    polls: usize,
    canceled_at: Option<Duration>,
    end: Option<End>,
}

/// The results of a batch that has ended.
#[derive(Debug)]
struct End {
    at: Duration,
    lines: Vec<String>,
    succeeded: usize,
    errored: usize,
    canceled: usize,
    expired: usize,
}

impl End {
    fn add(&mut self, custom_id: &str, result: BatchResult) {
        let result = match result {
            BatchResult::Succeeded(message) => {
                self.succeeded += 1;
                format!(r#"{{"type":"succeeded","message":{message}}}"#)
            }
            BatchResult::Errored(error) => {
                self.errored += 1;
                format!(r#"{{"type":"errored","error":{error}}}"#)
            }
            BatchResult::Canceled => {
                self.canceled += 1;
                r#"{"type":"canceled"}"#.to_owned()
            }
            BatchResult::Expired => {
                self.expired += 1;
                r#"{"type":"expired"}"#.to_owned()
            }
        };
        // A `custom_id` needs no escapes.
        self.lines.push(format!("{{\"custom_id\":\"{custom_id}\",\"result\":{result}}}\n"));
    }
}

impl Batch {
    fn to_json(&self, request: &ReceivedRequest) -> Value {
        let status = match (&self.end, self.canceled_at) {
            (Some(_), _) => "ended",
            (None, Some(_)) => "canceling",
            (None, None) => "in_progress",
        };
        let counts = match &self.end {
            Some(end) => json!({
                "processing": 0, "succeeded": end.succeeded, "errored": end.errored, "canceled": end.canceled,
                "expired": end.expired
            }),
            None => {
                json!({"processing": self.requests.len(), "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0})
            }
        };
        let host = request.header(HOST.as_str()).unwrap_or("localhost");
        let results_url = self.end.as_ref().map(|_| format!("http://{host}/v1/messages/batches/{}/results", self.id));
        json!({
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": timestamp(self.created_at),
            "expires_at": timestamp(self.created_at.saturating_add(DAY)),
            "ended_at": self.end.as_ref().map(|end| timestamp(end.at)),
            "archived_at": null,
            "cancel_initiated_at": self.canceled_at.map(timestamp),
            "results_url": results_url,
        })
    }
}

#[derive(Debug)]
struct File {
    id: String,
    filename: String,
    mime_type: String,
    created_at: Duration,
    expires_at: Option<Duration>,
    content: Bytes,
}

impl File {
    fn to_json(&self) -> Value {
        let mut file = json!({
            "id": self.id,
            "type": "file",
            "filename": self.filename,
            "mime_type": self.mime_type,
            "size_bytes": self.content.len(),
            "created_at": timestamp(self.created_at),
            "downloadable": true,
        });
        if let (Some(expires_at), Some(fields)) = (self.expires_at, file.as_object_mut()) {
            fields.insert("expires_at".to_owned(), timestamp(expires_at).into());
        }
        file
    }
}

fn default_models() -> Vec<Value> {
    let model = |id: &str, name: &str, line: &str, lifecycle: &str| {
        json!({
            "id": id, "type": "model", "display_name": name, "created_at": "2026-08-01T00:00:00Z", "deprecated_at": null,
            "retires_at": null, "lifecycle": lifecycle, "line": line, "max_input_tokens": 1_000_000,
            "max_tokens": 128_000, "capabilities": null
        })
    };
    vec![
        model("claude-opus-5-20260801", "Claude Opus 5", "opus", "active"),
        model("claude-sonnet-5-20260801", "Claude Sonnet 5", "sonnet", "active"),
        model("claude-haiku-5-20260801", "Claude Haiku 5", "haiku", "active"),
        model("claude-sonnet-4-20250514", "Claude Sonnet 4", "sonnet", "deprecated"),
        model("claude-2.1", "Claude 2.1", "sonnet", "retired"),
    ]
}

/// Returns the page of a list that `limit`, `before_id` and `after_id` select.
fn page_by_id(request: &ReceivedRequest, items: Vec<Value>) -> Reply {
    let Ok(limit) = limit(request) else { return invalid(INVALID_LIMIT.to_owned()) };
    let id = |item: Option<&Value>| item.and_then(|item| item.get("id")).cloned().unwrap_or_default();
    let position = |wanted: &str| items.iter().position(|item| item.get("id").and_then(Value::as_str) == Some(wanted));
    let (start, end, has_more) = match (value(request, "before_id"), value(request, "after_id")) {
        (Some(_), Some(_)) => return invalid("before_id and after_id exclude each other".to_owned()),
        (Some(before), None) => match position(&before) {
            Some(end) => (end.saturating_sub(limit), end, end > limit),
            None => return invalid(format!("before_id: there is no {before}")),
        },
        (None, after) => {
            let start = match after.as_deref().map(position) {
                None => 0,
                Some(Some(position)) => position + 1,
                Some(None) => return invalid(format!("after_id: there is no {}", after.unwrap_or_default())),
            };
            let end = items.len().min(start + limit);
            (start, end, end < items.len())
        }
    };
    let data = items.get(start..end).unwrap_or_default();
    Reply::json(
        200,
        json!({"data": data, "has_more": has_more, "first_id": id(data.first()), "last_id": id(data.last())}),
    )
}

const INVALID_LIMIT: &str = "limit: expected an integer from 1 to 1000";

fn limit(request: &ReceivedRequest) -> Result<usize, ()> {
    match value(request, "limit").map(|limit| limit.parse::<usize>()) {
        None => Ok(20),
        Some(Ok(limit @ 1..=1000)) => Ok(limit),
        Some(_) => Err(()),
    }
}

fn value(request: &ReceivedRequest, name: &str) -> Option<String> {
    values(request, name).into_iter().next()
}

fn values(request: &ReceivedRequest, name: &str) -> Vec<String> {
    let query = request.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(found, _)| found == name).map(|(_, value)| value.into_owned()).collect()
}

/// Returns the id in the path of an operation.
fn last_segment<'path>(path: &'path str, operation: &str) -> &'path str {
    let suffix = match operation {
        "cancelBatch" => "/cancel",
        "batchResults" => "/results",
        "downloadFile" => "/content",
        _ => "",
    };
    path.strip_suffix(suffix).unwrap_or(path).rsplit('/').next().unwrap_or_default()
}

fn is_custom_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn invalid(message: String) -> Reply {
    Reply::error(400, "invalid_request_error", message)
}

fn not_found(resource: &str, id: &str) -> Reply {
    let mut message = String::new();
    let _ = write!(message, "there is no {resource} {id}");
    Reply::error(404, "not_found_error", message)
}

/// Returns a time of the server's clock in RFC 3339.
fn timestamp(time: Duration) -> String {
    let time: SystemTime = UNIX_EPOCH + CLOCK_START.saturating_add(time);
    humantime::format_rfc3339(time).to_string()
}
