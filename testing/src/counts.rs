//! Counts of a server's requests and connections, which a test can wait for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A snapshot of a server's requests and connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests received completely, including refused ones.
    pub requests: usize,
    /// Requests whose reply isn't finished.
    pub in_flight: usize,
    /// Requests whose reply was sent to its end. A scripted reset counts as an end.
    pub answered: usize,
    /// Requests whose client disconnected before the end of the reply.
    pub abandoned: usize,
    /// Replies that are waiting on the clock.
    pub pausing: usize,
    /// Accepted connections.
    pub connections: usize,
    /// Connections that either side has closed.
    pub closed_connections: usize,
}

impl Counts {
    /// Returns the number of open connections.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.saturating_sub(self.closed_connections)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
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

/// The error of [`Server::until`](crate::Server::until) when its condition isn't met in time.
#[derive(Clone, Debug)]
pub struct WaitError {
    pub(crate) limit: Duration,
    pub(crate) counts: Counts,
}

impl WaitError {
    /// Returns the counts at the end of the wait.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "condition not met within {:?}: the server has seen {}", self.limit, self.counts)
    }
}

impl std::error::Error for WaitError {}

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
    pub(crate) fn begin_request(&self) -> InFlightGuard {
        self.change(|counts| counts.in_flight += 1);
        InFlightGuard { counters: self.clone(), finished: false }
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open_connection(&self) -> ConnectionGuard {
        self.change(|counts| counts.connections += 1);
        ConnectionGuard { counters: self.clone() }
    }

    /// Counts a reply as pausing until the guard is dropped.
    pub(crate) fn begin_pause(&self) -> PauseGuard {
        self.change(|counts| counts.pausing += 1);
        PauseGuard { counters: self.clone() }
    }
}

/// A request whose reply isn't finished. It counts as abandoned if dropped before [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct InFlightGuard {
    counters: Counters,
    finished: bool,
}

impl InFlightGuard {
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for InFlightGuard {
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
pub(crate) struct ConnectionGuard {
    counters: Counters,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.counters.change(|counts| counts.closed_connections += 1);
    }
}

/// A reply that is waiting on the clock.
#[derive(Debug)]
pub(crate) struct PauseGuard {
    counters: Counters,
}

impl Drop for PauseGuard {
    fn drop(&mut self) {
        self.counters.change(|counts| counts.pausing = counts.pausing.saturating_sub(1));
    }
}
