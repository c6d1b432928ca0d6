//! The clock of the server: pacing and arrival times, in real time or under a test's control.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The clock that a [`Server`](super::Server) paces its replies by and stamps requests with.
///
/// A clone shows the same time. Tokio's paused clock is of no use here: it runs ahead whenever its
/// runtime waits for a socket.
#[derive(Clone)]
pub struct Clock {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Real { start: Instant },
    Manual { now: Arc<watch::Sender<Duration>> },
    Skipping { now: Arc<watch::Sender<Duration>> },
}

impl Clock {
    /// The time of the machine. The default of a server.
    #[must_use]
    pub fn real() -> Self {
        Self { kind: Kind::Real { start: Instant::now() } }
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual() -> Self {
        Self { kind: Kind::Manual { now: Arc::new(watch::Sender::new(Duration::ZERO)) } }
    }

    /// A clock that jumps over every pause: a paced reply takes no real time, and the time that it
    /// would have taken shows in [`Clock::now`].
    #[must_use]
    pub fn skipping() -> Self {
        Self { kind: Kind::Skipping { now: Arc::new(watch::Sender::new(Duration::ZERO)) } }
    }

    /// The time since the clock was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.kind {
            Kind::Real { start } => start.elapsed(),
            Kind::Manual { now } | Kind::Skipping { now } => *now.borrow(),
        }
    }

    /// Moves a manual or skipping clock forward and wakes every pause that ends by then.
    ///
    /// To be sure that the server has begun the pause, wait for it first:
    /// `server.until(|counts| counts.pausing == 1)`.
    ///
    /// # Panics
    /// On the real clock, which nothing can move.
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        let now = match &self.kind {
            Kind::Real { .. } => None,
            Kind::Manual { now } | Kind::Skipping { now } => Some(now),
        };
        assert!(now.is_some(), "the real clock can't be advanced: start the server with Clock::manual()");
        if let Some(now) = now {
            now.send_modify(|time| *time = time.saturating_add(by));
        }
    }

    /// A pause of `duration` that counts from this call, not from the first poll.
    pub(crate) fn pause(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match &self.kind {
            Kind::Real { .. } => Box::pin(tokio::time::sleep(duration)),
            Kind::Skipping { .. } => {
                self.advance(duration);
                Box::pin(std::future::ready(()))
            }
            Kind::Manual { now } => {
                let mut time = now.subscribe();
                let end = time.borrow().saturating_add(duration);
                let clock = Arc::clone(now);
                Box::pin(async move {
                    // An error would mean that the sender is gone, and the future holds one itself.
                    let _ = time.wait_for(|now| *now >= end).await;
                    drop(clock);
                })
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Real { .. } => "real",
            Kind::Manual { .. } => "manual",
            Kind::Skipping { .. } => "skipping",
        };
        formatter.debug_struct("Clock").field("kind", &kind).field("now", &self.now()).finish()
    }
}
