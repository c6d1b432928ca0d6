//! Steps on their way from the run that makes them to the stream that hands them on.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use super::step::ToolStep;

/// Where a run shows its steps. There is room for one: the run waits until it is taken, so that it
/// is never ahead of who looks on. Without a looker-on, no step is made.
pub(super) struct Stage(Option<Slot>);

/// The place of the step that was shown and not yet taken.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<ToolStep>>>);

impl Stage {
    pub(super) fn dark() -> Self {
        Self(None)
    }

    pub(super) fn showing_in(slot: Slot) -> Self {
        Self(Some(slot))
    }

    /// Shows a step, and waits until it is taken.
    pub(super) async fn show(&self, step: impl FnOnce() -> ToolStep) {
        let Some(slot) = &self.0 else { return };
        slot.put(step());
        // Who takes the step polls the run again, so no waker has to be kept.
        poll_fn(|_| if slot.is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl Slot {
    pub(super) fn take(&self) -> Option<ToolStep> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, step: ToolStep) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}
