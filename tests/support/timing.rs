//! A clock that advances when a delay is requested, and records the delays.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anthropic_messages::internal_for_tests::Timing;

/// Lets every wait between attempts pass at once.
#[derive(Clone, Default)]
pub struct NoWaiting(Arc<Mutex<Vec<Duration>>>);

impl NoWaiting {
    /// The waits that were asked for.
    pub fn waits(&self) -> Vec<Duration> {
        self.0.lock().unwrap().clone()
    }
}

impl Timing for NoWaiting {
    fn wall(&self) -> SystemTime {
        // Mon, 24 Nov 2025 00:00:00 GMT
        UNIX_EPOCH + Duration::from_secs(1_763_942_400)
    }

    fn monotonic(&self) -> Duration {
        self.waits().iter().sum()
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn sleep(&self, delay: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.lock().unwrap().push(delay);
        Box::pin(std::future::ready(()))
    }
}
