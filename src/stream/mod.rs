//! Replies that are read while the model writes them.

mod accumulate;
mod call;
mod delta;
mod event;
mod message_stream;
mod source;
pub mod sse;
mod text_stream;

pub use self::{
    accumulate::{Accumulator, IncompleteInput, ProtocolError},
    message_stream::MessageStream,
    text_stream::TextStream,
};
