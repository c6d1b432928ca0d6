//! The body of a reply, for the HTTP library to send.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::counts::InFlight;
use super::delivery::{Delivery, Ending, Framing};
use super::service::Pacer;

/// Chunks with pauses between them, and an ending.
pub(crate) struct ReplyBody {
    chunks: VecDeque<Bytes>,
    ending: Ending,
    /// The length that the headers declare.
    length: Option<usize>,
    pace: Duration,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    has_begun: bool,
    has_yielded: bool,
    pacer: Pacer,
    in_flight: InFlight,
}

/// The end of a body that breaks off on purpose.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl ReplyBody {
    pub(crate) fn new(delivery: Delivery, in_flight: InFlight, pacer: Pacer) -> Self {
        let mut body = Self {
            length: (delivery.framing == Framing::Length).then_some(delivery.length),
            chunks: delivery.chunks.into(),
            ending: delivery.ending,
            pace: delivery.pause,
            pause: None,
            has_begun: false,
            has_yielded: false,
            pacer,
            in_flight,
        };
        // The library may drop a complete body without asking for the end.
        body.note_progress();
        body
    }

    /// What comes next, and the pause before it.
    fn next(&mut self) -> Option<(Duration, Step)> {
        if !self.chunks.is_empty() {
            return Some((if self.has_begun { self.pace } else { Duration::ZERO }, Step::Chunk));
        }
        match &self.ending {
            Ending::Complete => None,
            Ending::Stall => Some((Duration::ZERO, Step::Stall)),
            Ending::Endless { pause, .. } => Some((*pause, Step::Again)),
            Ending::Close | Ending::Reset | Ending::MalformedChunk => Some((Duration::ZERO, Step::BreakOff)),
        }
    }

    fn note_progress(&mut self) {
        if self.chunks.is_empty() && self.ending == Ending::Complete {
            self.in_flight.finish();
        }
    }
}

enum Step {
    Chunk,
    Again,
    Stall,
    BreakOff,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        let Some((pause, step)) = this.next() else {
            return Poll::Ready(None);
        };
        if !pause.is_zero() {
            let pacer = &this.pacer;
            ready!(this.pause.get_or_insert_with(|| pacer.pause(pause)).as_mut().poll(context));
            this.pause = None;
        }
        this.has_begun = true;
        match (step, &this.ending) {
            (Step::Chunk, _) => {
                let chunk = this.chunks.pop_front().unwrap_or_default();
                this.note_progress();
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            (Step::Again, Ending::Endless { bytes, .. }) => Poll::Ready(Some(Ok(Frame::data(bytes.clone())))),
            (Step::BreakOff, _) if !this.has_yielded => {
                // A reset overtakes what is queued, so the connection gets its turn to write first.
                this.has_yielded = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (Step::BreakOff, _) => {
                this.in_flight.finish();
                Poll::Ready(Some(Err(BrokenOff)))
            }
            // The library polls again, or drops the body, when the client leaves.
            (Step::Stall | Step::Again, _) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && self.ending == Ending::Complete
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, |length| SizeHint::with_exact(length as u64))
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReplyBody").field("chunks", &self.chunks.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the reply breaks off on purpose")
    }
}

impl std::error::Error for BrokenOff {}
