//! Clocks, randomness and waiting: what a test replaces.

use std::{
    pin::Pin,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// Where the transport takes time and chance from.
///
/// The limits on connections, answers and calls are tokio timers and not part of it: a test that
/// lets waits between attempts pass at once must not let the limits pass.
pub trait Timing: Send + Sync + 'static {
    /// The wall clock, for dates that a server names.
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    /// A clock that never jumps, from any fixed point.
    fn monotonic(&self) -> Duration;

    /// A random number from 0 to below 1.
    fn random(&self) -> f64 {
        fastrand::f64()
    }

    /// Waits before the next attempt.
    fn sleep(&self, delay: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The system's clocks, and tokio's timer.
pub(crate) struct TokioTiming(Instant);

impl TokioTiming {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Timing for TokioTiming {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, delay: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(delay))
    }
}
