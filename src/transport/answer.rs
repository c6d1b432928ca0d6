//! From the headers of an answer to a reply or a failure: statuses, bodies, limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Settings,
    ending::{Ending, Failed},
};
use crate::runtime::{Body, ByteStream, Failure, Reason, cut, from_slice, is_json};

/// How long the body of an error is waited for. The status has come, and is told without it.
const ERROR_BODY_PATIENCE: Duration = Duration::from_secs(10);

/// An answer that is a success.
pub(super) struct Success {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// Reads an answer as far as the operation wants it.
pub(super) async fn read(
    mut response: reqwest::Response,
    streaming: bool,
    settings: &Settings,
) -> Result<Success, Failed> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    if status.is_success() {
        success(response, status, headers, streaming, settings).await
    } else if status.is_redirection() {
        Err(fail(Reason::Redirect, status, headers, Bytes::new(), Ending::NotSent { permanent: true }))
    } else {
        let body = match is_encoded(&headers) {
            // The status says enough; the body can't be read.
            true => Bytes::new(),
            false => error_body(response, settings.max_error_bytes, settings.credential.secret()).await,
        };
        Err(fail(Reason::Status, status, headers, body, Ending::Rejected(status)))
    }
}

async fn success(
    response: reqwest::Response,
    status: StatusCode,
    mut headers: HeaderMap,
    streaming: bool,
    settings: &Settings,
) -> Result<Success, Failed> {
    if is_encoded(&headers) {
        return Err(fail(Reason::Encoding, status, headers, Bytes::new(), Ending::Committed));
    }
    let json = headers.get(CONTENT_TYPE).map(|value| is_json(value.as_bytes()));
    // A JSON answer to a streaming call is an error, or the whole of what was to be streamed.
    if streaming && json != Some(true) {
        let body = http::Response::<reqwest::Body>::from(response).into_body();
        detach(&mut headers);
        return Ok(Success { status, headers, body: Body::Stream(ByteStream::open(body)) });
    }
    let body = match whole(response, settings.max_response_bytes).await {
        Ok(body) => body,
        Err(mut failure) => {
            failure.facts_mut().status = Some(status);
            failure.facts_mut().headers = headers;
            return Err(Failed { failure, ending: Ending::Committed });
        }
    };
    match (json != Some(false)).then(|| error_type(&body)).flatten() {
        Some(error_type) => {
            let ending = Ending::Rejected(equivalent(&error_type));
            Err(fail(Reason::ErrorBody, status, headers, redacted(body, settings.credential.secret()), ending))
        }
        None => Ok(Success { status, headers, body: Body::Whole(body) }),
    }
}

/// Moves the values of headers into memory of their own. As they come they lie in the connection's
/// read buffer, which would be kept, and another made, for as long as the stream is open.
fn detach(headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
}

fn fail(reason: Reason, status: StatusCode, headers: HeaderMap, body: Bytes, ending: Ending) -> Failed {
    let mut failure = Failure::new(reason);
    let facts = failure.facts_mut();
    facts.status = Some(status);
    facts.headers = headers;
    facts.body = body;
    Failed { failure, ending }
}

/// Whether the body needs decoding that the HTTP client has not done.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|coding| {
        let coding = coding.as_bytes().trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

/// Reads a body whole, up to a limit. Giving up closes the connection.
async fn whole(mut response: reqwest::Response, limit: u64) -> Result<Bytes, Failure> {
    let too_large = || {
        let mut failure = Failure::new(Reason::TooLarge(limit));
        failure.facts_mut().may_have_been_processed = true;
        failure
    };
    let declared = response.content_length();
    if declared.is_some_and(|declared| declared > limit) {
        return Err(too_large());
    }
    let mut body = Gathered::new(declared, limit);
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        if !body.push(chunk) {
            return Err(too_large());
        }
    }
    Ok(body.finish())
}

/// Reads the body of an error as far as it comes, is short enough and comes in time.
async fn error_body(mut response: reqwest::Response, limit: u64, secret: &[u8]) -> Bytes {
    let declared = response.content_length();
    if declared.is_some_and(|declared| declared > limit) {
        return Bytes::new();
    }
    let mut body = Gathered::new(declared, limit);
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            if !body.push(chunk) {
                break;
            }
        }
    };
    // What came before the time ran out is kept.
    let _ = timeout(ERROR_BODY_PATIENCE, reading).await;
    redacted(body.finish(), secret)
}

/// Chunks that become one body. A body of one chunk is not copied.
struct Gathered {
    first: Bytes,
    rest: BytesMut,
    length: u64,
    declared: Option<u64>,
    limit: u64,
}

impl Gathered {
    /// The most that is reserved on a server's word.
    const RESERVED: u64 = 1024 * 1024;

    fn new(declared: Option<u64>, limit: u64) -> Self {
        Self { first: Bytes::new(), rest: BytesMut::new(), length: 0, declared, limit }
    }

    /// `false` when the limit is passed; the chunk is let go then.
    fn push(&mut self, chunk: Bytes) -> bool {
        self.length = self.length.saturating_add(chunk.len() as u64);
        if self.length > self.limit {
            return false;
        }
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk;
            return true;
        }
        if self.rest.is_empty() {
            let capacity = self.declared.unwrap_or(0).min(Self::RESERVED).max(self.length);
            self.rest.reserve(usize::try_from(capacity).unwrap_or_default());
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&chunk);
        true
    }

    fn finish(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

/// The `error.type` of a success that is an error all the same: `{"type": "error", …}`.
fn error_type(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope {
        r#type: Option<String>,
        error: Option<Detail>,
    }
    #[derive(Deserialize)]
    struct Detail {
        r#type: Option<String>,
    }
    // Nearly every body is no error, and this tells without reading it as JSON.
    memchr::memmem::find(body, b"\"error\"")?;
    let envelope: Envelope = from_slice(body).ok()?;
    (envelope.r#type.as_deref() == Some("error"))
        .then(|| envelope.error.and_then(|error| error.r#type).unwrap_or_default())
}

/// The status that the API sends an error type with.
fn equivalent(error_type: &str) -> StatusCode {
    let code = match error_type {
        "conflict_error" => 409,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 400,
    };
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

/// Takes the credential out of what a server says: some repeat what they don't accept.
pub(crate) fn redacted(body: Bytes, secret: &[u8]) -> Bytes {
    if secret.is_empty() || memchr::memmem::find(&body, secret).is_none() {
        return body;
    }
    let mut clean = Vec::with_capacity(body.len());
    let mut rest: &[u8] = &body;
    while let Some(at) = memchr::memmem::find(rest, secret) {
        let (before, after) = rest.split_at(at);
        clean.extend_from_slice(before);
        clean.extend_from_slice(b"[redacted]");
        rest = after.get(secret.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean.into()
}
