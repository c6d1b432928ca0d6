//! Replies that are read while the model writes them.

mod accumulate;
mod call;
mod delta;
mod event;
mod message_stream;
mod source;
pub mod sse;
mod teller;
mod text_stream;
mod timers;
pub(crate) mod unknown;
mod whole;

#[allow(unused_imports, reason = "generated operations with a stream twin call them, if the contract has one")]
pub(crate) use self::call::{must_stream, whole};
pub use self::{
    accumulate::{Accumulator, IncompleteInput, ProtocolError},
    message_stream::MessageStream,
    text_stream::TextStream,
    unknown::UnknownEvent,
};
