#![doc = include_str!("../README.md")]
#![doc = "\n# Longer reading\n\nThe [guide] shows how the parts fit together, a chapter for each.\n"]
// The README's picture is a file of the repository, which rustdoc has no place for.
#![doc = "<style>p:has(> img[src='docs/chat.svg']) { display: none }</style>"]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod client;
mod content;
mod error;
mod generated;
#[doc(hidden)]
pub mod internal_for_tests;
mod json;
mod messages;
pub mod observe;
mod redact;
mod response;
pub mod retry;
#[cfg(feature = "schemars")]
mod schema;
mod stream;
mod structured;
pub mod tools;
mod transport;

// The public interface is:
pub use self::{
    auth::{ApiKey, AuthScheme},
    client::{ClientBuilder, RequestOptions},
    content::ContentError,
    error::{ApiError, Error, ErrorKind, Result},
    generated::{Client, types, types::*},
    json::{DecodeError, Extra, Json, JsonType, Map, ValidationError},
    messages::MessageContent,
    observe::Observer,
    response::{RateLimit, RateLimits, Response},
    retry::{RetryAmbiguous, RetryPolicy, RetryStop},
    stream::{Accumulator, IncompleteInput, MessageStream, ProtocolError, TextStream, UnknownEvent, sse},
    tools::Tool,
    transport::ByteStream,
};

pub use reqwest;

#[cfg(feature = "schemars")]
pub use schemars;

#[doc = include_str!("docs/guide.md")]
pub mod guide {
    #[doc = include_str!("docs/getting-started.md")]
    pub mod getting_started {}

    #[doc = include_str!("docs/messages.md")]
    pub mod messages {}

    #[doc = include_str!("docs/streaming.md")]
    #[doc = "```no_run"]
    #[doc = include_str!("../examples/relay/server.rs")]
    #[doc = "```\n"]
    #[doc = include_str!("docs/streaming-parts.md")]
    pub mod streaming {}

    #[doc = include_str!("docs/structured-output.md")]
    pub mod structured_output {}

    #[doc = include_str!("docs/errors.md")]
    pub mod errors {}

    #[doc = include_str!("docs/observability.md")]
    pub mod observability {}

    #[doc = include_str!("docs/scaling.md")]
    pub mod scaling {}

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

/// The contract with the overlay applied: OpenAPI 3.1, as JSON.
pub const CONTRACT_DOCUMENT: &str = generated::CONTRACT_DOCUMENT;

/// What of the contract the generated code does not express: pairs of a JSON pointer and what
/// was lost there. cargo hides the build warnings of dependencies, so they are kept here.
pub const LOWERING_NOTES: &[(&str, &str)] = generated::LOWERING_NOTES;
