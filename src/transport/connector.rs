//! A layer around the HTTP client's connector: it tells an attempt whether its connection is new, and ends connecting when
//! the attempt's time is over.
//!
//! Both answers decide whether a request is sent again. A connection that closes on its first request says something about
//! the server; one that had been idle does not. An attempt that times out while it connects has sent nothing.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::time::{Instant, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static PROGRESS: Progress;
}

/// The progress of one attempt, as its connector sees it.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    deadline: Option<Instant>,
    connected: Arc<AtomicBool>,
}

impl Progress {
    /// `is_observed` is `false` for an HTTP client without [`ConnectorLayer`], whose connections all count as new.
    pub(super) fn new(deadline: Option<Instant>, is_observed: bool) -> Self {
        Self { deadline, connected: Arc::new(AtomicBool::new(!is_observed)) }
    }

    /// Runs an attempt. The HTTP client polls its connector from there.
    pub(super) fn observe<F: Future>(&self, attempt: F) -> impl Future<Output = F::Output> + use<F> {
        PROGRESS.scope(self.clone(), attempt)
    }

    /// Returns `true` if the attempt made a connection, or may have made one.
    pub(super) fn has_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }
}

/// The layer that an HTTP client needs for [`Progress`] to observe it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectorLayer;

/// The connector of the HTTP client, observed.
#[derive(Clone, Debug)]
pub(crate) struct ObservedConnector<S>(S);

impl<S> Layer<S> for ConnectorLayer {
    type Service = ObservedConnector<S>;

    fn layer(&self, connector: S) -> Self::Service {
        ObservedConnector(connector)
    }
}

impl<S, R> Service<R> for ObservedConnector<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let connecting = self.0.call(target);
        let Ok(progress) = PROGRESS.try_with(Progress::clone) else { return Box::pin(connecting) };
        progress.connected.store(true, Ordering::Relaxed);
        match progress.deadline {
            Some(deadline) => Box::pin(async move {
                timeout_at(deadline, connecting).await.unwrap_or_else(|_| Err(ConnectTimeout.into()))
            }),
            None => Box::pin(connecting),
        }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// The time of the attempt ended while it was connecting.
#[derive(Debug)]
pub(super) struct ConnectTimeout;

impl fmt::Display for ConnectTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time of the attempt ended")
    }
}

impl Error for ConnectTimeout {}
