//! From what the transport and generated code know to the crate's error.

use bytes::Bytes;
use http::{StatusCode, header};

use super::{
    Error, ErrorKind,
    api::{ApiError, shown},
};
use crate::runtime::{self, Facts, Failure, InvalidRequest, Reason, Reply, Unusable, Violation};

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        let mut error = Self::new(ErrorKind::Contract, format!("the request breaks the contract: {violation}"));
        error.0.pointer = Some(violation.pointer().to_owned());
        error
    }
}

impl From<InvalidRequest> for Error {
    fn from(invalid: InvalidRequest) -> Self {
        let message = invalid.to_string();
        let error = Self::new(ErrorKind::Contract, message);
        match invalid.into_source() {
            Some(source) => error.because(source),
            None => error,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let mut facts = failure.into_facts();
        let source = facts.source.take();
        let api = api_error(&facts);
        let mut error = Self::new(kind(&facts, api.as_ref()), sentence(&facts, api.as_ref()));
        error.0.source = source;
        error.0.api = api;
        error.0.call = facts.into();
        error
    }
}

impl ErrorKind {
    /// The kind of the error that a failure becomes.
    pub(crate) fn of_failure(failure: &Failure) -> Self {
        let facts = failure.facts();
        kind(facts, api_error(facts).as_ref())
    }
}

impl<E> From<runtime::Error<E>> for Error {
    fn from(error: runtime::Error<E>) -> Self {
        match error {
            runtime::Error::Failed(failure) => failure.into(),
            runtime::Error::InvalidRequest(invalid) => invalid.into(),
            runtime::Error::UnexpectedResponse(reply) => {
                reply.tell_unusable(Unusable::Status);
                let message = format!("the contract does not name the status {}", name(reply.status()));
                Self::new(ErrorKind::UnexpectedStatus, message).of_reply(reply)
            }
            runtime::Error::UnexpectedContentType(reply) => {
                reply.tell_unusable(Unusable::ContentType);
                Self::not_json(reply)
            }
            runtime::Error::Undecodable(reply, error) => {
                reply.tell_unusable(Unusable::Type);
                let mut decode = Self::new(ErrorKind::Decode, "the answer could not be read into its type");
                decode.0.pointer = Some(error.pointer().to_owned());
                decode.because(error).of_reply(reply)
            }
            runtime::Error::ErrorResponse(value) => {
                let (_, reply) = value.into_parts();
                let status = reply.status();
                Self::new(ErrorKind::of_answer(None, status), format!("the API answered {}", name(status)))
                    .of_reply(reply)
            }
        }
    }
}

impl Error {
    /// A success whose content type is not JSON.
    fn not_json(reply: Reply) -> Self {
        let content_type = reply.headers().get(header::CONTENT_TYPE.as_str());
        let content_type = content_type.map_or_else(|| "missing".to_owned(), |value| text(value, 100));
        let message = format!("the answer is not JSON, its content type is {content_type}");
        Self::new(ErrorKind::ContentType, message).of_reply(reply)
    }

    /// An error object that came where something else was expected, such as an `error` event of a
    /// stream. `None` where the body is no error object.
    pub(crate) fn of_error_object(body: Bytes) -> Option<Self> {
        let api = ApiError::read(&body)?;
        let mut error = Self::new(
            ErrorKind::of_answer(api.error_type(), StatusCode::OK),
            format!("the API sent an error, {}", api.summary()),
        );
        error.0.api = Some(api);
        error.0.call.body = body;
        Some(error)
    }

    fn of_reply(mut self, reply: Reply) -> Self {
        let call = &mut self.0.call;
        call.attempts = reply.attempts();
        call.elapsed = reply.elapsed();
        call.may_have_been_processed = true;
        call.body = reply.bytes().cloned().unwrap_or_default();
        let (status, headers) = reply.into_head();
        call.status = Some(status);
        call.headers = headers.into_map();
        self
    }
}

/// The error object of an answer that is an error.
fn api_error(facts: &Facts) -> Option<ApiError> {
    match facts.reason {
        Reason::Status | Reason::ErrorBody => ApiError::read(&facts.body),
        _ => None,
    }
}

/// The kind of what the transport reports.
fn kind(facts: &Facts, api: Option<&ApiError>) -> ErrorKind {
    match facts.reason {
        Reason::Options(_) => ErrorKind::Configuration,
        Reason::NoRuntime => ErrorKind::NoRuntime,
        Reason::Refused => ErrorKind::Refused,
        Reason::Connect => ErrorKind::Connect,
        Reason::ConnectTimeout | Reason::ResponseTimeout(_) | Reason::TotalTimeout(_) => ErrorKind::Timeout,
        Reason::Closed => ErrorKind::Closed,
        Reason::Protocol | Reason::Send => ErrorKind::Http,
        Reason::Redirect | Reason::Followed => ErrorKind::Redirect,
        Reason::Encoding => ErrorKind::ContentEncoding,
        Reason::Truncated => ErrorKind::Truncated,
        Reason::TooLarge(_) => ErrorKind::BodyTooLarge,
        Reason::Status | Reason::ErrorBody => {
            ErrorKind::of_answer(api.and_then(ApiError::error_type), facts.status.unwrap_or_default())
        }
    }
}

/// The sentence for what the transport reports.
fn sentence(facts: &Facts, api: Option<&ApiError>) -> String {
    let host = facts.host.as_deref().unwrap_or("the server");
    let status = facts.status.unwrap_or_default();
    let answered = |start: String| match api.map(ApiError::summary) {
        Some(summary) => format!("{start}, {summary}"),
        None => start,
    };
    match facts.reason {
        Reason::Options(ref defect) => defect.clone(),
        Reason::NoRuntime => "the call was made outside of a tokio runtime".to_owned(),
        Reason::Refused => "an observer refused the request".to_owned(),
        Reason::Connect => format!("could not connect to {host}"),
        Reason::ConnectTimeout => format!("could not connect to {host} in time"),
        Reason::ResponseTimeout(Some(limit)) => format!("no answer from {host} within {limit:?}"),
        Reason::ResponseTimeout(None) => format!("no answer from {host} in time"),
        Reason::TotalTimeout(limit) => format!("the call was not done within {limit:?}"),
        Reason::Closed => format!("the connection to {host} ended before an answer began"),
        Reason::Protocol => format!("the answer of {host} breaks the rules of HTTP"),
        Reason::Send => format!("the request could not be sent to {host}"),
        Reason::Redirect => redirected(facts, status),
        Reason::Followed => "the HTTP client followed a redirect, and its answer is not used".to_owned(),
        Reason::Encoding => {
            let coding = facts.headers.get(header::CONTENT_ENCODING);
            let coding = coding.map(|value| text(value.as_bytes(), 40)).unwrap_or_default();
            format!("the answer is compressed ({coding}), which was not asked for")
        }
        Reason::Truncated => format!("the answer of {host} ended early"),
        Reason::TooLarge(limit) => format!("the answer is longer than {limit} bytes"),
        Reason::ErrorBody => answered(format!("the API answered {} with an error", name(status))),
        Reason::Status => answered(format!("the API answered {}", name(status))),
    }
}

/// A header as part of our sentence.
fn text(value: &[u8], characters: usize) -> String {
    shown(&String::from_utf8_lossy(value), characters)
}

/// Only the origin of the new address is shown: path and query may be anyone's.
fn redirected(facts: &Facts, status: StatusCode) -> String {
    let location = facts.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let origin = match location.map(|location| location.parse::<http::Uri>()) {
        Some(Ok(uri)) => match (uri.scheme_str(), uri.host()) {
            (Some(scheme), Some(host)) => format!("{scheme}://{}", shown(host, 100)),
            _ => "another path".to_owned(),
        },
        Some(Err(_)) => "something that is no address".to_owned(),
        None => "nowhere".to_owned(),
    };
    format!("the server redirects to {origin} ({}), and redirects are not followed", name(status))
}

/// A status as people know it.
fn name(status: StatusCode) -> String {
    match (status.canonical_reason(), status.as_u16()) {
        (Some(reason), code) => format!("{code} {reason}"),
        (None, 529) => "529 Overloaded".to_owned(),
        (None, code) => code.to_string(),
    }
}
