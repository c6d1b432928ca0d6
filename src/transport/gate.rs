//! The one decision about what a response is: the answer of its operation, or which error.

use bytes::Bytes;
use http::{
    StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION},
};
use memchr::memmem::Finder;
use reqwest::Url;
use std::{sync::LazyLock, time::SystemTime};
use url::Position;

use super::operation::{Answers, Operation};
use crate::{
    error::{ApiError, Classification, Error, ErrorKind, shorten, status_text},
    response::PackedHeaders,
    retry::Outcome,
};

/// An attempt that failed: the error it would end the call with, and the outcome that decides about another attempt.
#[derive(Debug)]
pub(crate) struct AttemptFailure {
    pub(crate) error: Error,
    pub(crate) outcome: Outcome,
}

impl AttemptFailure {
    pub(super) fn new(error: Error, outcome: Outcome) -> Self {
        Self { error, outcome }
    }

    /// The error as the end of a stream, which is not opened again.
    pub(crate) fn into_error(self, has_started: bool) -> Error {
        let Self { mut error, outcome } = self;
        error.head_mut().may_have_been_processed = has_started || outcome.may_have_been_processed();
        error.with_retry(outcome.retry_after(), None)
    }
}

/// Most bytes kept of a document that arrived in place of a stream.
pub(crate) const PAGE_LIMIT: usize = 64 * 1024;

/// The form of a response body, decided by status and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A redirect. Its body is not read.
    Redirect,
    /// A body to read as far as it explains an error.
    Error,
    /// A document to read whole and to [`check`].
    Document,
    /// A stream of server-sent events.
    Events,
    /// Either: the first byte decides.
    Unknown,
    /// Bytes to hand on.
    Bytes,
}

/// Decides what to read of a response.
pub(super) fn form(status: StatusCode, headers: &PackedHeaders, operation: &Operation) -> Form {
    if is_redirect(status) {
        return Form::Redirect;
    }
    if !status.is_success() || encoding(headers).is_some() {
        return Form::Error;
    }
    let named = operation.answers_to(status);
    match (named.unwrap_or(operation.answers), content_type(headers)) {
        (Answers::Bytes, _) if named.is_some() => Form::Bytes,
        (Answers::JsonLines, content_type) if named.is_some() && !content_type.is_some_and(is_page) => Form::Bytes,
        (Answers::Events, Some(content_type)) if is_event_stream(content_type) && named.is_some() => Form::Events,
        (Answers::Events, Some(content_type)) if !is_json(content_type) => Form::Error,
        (Answers::Events, None) if named.is_some() => Form::Unknown,
        (Answers::Bytes | Answers::JsonLines, _) => Form::Error,
        _ => Form::Document,
    }
}

/// Returns `true` if a body that begins with these bytes is no stream of events but a document or a page. No line of a stream
/// begins like that.
pub(crate) fn begins_as_document(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    matches!(bytes.first(), Some(b'{' | b'[' | b'<' | b'"'))
}

/// Judges a response whose body has been read, all of it or as far as an error needs it.
///
/// # Errors
/// Fails if the response is not the answer of the operation, as far as that can be told without its type.
pub(super) fn check(
    status: StatusCode,
    headers: &PackedHeaders,
    operation: &Operation,
    body: &Bytes,
    origin: &Origin<'_>,
) -> Result<(), AttemptFailure> {
    let reject = |error: Error, outcome| Err(AttemptFailure::new(error.with_body(body.clone()), outcome));
    if is_redirect(status) {
        let outcome = match status {
            // The request was processed, and its result is elsewhere.
            StatusCode::SEE_OTHER => Outcome::Committed,
            _ => Outcome::NotSent { permanent: true },
        };
        let sentence = format!("{} from {}, but redirects are not followed", status_text(status), origin.host);
        let error = Error::new(ErrorKind::Redirect, sentence).with_detail(redirect_target(headers));
        return reject(error, outcome);
    }
    if !status.is_success() {
        let api = if encoding(headers).is_some() { None } else { ApiError::read(body) };
        let sentence = match status.as_u16() {
            404 | 405 => format!("{} from `{}`", status_text(status), &origin.address[..Position::AfterPath]),
            407 => match origin.proxy {
                Some(proxy) => format!("{} from the proxy {proxy}", status_text(status)),
                None => format!("{} from the proxy", status_text(status)),
            },
            _ => format!("{} from {}", status_text(status), origin.host),
        };
        let AttemptFailure { error, outcome } = api_error(status, headers, sentence, api, origin.wall);
        return reject(error, outcome);
    }
    if let Some(encoding) = encoding(headers) {
        let error = Error::new(ErrorKind::ContentEncoding, "response is compressed, which the request did not ask for");
        return reject(error.with_detail(text(encoding, 40)), Outcome::Committed);
    }
    if operation.answers != Answers::Bytes
        && !operation.declares_error
        && let Some(failure) = document_error(body, headers, origin.wall)
    {
        return Err(failure);
    }
    let Some(answers) = operation.answers_to(status) else {
        let error = Error::new(ErrorKind::UnexpectedStatus, format!("unexpected status {}", status_text(status)));
        return reject(error, Outcome::Committed);
    };
    let content_type = content_type(headers).filter(|content_type| !is_json(content_type));
    let error = match (answers, content_type) {
        (Answers::Events, Some(content_type)) if is_event_stream(content_type) => not_a_stream(),
        (Answers::Events, Some(content_type)) => unexpected_type("a stream of events", content_type),
        (Answers::Json, Some(content_type)) => unexpected_type("JSON", content_type),
        (Answers::JsonLines, Some(content_type)) => unexpected_type("JSON lines", content_type),
        _ => return Ok(()),
    };
    reject(error, Outcome::Committed)
}

fn unexpected_type(expected: &str, content_type: &[u8]) -> Error {
    let error = Error::new(ErrorKind::ContentType, format!("response is not {expected}"));
    error.with_detail(format!("its content type is {}", text(content_type, 100)))
}

/// The error of a document that calls itself a stream of events.
pub(crate) fn not_a_stream() -> Error {
    let error = Error::new(ErrorKind::ContentType, "response is not a stream of events");
    error.with_detail("it is a document".to_owned())
}

/// The origin of a response, for messages and dates.
pub(super) struct Origin<'a> {
    /// Host and port of the server.
    pub(super) host: &'a str,
    /// Address of the request. Its query may hold anything.
    pub(super) address: &'a Url,
    /// The proxy that requests are sent through.
    pub(super) proxy: Option<&'a str>,
    pub(super) wall: SystemTime,
}

/// Judges a stream's event that is none of the message's. Returns `None` unless it is an error: by its name, or because its
/// data says so.
pub(crate) fn event_error(
    name: &str,
    data: &[u8],
    headers: &PackedHeaders,
    wall: SystemTime,
) -> Option<AttemptFailure> {
    let api = match name {
        "error" => ApiError::read(data),
        // An event of an unknown type is passed on, whatever its members.
        _ => Some(error_in(data).filter(|api| !api.is_of_another_type())?),
    };
    let AttemptFailure { error, outcome } =
        api_error(StatusCode::OK, headers, "error event in the stream".to_owned(), api, wall);
    Some(AttemptFailure::new(error.with_body(Bytes::copy_from_slice(data)), outcome))
}

/// Judges a document that arrived with a success. Returns `None` unless it says that it is an error.
pub(crate) fn document_error(body: &Bytes, headers: &PackedHeaders, wall: SystemTime) -> Option<AttemptFailure> {
    let api = error_in(body)?;
    let AttemptFailure { error, outcome } =
        api_error(StatusCode::OK, headers, "response contains an error".to_owned(), Some(api), wall);
    Some(AttemptFailure::new(error.with_body(body.clone()), outcome))
}

fn api_error(
    status: StatusCode,
    headers: &PackedHeaders,
    sentence: String,
    api: Option<ApiError>,
    wall: SystemTime,
) -> AttemptFailure {
    let Classification { kind, status: decisive } = Classification::new(status, api.as_ref());
    let outcome = match decisive {
        Some(decisive) => Outcome::rejected(decisive, |name| headers.single(name), wall),
        None => Outcome::Committed,
    };
    AttemptFailure::new(Error::of_api(kind, sentence, api), outcome)
}

/// The error that a success contains.
fn error_in(body: &[u8]) -> Option<ApiError> {
    // The word, or a letter of it as an escape, as no server writes letters otherwise.
    static MENTIONS: LazyLock<[Finder<'static>; 3]> =
        LazyLock::new(|| ["\"error\"", r"\u006", r"\u0072"].map(Finder::new));
    // Nearly every body is no error, and a search tells so without decoding it.
    if MENTIONS.iter().any(|mention| mention.find(body).is_some()) { ApiError::in_success(body) } else { None }
}

/// Returns `true` for statuses that lead elsewhere. A 304 says that the resource is as it was.
fn is_redirect(status: StatusCode) -> bool {
    status.is_redirection() && status != StatusCode::NOT_MODIFIED
}

/// The content type. An empty one says nothing.
fn content_type(headers: &PackedHeaders) -> Option<&[u8]> {
    headers.get(CONTENT_TYPE.as_str()).filter(|content_type| !content_type.trim_ascii().is_empty())
}

/// The content coding, other than `identity`, which the request asks for.
pub(super) fn encoding(headers: &PackedHeaders) -> Option<&[u8]> {
    let codings = headers.get_all(CONTENT_ENCODING.as_str()).flat_map(|value| value.split(|byte| *byte == b','));
    codings.map(<[u8]>::trim_ascii).find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Returns `true` for `application/json`, `text/json` and every type that ends in `+json`.
fn is_json(content_type: &[u8]) -> bool {
    let essence = essence(content_type);
    let ends_in_json =
        || essence.len() > 5 && essence.rchunks(5).next().is_some_and(|end| end.eq_ignore_ascii_case(b"+json"));
    essence.eq_ignore_ascii_case(b"application/json") || essence.eq_ignore_ascii_case(b"text/json") || ends_in_json()
}

fn is_event_stream(content_type: &[u8]) -> bool {
    essence(content_type).eq_ignore_ascii_case(b"text/event-stream")
}

/// Returns `true` for the types of pages that people read. JSON lines have many types.
fn is_page(content_type: &[u8]) -> bool {
    let essence = essence(content_type);
    essence.eq_ignore_ascii_case(b"text/html") || essence.eq_ignore_ascii_case(b"application/xhtml+xml")
}

/// A media type without its parameters.
fn essence(content_type: &[u8]) -> &[u8] {
    content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// The origin of a redirect's target. Path and query may hold anything.
fn redirect_target(headers: &PackedHeaders) -> String {
    let location = headers.text(LOCATION.as_str());
    match location.map(|location| location.parse::<http::Uri>()) {
        Some(Ok(uri)) => match (uri.scheme_str(), uri.host()) {
            (Some(scheme), Some(host)) => format!("to {scheme}://{}", shorten(host, 100)),
            _ => "to another path".to_owned(),
        },
        Some(Err(_)) => "to an invalid address".to_owned(),
        None => "without an address".to_owned(),
    }
}

/// A header value as part of a message.
fn text(value: &[u8], characters: usize) -> String {
    shorten(&String::from_utf8_lossy(value), characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_without_its_query() {
        const OPERATION: Operation = Operation {
            name: "o",
            answers: Answers::Json,
            statuses: &[(200, 200, Answers::Json)],
            requires: &[],
            declares_error: false,
        };
        let address = Url::parse("https://h.example/v1/models?after_id=secret").unwrap();
        let origin = Origin { host: "h.example", address: &address, proxy: None, wall: SystemTime::UNIX_EPOCH };
        for status in [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED] {
            let checked = check(status, &PackedHeaders::default(), &OPERATION, &Bytes::new(), &origin);
            let message = checked.unwrap_err().error.to_string();
            assert!(message.ends_with(" from `https://h.example/v1/models`"), "{message}");
        }
    }
}
