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
    generated::types::StreamEvent,
    response::{Head, PackedHeaders},
    runtime::{DecodeError, noting},
    stream::{event, source::Source, sse, sse::Decoder},
    transport::{AttemptFailure, event_error},
};

/// After `message_stop` only the end of the body is left. It is read, so that the connection can be
/// used again, unless it is longer or takes longer than this.
const DRAINED: (usize, Duration) = (16 * 1024, Duration::from_millis(100));

impl Stream for MessageStream {
    type Item = Result<StreamEvent>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while this.state == State::Reading {
            if let Some(event) = this.read() {
                // Events are large: what is taken in is looked at, not moved.
                let taken = event.as_ref().map_or(Ok(()), |event| this.take_in(event));
                return Poll::Ready(Some(match (event, taken) {
                    (Ok(event), Ok(())) => Ok(event),
                    (Err(error), _) | (_, Err(error)) => Err(this.fail(error)),
                }));
            }
            match ready!(this.poll_chunk(context)) {
                Some(Ok(chunk)) => {
                    this.bytes = this.bytes.saturating_add(chunk.len() as u64);
                    if this.bytes > this.max_bytes {
                        return Poll::Ready(Some(Err(this.fail(Error::too_large(this.max_bytes)))));
                    }
                    this.decoder.feed_bytes(chunk);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(this.fail(error)))),
                None => return Poll::Ready(this.ended()),
            }
        }
        this.poll_drained(context).map(|()| None)
    }
}

impl MessageStream {
    /// The next event that has come already.
    fn read(&mut self) -> Option<Result<StreamEvent>> {
        if let Source::Told(events) = &mut self.source {
            return events.pop_front().map(Ok);
        }
        loop {
            let event = match self.decoder.next_event()? {
                Ok(event) => event,
                Err(error) => {
                    let message = "stream event exceeds the limit of the client";
                    return Some(Err(Error::new(ErrorKind::BodyTooLarge, message).with_source(error)));
                }
            };
            let answer = self.answer.as_deref_mut();
            let read = match answer.filter(|answer| answer.recorder.is_enabled()) {
                Some(answer) => {
                    let (read, unknown) = noting(|| event::read(&event));
                    answer.recorder.unknown(unknown);
                    read
                }
                None => event::read(&event),
            };
            let Some(read) = read else { continue };
            self.events += 1;
            let read = match read {
                Ok(StreamEvent::Error(_) | StreamEvent::Unknown(_)) | Err(_) => {
                    judge(&event, read, self.events, self.answer.as_deref(), self.accumulator.has_started())
                }
                Ok(event) => Ok(event),
            };
            // The connection's buffer is not to be held while the consumer is elsewhere.
            self.decoder.release();
            return Some(read);
        }
    }

    fn take_in(&mut self, event: &StreamEvent) -> Result<()> {
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
        if self.accumulator.has_stopped() {
            self.complete();
            self.state = State::Draining(0);
            if let Some(patience) = &mut self.patience {
                patience.restart(DRAINED.1);
            }
        }
        Ok(())
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Poll::Ready(next) = self.source.poll_next(context) {
            // What comes after the message gets no time of its own.
            if self.state == State::Reading
                && let Some(patience) = &mut self.patience
            {
                patience.over();
            }
            return Poll::Ready(next.map(|chunk| chunk.map_err(broken)));
        }
        let Some(patience) = &mut self.patience else { return Poll::Pending };
        ready!(patience.poll(context));
        Poll::Ready(Some(Err(Error::stalled(patience.limit()))))
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

    /// The bytes have ended before `message_stop`.
    fn ended(&mut self) -> Option<Result<StreamEvent>> {
        let in_an_event = self.decoder.finish();
        if self.accumulator.finish() && !in_an_event {
            self.complete();
            self.close(State::Done);
            return None;
        }
        Some(Err(self.fail(Error::incomplete())))
    }

    /// The call as a whole took too long.
    pub(super) fn out_of_time(&mut self, limit: Duration) -> Error {
        self.fail(Error::timed_out(limit))
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
        self.patience = None;
    }

    pub(super) fn with_what_is_known(&self, error: Error) -> Error {
        let mut error = error;
        if let Some(response) = self.response() {
            // An error in the place of the message says itself what the server did.
            let is_rejection = error.api_error().is_some() && !self.accumulator.has_started();
            let processed = if is_rejection { error.may_have_been_processed() } else { true };
            let head = Head { elapsed: self.elapsed(), may_have_been_processed: processed, ..response.head().clone() };
            error = error.with_head(head);
        }
        if self.accumulator.has_started() {
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
        Some(AttemptFailure { mut error, outcome }) => {
            error.head_mut().may_have_been_processed = has_started || outcome.may_have_been_processed();
            Err(error)
        }
        None => read.map_err(|error| unreadable(number, &event.event, &event.data, error, secret)),
    }
}
