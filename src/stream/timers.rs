//! The timeouts of a stream.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// The timers of one stream.
pub(super) struct Timers {
    /// Limits the time between two reads.
    pub(super) idle: IdleTimer,
    /// Limits the time between two events of the message.
    pub(super) event: Option<IdleTimer>,
    /// Limits the duration of the call as a whole: the remaining time, and the limit itself.
    pub(super) total: Option<(Pin<Box<Sleep>>, Duration)>,
}

/// Limits the time spent waiting for a source.
///
/// The clock runs only while the source has nothing to read. Time that the consumer spends between polls doesn't count.
pub(super) struct IdleTimer {
    limit: Duration,
    /// The time that remains when the next wait begins.
    remaining: Duration,
    timer: Pin<Box<Sleep>>,
    state: TimerState,
}

#[derive(Clone, Copy, PartialEq)]
enum TimerState {
    Stopped,
    Waiting,
    /// The limit has passed, and the source has a short time to deliver bytes that arrived before.
    Grace,
}

/// The bounds of the grace period.
const MIN_GRACE: Duration = Duration::from_millis(100);
const MAX_GRACE: Duration = Duration::from_secs(5);

impl IdleTimer {
    /// Creates a timer. Must be called within a tokio runtime.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, remaining: limit, timer: Box::pin(sleep(Duration::ZERO)), state: TimerState::Stopped }
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Sets another limit and resets the timer.
    pub(super) fn restart(&mut self, limit: Duration) {
        self.limit = limit;
        self.reset();
    }

    /// Resets the timer, because the source has delivered.
    pub(super) fn reset(&mut self) {
        (self.state, self.remaining) = (TimerState::Stopped, self.limit);
    }

    /// Stops the clock until the next wait, because the consumer is busy with something else that has arrived.
    pub(super) fn pause(&mut self) {
        if self.state == TimerState::Waiting {
            let remaining = self.timer.deadline().saturating_duration_since(Instant::now());
            (self.state, self.remaining) = (TimerState::Stopped, remaining);
        }
    }

    /// Is ready once nothing has arrived within the limit. The source must have been polled immediately before.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            match self.state {
                TimerState::Stopped => {
                    // An overflow means that there is no limit, as with `Duration::MAX`.
                    let Some(end) = now.checked_add(self.remaining) else { return Poll::Pending };
                    self.timer.as_mut().reset(end);
                    self.state = TimerState::Waiting;
                }
                TimerState::Waiting => {
                    ready!(self.timer.as_mut().poll(context));
                    // A consumer that was busy may have kept the task which reads the connection from running, so bytes
                    // that arrived in time may not be here yet. The grace period grows with the time it was busy.
                    let late = Instant::now().saturating_duration_since(self.timer.deadline());
                    let grace = late.clamp(MIN_GRACE, MAX_GRACE).min(self.limit);
                    self.timer.as_mut().reset(now.checked_add(grace).unwrap_or(now));
                    self.state = TimerState::Grace;
                }
                TimerState::Grace => return self.timer.as_mut().poll(context),
            }
        }
    }
}
