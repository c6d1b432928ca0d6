//! What happens to an answer after the transport has handed it on.

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use super::{AttemptError, CallSpan, Observer};
use crate::{
    error::ErrorKind,
    runtime::{Companion, OperationInfo, Reply, Unusable},
};

/// Tells span and observer of failures that show when an answer is read.
pub(crate) struct Watch {
    span: CallSpan,
    observer: Option<Arc<dyn Observer>>,
    operation: &'static str,
    attempt: u32,
    status: StatusCode,
    /// From the start of the call to its answer.
    elapsed: Duration,
}

impl Watch {
    pub(crate) fn new(
        span: CallSpan,
        observer: Option<Arc<dyn Observer>>,
        info: &OperationInfo,
        reply: &Reply,
    ) -> Self {
        Self {
            span,
            observer,
            operation: info.operation_id,
            attempt: reply.attempts(),
            status: reply.status(),
            elapsed: reply.elapsed(),
        }
    }

    /// The span of the call.
    pub(crate) fn span(&self) -> &CallSpan {
        &self.span
    }

    /// The answer could not be used, or its stream failed, so long after the start of the call.
    pub(crate) fn failed(&self, kind: ErrorKind, elapsed: Duration) {
        let error = AttemptError {
            operation: self.operation,
            attempt: self.attempt,
            kind,
            status: Some(self.status),
            description: description(kind),
            retry_in: None,
            elapsed,
        };
        self.span.failed(&error);
        if let Some(observer) = &self.observer {
            observer.error(&error);
        }
    }
}

impl Companion for Watch {
    fn unusable(&self, why: Unusable) {
        let kind = match why {
            Unusable::ContentType => ErrorKind::ContentType,
            Unusable::Status => ErrorKind::UnexpectedStatus,
            Unusable::Type => ErrorKind::Decode,
        };
        self.failed(kind, self.elapsed);
    }
}

/// A sentence of our own for each kind: the error's message may hold what a server said.
fn description(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BodyTooLarge => "the answer is longer than the client's limit",
        ErrorKind::ContentType => "the answer is of another content type than was asked for",
        ErrorKind::Decode => "the answer could not be read into its type",
        ErrorKind::Incomplete => "the stream ended before its message did",
        ErrorKind::Protocol => "the events of the stream make no message",
        ErrorKind::Stalled => "nothing came on the stream in time",
        ErrorKind::UnexpectedStatus => "the contract does not name the status of the answer",
        _ => "the API sent an error in the stream",
    }
}
