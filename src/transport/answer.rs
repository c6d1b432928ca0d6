//! From the headers of an answer to a reply or a failure: statuses, bodies, limits.

use std::{mem, sync::LazyLock, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use memchr::memmem::Finder;
use tokio::time::timeout;

use super::{
    Settings,
    ending::{Ending, Failed},
    redaction::{contains, redacted, redacted_beginning},
};
use crate::{
    error::error_type_of,
    runtime::{Body, ByteStream, Failure, PackedHeaders, Reason, cut, is_json},
};

/// How long the body of an error is waited for at most. The status has come, and is told without it.
const ERROR_BODY_PATIENCE: Duration = Duration::from_secs(10);

/// An answer that is a success.
pub(super) struct Success {
    pub(super) status: StatusCode,
    pub(super) headers: PackedHeaders,
    pub(super) body: Body,
}

/// Takes the headers out of an answer, and the credential out of them.
pub(super) fn take_headers(response: &mut reqwest::Response, secret: &[u8]) -> PackedHeaders {
    let mut headers = mem::take(response.headers_mut());
    let packed = PackedHeaders::pack(&headers);
    if !contains(packed.as_bytes(), secret) {
        return packed;
    }
    for value in headers.values_mut() {
        let own = redacted(Bytes::copy_from_slice(value.as_bytes()), secret);
        if let Ok(mut own) = HeaderValue::from_maybe_shared(own) {
            own.set_sensitive(value.is_sensitive());
            *value = own;
        }
    }
    PackedHeaders::pack(&headers)
}

/// Reads an answer as far as the operation wants it, in the time that is left of the call. Where it
/// is given up it is let go of, which closes the connection. The headers are taken when it is done.
pub(super) async fn read(
    mut response: reqwest::Response,
    headers: &mut PackedHeaders,
    streaming: bool,
    left: Duration,
    settings: &Settings,
) -> Result<Success, Failed> {
    let status = response.status();
    if !status.is_success() {
        // In a box, or each call would have room for it.
        return Err(Box::pin(unsuccessful(response, headers, left, settings)).await);
    }
    if is_encoded(headers) {
        return Err(fail(Reason::Encoding, status, headers, Bytes::new(), Ending::Committed));
    }
    let json = headers.get(CONTENT_TYPE.as_str()).map(is_json);
    // A JSON answer to a streaming call is an error, or the whole of what was to be streamed.
    if streaming && json != Some(true) {
        let body = http::Response::<reqwest::Body>::from(response).into_body();
        return Ok(Success { status, headers: mem::take(headers), body: Body::Stream(ByteStream::open(body)) });
    }
    let body = match whole(&mut response, settings.max_response_bytes).await {
        Ok(body) => body,
        Err((mut failure, mut body)) => {
            // As much as of any error: what was read may be 64 MiB.
            body.truncate(usize::try_from(settings.max_error_bytes).unwrap_or(usize::MAX));
            let facts = failure.facts_mut();
            facts.status = Some(status);
            facts.headers = mem::take(headers).into_map();
            facts.body = copied(&redacted_beginning(body, settings.credential.secret()));
            return Err(Failed { failure, ending: Ending::Committed });
        }
    };
    match (json != Some(false)).then(|| error_type(&body)).flatten() {
        Some(error_type) => {
            let body = copied(&redacted(body, settings.credential.secret()));
            Err(fail(Reason::ErrorBody, status, headers, body, ending_of(&error_type)))
        }
        None => Ok(Success { status, headers: mem::take(headers), body: Body::Whole(body) }),
    }
}

/// Reads an answer that is no success.
async fn unsuccessful(
    response: reqwest::Response,
    headers: &mut PackedHeaders,
    left: Duration,
    settings: &Settings,
) -> Failed {
    let status = response.status();
    if status.is_redirection() {
        let ending = match status {
            // The request was processed, and its outcome is elsewhere.
            StatusCode::SEE_OTHER => Ending::Committed,
            _ => Ending::NotSent { permanent: true },
        };
        return fail(Reason::Redirect, status, headers, Bytes::new(), ending);
    }
    let body = match is_encoded(headers) {
        // The status says enough; the body can't be read.
        true => Bytes::new(),
        false => {
            // With a part of the call's time, so that it does not run out over this.
            let patience = ERROR_BODY_PATIENCE.min(left / 2);
            error_body(response, settings.max_error_bytes, patience, settings.credential.secret()).await
        }
    };
    fail(Reason::Status, status, headers, body, Ending::Rejected(status))
}

pub(super) fn fail(
    reason: Reason,
    status: StatusCode,
    headers: &mut PackedHeaders,
    body: Bytes,
    ending: Ending,
) -> Failed {
    let mut failure = Failure::new(reason);
    let facts = failure.facts_mut();
    facts.status = Some(status);
    facts.headers = mem::take(headers).into_map();
    facts.body = body;
    Failed { failure, ending }
}

/// Whether the body needs decoding that the HTTP client has not done.
fn is_encoded(headers: &PackedHeaders) -> bool {
    headers.get_all(CONTENT_ENCODING.as_str()).any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

/// Reads a body whole, up to a limit. A failure comes with as much as was read.
async fn whole(response: &mut reqwest::Response, limit: u64) -> Result<Bytes, (Failure, Bytes)> {
    let declared = response.content_length();
    let mut body = Gathered::new(declared, limit);
    let mut fits = declared.is_none_or(|declared| declared <= limit);
    while fits {
        match response.chunk().await {
            Ok(Some(chunk)) => fits = body.push(chunk),
            Ok(None) => return Ok(body.finish()),
            Err(error) => return Err((cut(error), body.finish())),
        }
    }
    let mut failure = Failure::new(Reason::TooLarge(limit));
    failure.facts_mut().may_have_been_processed = true;
    Err((failure, body.finish()))
}

/// Reads the body of an error up to a limit, as far as it comes and comes in time.
async fn error_body(mut response: reqwest::Response, limit: u64, patience: Duration, secret: &[u8]) -> Bytes {
    let mut body = Gathered::new(response.content_length(), limit);
    let reading = async {
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    if !body.push(chunk) {
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    // What came before the time ran out is kept.
    let is_whole = timeout(patience, reading).await.unwrap_or(false);
    let body = body.finish();
    copied(&if is_whole { redacted(body, secret) } else { redacted_beginning(body, secret) })
}

/// The body of an error in memory of its own. An error may be kept for long, and the connection's
/// read buffer should not be kept with it.
fn copied(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(body)
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
        let declared = declared.map(|declared| declared.min(limit));
        Self { first: Bytes::new(), rest: BytesMut::new(), length: 0, declared, limit }
    }

    /// Adds a chunk, or as much of it as fits; `false` when the limit is passed.
    fn push(&mut self, mut chunk: Bytes) -> bool {
        let room = usize::try_from(self.limit.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let fits = chunk.len() <= room;
        chunk.truncate(room);
        self.length = self.length.saturating_add(chunk.len() as u64);
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk;
            return fits;
        }
        if self.rest.is_empty() {
            let capacity = self.declared.unwrap_or(0).min(Self::RESERVED).max(self.length);
            self.rest.reserve(usize::try_from(capacity).unwrap_or_default());
            self.rest.extend_from_slice(&mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&chunk);
        fits
    }

    fn finish(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

/// The `error.type` of a success that is an error all the same: `{"type": "error", …}`.
fn error_type(body: &[u8]) -> Option<String> {
    static MENTION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
    // Nearly every body is no error, and this tells without reading it as JSON.
    MENTION.find(body)?;
    error_type_of(body)
}

/// What an error in a success says about the request: what the status says that the API sends this
/// type of error with. Of an unknown type nothing is known, but that an answer was given.
fn ending_of(error_type: &str) -> Ending {
    let status = match error_type {
        "invalid_request_error"
        | "authentication_error"
        | "billing_error"
        | "permission_error"
        | "not_found_error"
        | "request_too_large" => 400,
        "conflict_error" => 409,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return Ending::Committed,
    };
    StatusCode::from_u16(status).map_or(Ending::Committed, Ending::Rejected)
}
