//! Limits on the time that a stream takes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// The limits of one stream.
pub(super) struct Timers {
    /// The time between two reads.
    pub(super) idle: IdleTimer,
    /// The time between two events of the message.
    pub(super) event: Option<IdleTimer>,
    /// The time of the call as a whole: what is left of it, and all of it.
    pub(super) total: Option<(Pin<Box<Sleep>>, Duration)>,
}

/// Bounds how long something is waited for.
///
/// Only waiting counts: the time begins when the source is polled and has nothing.
pub(super) struct IdleTimer {
    limit: Duration,
    /// What is left of the limit when the next wait begins.
    left: Duration,
    timer: Pin<Box<Sleep>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Nobody waits.
    Off,
    Waiting,
    /// The limit has passed, and the connection gets another turn.
    LastTurn,
}

/// The least and the most that the last turn takes.
const LAST_TURN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl IdleTimer {
    /// Must be called inside a tokio runtime.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, left: limit, timer: Box::pin(sleep(Duration::ZERO)), state: State::Off }
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Sets another limit, for a wait that begins now.
    pub(super) fn restart(&mut self, limit: Duration) {
        self.limit = limit;
        self.reset();
    }

    /// Ends the wait: what was waited for has arrived.
    pub(super) fn reset(&mut self) {
        (self.state, self.left) = (State::Off, self.limit);
    }

    /// Stops the clock until the next wait: something else has arrived, and the consumer takes its time with it.
    pub(super) fn pause(&mut self) {
        if self.state == State::Waiting {
            let left = self.timer.deadline().saturating_duration_since(Instant::now());
            (self.state, self.left) = (State::Off, left);
        }
    }

    /// Ready when nothing has arrived within the limit. The source must have been polled just before.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            match self.state {
                State::Off => {
                    // A limit beyond the end of time is none.
                    let Some(end) = now.checked_add(self.left) else { return Poll::Pending };
                    self.timer.as_mut().reset(end);
                    self.state = State::Waiting;
                }
                State::Waiting => {
                    ready!(self.timer.as_mut().poll(context));
                    // A consumer that was elsewhere may have kept the task that reads the connection from running, and
                    // then bytes that arrived in time are not here yet. The longer it was away, the more is given.
                    let late = Instant::now().saturating_duration_since(self.timer.deadline());
                    let turn = late.clamp(LAST_TURN.0, LAST_TURN.1).min(self.limit);
                    self.timer.as_mut().reset(now.checked_add(turn).unwrap_or(now));
                    self.state = State::LastTurn;
                }
                State::LastTurn => return self.timer.as_mut().poll(context),
            }
        }
    }
}
