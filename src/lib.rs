#![doc = include_str!("../README.md")]

mod auth;
mod client;
mod content;
mod error;
mod generated;
mod messages;
pub mod observe;
mod response;
pub mod retry;
mod runtime;
#[cfg(feature = "schemars")]
mod schema;
mod stream;
mod structured;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tools;
mod transport;

// The public interface is:
#[doc(hidden)]
pub use self::transport::Timing;
pub use self::{
    auth::{ApiKey, AuthScheme},
    client::{ClientBuilder, Options},
    content::ContentError,
    error::{ApiError, Error, ErrorKind, Result, RetryStop},
    generated::{Client, types, types::*},
    messages::MessageContent,
    observe::Observer,
    response::{RateLimit, RateLimits, Response},
    retry::{Resend, RetryPolicy},
    runtime::{ByteStream, DecodeError, Extra, Failure, Json, JsonType, Map, Violation},
    stream::{Accumulator, IncompleteInput, MessageStream, ProtocolError, TextStream, sse},
    tools::Tool,
};

#[cfg(feature = "schemars")]
pub use schemars;

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use self::generated::{RoundTrip, TYPES};

/// Longer reading.
pub mod guide {
    #[doc = include_str!("docs/regenerating.md")]
    pub mod regenerating {}

    #[doc = include_str!("docs/versions.md")]
    pub mod versions {}
}

/// The contract that this build was generated from: the path that `ANTHROPIC_MESSAGES_OPENAPI`
/// named, or `openapi.json` for the package's own.
pub const CONTRACT_SOURCE: &str = generated::CONTRACT_SOURCE;

/// The SHA-256 of that file, in hexadecimal.
pub const CONTRACT_SHA256: &str = generated::CONTRACT_SHA256;

/// The address of the contract's first server; the client's default is its own.
pub const CONTRACT_SERVER: &str = generated::CONTRACT_SERVER;

/// What of the contract the generated code does not express: pairs of a JSON pointer and what
/// was lost there. cargo hides the build warnings of dependencies, so they are kept here.
pub const LOWERING_NOTES: &[(&str, &str)] = generated::LOWERING_NOTES;
