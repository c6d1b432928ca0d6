//! Replies that are read while the model writes them.

mod accumulate;
mod call;
mod delta;
mod event;
mod message_stream;
mod source;
pub mod sse;
mod text_stream;
mod timers;
pub(crate) mod unknown;
mod whole;

pub use self::{
    accumulate::{Accumulator, IncompleteInput, ProtocolError},
    message_stream::MessageStream,
    text_stream::TextStream,
    unknown::UnknownEvent,
};
