//! The kinds of errors, and the classification of error responses.

use std::fmt;

use http::StatusCode;
use serde::{Serialize, Serializer};

use super::ApiError;
use crate::retry;

/// The kind of an [`Error`](crate::Error).
///
/// Each kind documents three things: what happened, whether the request may have been processed, and what to do.
/// [`Error::may_have_been_processed`](crate::Error::may_have_been_processed) answers the second for all attempts of the
/// call.
///
/// The HTTP status decides the kind of an error response. The API's `error.type` refines general statuses (400,
/// 500, 503). For an error object in a successful response or in a stream, the type decides the kind, unless the object has an
/// error status in its `code`. An error with neither is of the kind [`Server`](Self::Server).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client cannot be built or its options cannot be used: a missing or malformed credential, address, header or
    /// proxy. Nothing was sent. Change the configuration that the message names.
    Configuration,
    /// The request violates the contract, at [`Error::pointer`](crate::Error::pointer). Nothing was sent. Change the
    /// request.
    Contract,
    /// The call was made outside of a tokio runtime. Nothing was sent. Call from async code that tokio runs. A runtime
    /// without timers cannot be told apart: there, tokio panics. Build it with `enable_time` and `enable_io`.
    NoRuntime,
    /// An [`Observer`](crate::Observer) refused the request. Nothing was sent. The source is the observer's error.
    Refused,
    /// The [`Credentials`](crate::Credentials) of the client failed, or returned a malformed key. Nothing was sent with it.
    /// The source is their error.
    Credentials,

    /// A file could not be read, to upload it, or written, to save a download. An upload was not processed. The source is
    /// the I/O error.
    File,

    /// No connection could be made: name resolution, a refused connection, TLS, a proxy. Not processed. Retried, except for
    /// a proxy that requires authentication and, with rustls, for a certificate that was refused. Check address, network
    /// and proxy.
    Connect,
    /// A connection, a response or the whole call took longer than the client allows. The request may have been processed,
    /// unless the connection was still being made. Raise the limit, or use a stream.
    Timeout,
    /// The connection ended before a response began. The request may have been processed. Retried unless
    /// [`RetryAmbiguous::Never`](crate::retry::RetryAmbiguous::Never).
    Closed,
    /// The response is not HTTP or violates it. The request may have been processed. Not retried. Look for a proxy or
    /// another service at that address.
    Http,

    /// The API rejected the request as invalid (`invalid_request_error`, 400, 412, 422, 431). Not processed. Change the
    /// request.
    BadRequest,
    /// The credential was rejected (`authentication_error`, 401). Not processed. Change the key.
    Authentication,
    /// The account cannot pay for the request (`billing_error`, 402). Not processed. Check the account.
    Billing,
    /// The credential lacks a permission (`permission_error`, 403). Not processed. Change the key or its permissions.
    Permission,
    /// The address, the resource or the model does not exist (`not_found_error`, 404, 405). Not processed. The message
    /// names the address: check the base URL and the model.
    NotFound,
    /// The request conflicts with another one (`conflict_error`, 409). Not processed; retried. Wait for the other one.
    Conflict,
    /// The request is larger than the API accepts (`request_too_large`, 413). Not processed. Send less, or upload files
    /// and refer to them.
    RequestTooLarge,
    /// Too many requests or tokens (`rate_limit_error`, 429). Not processed; retried. Wait for
    /// [`Error::retry_after`](crate::Error::retry_after), and send less at once.
    RateLimit,
    /// The API is overloaded (`overloaded_error`, 529). Not processed, unless it interrupted a stream; retried. Wait, or
    /// use another model.
    Overloaded,
    /// The API gave up waiting (`timeout_error`, 408, 504). After a 504 the request may have been processed. Retried. Use
    /// a stream, or ask for less.
    ServerTimeout,
    /// The API or a gateway failed (`api_error`, other 5xx), or sent an error of an unknown type without an error status.
    /// After a 500 or a 502, and without an error status, the request may have been processed. Retried if there is an
    /// error status or a known type. Wait; report it with the request id if it persists.
    Server,
    /// Another error status. Not processed. See [`Error::status`](crate::Error::status) and
    /// [`Error::api_error`](crate::Error::api_error).
    Status,

    /// The server redirects. The client does not follow redirects, so that the credential stays with the configured server.
    /// Not processed, except after a 303 and if a custom HTTP client followed the redirect. Check the base URL.
    Redirect,
    /// A success whose content type is not the expected one, such as the HTML page of a gateway. The request may have been
    /// processed. See [`Error::body_prefix`](crate::Error::body_prefix).
    ContentType,
    /// The response is compressed although the request asked for `identity`. The request was processed. The bytes are in
    /// [`Error::body`](crate::Error::body). Look for a proxy that compresses.
    ContentEncoding,
    /// The response was cut off. The request was processed. Look for what closes connections. A
    /// [stream](crate::Client::stream_message) keeps what had arrived.
    Truncated,
    /// The response exceeds a limit of the client. The request was processed. Raise the limit.
    BodyTooLarge,
    /// The response could not be decoded, at [`Error::pointer`](crate::Error::pointer), or lacks what makes it a response
    /// of its operation, such as the `content` of a message. The request was processed. The response is in
    /// [`Error::body`](crate::Error::body). Report it: the contract or the server is wrong.
    Decode,
    /// A success with a status that the contract does not name. The request was processed. The response is in
    /// [`Error::body`](crate::Error::body).
    UnexpectedStatus,

    /// The events of a stream violate their protocol. The request was processed. What had arrived is in
    /// [`Error::partial_message`](crate::Error::partial_message). Report it, or look for a gateway that changes streams.
    Protocol,
    /// A stream ended before its message was complete. The request was processed. What had arrived is in
    /// [`Error::partial_message`](crate::Error::partial_message). Send the request again if the rest is worth paying
    /// for twice.
    Incomplete,
    /// Nothing arrived on a stream for longer than the client allows. The request was processed. What had arrived is in
    /// [`Error::partial_message`](crate::Error::partial_message). See [`Incomplete`](Self::Incomplete), or raise
    /// [`idle_timeout`](crate::ClientBuilder::idle_timeout).
    Stalled,
    /// A tool call cannot be answered because it has no id. The request was processed. Look for a gateway that drops
    /// fields.
    Tool,
    /// A tool run reached [`ToolRun::max_iterations`](crate::tools::ToolRun::max_iterations). Its requests were processed.
    /// Raise the limit, or continue the conversation in another run.
    ToolLimit,
    /// A limit cut off a reply inside of a tool call or of structured output. The request was processed. Raise
    /// `max_tokens`.
    CutOff,
    /// The model refused a request for structured output. The request was processed. The reply may say why.
    Refusal,
}

/// Writes [`ErrorKind::as_str`].
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Serializes [`ErrorKind::as_str`].
impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The class of an error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Classification {
    pub(crate) kind: ErrorKind,
    /// The status that decides about another attempt and about what the server did. `None` for an error without any, which
    /// came in a success: the server has done its work.
    pub(crate) status: Option<StatusCode>,
}

impl Classification {
    /// Classifies an error by the status of its response and by its error object. An error status decides. In a success, the
    /// status that the object names decides, else the status that the API sends the object's type with.
    pub(crate) fn new(status: StatusCode, api: Option<&ApiError>) -> Self {
        let error_type = api.and_then(ApiError::error_type);
        let status = if status.is_success() {
            api.and_then(ApiError::status).or_else(|| status_of_type(error_type?))
        } else {
            Some(status)
        };
        let kind = match status {
            Some(status) => ErrorKind::of_status(status).refined(status, error_type),
            None => ErrorKind::Server,
        };
        Self { kind, status }
    }
}

/// The groups that [`Error::is_transient`](crate::Error::is_transient) and its siblings return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// The caller has to change something.
    Client,
    /// The server or something in front of it failed, and may recover.
    ServerTransient,
    /// The server or something in front of it does not do what the contract says.
    Server,
    /// Nobody is at fault, or it is not known who is, and it may pass.
    Transient,
    /// None of these.
    Other,
}

impl ErrorKind {
    /// Returns the kind in snake case, such as `rate_limit`, for metric labels and logs. The names are stable.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.description().0
    }

    pub(super) fn is_transient(self) -> bool {
        matches!(self.description().1, Group::Transient | Group::ServerTransient)
    }

    pub(super) fn is_client_fault(self) -> bool {
        self.description().1 == Group::Client
    }

    pub(super) fn is_server_fault(self) -> bool {
        matches!(self.description().1, Group::Server | Group::ServerTransient)
    }

    /// Returns a message for errors that are made of a kind alone.
    pub(super) fn sentence(self) -> &'static str {
        self.description().2
    }

    fn description(self) -> (&'static str, Group, &'static str) {
        match self {
            Self::Configuration => ("configuration", Group::Client, "invalid configuration"),
            Self::Contract => ("contract", Group::Client, "invalid request"),
            Self::NoRuntime => ("no_runtime", Group::Client, "call made outside of a tokio runtime"),
            Self::Refused => ("refused", Group::Other, "an observer refused the request"),
            Self::Credentials => ("credentials", Group::Other, "failed to obtain a credential"),
            Self::File => ("file", Group::Client, "failed to read or write a file"),
            Self::Connect => ("connect", Group::Transient, "failed to connect"),
            Self::Timeout => ("timeout", Group::Transient, "call exceeded its timeout"),
            Self::Closed => ("closed", Group::Transient, "connection closed before a response began"),
            Self::Http => ("http", Group::Server, "invalid HTTP response"),
            Self::BadRequest => ("bad_request", Group::Client, "400 Bad Request"),
            Self::Authentication => ("authentication", Group::Client, "401 Unauthorized"),
            Self::Billing => ("billing", Group::Client, "402 Payment Required"),
            Self::Permission => ("permission", Group::Client, "403 Forbidden"),
            Self::NotFound => ("not_found", Group::Client, "404 Not Found"),
            Self::Conflict => ("conflict", Group::Transient, "409 Conflict"),
            Self::RequestTooLarge => ("request_too_large", Group::Client, "413 Payload Too Large"),
            Self::RateLimit => ("rate_limit", Group::Transient, "429 Too Many Requests"),
            Self::Overloaded => ("overloaded", Group::ServerTransient, "529 Overloaded"),
            Self::ServerTimeout => ("server_timeout", Group::ServerTransient, "504 Gateway Timeout"),
            Self::Server => ("server", Group::ServerTransient, "500 Internal Server Error"),
            Self::Status => ("status", Group::Other, "unexpected error status"),
            Self::Redirect => ("redirect", Group::Client, "redirects are not followed"),
            Self::ContentType => ("content_type", Group::Server, "response is not of the expected type"),
            Self::ContentEncoding => ("content_encoding", Group::Server, "response is compressed"),
            Self::Truncated => ("truncated", Group::Transient, "connection closed before the response was complete"),
            Self::BodyTooLarge => ("body_too_large", Group::Client, "response exceeds the limit"),
            Self::Decode => ("decode", Group::Server, "failed to decode the response"),
            Self::UnexpectedStatus => ("unexpected_status", Group::Server, "unexpected status"),
            Self::Protocol => ("protocol", Group::Server, "events of the stream violate their protocol"),
            Self::Incomplete => ("incomplete", Group::Transient, "stream ended before the message was complete"),
            Self::Stalled => ("stalled", Group::Transient, "no data on the stream"),
            Self::Tool => ("tool", Group::Server, "tool call has no id"),
            Self::ToolLimit => ("tool_limit", Group::Other, "tool run reached its limit"),
            Self::CutOff => ("cut_off", Group::Other, "reply was cut off"),
            Self::Refusal => ("refusal", Group::Other, "the model refused"),
        }
    }

    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 412 | 422 | 431 => Self::BadRequest,
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 | 405 => Self::NotFound,
            // A proxy says so: the request did not reach the server.
            407 => Self::Connect,
            408 | 504 => Self::ServerTimeout,
            409 => Self::Conflict,
            413 => Self::RequestTooLarge,
            429 => Self::RateLimit,
            529 => Self::Overloaded,
            500.. => Self::Server,
            _ => Self::Status,
        }
    }

    /// Takes the kind of the error type where the status is a general one, and where that kind promises the same: whether
    /// such an error is retried and whether the request may have been processed.
    fn refined(self, status: StatusCode, error_type: Option<&str>) -> Self {
        if !matches!(self, Self::BadRequest | Self::Server | Self::Status) {
            return self;
        }
        let Some(usual) = error_type.and_then(status_of_type) else { return self };
        let promises = |status| (retry::is_retryable(status), retry::may_have_been_processed(status));
        if promises(usual) == promises(status) { Self::of_status(usual) } else { self }
    }
}

/// The status that the API sends an error type with.
fn status_of_type(error_type: &str) -> Option<StatusCode> {
    let status = match error_type {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    };
    StatusCode::from_u16(status).ok()
}

/// A status as people know it, such as `404 Not Found`.
pub(crate) fn status_text(status: StatusCode) -> String {
    match (status.canonical_reason(), status.as_u16()) {
        (Some(reason), code) => format!("{code} {reason}"),
        (None, 529) => "529 Overloaded".to_owned(),
        (None, code) => code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::{is_retryable, may_have_been_processed};

    const TYPES: [&str; 13] = [
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "conflict_error",
        "request_too_large",
        "rate_limit_error",
        "api_error",
        "timeout_error",
        "overloaded_error",
        "internal_server_error",
        "",
    ];

    fn classified(status: u16, body: &str) -> Classification {
        Classification::new(StatusCode::from_u16(status).unwrap(), ApiError::read(body.as_bytes()).as_ref())
    }

    /// Returns the promises in the documentation of a kind: (retried, may have been processed). `None` if it depends.
    fn documented(kind: ErrorKind) -> (Option<bool>, Option<bool>) {
        match kind {
            ErrorKind::BadRequest
            | ErrorKind::Authentication
            | ErrorKind::Billing
            | ErrorKind::Permission
            | ErrorKind::NotFound
            | ErrorKind::RequestTooLarge
            | ErrorKind::Connect
            | ErrorKind::Status => (Some(false), Some(false)),
            ErrorKind::Conflict | ErrorKind::RateLimit | ErrorKind::Overloaded => (Some(true), Some(false)),
            // By the status: 500, 502 and 504 have been processed.
            ErrorKind::ServerTimeout | ErrorKind::Server => (Some(true), None),
            other => panic!("{other:?} is no kind of an error response"),
        }
    }

    #[test]
    fn kind_retry_and_processing_never_contradict_each_other() {
        for status in (200..300).chain(400..1000) {
            for error_type in TYPES {
                for code in ["", r#","code":429"#, r#","code":"502""#, r#","code":400"#, r#","code":7"#] {
                    let body = format!(r#"{{"error":{{"type":"{error_type}","message":"m"{code}}}}}"#);
                    let Classification { kind, status: decisive } = classified(status, &body);
                    let (retried, processed) = match decisive {
                        Some(decisive) => (is_retryable(decisive), may_have_been_processed(decisive)),
                        None => {
                            assert_eq!(kind, ErrorKind::Server, "{status} {body}");
                            continue;
                        }
                    };
                    let (documented_retry, documented_processing) = documented(kind);
                    assert!(
                        documented_retry.is_none_or(|documented| documented == retried),
                        "{status} {body} {kind:?}"
                    );
                    assert!(
                        documented_processing.is_none_or(|documented| documented == processed),
                        "{status} {body} {kind:?}"
                    );
                    if status >= 400 {
                        assert_eq!(decisive.map(|decisive| decisive.as_u16()), Some(status), "{body}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_error_status_decides_and_the_type_refines() {
        let table = [
            (401, "invalid_request_error", ErrorKind::Authentication),
            (400, "api_error", ErrorKind::BadRequest),
            (400, "authentication_error", ErrorKind::Authentication),
            (400, "billing_error", ErrorKind::Billing),
            (400, "rate_limit_error", ErrorKind::BadRequest),
            (418, "invalid_request_error", ErrorKind::BadRequest),
            (418, "teapot", ErrorKind::Status),
            (404, "invalid_request_error", ErrorKind::NotFound),
            (405, "", ErrorKind::NotFound),
            (407, "", ErrorKind::Connect),
            (429, "overloaded_error", ErrorKind::RateLimit),
            (500, "invalid_request_error", ErrorKind::Server),
            (500, "overloaded_error", ErrorKind::Server),
            (500, "timeout_error", ErrorKind::ServerTimeout),
            (503, "overloaded_error", ErrorKind::Overloaded),
            (503, "timeout_error", ErrorKind::Server),
            (529, "api_error", ErrorKind::Overloaded),
            (200, "overloaded_error", ErrorKind::Overloaded),
            (200, "invalid_request_error", ErrorKind::BadRequest),
            (200, "internal_server_error", ErrorKind::Server),
        ];
        for (status, error_type, kind) in table {
            let body = format!(r#"{{"error":{{"type":"{error_type}","message":"m"}}}}"#);
            assert_eq!(classified(status, &body).kind, kind, "{status} {error_type}");
        }
        let coded = classified(200, r#"{"error":{"message":"m","type":"internal_server_error","code":"429"}}"#);
        assert_eq!((coded.kind, coded.status), (ErrorKind::RateLimit, Some(StatusCode::TOO_MANY_REQUESTS)));
    }
}
