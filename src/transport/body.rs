//! Reading response bodies: whole within a limit, as far as an error needs them, or as a stream.

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::Body as _;
use tokio::time::timeout;

use crate::{
    error::{Error, Result},
    observe::CallRecorder,
    response::Head,
};

/// The bytes of a response as they arrive.
///
/// Reads from the socket only when polled and buffers nothing. Dropping it before its end closes the connection; reading it
/// to its end lets the connection be reused. An error ends the stream; it carries the metadata of the response.
///
/// [`save_to`](Self::save_to) writes the bytes to a file, and [`bytes`](Self::bytes) collects them in memory.
pub struct ByteStream {
    source: Source,
    /// Number of bytes that may follow, and the limit that it was counted down from.
    left: u64,
    max_bytes: u64,
    call: Option<Box<StreamedCall>>,
}

/// The call that a stream belongs to.
struct StreamedCall {
    head: Head,
    recorder: CallRecorder,
}

enum Source {
    Open {
        /// Bytes that were read to learn what the body is.
        first: Bytes,
        body: reqwest::Body,
    },
    Whole(Bytes),
    Done,
}

impl ByteStream {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::new(Source::Whole(bytes))
    }

    /// Creates a stream of a body that no call belongs to.
    #[cfg(test)]
    pub(super) fn from_chunks(chunks: Vec<std::result::Result<&'static str, std::io::Error>>) -> Self {
        let frames = chunks.into_iter().map(|chunk| chunk.map(|text| http_body::Frame::data(Bytes::from(text))));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
        Self::new(Source::Open { first: Bytes::new(), body: reqwest::Body::wrap(body) })
    }

    fn new(source: Source) -> Self {
        Self { source, left: u64::MAX, max_bytes: u64::MAX, call: None }
    }

    /// Limits the number of bytes. A longer response fails with [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge).
    /// Defaults to no limit, since the stream keeps nothing in memory.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        (self.left, self.max_bytes) = (bytes, bytes);
        self
    }

    /// Returns the next bytes, or `None` at the end of the response.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Sets the call, which ends with the stream.
    pub(super) fn with_call(mut self, head: Head, recorder: CallRecorder) -> Self {
        self.call = Some(Box::new(StreamedCall { head, recorder }));
        self
    }

    /// Takes over the recording of the call.
    pub(crate) fn take_recorder(&mut self) -> CallRecorder {
        self.call.take().map_or_else(CallRecorder::default, |call| call.recorder)
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, reqwest::Error>>> {
        let (first, body) = match &mut self.source {
            Source::Open { first, body } => (first, body),
            Source::Whole(bytes) => {
                let bytes = mem::take(bytes);
                self.source = Source::Done;
                return Poll::Ready(if bytes.is_empty() { None } else { Some(Ok(bytes)) });
            }
            Source::Done => return Poll::Ready(None),
        };
        if !first.is_empty() {
            return Poll::Ready(Some(Ok(mem::take(first))));
        }
        let next = ready!(poll_data(body, context));
        if !matches!(next, Some(Ok(_))) {
            self.source = Source::Done;
        }
        Poll::Ready(next)
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let next = ready!(this.poll_chunk(context));
        let next = next.map(|chunk| -> Result<Bytes> {
            let bytes = chunk.map_err(|error| Error::truncated(error.without_url()))?;
            this.left = this.left.checked_sub(bytes.len() as u64).ok_or_else(|| Error::too_large(this.max_bytes))?;
            Ok(bytes)
        });
        let call = match &next {
            Some(Ok(_)) => None,
            _ => this.call.take().map(|call| *call),
        };
        Poll::Ready(match next {
            Some(Ok(bytes)) => Some(Ok(bytes)),
            Some(Err(mut error)) => {
                this.source = Source::Done;
                if let Some(StreamedCall { head, recorder }) = call {
                    error = error.with_head(head);
                    recorder.failed(&error);
                }
                Some(Err(error))
            }
            None => {
                if let Some(StreamedCall { head, recorder }) = call {
                    recorder.completed(&head);
                }
                None
            }
        })
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("is_done", &matches!(self.source, Source::Done)).finish()
    }
}

/// A body that is being read.
pub(super) struct Reading {
    body: reqwest::Body,
    content_length: Option<u64>,
}

impl Reading {
    pub(super) fn new(response: reqwest::Response) -> Self {
        let content_length = response.content_length();
        Self { body: http::Response::<reqwest::Body>::from(response).into_body(), content_length }
    }

    /// The next chunk that is not empty, or `None` at the end.
    pub(super) async fn chunk(&mut self) -> Option<Result<Bytes, reqwest::Error>> {
        poll_fn(|context| poll_data(&mut self.body, context)).await
    }

    /// Hands the rest of the body on, after bytes that were read already.
    pub(super) fn into_stream(self, first: Bytes) -> ByteStream {
        ByteStream::new(Source::Open { first, body: self.body })
    }

    /// Reads a body whole.
    ///
    /// # Errors
    /// Fails with as much as was read if the body exceeds the limit or is cut off.
    pub(super) async fn whole(mut self, first: Bytes, limit: u64) -> Result<Bytes, (Error, Bytes)> {
        let declared = self.content_length;
        let mut gathered = Gathered::new(declared, limit);
        let mut fits = declared.is_none_or(|declared| declared <= limit) && (first.is_empty() || gathered.push(first));
        while fits {
            match self.chunk().await {
                Some(Ok(chunk)) => fits = gathered.push(chunk),
                Some(Err(error)) => return Err((Error::truncated(error.without_url()), gathered.finish())),
                None => return Ok(gathered.finish()),
            }
        }
        Err((Error::too_large(limit), gathered.finish()))
    }

    /// Reads a body as far as it arrives within a limit and a duration. Returns whether that was all of it.
    pub(super) async fn prefix(mut self, first: Bytes, limit: u64, duration: Duration) -> (Bytes, bool) {
        let mut gathered = Gathered::new(self.content_length, limit);
        let reading = async {
            let mut fits = first.is_empty() || gathered.push(first);
            while fits {
                match self.chunk().await {
                    Some(Ok(chunk)) => fits = gathered.push(chunk),
                    Some(Err(_)) => return false,
                    None => return true,
                }
            }
            false
        };
        // A timeout keeps what arrived before it.
        let is_whole = timeout(duration, reading).await.unwrap_or(false);
        (gathered.finish(), is_whole)
    }
}

/// The next data of a body that is not empty. Trailers are skipped.
fn poll_data(body: &mut reqwest::Body, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, reqwest::Error>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(context)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                _ => {}
            },
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
}

/// The chunks of a body. A body of one chunk is not copied.
struct Gathered {
    first: Bytes,
    rest: BytesMut,
    length: u64,
    declared: Option<u64>,
    limit: u64,
}

impl Gathered {
    /// The most memory reserved because a server announced a length.
    const RESERVED: u64 = 1024 * 1024;

    fn new(declared: Option<u64>, limit: u64) -> Self {
        let declared = declared.map(|declared| declared.min(limit));
        Self { first: Bytes::new(), rest: BytesMut::new(), length: 0, declared, limit }
    }

    /// Adds a chunk, or as much of it as fits. Returns `false` if the limit is exceeded.
    fn push(&mut self, mut chunk: Bytes) -> bool {
        let room = usize::try_from(self.limit.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let fits = chunk.len() <= room;
        chunk.truncate(room);
        self.length = self.length.saturating_add(chunk.len() as u64);
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk;
            return fits;
        }
        if self.rest.is_empty() {
            let capacity = self.declared.unwrap_or(0).min(Self::RESERVED).max(self.length);
            self.rest.reserve(usize::try_from(capacity).unwrap_or_default());
            self.rest.extend_from_slice(&mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&chunk);
        fits
    }

    fn finish(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}
