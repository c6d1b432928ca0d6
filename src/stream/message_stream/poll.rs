//! Polls a stream: decodes its bytes into events, detects its end, and reports to the observer of the call.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_core::Stream;

use super::{BoxError, ByteSource, CallContext, MessageStream, StreamState};
use crate::{
    error::{Error, ErrorKind, Result, shorten},
    generated::types::{ContentBlockDelta, StreamEvent},
    json::DecodeError,
    redact::redacted,
    response::{Head, PackedHeaders},
    stream::{
        accumulate::{mark_lossy_input, set_text, split_initial_text},
        convert::content_to_events,
        event, sse,
        sse::Decoder,
    },
    transport::{begins_as_document, document_error, event_error, not_a_stream},
};

/// The limits on reading the rest of the body after `message_stop`. It is read so that the connection can be reused, which
/// isn't worth more than this.
const MAX_DRAIN_BYTES: usize = 16 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_millis(100);

impl Stream for MessageStream {
    type Item = Result<StreamEvent>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while this.state == StreamState::Reading {
            if this.poll_timeout(context).is_ready() {
                return Poll::Ready(Some(Err(this.fail_with_timeout())));
            }
            if let Some(event) = this.next_buffered() {
                // Events are large, so the event is borrowed here and moved once.
                let applied = event.as_ref().map_or(Ok(()), |event| this.apply(event));
                return Poll::Ready(Some(match (event, applied) {
                    (Ok(event), Ok(())) => Ok(event),
                    (Err(error), _) | (_, Err(error)) => Err(this.fail(error)),
                }));
            }
            if this.state == StreamState::Ending {
                return Poll::Ready(this.end());
            }
            match ready!(this.poll_chunk(context)) {
                Some(Ok(chunk)) => {
                    this.byte_count = this.byte_count.saturating_add(chunk.len() as u64);
                    if this.byte_count > this.max_bytes {
                        return Poll::Ready(Some(Err(this.fail(Error::too_large(this.max_bytes)))));
                    }
                    this.keep_document(&chunk);
                    this.decoder.feed_bytes(chunk);
                }
                Some(Err(error)) => return Poll::Ready(this.end_of_bytes(Some(error))),
                None => return Poll::Ready(this.end_of_bytes(None)),
            }
        }
        this.poll_drain(context).map(|()| None)
    }
}

impl MessageStream {
    /// Returns the next event that has already arrived.
    fn next_buffered(&mut self) -> Option<Result<StreamEvent>> {
        if let Some(event) = self.queue.pop_front() {
            return Some(Ok(event));
        }
        loop {
            let event = match self.decoder.next_event()? {
                Ok(event) => event,
                Err(error) => {
                    let message = "stream event exceeds the limit of the client";
                    return Some(Err(Error::new(ErrorKind::BodyTooLarge, message).with_source(error)));
                }
            };
            if event::is_end_marker(&event) {
                self.state = StreamState::Ending;
                return None;
            }
            let recorder = self.call.as_deref_mut().map(|call| &mut call.recorder);
            let Some(read) = event::decode(&event, recorder) else { continue };
            self.event_count += 1;
            let mut read = match read {
                Ok(StreamEvent::Error(_) | StreamEvent::Unknown(_)) | Err(_) => {
                    let has_started = self.accumulator.has_started();
                    let checked = check_unusual(&event, read, self.event_count, self.call.as_deref(), has_started);
                    if let Some(call) = self.call.as_deref_mut().filter(|_| !has_started && checked.is_ok()) {
                        call.keep_document(event.data.as_bytes());
                    }
                    checked
                }
                Ok(event) => Ok(event),
            };
            let mut data = event.data.clone();
            if event.is_lossy() {
                match &mut read {
                    Ok(StreamEvent::ContentBlockStart(start)) => mark_lossy_input(&mut start.content_block),
                    Ok(StreamEvent::MessageStart(start)) => {
                        start.message.content.iter_mut().flatten().for_each(mark_lossy_input);
                    }
                    Ok(StreamEvent::ContentBlockDelta(delta))
                        if matches!(delta.delta, ContentBlockDelta::InputJsonDelta(_)) =>
                    {
                        data = event::mark_lost_bytes(&data).into();
                        read = read.map(|read| event::with_source(read, &data, false));
                    }
                    _ => {}
                }
            }
            if let Ok(StreamEvent::ContentBlockDelta(delta)) = &mut read
                && let Some(text) = self.accumulator.joined_text(delta)
            {
                set_text(&mut delta.delta, text);
                read = read.map(|read| event::with_source(read, &data, true));
            }
            if let Ok(StreamEvent::ContentBlockStart(start)) = &mut read
                && split_initial_text(start)
            {
                read = read.map(|read| event::with_source(read, &data, true));
            }
            // Free the buffer of the connection while the consumer is busy with the event.
            self.decoder.release();
            if let Ok(StreamEvent::MessageStart(start)) = &mut read
                && let Some(content) = &mut start.message.content
                && !self.accumulator.has_started()
            {
                // Consumers that read deltas would miss content in `message_start`.
                self.queue.extend(content_to_events(std::mem::take(content)));
            }
            return Some(read);
        }
    }

    fn apply(&mut self, event: &StreamEvent) -> Result<()> {
        self.accumulator.push(event).map_err(|error| {
            let message = format!("event {} of the stream does not fit those before it", self.event_count);
            Error::new(ErrorKind::Protocol, message).with_source(error)
        })?;
        if let Some(call) = self.call.as_deref_mut() {
            match event {
                StreamEvent::MessageStart(start) => call.recorder.message_started(&start.message),
                StreamEvent::MessageDelta(_) => call.recorder.message_progressed(self.accumulator.message()),
                _ => {}
            }
        }
        let is_of_message = !matches!(event, StreamEvent::Ping(_) | StreamEvent::Unknown(_));
        if let Some(timer) = self.timers.as_mut().and_then(|timers| timers.event.as_mut()) {
            if is_of_message {
                timer.reset();
            } else {
                timer.pause();
            }
        }
        if self.accumulator.has_stopped() {
            // A message that arrived whole may lack a stop reason, since it can't have been cut.
            if !self.accumulator.has_stop_reason() && !matches!(self.source, ByteSource::Closed) {
                return Err(Error::new(ErrorKind::Incomplete, "stream ended without a stop reason"));
            }
            self.complete();
            self.state = StreamState::Draining(0);
            if let Some(timers) = &mut self.timers {
                timers.idle.restart(DRAIN_TIMEOUT);
            }
        }
        Ok(())
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Poll::Ready(next) = self.source.poll_next(context) {
            // Don't reset the timer while draining: the limit covers everything after `message_stop`.
            if self.state == StreamState::Reading
                && let Some(timers) = &mut self.timers
            {
                timers.idle.reset();
            }
            return Poll::Ready(next.map(|chunk| chunk.map_err(disconnected)));
        }
        let Some(timers) = &mut self.timers else { return Poll::Pending };
        if let Some(timer) = &mut timers.event
            && self.state == StreamState::Reading
            && timer.poll(context).is_ready()
        {
            let message = format!("no event of the message for {:?}", timer.limit());
            return Poll::Ready(Some(Err(Error::new(ErrorKind::Stalled, message))));
        }
        ready!(timers.idle.poll(context));
        Poll::Ready(Some(Err(Error::stalled(timers.idle.limit()))))
    }

    /// Reads the rest of the body after the message, and closes the stream.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let StreamState::Draining(bytes) = self.state {
            // Only a connection of the client can be reused.
            let is_over = !matches!(self.source, ByteSource::Response(_)) || bytes > MAX_DRAIN_BYTES;
            let chunk = if is_over { None } else { ready!(self.poll_chunk(context)) };
            match chunk {
                Some(Ok(chunk)) => self.state = StreamState::Draining(bytes.saturating_add(chunk.len())),
                Some(Err(_)) | None => self.close(StreamState::Done),
            }
        }
        Poll::Ready(())
    }

    /// Handles the end of the bytes, or an error in their place.
    ///
    /// An event that has begun and not ended makes the message incomplete, because the rest of it is unknown. The exception
    /// is a `message_stop` that lacks only its blank line.
    fn end_of_bytes(&mut self, error: Option<Error>) -> Option<Result<StreamEvent>> {
        if !self.decoder.is_unfinished() {
            return match error {
                Some(error) => Some(Err(self.fail(error))),
                None => self.end(),
            };
        }
        self.decoder.feed_bytes(Bytes::from_static(b"\n\n"));
        let event = self.decoder.next_event().and_then(|event| event.ok()).filter(|event| !event.data.is_empty());
        if event.as_ref().is_some_and(event::is_end_marker) {
            return self.end();
        }
        let Some(Ok(event @ StreamEvent::MessageStop(_))) = event.and_then(|event| event::decode(&event, None)) else {
            let error = error.unwrap_or_else(|| self.incomplete());
            return Some(Err(self.fail(error)));
        };
        self.event_count += 1;
        Some(match self.apply(&event) {
            Ok(()) => {
                self.close(StreamState::Done);
                Ok(event)
            }
            Err(error) => Err(self.fail(error)),
        })
    }

    /// Ends a stream without `message_stop`.
    fn end(&mut self) -> Option<Result<StreamEvent>> {
        if self.accumulator.finish() {
            self.complete();
            self.close(StreamState::Done);
            return None;
        }
        let error = self.incomplete();
        Some(Err(self.fail(error)))
    }

    /// Keeps the beginning of a body that is a document instead of a stream, to explain the error.
    fn keep_document(&mut self, chunk: &Bytes) {
        let Some(call) = self.call.as_deref_mut().filter(|_| self.event_count == 0) else { return };
        if !call.document.is_empty() || (self.byte_count == chunk.len() as u64 && begins_as_document(chunk)) {
            call.keep_document(chunk);
        }
    }

    /// Returns the error of a stream that ended too early, or of a document in place of a stream.
    fn incomplete(&self) -> Error {
        let Some(call) = self.call.as_deref().filter(|_| !self.accumulator.has_started()) else {
            return Error::incomplete();
        };
        let document = redacted(Bytes::copy_from_slice(&call.document), call.secret());
        if self.event_count > 0 || document.is_empty() {
            return Error::incomplete().with_body(document);
        }
        let headers = &call.response.head().headers;
        match document_error(&document, headers, SystemTime::now()) {
            Some(failure) => failure.into_error(false),
            None => not_a_stream().with_body(document),
        }
    }

    /// Is ready once the call as a whole has taken too long.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let total = self.timers.as_mut().and_then(|timers| timers.total.as_mut());
        total.map_or(Poll::Pending, |(timer, _)| timer.as_mut().poll(context))
    }

    fn fail_with_timeout(&mut self) -> Error {
        let limit = self.timers.as_ref().and_then(|timers| timers.total.as_ref()).map(|(_, limit)| *limit);
        self.fail(Error::timed_out(limit.unwrap_or_default()))
    }

    fn fail(&mut self, error: Error) -> Error {
        // Marks inputs that are still open as incomplete.
        let _ = self.accumulator.finish();
        self.close(StreamState::Failed);
        let error = self.with_context(error);
        if let Some(call) = self.call.as_deref_mut() {
            mem::take(&mut call.recorder).failed(&error);
        }
        error
    }

    fn close(&mut self, state: StreamState) {
        self.state = state;
        self.source = ByteSource::Closed;
        self.decoder = Decoder::default();
        self.timers = None;
    }

    /// Adds the head of the response and the partial message to an error.
    pub(super) fn with_context(&self, error: Error) -> Error {
        let mut error = error;
        if let Some(response) = self.response() {
            // If the API sends an error before the message, the error decides whether the request was processed.
            let is_rejection = error.api_error().is_some() && !self.accumulator.has_started();
            let processed =
                !is_rejection || error.may_have_been_processed() || response.head().may_have_been_processed_before;
            let head = Head { elapsed: self.elapsed(), may_have_been_processed: processed, ..response.head().clone() };
            error = error.with_head(head);
        }
        if self.accumulator.has_started() && !self.is_taken {
            error = error.with_partial(self.message().clone());
        }
        error
    }

    /// Reports the end of the call to the observer.
    fn complete(&mut self) {
        let elapsed = self.elapsed();
        if let Some(CallContext { recorder, response, .. }) = self.call.as_deref_mut() {
            mem::take(recorder).completed(&Head { elapsed, ..response.head().clone() });
        }
    }

    /// Returns the time since the start of the call.
    pub(super) fn elapsed(&self) -> Duration {
        let since = |call: &CallContext| call.response.elapsed().saturating_add(call.started.elapsed());
        self.call.as_deref().map(since).unwrap_or_default()
    }
}

/// Handles an event that isn't a part of the message: an error, an unknown event, or one that failed to decode.
fn check_unusual(
    event: &sse::Event<'_>,
    read: Result<StreamEvent, DecodeError>,
    number: u64,
    call: Option<&CallContext>,
    has_started: bool,
) -> Result<StreamEvent> {
    let secret = call.map_or(&[][..], CallContext::secret);
    let none = PackedHeaders::default();
    let headers = call.map_or(&none, |call| &call.response.head().headers);
    match event_error(&event.event, &clean(&event.data, secret), headers, SystemTime::now()) {
        Some(failure) => Err(failure.into_error(has_started)),
        None => read.map_err(|error| undecodable(number, &event.event, &event.data, error, secret)),
    }
}

/// Returns the error of a connection or a custom stream that failed.
fn disconnected(error: BoxError) -> Error {
    Error::incomplete().with_source(error)
}

/// Returns the error of an event that failed to decode.
fn undecodable(number: u64, name: &str, data: &str, error: DecodeError, secret: &[u8]) -> Error {
    let name = shorten(&String::from_utf8_lossy(&clean(name, secret)), 64);
    Error::undecodable(&format!("event {number} of the stream"), error.pointer(), clean(data, secret))
        .with_detail(format!("its name is `{name}`"))
        .with_source(error)
}

/// Removes the credential from a text that the server sent.
fn clean(text: &str, secret: &[u8]) -> Bytes {
    redacted(Bytes::copy_from_slice(text.as_bytes()), secret)
}
