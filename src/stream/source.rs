//! Where a stream comes from, and how long they are waited for.

use std::{
    collections::VecDeque,
    error,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep};

use crate::{generated::types::StreamEvent, transport::ByteStream};

pub(super) type BoxError = Box<dyn error::Error + Send + Sync>;

type Poller = dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> + Send;

/// Where the events come from.
pub(super) enum Source {
    /// An answer of the API.
    Answer(ByteStream),
    /// A stream of the caller's.
    Given(Box<Poller>),
    /// No bytes: the events of a message that came whole.
    Told(VecDeque<StreamEvent>),
    /// There is no more to read. What there was is closed.
    Closed,
}

impl Source {
    pub(super) fn given<S, B, E>(bytes: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        let mut bytes = Box::pin(bytes);
        Self::Given(Box::new(move |context| {
            bytes.as_mut().poll_next(context).map(|next| next.map(|chunk| chunk.map(Into::into).map_err(Into::into)))
        }))
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        match self {
            Self::Answer(bytes) => {
                pin!(bytes).poll_next(context).map(|next| next.map(|chunk| chunk.map_err(Into::into)))
            }
            Self::Given(poll) => poll(context),
            Self::Told(_) | Self::Closed => Poll::Ready(None),
        }
    }
}

/// Bounds how long the next bytes are waited for.
///
/// Only waiting counts. It begins when the source is asked and has nothing, and the source is asked
/// again before time is called, so that bytes which came while the consumer was elsewhere are seen.
pub(super) struct Patience {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

/// Noticed later than this, the end of the time may be the consumer's fault: the task that reads
/// the connection may not have had its turn either.
const LATE: Duration = Duration::from_millis(100);

impl Patience {
    /// Must be made inside of a tokio runtime.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(sleep(limit)), waiting: false }
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Sets another limit, for a wait that begins now.
    pub(super) fn restart(&mut self, limit: Duration) {
        self.limit = limit;
        self.waiting = false;
    }

    /// Something came.
    pub(super) fn over(&mut self) {
        self.waiting = false;
    }

    /// Ready when nothing has come within the limit.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.waiting {
                // A limit beyond all time is none.
                let Some(end) = Instant::now().checked_add(self.limit) else { return Poll::Pending };
                self.timer.as_mut().reset(end);
                self.waiting = true;
            }
            std::task::ready!(self.timer.as_mut().poll(context));
            if Instant::now().saturating_duration_since(self.timer.deadline()) <= LATE {
                return Poll::Ready(());
            }
            self.waiting = false;
        }
    }
}
