//! What the server has seen, as numbers that a test can wait for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A snapshot of what a server has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests received whole, refused ones included.
    pub requests: usize,
    /// Requests whose reply is not yet finished.
    pub in_flight: usize,
    /// Requests whose reply was played to its end; a reset that was scripted is such an end.
    pub answered: usize,
    /// Requests whose client left before the reply was played to its end.
    pub abandoned: usize,
    /// Replies that wait on the clock for their next part.
    pub pausing: usize,
    /// Connections accepted.
    pub connections: usize,
    /// Connections that are closed by now, by either side.
    pub closed_connections: usize,
}

impl Counts {
    /// Connections that are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.saturating_sub(self.closed_connections)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} requests ({} in flight, {} answered, {} abandoned, {} pausing), {} connections ({} closed)",
            self.requests,
            self.in_flight,
            self.answered,
            self.abandoned,
            self.pausing,
            self.connections,
            self.closed_connections
        )
    }
}

/// The state that [`Server::until`](super::Server::until) waited for did not come.
#[derive(Clone, Debug)]
pub struct NotReached {
    pub(crate) limit: Duration,
    pub(crate) counts: Counts,
}

impl NotReached {
    /// What the server had seen when the wait ended.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

impl fmt::Display for NotReached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the awaited state was not reached within {:?}, the server has seen {}",
            self.limit, self.counts
        )
    }
}

impl std::error::Error for NotReached {}

/// The counters of a running server.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    counts: Arc<watch::Sender<Counts>>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self { counts: Arc::new(watch::Sender::new(Counts::default())) }
    }

    pub(crate) fn snapshot(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    /// Counts a request as in flight until the guard is dropped.
    pub(crate) fn begin_request(&self) -> InFlight {
        self.change(|counts| counts.in_flight += 1);
        InFlight { counters: self.clone(), finished: false }
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open_connection(&self) -> OpenConnection {
        self.change(|counts| counts.connections += 1);
        OpenConnection { counters: self.clone() }
    }

    /// Counts a reply as pausing until the guard is dropped.
    pub(crate) fn begin_pause(&self) -> Pausing {
        self.change(|counts| counts.pausing += 1);
        Pausing { counters: self.clone() }
    }
}

/// A request whose reply is not finished. Dropped unfinished, it counts as abandoned.
#[derive(Debug)]
pub(crate) struct InFlight {
    counters: Counters,
    finished: bool,
}

impl InFlight {
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let finished = self.finished;
        self.counters.change(|counts| {
            counts.in_flight = counts.in_flight.saturating_sub(1);
            if finished {
                counts.answered += 1;
            } else {
                counts.abandoned += 1;
            }
        });
    }
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    counters: Counters,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.change(|counts| counts.closed_connections += 1);
    }
}

/// A reply that waits on the clock.
#[derive(Debug)]
pub(crate) struct Pausing {
    counters: Counters,
}

impl Drop for Pausing {
    fn drop(&mut self) {
        self.counters.change(|counts| counts.pausing = counts.pausing.saturating_sub(1));
    }
}
