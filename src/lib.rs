#![doc = include_str!("../README.md")]
#![doc = include_str!("docs/overview.md")]
// The README's picture is a file of the repository, which rustdoc can't include.
#![doc = "<style>p:has(> img[src='docs/chat.svg']) { display: none }</style>"]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod batches;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(all(feature = "bulk", operation = "create_batch", operation = "list_batches", operation = "batch_results"))]
pub mod bulk;
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
pub mod rules;
#[cfg(feature = "schemars")]
mod schema;
mod stream;
mod structured;
pub mod tools;
mod transport;
mod upload;

#[cfg(feature = "schemars")]
pub use self::structured::{Extraction, InvalidOutput};
pub use reqwest;

#[cfg(feature = "schemars")]
pub use schemars;

// The types of the contract that most programs name. `requirements.json` lists them, so that every contract has them. The
// others are in `types`.
#[doc(inline)]
#[cfg(anthropic_messages_harness)]
pub use self::generated::harness;
pub use self::generated::types::{
    AnthropicMessage, AnthropicTool, CacheControl, ContentBlock, ContentBlockDelta, DocumentSource, ImageSource,
    MessageCreateRequest, MessageResponse, OutputConfig, StopReason, StreamEvent, ToolUnion, Usage,
};
pub use self::{
    auth::{ApiKey, AuthScheme, Credentials},
    client::{ClientBuilder, RequestOptions},
    content::ContentError,
    error::{ApiError, Error, ErrorKind, Result},
    generated::{Client, types},
    json::{DecodeError, Extra, Json, JsonType, Map, ValidationError},
    messages::MessageContent,
    observe::Observer,
    response::{RateLimit, RateLimits, Response, to_system_time},
    retry::{RetryAmbiguous, RetryPolicy, RetryStop},
    stream::{Accumulator, IncompleteInput, MessageStream, ProtocolError, TextStream, UnknownEvent, sse},
    structured::PartialStream,
    tools::Tool,
    transport::{ByteStream, JsonLines, PageItems, Pages},
    upload::FileUpload,
};

#[doc = include_str!("docs/guide.md")]
pub mod guide {
    #[doc = include_str!("docs/getting-started.md")]
    pub mod getting_started {}

    #[doc = include_str!("docs/messages.md")]
    pub mod messages {}

    #[doc = include_str!("docs/prompt-caching.md")]
    pub mod prompt_caching {}

    #[doc = include_str!("docs/streaming.md")]
    #[doc = "```no_run"]
    #[doc = include_str!("../examples/relay/server.rs")]
    #[doc = "```\n"]
    #[doc = include_str!("docs/streaming-parts.md")]
    pub mod streaming {}

    #[doc = include_str!("docs/structured-output.md")]
    pub mod structured_output {}

    #[cfg(operation = "create_batch")]
    #[doc = include_str!("docs/batches.md")]
    pub mod batches {}

    #[cfg(all(feature = "bulk", operation = "create_batch", operation = "list_batches", operation = "batch_results"))]
    #[doc = include_str!("docs/bulk.md")]
    pub mod bulk {}

    #[cfg(operation = "upload_file")]
    #[doc = include_str!("docs/files.md")]
    pub mod files {}

    #[cfg(operation = "get_model")]
    #[doc = include_str!("docs/models.md")]
    pub mod models {}

    #[doc = include_str!("docs/errors.md")]
    pub mod errors {}

    #[doc = include_str!("docs/observability.md")]
    pub mod observability {}

    #[doc = include_str!("docs/scaling.md")]
    pub mod scaling {}

    #[doc = include_str!("docs/tenants.md")]
    pub mod tenants {}

    #[doc = include_str!("docs/gateways.md")]
    pub mod gateways {}

    #[doc = include_str!("docs/owning-calls.md")]
    pub mod owning_calls {}

    #[doc = include_str!("docs/from-python.md")]
    pub mod from_python {}

    #[doc = include_str!("docs/regenerating.md")]
    pub mod regenerating {}

    #[doc = include_str!("docs/versions.md")]
    pub mod versions {}
}

/// The path of the contract that the crate was generated from: the value of `ANTHROPIC_MESSAGES_OPENAPI`, or `openapi.json`
/// for the contract of the package.
pub const CONTRACT_SOURCE: &str = generated::CONTRACT_SOURCE;

/// The SHA-256 of the contract, in hexadecimal.
pub const CONTRACT_SHA256: &str = generated::CONTRACT_SHA256;

/// The address of the contract's first server. A client doesn't use it: its default is `https://api.anthropic.com/v1`.
pub const CONTRACT_SERVER: &str = generated::CONTRACT_SERVER;

/// The contract with all overlays applied: an OpenAPI 3.1 document as JSON.
pub const CONTRACT_DOCUMENT: &str = generated::CONTRACT_DOCUMENT;

/// The parts of the contract that the generated code can't express, as pairs of a JSON pointer and a description.
///
/// Cargo hides the build warnings of dependencies, which is why they are available here.
pub const LOWERING_NOTES: &[(&str, &str)] = generated::LOWERING_NOTES;
