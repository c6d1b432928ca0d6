//! The kinds of errors.

use http::StatusCode;

/// What happened.
///
/// Every kind says three things: what happened, whether the request may have been processed, and
/// what to do. [`Error::may_have_been_processed`](crate::Error::may_have_been_processed) answers
/// the second for the error at hand, with all its attempts.
///
/// The class of an error answer comes from the API's `error.type` where that is known, else from
/// the HTTP status. An error object of an unknown type that came without an error status, in a
/// stream or in a success, is of the kind [`Server`](Self::Server).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A client can't be built this way: a missing or malformed credential, address or header.
    /// Nothing was sent. Change the configuration; the message says what.
    Configuration,
    /// The request breaks the contract, at [`Error::pointer`](crate::Error::pointer). Nothing was
    /// sent. Change the request.
    Contract,
    /// The call was made outside of a tokio runtime. Nothing was sent. Call from async code that
    /// tokio runs.
    NoRuntime,
    /// An [`Observer`](crate::Observer) refused the request. Nothing was sent. Its reason is the
    /// error's source.
    Refused,

    /// No connection could be made: name resolution, a refused connection, TLS, a proxy. Nothing
    /// was processed. Retried, except for a proxy that asks for a password and, with rustls, for
    /// certificates that are not accepted; check address, network and proxy.
    Connect,
    /// A connection, an answer or the whole call took longer than the client allows. After the
    /// connection was made, the request may have been processed. Raise the limit, or stream.
    Timeout,
    /// The connection ended before an answer began. The request may have been processed. Retried
    /// unless [`Resend::Never`](crate::retry::Resend::Never).
    Closed,
    /// What came is not HTTP, or breaks its rules. The request may have been processed. Look for a
    /// proxy or another service on that address.
    Http,

    /// The API says that the request is wrong (`invalid_request_error`, 400, 412, 422, 431). Not
    /// processed. Change the request.
    BadRequest,
    /// The credential is not accepted (`authentication_error`, 401). Not processed. Change the key.
    Authentication,
    /// The account can't pay for the request (`billing_error`, 402). Not processed. Look at the
    /// account.
    Billing,
    /// The credential may not do this (`permission_error`, 403). Not processed. Change the key, or
    /// what it may do.
    Permission,
    /// The resource or the model does not exist (`not_found_error`, 404). Not processed. Check the
    /// model's name and the base URL.
    NotFound,
    /// The request conflicts with another one (`conflict_error`, 409). Not processed; retried. Wait
    /// for the other one.
    Conflict,
    /// The request is larger than the API takes (`request_too_large`, 413). Not processed. Send
    /// less, or upload files and name them.
    RequestTooLarge,
    /// Too many requests or tokens (`rate_limit_error`, 429). Not processed; retried. Wait for
    /// [`Error::retry_after`](crate::Error::retry_after), and send less at once.
    RateLimit,
    /// The API is overloaded (`overloaded_error`, 529). Not processed; retried. Wait, or ask
    /// another model.
    Overloaded,
    /// The API gave up waiting (`timeout_error`, 408, 504). After a 504 the request may have been
    /// processed; retried. Stream, or ask for less.
    ServerTimeout,
    /// The API or a gateway failed (`api_error`, other 5xx), or sent an error of an unknown type
    /// without an error status. After a 500 or 502 and without an error status the request may have
    /// been processed. Retried where there is an error status, or `api_error` in a success. Wait, and report it with the request id if it stays.
    Server,
    /// Another status outside of 2xx and 3xx. Not processed. See
    /// [`Error::status`](crate::Error::status) and [`Error::api_error`](crate::Error::api_error).
    Status,

    /// The server redirects. Redirects are not followed, so that the credential stays with the
    /// configured server. Not processed, but for a 303, which says that it was, and where a client of
    /// the caller's has followed one. Check the base URL.
    Redirect,
    /// A success that is not of the content type asked for, such as a gateway's HTML page. The
    /// request may have been processed. Look at
    /// [`Error::body_prefix`](crate::Error::body_prefix).
    ContentType,
    /// The answer is compressed, which was not asked for. The request was processed. Look for a
    /// proxy that compresses.
    ContentEncoding,
    /// The answer ended early. The request was processed. Look for what closes connections; a
    /// [stream](crate::Client::stream_message) keeps what had come.
    Truncated,
    /// The answer is longer than the client's limit. The request was processed. Raise the limit.
    BodyTooLarge,
    /// The answer could not be read into its type, at
    /// [`Error::pointer`](crate::Error::pointer). The request was processed; the answer is at
    /// [`Error::body`](crate::Error::body). Report it: the contract or the server is wrong.
    Decode,
    /// A success whose status the contract does not name. The request was processed; the answer is
    /// at [`Error::body`](crate::Error::body).
    UnexpectedStatus,

    /// A stream's events came in an order that makes no message. The request was processed; what
    /// came is at [`Error::partial_message`](crate::Error::partial_message). Report it, or look for
    /// a gateway that changes streams.
    Protocol,
    /// A stream ended before its message did. The request was processed; what came is at
    /// [`Error::partial_message`](crate::Error::partial_message). Send the request again if the
    /// rest is worth paying twice for.
    Incomplete,
    /// Nothing came on a stream for longer than the client allows. The request was processed; what
    /// came is at [`Error::partial_message`](crate::Error::partial_message). As for `Incomplete`, or
    /// raise [`idle_timeout`](crate::ClientBuilder::idle_timeout).
    Stalled,
    /// A call of a tool can't be answered, since it has no id. The request before it was processed.
    /// Look for a gateway that drops fields.
    Tool,
    /// A tool run made as many requests as it may, see
    /// [`ToolRun::max_iterations`](crate::tools::ToolRun::max_iterations). They were processed.
    /// Raise the limit, or run the conversation on.
    ToolLimit,
    /// A limit ended a reply within what was to be used: a call of a tool, or structured output.
    /// The request was processed. Raise `max_tokens`.
    CutOff,
    /// The model refused, where structured output was to be read. The request was processed. The
    /// reply may say why.
    Refusal,
}

impl ErrorKind {
    /// The class of an error answer.
    pub(super) fn of_answer(error_type: Option<&str>, status: StatusCode) -> Self {
        error_type.and_then(Self::of_type).unwrap_or_else(|| Self::of_status(status))
    }

    fn of_type(error_type: &str) -> Option<Self> {
        Some(match error_type {
            "invalid_request_error" => Self::BadRequest,
            "authentication_error" => Self::Authentication,
            "billing_error" => Self::Billing,
            "permission_error" => Self::Permission,
            "not_found_error" => Self::NotFound,
            "conflict_error" => Self::Conflict,
            "request_too_large" => Self::RequestTooLarge,
            "rate_limit_error" => Self::RateLimit,
            "timeout_error" => Self::ServerTimeout,
            "api_error" => Self::Server,
            "overloaded_error" => Self::Overloaded,
            _ => return None,
        })
    }

    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 412 | 422 | 431 => Self::BadRequest,
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::ServerTimeout,
            409 => Self::Conflict,
            413 => Self::RequestTooLarge,
            429 => Self::RateLimit,
            529 => Self::Overloaded,
            // An error object that came with the status of a success says no more than that.
            200..300 | 500.. => Self::Server,
            _ => Self::Status,
        }
    }
}
