//! The progress of an attempt: if a connection has taken the request, and if that connection had been open before.
//!
//! Both decide whether a request is sent again. An attempt that times out while it is connecting has sent nothing. A connection
//! that closes on its first request says something about the server; one that had been idle does not.
//!
//! The HTTP client reports neither. But it looks at the body only when a connection begins to write the request, so a body
//! that notices is enough, and it costs nothing where a layer around the connector would be copied for each request.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The progress of one attempt. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Dispatch(Arc<AtomicU8>);

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const CANCELED: u8 = 2;

impl Dispatch {
    /// Makes the body of a request report to this.
    pub(super) fn observe(&self, request: &mut reqwest::Request) {
        let inner = request.body_mut().take().unwrap_or_default();
        *request.body_mut() = Some(reqwest::Body::wrap(ObservedBody { inner, dispatch: self.clone() }));
    }

    /// Runs an attempt to its response. Also returns `true` if the request went to a connection that was open already.
    ///
    /// An idle connection takes the request between the first poll and the second. Connecting needs more polls.
    pub(super) async fn run<F: Future>(&self, sending: F) -> (F::Output, bool) {
        let mut sending = pin!(sending);
        let mut is_first = true;
        let mut is_reused = None;
        let output = poll_fn(|context| {
            if !is_first {
                is_reused.get_or_insert(self.state() == TAKEN);
            }
            is_first = false;
            sending.as_mut().poll(context)
        });
        (output.await, is_reused.unwrap_or(false))
    }

    /// Gives the attempt up. Returns `true` if no connection has taken the request. Then none will.
    pub(super) fn cancel(&self) -> bool {
        self.0.compare_exchange(WAITING, CANCELED, Ordering::AcqRel, Ordering::Acquire) != Err(TAKEN)
    }

    fn take(&self) -> bool {
        self.0.compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire) != Err(CANCELED)
    }

    fn state(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}

/// A request body that notices when a connection begins to write it.
struct ObservedBody {
    inner: reqwest::Body,
    dispatch: Dispatch,
}

impl Body for ObservedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.dispatch.take() {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        }
        Pin::new(&mut self.inner).poll_frame(context).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.dispatch.take();
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
