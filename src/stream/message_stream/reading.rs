//! What reading a stream does: from its bytes to events, to its end and to whoever watches the call.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_core::Stream;

use super::{
    Answer, MessageStream, State,
    failure::{broken, clean, unreadable},
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{ContentBlockDelta, StreamEvent},
    json::DecodeError,
    redact::redacted,
    response::{Head, PackedHeaders},
    stream::{
        accumulate::{break_lossy_input, set_text, split_begun},
        event,
        source::Source,
        sse,
        sse::Decoder,
        whole::events_of_content,
    },
    transport::{PAGE_LIMIT, begins_as_document, event_error},
};

/// After `message_stop` only the end of the body is left. It is read, so that the connection can be
/// used again, unless it is longer or takes longer than this.
const DRAINED: (usize, Duration) = (16 * 1024, Duration::from_millis(100));

impl Stream for MessageStream {
    type Item = Result<StreamEvent>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while this.state == State::Reading {
            if this.is_out_of_time(context) {
                return Poll::Ready(Some(Err(this.out_of_time())));
            }
            if let Some(event) = this.read() {
                // Events are large: this looks at it and doesn't move it.
                let applied = event.as_ref().map_or(Ok(()), |event| this.apply(event));
                return Poll::Ready(Some(match (event, applied) {
                    (Ok(event), Ok(())) => Ok(event),
                    (Err(error), _) | (_, Err(error)) => Err(this.fail(error)),
                }));
            }
            if this.state == State::Ending {
                return Poll::Ready(this.ended());
            }
            match ready!(this.poll_chunk(context)) {
                Some(Ok(chunk)) => {
                    this.bytes = this.bytes.saturating_add(chunk.len() as u64);
                    if this.bytes > this.max_bytes {
                        return Poll::Ready(Some(Err(this.fail(Error::too_large(this.max_bytes)))));
                    }
                    this.keep_document(&chunk);
                    this.decoder.feed_bytes(chunk);
                }
                Some(Err(error)) => return Poll::Ready(this.cut(Some(error))),
                None => return Poll::Ready(this.cut(None)),
            }
        }
        this.poll_drained(context).map(|()| None)
    }
}

impl MessageStream {
    /// Reads the next event that has arrived already.
    fn read(&mut self) -> Option<Result<StreamEvent>> {
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
                self.state = State::Ending;
                return None;
            }
            let recorder = self.answer.as_deref_mut().map(|answer| &mut answer.recorder);
            let Some(read) = event::read(&event, recorder) else { continue };
            self.events += 1;
            let mut read = match read {
                Ok(StreamEvent::Error(_) | StreamEvent::Unknown(_)) | Err(_) => {
                    judge(&event, read, self.events, self.answer.as_deref(), self.accumulator.has_started())
                }
                Ok(event) => Ok(event),
            };
            let mut data = event.data.clone();
            if event.is_lossy() {
                match &mut read {
                    Ok(StreamEvent::ContentBlockStart(start)) => break_lossy_input(&mut start.content_block),
                    Ok(StreamEvent::MessageStart(start)) => {
                        start.message.content.iter_mut().flatten().for_each(break_lossy_input);
                    }
                    Ok(StreamEvent::ContentBlockDelta(delta))
                        if matches!(delta.delta, ContentBlockDelta::InputJsonDelta(_)) =>
                    {
                        data = event::marked(&data).into();
                        read = read.map(|read| event::kept(read, &data, false));
                    }
                    _ => {}
                }
            }
            if let Ok(StreamEvent::ContentBlockDelta(delta)) = &mut read
                && let Some(text) = self.accumulator.joined_text(delta)
            {
                set_text(&mut delta.delta, text);
                read = read.map(|read| event::kept(read, &data, true));
            }
            if let Ok(StreamEvent::ContentBlockStart(start)) = &mut read
                && split_begun(start)
            {
                read = read.map(|read| event::kept(read, &data, true));
            }
            // The connection's buffer is not to be held while the consumer is elsewhere.
            self.decoder.release();
            if let Ok(StreamEvent::MessageStart(start)) = &mut read
                && let Some(content) = &mut start.message.content
                && !self.accumulator.has_started()
            {
                // So that whoever reads deltas sees it.
                self.queue.extend(events_of_content(std::mem::take(content)));
            }
            return Some(read);
        }
    }

    fn apply(&mut self, event: &StreamEvent) -> Result<()> {
        self.accumulator.push(event).map_err(|error| {
            let message = format!("event {} of the stream cannot follow those before it", self.events);
            Error::new(ErrorKind::Protocol, message).with_source(error)
        })?;
        if let Some(answer) = self.answer.as_deref_mut() {
            match event {
                StreamEvent::MessageStart(start) => answer.recorder.message_started(&start.message),
                StreamEvent::MessageDelta(_) => answer.recorder.message_progressed(self.accumulator.message()),
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
            // The end of a message that came whole is known.
            if !self.accumulator.has_stop_reason() && !matches!(self.source, Source::Closed) {
                return Err(Error::new(ErrorKind::Incomplete, "stream ended without a stop reason"));
            }
            self.complete();
            self.state = State::Draining(0);
            if let Some(timers) = &mut self.timers {
                timers.idle.restart(DRAINED.1);
            }
        }
        Ok(())
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Poll::Ready(next) = self.source.poll_next(context) {
            // What comes after the message gets no time of its own.
            if self.state == State::Reading
                && let Some(timers) = &mut self.timers
            {
                timers.idle.reset();
            }
            return Poll::Ready(next.map(|chunk| chunk.map_err(broken)));
        }
        let Some(timers) = &mut self.timers else { return Poll::Pending };
        if let Some(timer) = &mut timers.event
            && self.state == State::Reading
            && timer.poll(context).is_ready()
        {
            let message = format!("no event of the message for {:?}", timer.limit());
            return Poll::Ready(Some(Err(Error::new(ErrorKind::Stalled, message))));
        }
        ready!(timers.idle.poll(context));
        Poll::Ready(Some(Err(Error::stalled(timers.idle.limit()))))
    }

    /// Reads what is left after the message, and closes.
    fn poll_drained(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let State::Draining(bytes) = self.state {
            // A stream of the caller's has no connection to save.
            let is_over = !matches!(self.source, Source::Answer(_)) || bytes > DRAINED.0;
            let chunk = if is_over { None } else { ready!(self.poll_chunk(context)) };
            match chunk {
                Some(Ok(chunk)) => self.state = State::Draining(bytes.saturating_add(chunk.len())),
                Some(Err(_)) | None => self.close(State::Done),
            }
        }
        Poll::Ready(())
    }

    /// Handles the end of the bytes, or an error instead of more of them.
    ///
    /// An event that has begun and not ended makes the message incomplete, since what it was to say isn't known. The
    /// exception is a `message_stop` that lacks nothing but its blank line.
    fn cut(&mut self, error: Option<Error>) -> Option<Result<StreamEvent>> {
        if !self.decoder.is_unfinished() {
            return match error {
                Some(error) => Some(Err(self.fail(error))),
                None => self.ended(),
            };
        }
        self.decoder.feed_bytes(Bytes::from_static(b"\n\n"));
        let event = self.decoder.next_event().and_then(|event| event.ok()).filter(|event| !event.data.is_empty());
        if event.as_ref().is_some_and(event::is_end_marker) {
            return self.ended();
        }
        let Some(Ok(event @ StreamEvent::MessageStop(_))) = event.and_then(|event| event::read(&event, None)) else {
            let error = error.unwrap_or_else(|| self.incomplete());
            return Some(Err(self.fail(error)));
        };
        self.events += 1;
        Some(match self.apply(&event) {
            Ok(()) => {
                self.close(State::Done);
                Ok(event)
            }
            Err(error) => Err(self.fail(error)),
        })
    }

    /// No more events follow, and `message_stop` was not among them.
    fn ended(&mut self) -> Option<Result<StreamEvent>> {
        if self.accumulator.finish() {
            self.complete();
            self.close(State::Done);
            return None;
        }
        let error = self.incomplete();
        Some(Err(self.fail(error)))
    }

    /// Keeps what has arrived in place of a stream, as far as it explains an error.
    fn keep_document(&mut self, chunk: &Bytes) {
        let Some(answer) = self.answer.as_deref_mut().filter(|_| self.events == 0) else { return };
        if !answer.document.is_empty() || (self.bytes == chunk.len() as u64 && begins_as_document(chunk)) {
            let room = PAGE_LIMIT.saturating_sub(answer.document.len());
            answer.document.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        }
    }

    /// The error of a stream that ended too early, or that was a document and no stream.
    fn incomplete(&self) -> Error {
        let Some(answer) = self.answer.as_deref().filter(|answer| self.events == 0 && !answer.document.is_empty())
        else {
            return Error::incomplete();
        };
        let document = redacted(Bytes::copy_from_slice(&answer.document), answer.secret());
        let headers = &answer.response.head().headers;
        match event_error("message", &document, headers, SystemTime::now()) {
            Some(failure) => failure.into_error(false),
            None => Error::new(ErrorKind::ContentType, "response is a document instead of a stream of events")
                .with_body(document),
        }
    }

    fn is_out_of_time(&mut self, context: &mut Context<'_>) -> bool {
        let total = self.timers.as_mut().and_then(|timers| timers.total.as_mut());
        total.is_some_and(|(timer, _)| timer.as_mut().poll(context).is_ready())
    }

    /// The call as a whole took too long.
    fn out_of_time(&mut self) -> Error {
        let limit = self.timers.as_ref().and_then(|timers| timers.total.as_ref()).map(|(_, limit)| *limit);
        self.fail(Error::timed_out(limit.unwrap_or_default()))
    }

    fn fail(&mut self, error: Error) -> Error {
        // Inputs that are still open were cut.
        let _ = self.accumulator.finish();
        self.close(State::Failed);
        let error = self.with_what_is_known(error);
        if let Some(answer) = self.answer.as_deref_mut() {
            mem::take(&mut answer.recorder).failed(&error);
        }
        error
    }

    fn close(&mut self, state: State) {
        self.state = state;
        self.source = Source::Closed;
        self.decoder = Decoder::default();
        self.timers = None;
    }

    pub(super) fn with_what_is_known(&self, error: Error) -> Error {
        let mut error = error;
        if let Some(response) = self.response() {
            // An error in the place of the message says itself what the server did.
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

    /// Ends the recording of the call.
    fn complete(&mut self) {
        let elapsed = self.elapsed();
        if let Some(Answer { recorder, response, .. }) = self.answer.as_deref_mut() {
            mem::take(recorder).completed(&Head { elapsed, ..response.head().clone() });
        }
    }

    /// The time since the start of the call.
    pub(super) fn elapsed(&self) -> Duration {
        let since = |answer: &Answer| answer.response.elapsed().saturating_add(answer.started.elapsed());
        self.answer.as_deref().map(since).unwrap_or_default()
    }
}

/// Judges an event that is none of the message's: an error, an unknown event, or unreadable.
fn judge(
    event: &sse::Event<'_>,
    read: Result<StreamEvent, DecodeError>,
    number: u64,
    answer: Option<&Answer>,
    has_started: bool,
) -> Result<StreamEvent> {
    let secret = answer.map_or(&[][..], Answer::secret);
    let none = PackedHeaders::default();
    let headers = answer.map_or(&none, |answer| &answer.response.head().headers);
    match event_error(&event.event, &clean(&event.data, secret), headers, SystemTime::now()) {
        Some(failure) => Err(failure.into_error(has_started)),
        None => read.map_err(|error| unreadable(number, &event.event, &event.data, error, secret)),
    }
}
