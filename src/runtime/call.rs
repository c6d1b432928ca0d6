//! The calls of generated operations: what they prepare, what sends them, what they hand back.

mod body;
mod companion;
mod failure;
mod headers;
mod reply;
#[allow(dead_code, reason = "what of it is needed depends on the contract")]
mod request;

use std::fmt;

#[allow(unused_imports, reason = "what of it is needed depends on the contract")]
pub(crate) use self::request::{InvalidRequest, QueryParam, RequestBuilderExt, Streamed, encode_path};
pub use self::{
    body::ByteStream,
    failure::{Failure, RetryStop},
};
pub(crate) use self::{
    body::cut,
    companion::{Companion, Unusable},
    failure::{Facts, Reason},
    headers::{PackedHeaders, REQUEST_ID},
    reply::{Body, Reply, ResponseValue, Tell, is_event_stream, is_json},
};
use crate::json::DecodeError;

/// What a generated operation says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct OperationInfo {
    /// The contract's `operationId`, in snake case.
    pub(crate) operation_id: &'static str,
    /// Whether the answer is handed on as it arrives, instead of being read whole.
    pub(crate) streaming: bool,
}

/// What a generated client knows about itself.
pub(crate) trait ClientInfo<I> {
    /// The contract's `info.version`.
    fn api_version() -> &'static str;

    /// The address of the service, as text.
    fn baseurl(&self) -> &str;

    /// The HTTP client.
    fn client(&self) -> &reqwest::Client;

    /// What the crate keeps in its generated client.
    fn inner(&self) -> &I;
}

/// What a generated operation asks of the transport: where to send, and all around the exchange.
#[diagnostic::on_unimplemented(
    message = "no transport is implemented for the generated client",
    note = "`src/transport.rs` implements `ClientHooks` for `generated::Client`"
)]
pub(crate) trait ClientHooks<I>: ClientInfo<I> + Sync {
    /// The address of a path of the contract, whose parameters are encoded.
    fn url(&self, path: &str) -> reqwest::Url;

    /// Looks at a request before it is sent, and may change it.
    fn pre(
        &self,
        _request: &mut reqwest::Request,
        _info: &OperationInfo,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }

    /// Sends the request, as often as it takes, and gives the answer.
    fn exec(
        &self,
        request: Box<reqwest::Request>,
        info: &OperationInfo,
    ) -> impl Future<Output = Result<Reply, Failure>> + Send;

    /// Looks at the outcome of a call.
    fn post(
        &self,
        _result: &Result<Reply, Failure>,
        _info: &OperationInfo,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }
}

/// Why a generated operation has no value to give. `E` is the type of a declared error answer; the
/// transport turns every answer outside of 2xx into a [`Failure`] before one could be read.
pub(crate) enum Error<E> {
    /// The call failed on the way, or the answer was not a success.
    Failed(Failure),
    /// The request could not be built.
    InvalidRequest(InvalidRequest),
    /// A success that the contract does not name, or a body that was not read where one was needed.
    UnexpectedResponse(Reply),
    /// A success whose body is not JSON by its content type.
    UnexpectedContentType(Reply),
    /// A success whose body could not be read into the type.
    Undecodable(Reply, DecodeError),
    /// An answer of a declared error type.
    #[expect(clippy::enum_variant_names, reason = "the name that generated code has for it")]
    ErrorResponse(ResponseValue<E>),
}

impl<E> fmt::Debug for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
            Self::InvalidRequest(invalid) => f.debug_tuple("InvalidRequest").field(invalid).finish(),
            Self::UnexpectedResponse(reply) => f.debug_tuple("UnexpectedResponse").field(reply).finish(),
            Self::UnexpectedContentType(reply) => f.debug_tuple("UnexpectedContentType").field(reply).finish(),
            Self::Undecodable(reply, error) => f.debug_tuple("Undecodable").field(reply).field(error).finish(),
            Self::ErrorResponse(value) => f.debug_tuple("ErrorResponse").field(value).finish(),
        }
    }
}

impl<E> From<Failure> for Error<E> {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<E> From<InvalidRequest> for Error<E> {
    fn from(invalid: InvalidRequest) -> Self {
        Self::InvalidRequest(invalid)
    }
}

impl<E> From<reqwest::Error> for Error<E> {
    fn from(error: reqwest::Error) -> Self {
        Self::InvalidRequest(error.into())
    }
}

impl<E> From<reqwest::header::InvalidHeaderValue> for Error<E> {
    fn from(error: reqwest::header::InvalidHeaderValue) -> Self {
        Self::InvalidRequest(error.into())
    }
}
