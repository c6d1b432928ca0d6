//! The body of a reply, sent chunk by chunk.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::counts::InFlightGuard;
use crate::service::Pacer;
use crate::wire::{BodyEnd, Framing, WireReply};

/// A response body that pauses between its chunks and may end abnormally.
pub(crate) struct ReplyBody {
    chunks: VecDeque<Bytes>,
    ending: BodyEnd,
    /// The declared `content-length`.
    length: Option<usize>,
    pace: Duration,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    has_begun: bool,
    has_yielded: bool,
    pacer: Pacer,
    in_flight: InFlightGuard,
}

/// The error of a body that a script aborts.
#[derive(Debug)]
pub(crate) struct ScriptedAbort;

impl ReplyBody {
    pub(crate) fn new(wire_reply: WireReply, in_flight: InFlightGuard, pacer: Pacer) -> Self {
        let mut body = Self {
            length: (wire_reply.framing == Framing::Length).then_some(wire_reply.length),
            chunks: wire_reply.chunks.into(),
            ending: wire_reply.ending,
            pace: wire_reply.pause,
            pause: None,
            has_begun: false,
            has_yielded: false,
            pacer,
            in_flight,
        };
        // hyper may drop a complete body without polling for its end.
        body.note_progress();
        body
    }

    /// Returns the next frame and the pause before it.
    fn next(&mut self) -> Option<(Duration, NextFrame)> {
        if !self.chunks.is_empty() {
            return Some((if self.has_begun { self.pace } else { Duration::ZERO }, NextFrame::Chunk));
        }
        match &self.ending {
            BodyEnd::Complete => None,
            BodyEnd::Stall => Some((Duration::ZERO, NextFrame::Stall)),
            BodyEnd::Endless { pause, .. } => Some((*pause, NextFrame::Again)),
            BodyEnd::Close | BodyEnd::Reset | BodyEnd::MalformedChunk => Some((Duration::ZERO, NextFrame::Abort)),
        }
    }

    fn note_progress(&mut self) {
        if self.chunks.is_empty() && self.ending == BodyEnd::Complete {
            self.in_flight.finish();
        }
    }
}

enum NextFrame {
    Chunk,
    Again,
    Stall,
    Abort,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = ScriptedAbort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ScriptedAbort>>> {
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
            (NextFrame::Chunk, _) => {
                let chunk = this.chunks.pop_front().unwrap_or_default();
                this.note_progress();
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            (NextFrame::Again, BodyEnd::Endless { bytes, .. }) => Poll::Ready(Some(Ok(Frame::data(bytes.clone())))),
            (NextFrame::Abort, _) if !this.has_yielded => {
                // A reset overtakes queued data, so yield once to let the connection write it.
                this.has_yielded = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (NextFrame::Abort, _) => {
                this.in_flight.finish();
                Poll::Ready(Some(Err(ScriptedAbort)))
            }
            // hyper polls again, or drops the body, when the client disconnects.
            (NextFrame::Stall | NextFrame::Again, _) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && self.ending == BodyEnd::Complete
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, |length| SizeHint::with_exact(length as u64))
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyBody").field("chunks", &self.chunks.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for ScriptedAbort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script aborts the reply")
    }
}

impl std::error::Error for ScriptedAbort {}
