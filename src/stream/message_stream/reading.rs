//! What reading a stream does: from its bytes to events, to its end and to whoever watches the call.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;

use super::{
    Answer, MessageStream, State,
    failure::{broken, sent_error, unreadable},
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{MessageResponse, StreamEvent},
    observe::Watch,
    runtime::{Failure, Json, Reason},
    stream::{event, source::Source, sse::Decoder},
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
                        let message = format!("the answer is longer than {} bytes", this.max_bytes);
                        return Poll::Ready(Some(Err(this.fail(Error::new(ErrorKind::BodyTooLarge, message)))));
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
                    let message = "an event of the stream is longer than the client's limit";
                    return Some(Err(Error::new(ErrorKind::BodyTooLarge, message).because(error)));
                }
            };
            let Some(read) = event::read(&event, self.teller.as_deref_mut()) else { continue };
            self.events += 1;
            let secret = self.answer.as_deref().map_or(&[][..], Answer::secret);
            let read = match read {
                Ok(StreamEvent::Error(_)) => Err(sent_error(&event.data, secret)),
                // Told by its name alone.
                Ok(StreamEvent::Unknown(_)) | Err(_) if event.event == "error" => Err(sent_error(&event.data, secret)),
                Ok(event) => Ok(event),
                Err(error) => Err(unreadable(self.events, &event.event, &event.data, error, secret)),
            };
            // The connection's buffer is not to be held while the consumer is elsewhere.
            self.decoder.release();
            return Some(read);
        }
    }

    fn take_in(&mut self, event: &StreamEvent) -> Result<()> {
        self.accumulator.push(event).map_err(|error| {
            let message = format!("event {} of the stream can't follow those before it", self.events);
            Error::new(ErrorKind::Protocol, message).because(error)
        })?;
        if cfg!(feature = "tracing")
            && let StreamEvent::MessageStart(start) = event
            && let Ok(message) = Json::of(&start.message)
        {
            self.tell(|watch, _, _| watch.span().message(message.get().as_bytes()));
        }
        if self.accumulator.has_stopped() {
            self.tell_the_end();
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
        let message = format!("nothing came on the stream for {:?}", patience.limit());
        Poll::Ready(Some(Err(Error::new(ErrorKind::Stalled, message))))
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
            self.tell_the_end();
            self.close(State::Done);
            return None;
        }
        Some(Err(self.fail(Error::new(ErrorKind::Incomplete, "the stream ended before its message did"))))
    }

    /// The call as a whole took too long.
    pub(super) fn out_of_time(&mut self, limit: Duration) -> Error {
        self.fail(Failure::new(Reason::TotalTimeout(limit)).into())
    }

    fn fail(&mut self, error: Error) -> Error {
        // Inputs that are still open were cut.
        let _ = self.accumulator.finish();
        self.tell(|watch, _, elapsed| watch.failed(error.kind(), elapsed));
        self.close(State::Failed);
        self.with_what_is_known(error)
    }

    fn close(&mut self, state: State) {
        self.state = state;
        self.source = Source::Closed;
        self.decoder = Decoder::default();
        self.patience = None;
    }

    pub(super) fn with_what_is_known(&self, mut error: Error) -> Error {
        if let Some(response) = self.response() {
            let elapsed = self.elapsed();
            error = error.of_answer(response.status(), response.headers(), response.attempts(), elapsed);
        }
        if self.accumulator.has_started() {
            error = error.with_partial(self.message().clone());
        }
        error
    }

    fn tell_the_end(&self) {
        self.tell(|watch, message, elapsed| {
            if cfg!(feature = "tracing") {
                if let Some(Ok(usage)) = message.usage.as_ref().map(Json::of) {
                    watch.span().usage(&usage);
                }
                watch.span().finished(message.stop_reason.as_ref().map(|reason| reason.as_str()), elapsed);
            }
        });
    }

    /// Tells who watches the call, if there is someone.
    fn tell(&self, what: impl FnOnce(&Watch, &MessageResponse, Duration)) {
        if let Source::Answer(bytes) = &self.source
            && let Some(watch) = bytes.companion()
        {
            what(watch, self.accumulator.message(), self.elapsed());
        }
    }

    /// The time since the start of the call.
    pub(super) fn elapsed(&self) -> Duration {
        let since = |answer: &Answer| answer.response.elapsed().saturating_add(answer.started.elapsed());
        self.answer.as_deref().map(since).unwrap_or_default()
    }
}
