//! Clocks, randomness and delays, which tests can replace.

use std::{
    pin::Pin,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// The source of time and randomness for the transport.
///
/// Timeouts are tokio timers and not part of it: a test that skips the delays between attempts must not make timeouts
/// fire.
pub trait Timing: Send + Sync + 'static {
    /// Returns the time of the wall clock, to interpret dates that a server sends.
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Returns the time since a fixed point, from a clock that never jumps.
    fn monotonic(&self) -> Duration;

    /// Returns a random number from 0 up to, but not including, 1.
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
