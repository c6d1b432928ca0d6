//! The server's clock: real time, or time that a test controls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The clock that times the pauses of a [`Server`](crate::Server) and the arrival of its requests.
///
/// Clones share the same time. Tokio's paused clock doesn't work for a server, because it advances whenever the runtime
/// waits for a socket.
#[derive(Clone)]
pub struct Clock {
    kind: ClockKind,
}

#[derive(Clone)]
enum ClockKind {
    Real { start: Instant },
    Manual { now: Arc<watch::Sender<Duration>> },
    Skipping { now: Arc<watch::Sender<Duration>> },
}

impl Clock {
    /// Creates a clock that follows real time. This is a server's default.
    #[must_use]
    pub fn real() -> Self {
        Self { kind: ClockKind::Real { start: Instant::now() } }
    }

    /// Creates a clock that only moves when [`Clock::advance`] is called.
    #[must_use]
    pub fn manual() -> Self {
        Self { kind: ClockKind::Manual { now: Arc::new(watch::Sender::new(Duration::ZERO)) } }
    }

    /// Creates a clock that skips every pause. A paced reply takes no real time, and [`Clock::now`] includes the time it
    /// would have taken.
    #[must_use]
    pub fn skipping() -> Self {
        Self { kind: ClockKind::Skipping { now: Arc::new(watch::Sender::new(Duration::ZERO)) } }
    }

    /// Returns the time since the clock was created.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.kind {
            ClockKind::Real { start } => start.elapsed(),
            ClockKind::Manual { now } | ClockKind::Skipping { now } => *now.borrow(),
        }
    }

    /// Advances a manual or skipping clock and ends every pause that is over by then.
    ///
    /// Wait for the server to begin the pause first: `server.until(|counts| counts.pausing == 1)`.
    ///
    /// # Panics
    /// Panics if this is the real clock.
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        let now = match &self.kind {
            ClockKind::Real { .. } => None,
            ClockKind::Manual { now } | ClockKind::Skipping { now } => Some(now),
        };
        assert!(now.is_some(), "the real clock can't be advanced: start the server with Clock::manual()");
        if let Some(now) = now {
            now.send_modify(|time| *time = time.saturating_add(by));
        }
    }

    /// Returns a future that completes after `duration`, counted from this call rather than from the first poll.
    pub(crate) fn pause(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match &self.kind {
            ClockKind::Real { .. } => Box::pin(tokio::time::sleep(duration)),
            ClockKind::Skipping { .. } => {
                self.advance(duration);
                Box::pin(std::future::ready(()))
            }
            ClockKind::Manual { now } => {
                let mut time = now.subscribe();
                let end = time.borrow().saturating_add(duration);
                let clock = Arc::clone(now);
                Box::pin(async move {
                    // Fails only if every sender is gone, and this future holds one.
                    let _ = time.wait_for(|now| *now >= end).await;
                    drop(clock);
                })
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            ClockKind::Real { .. } => "real",
            ClockKind::Manual { .. } => "manual",
            ClockKind::Skipping { .. } => "skipping",
        };
        f.debug_struct("Clock").field("kind", &kind).field("now", &self.now()).finish()
    }
}
