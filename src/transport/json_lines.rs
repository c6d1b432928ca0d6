//! Responses with one JSON value in each line (`application/x-jsonl`, `application/jsonl`, `application/x-ndjson`).

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use memchr::memchr;

use super::{body::ByteStream, settings::Settings};
use crate::{
    error::{Error, ErrorKind, Result},
    json::{DecodeError, FromJson, Json, UnknownParts, read_recording, read_slice},
    observe::CallRecorder,
    redact::redacted,
    response::Head,
};

/// Longest line that is read unless the caller sets a limit, in bytes.
const DEFAULT_MAX_LINE_BYTES: usize = 32 << 20;

/// The values of a response that has one JSON value in each line.
///
/// `JsonLines` implements [`Stream`] and yields the lines as they arrive, in the order of the response. It reads from the
/// socket only when polled and keeps one line in memory. Blank lines are skipped. Dropping it before its end closes the
/// connection.
///
/// # Errors
///
/// A line that can't be decoded is an error of kind [`Decode`](ErrorKind::Decode). Its message names the number of the line,
/// [`Error::pointer`] the place in it, and [`Error::body`] returns the line. The stream goes on behind it, so that one odd
/// line doesn't lose the others.
///
/// All other errors end the stream. A response that ends inside of a line fails with [`Incomplete`](ErrorKind::Incomplete),
/// a connection that breaks with [`Truncated`](ErrorKind::Truncated), and [`Error::body`] returns the part of the line that
/// had arrived. A line that exceeds the limit fails with [`BodyTooLarge`](ErrorKind::BodyTooLarge).
pub struct JsonLines<T> {
    bytes: ByteStream,
    /// The beginning of a line, and what arrived behind it.
    buffer: BytesMut,
    /// Number of bytes of the buffer that contain no line feed.
    searched: usize,
    /// Number of the last line that was taken from the buffer.
    line: u64,
    max_line_bytes: usize,
    read: ReadLine<T>,
    head: Head,
    /// `None` once the stream has ended.
    recorder: Option<CallRecorder>,
    settings: Arc<Settings>,
}

/// Decodes a line, and records what there are no types for if asked to.
type ReadLine<T> = fn(&[u8], bool) -> Result<(T, UnknownParts), DecodeError>;

impl<T> JsonLines<T> {
    pub(super) fn new(bytes: ByteStream, head: Head, recorder: CallRecorder, settings: Arc<Settings>) -> Self
    where
        T: FromJson,
    {
        Self {
            bytes,
            buffer: BytesMut::new(),
            searched: 0,
            line: 0,
            max_line_bytes: settings.max_event_bytes.unwrap_or(DEFAULT_MAX_LINE_BYTES),
            read: |line, is_recording| {
                if is_recording { read_recording(line) } else { Ok((read_slice(line)?, UnknownParts::default())) }
            },
            head,
            recorder: Some(recorder),
            settings,
        }
    }

    /// Limits the length of a line, in bytes. Defaults to the client's
    /// [`max_event_bytes`](crate::ClientBuilder::max_event_bytes).
    #[must_use]
    pub fn with_max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// Returns the value of the next line, or `None` at the end of the response.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Takes a whole line out of the buffer.
    fn take_line(&mut self) -> Option<BytesMut> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(length) = memchr(b'\n', unsearched).map(|found| self.searched + found) else {
            self.searched = self.buffer.len();
            return None;
        };
        self.searched = 0;
        self.line += 1;
        let mut line = self.buffer.split_to(length + 1);
        line.truncate(length);
        Some(line)
    }

    /// Decodes a line, or returns `None` if it is blank.
    fn decode(&mut self, line: &[u8]) -> Option<Result<T>> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let is_recording = self.recorder.as_ref().is_some_and(CallRecorder::is_enabled);
        Some(match (self.read)(line, is_recording) {
            Ok((value, unknown)) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.unknown(unknown);
                }
                Ok(value)
            }
            Err(error) => {
                let document = format!("line {} of the response", self.line);
                let failed = Error::undecodable(&document, error.pointer(), self.kept(line)).with_source(error);
                Err(failed.with_head(self.head.clone()))
            }
        })
    }

    /// Ends the stream with what is left in the buffer: a last line without a line feed, or a part of one.
    fn finish(&mut self) -> Option<Result<T>> {
        let rest = mem::take(&mut self.buffer);
        self.line += 1;
        let last = self.decode(&rest);
        // A line of valid JSON is complete, even if it doesn't fit the type.
        if matches!(last, Some(Err(_))) && read_slice::<Json>(&rest).is_err() {
            let error = Error::new(ErrorKind::Incomplete, format!("response ended inside line {}", self.line));
            return self.fail(error, &rest);
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.completed(&self.head);
        }
        last
    }

    /// Ends the stream with an error that keeps a part of a line.
    fn fail(&mut self, error: Error, line: &[u8]) -> Option<Result<T>> {
        let error = error.with_body(self.kept(line)).with_head(self.head.clone());
        if let Some(recorder) = self.recorder.take() {
            recorder.failed(&error);
        }
        Some(Err(error))
    }

    /// A line as an error keeps it.
    fn kept(&self, line: &[u8]) -> Bytes {
        redacted(Bytes::copy_from_slice(line), self.settings.credential.secret())
    }
}

impl<T> Stream for JsonLines<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while this.recorder.is_some() {
            if let Some(line) = this.take_line() {
                match this.decode(&line) {
                    None => continue,
                    next => return Poll::Ready(next),
                }
            }
            if this.buffer.len() > this.max_line_bytes {
                let sentence = format!("line {} exceeds the limit of {} bytes", this.line + 1, this.max_line_bytes);
                let line = mem::take(&mut this.buffer);
                let kept = line.get(..this.max_line_bytes).unwrap_or_default();
                return Poll::Ready(this.fail(Error::new(ErrorKind::BodyTooLarge, sentence), kept));
            }
            match ready!(Pin::new(&mut this.bytes).poll_next(context)) {
                Some(Ok(chunk)) => this.buffer.extend_from_slice(&chunk),
                Some(Err(error)) => {
                    let rest = mem::take(&mut this.buffer);
                    return Poll::Ready(this.fail(error, &rest));
                }
                None => match this.finish() {
                    None => break,
                    last => return Poll::Ready(last),
                },
            }
        }
        Poll::Ready(None)
    }
}

impl<T> fmt::Debug for JsonLines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").field("line", &self.line).field("is_done", &self.recorder.is_none()).finish()
    }
}
