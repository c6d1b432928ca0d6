//! The body of an answer that is handed on as it arrives.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;

use super::{Companion, Failure, Reason, Tell};

/// The bytes of an answer, as they arrive.
///
/// Nothing is read before it is asked for, and nothing is kept. Dropping it before its end closes
/// the connection; read to its end, the connection is used again.
pub struct ByteStream {
    source: Source,
    companion: Option<Box<dyn Companion>>,
    tell: Option<Tell>,
}

enum Source {
    Open(Pin<Box<reqwest::Body>>),
    Whole(Bytes),
    Done,
}

impl ByteStream {
    pub(crate) fn open(body: reqwest::Body) -> Self {
        Self { source: Source::Open(Box::pin(body)), companion: None, tell: None }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { source: Source::Whole(bytes), companion: None, tell: None }
    }

    /// Keeps a value as long as the stream: what the transport wants to know of its end.
    #[must_use]
    pub(crate) fn with_companion(mut self, companion: Option<Box<dyn Companion>>) -> Self {
        self.companion = companion;
        self
    }

    /// Keeps who wants to know what the stream holds that there is no type for.
    #[must_use]
    pub(crate) fn with_tell(mut self, tell: Option<Tell>) -> Self {
        self.tell = tell;
        self
    }

    /// Who wants to know what the stream holds that there is no type for.
    pub(crate) fn tell(&self) -> Option<&Tell> {
        self.tell.as_ref()
    }

    /// The value that is kept as long as the stream.
    pub(crate) fn companion<T: Any>(&self) -> Option<&T> {
        let companion: &dyn Any = self.companion.as_deref()?;
        companion.downcast_ref()
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes, Failure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let source = &mut self.get_mut().source;
        loop {
            let body = match source {
                Source::Open(body) => body,
                Source::Whole(bytes) => {
                    let bytes = std::mem::take(bytes);
                    *source = Source::Done;
                    return Poll::Ready(if bytes.is_empty() { None } else { Some(Ok(bytes)) });
                }
                Source::Done => return Poll::Ready(None),
            };
            match std::task::ready!(body.as_mut().poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                    // An empty frame or trailers: nothing to hand on.
                    _ => {}
                },
                Some(Err(error)) => {
                    *source = Source::Done;
                    return Poll::Ready(Some(Err(cut(error))));
                }
                None => {
                    *source = Source::Done;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

/// A body that ended early. Its request was answered, so it has been processed.
pub(crate) fn cut(error: reqwest::Error) -> Failure {
    let mut failure = Failure::new(Reason::Truncated).because(error.without_url());
    failure.facts_mut().may_have_been_processed = true;
    failure
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("done", &matches!(self.source, Source::Done)).finish()
    }
}
