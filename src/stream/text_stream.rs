//! The text of a streamed reply.

use std::{
    borrow::BorrowMut,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::message_stream::MessageStream;
use crate::{
    error::Result,
    generated::types::{ContentBlock, ContentBlockDelta, StreamEvent},
};

/// The text of a reply, piece by piece as it arrives.
///
/// Returned by [`MessageStream::text_stream`] and [`MessageStream::into_text_stream`]. The pieces of all text blocks follow
/// each other with nothing between them, and none is empty.
#[derive(Debug)]
#[must_use = "nothing is read before it is asked for"]
pub struct TextStream<S> {
    stream: S,
}

impl<S: BorrowMut<MessageStream> + Unpin> TextStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream }
    }

    /// Returns the stream that the text is read from.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Returns the next piece of text, or `None` at the end.
    ///
    /// # Errors
    /// As [`MessageStream::next`].
    pub async fn next(&mut self) -> Option<Result<String>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<S: BorrowMut<MessageStream> + Unpin> Stream for TextStream<S> {
    type Item = Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(self.stream.borrow_mut()).poll_next(context)) {
                Some(Ok(event)) => {
                    if let Some(text) = text_of(event).filter(|text| !text.is_empty()) {
                        return Poll::Ready(Some(Ok(text)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

fn text_of(event: StreamEvent) -> Option<String> {
    match event {
        StreamEvent::ContentBlockDelta(event) => match event.delta {
            ContentBlockDelta::TextDelta(delta) => Some(delta.text),
            _ => None,
        },
        // A block may begin with text.
        StreamEvent::ContentBlockStart(event) => match event.content_block {
            ContentBlock::Text(block) => Some(block.text),
            _ => None,
        },
        _ => None,
    }
}
