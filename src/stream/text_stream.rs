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

/// A stream of the text of a reply.
///
/// Returned by [`MessageStream::text_stream`] and [`MessageStream::into_text_stream`]. It yields the text of all text blocks
/// in order, in fragments as they arrive. No fragment is empty, and nothing separates two blocks. Reasoning, tool calls and
/// other events are skipped; they are still applied to [`MessageStream::message`].
///
/// ```
/// # use anthropic_messages::{MessageStream, Result};
/// # async fn sample(stream: MessageStream) -> Result<()> {
/// let mut text = stream.into_text_stream();
/// while let Some(fragment) = text.next().await {
///     print!("{}", fragment?);
/// }
/// let reply = text.into_inner().final_message().await?;
/// println!("\n{:?}", reply.stop_reason);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct TextStream<S> {
    stream: S,
}

impl<S: BorrowMut<MessageStream> + Unpin> TextStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream }
    }

    /// Returns the underlying stream.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Returns the next fragment of text, or `None` at the end.
    ///
    /// # Errors
    /// Fails like [`MessageStream::next`].
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
                    if let Some(text) = into_text(event).filter(|text| !text.is_empty()) {
                        return Poll::Ready(Some(Ok(text)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

fn into_text(event: StreamEvent) -> Option<String> {
    match event {
        StreamEvent::ContentBlockDelta(event) => match event.delta {
            ContentBlockDelta::TextDelta(delta) => Some(delta.text),
            _ => None,
        },
        // Some servers send text in `content_block_start`.
        StreamEvent::ContentBlockStart(event) => match event.content_block {
            ContentBlock::Text(block) => Some(block.text),
            _ => None,
        },
        _ => None,
    }
}
