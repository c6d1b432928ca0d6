//! The server: started in a line, asked about what it saw, stopped on drop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{Location, resume_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::builder::{ServerBuilder, StartError};
use super::clock::Clock;
use super::connection;
use super::counts::{Counts, NotReached};
use super::matcher::Matcher;
use super::reply::Reply;
use super::request::ReceivedRequest;
use super::script::{Expectation, When, lock, report};
use super::service::Service;
use anthropic_messages::{Client, ClientBuilder};

/// A server on the loopback interface that speaks the contract; see the [module](super) for what it
/// does.
///
/// It runs in a thread of its own and works from any test, with or without a runtime. Dropping it
/// closes all its connections. If something that was scripted did not happen, or a closure of the
/// script panicked, dropping it fails the test: it panics, unless the test panics already.
#[derive(Debug)]
pub struct Server {
    pub(super) service: Arc<Service>,
    pub(super) address: SocketAddr,
    pub(super) wait_limit: Duration,
    pub(super) runtime: Handle,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server with the defaults of [`ServerBuilder`].
    ///
    /// # Errors
    /// If no port can be opened, or the contract that the crate was built from can't be checked
    /// against.
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Prepares a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Scripts the answer to the next request that no earlier rule answers.
    #[track_caller]
    pub fn reply(&self, reply: impl Into<Reply>) -> Expectation<'_> {
        self.service.script.add(Matcher::any(), reply.into(), Location::caller())
    }

    /// Scripts an answer to the requests that match. Of several rules that match, the one that was
    /// scripted first and is not used up answers.
    #[track_caller]
    pub fn when(&self, matcher: Matcher) -> When<'_> {
        When { script: &self.service.script, matcher, location: Location::caller() }
    }

    /// A client of this server.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn client(&self) -> anthropic_messages::Result<Client> {
        self.client_builder().build()
    }

    /// A client of this server to be, with its address and key set.
    pub fn client_builder(&self) -> ClientBuilder {
        Client::builder().api_key(self.service.api_key.as_deref().unwrap_or("test-key")).base_url(self.base_url())
    }

    /// The base URL of the API, for example `http://127.0.0.1:49152/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The clock that paces the replies.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.service.pacer.clock
    }

    /// The requests received so far, refused ones included, in their order.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.service.requests).clone()
    }

    /// The request received last.
    #[must_use]
    pub fn last_request(&self) -> Option<ReceivedRequest> {
        lock(&self.service.requests).last().cloned()
    }

    /// What the server has seen so far, as numbers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.service.pacer.counters.snapshot()
    }

    /// Waits until the counts satisfy a condition, on any runtime or none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = anthropic_messages_testing::Server::start()?;
    /// drop(std::net::TcpStream::connect(server.address())?);
    /// server.until(|counts| counts.closed_connections == 1).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If that does not happen within [`ServerBuilder::wait_limit`].
    pub async fn until(&self, condition: impl FnMut(&Counts) -> bool + Send + 'static) -> Result<Counts, NotReached> {
        self.settled(self.runtime.spawn(self.reached(condition)).await)
    }

    /// [`Server::until`] for a test that is not asynchronous.
    ///
    /// # Errors
    /// As [`Server::until`].
    pub fn blocking_until(
        &self,
        condition: impl FnMut(&Counts) -> bool + Send + 'static,
    ) -> Result<Counts, NotReached> {
        let (sender, receiver) = mpsc::channel();
        let reached = self.runtime.spawn(self.reached(condition));
        self.runtime.spawn(async move { sender.send(reached.await) });
        match receiver.recv() {
            Ok(reached) => self.settled(reached),
            Err(_) => Err(self.not_reached()),
        }
    }

    /// What went wrong so far or is still expected, a sentence each; not empty, it fails the test
    /// on drop.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.service.script.problems()
    }

    /// A panic of the condition goes on in the test that owns it.
    fn settled(&self, reached: Result<Result<Counts, NotReached>, JoinError>) -> Result<Counts, NotReached> {
        match reached {
            Ok(reached) => reached,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => Err(self.not_reached()),
        }
    }

    fn not_reached(&self) -> NotReached {
        NotReached { limit: self.wait_limit, counts: self.counts() }
    }

    fn reached(
        &self,
        condition: impl FnMut(&Counts) -> bool + Send + 'static,
    ) -> impl Future<Output = Result<Counts, NotReached>> + Send + 'static {
        let (counters, limit) = (self.service.pacer.counters.clone(), self.wait_limit);
        async move {
            let mut counts = counters.subscribe();
            match tokio::time::timeout(limit, counts.wait_for(condition)).await {
                Ok(Ok(counts)) => Ok(*counts),
                Ok(Err(_)) | Err(_) => Err(NotReached { limit, counts: counters.snapshot() }),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let stopped = self.thread.take().map(JoinHandle::join);
        if std::thread::panicking() {
            return;
        }
        let mut problems = self.problems();
        if let Some(Err(_)) = stopped {
            problems.push("the thread of the server panicked".to_owned());
        }
        assert!(problems.is_empty(), "{}", report(&problems, &self.requests()));
    }
}

/// The thread of a server. The runtime is made here because one that is dropped inside another
/// panics.
pub(super) fn run(
    listener: TcpListener,
    service: Arc<Service>,
    stopped: oneshot::Receiver<()>,
    started: &mpsc::Sender<io::Result<Handle>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error))),
    };
    runtime.block_on(async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return drop(started.send(Err(error))),
        };
        if started.send(Ok(Handle::current())).is_ok() {
            // Dropping the runtime drops every connection with it.
            tokio::select! {
                () = accept(&listener, &service) => {}
                _ = stopped => {}
            }
        }
    });
}

async fn accept(listener: &tokio::net::TcpListener, service: &Arc<Service>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let open = service.pacer.counters.open_connection();
                let number = service.pacer.counters.snapshot().connections;
                tokio::spawn(connection::serve(stream, Arc::clone(service), number, open));
            }
            // The client gave up, or the process has no handle left and must get one back first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
