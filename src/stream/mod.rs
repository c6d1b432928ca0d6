//! Streamed replies.

mod accumulate;
mod call;
mod convert;
mod delta;
mod event;
mod message_stream;
pub mod sse;
mod text_stream;
mod timers;
pub(crate) mod unknown;

pub use self::{
    accumulate::{Accumulator, IncompleteInput, ProtocolError},
    message_stream::MessageStream,
    text_stream::TextStream,
    unknown::UnknownEvent,
};
