//! The server and its builder.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{Location, resume_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use crate::clock::Clock;
use crate::connection;
use crate::contract::Contract;
use crate::counts::{Counters, Counts, WaitError};
use crate::identifiers::Identifiers;
use crate::matcher::Matcher;
use crate::reply::Reply;
use crate::request::ReceivedRequest;
use crate::resources::{BatchEnd, Resources};
use crate::script::{Expectation, Script, When, lock, report};
use crate::service::{Pacer, Service};
use anthropic_messages::{Client, ClientBuilder, RetryPolicy};

/// A server of the API on the loopback interface. The [crate documentation](crate) has examples.
///
/// Runs on its own thread, so it works in any test, with or without a runtime.
///
/// # Drop
///
/// Dropping the server closes its connections. It panics, to fail the test, if an expectation isn't met or a closure of
/// the script panicked, unless the test is already panicking.
#[derive(Debug)]
pub struct Server {
    pub(crate) service: Arc<Service>,
    pub(crate) address: SocketAddr,
    pub(crate) wait_limit: Duration,
    pub(crate) runtime: Handle,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server with the defaults of [`ServerBuilder`].
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::start`].
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Scripts the reply to the next request that no earlier rule matches.
    #[track_caller]
    pub fn reply(&self, reply: impl Into<Reply>) -> Expectation<'_> {
        self.service.script.add(Matcher::any(), reply.into(), Location::caller())
    }

    /// Scripts a reply to requests that match. If several rules match, the first one that isn't used up applies.
    #[track_caller]
    pub fn when(&self, matcher: Matcher) -> When<'_> {
        When { script: &self.service.script, matcher, location: Location::caller() }
    }

    /// Returns a client of this server that retries without a backoff.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn client(&self) -> anthropic_messages::Result<Client> {
        self.client_builder().build()
    }

    /// Returns a client builder with the address and the key of this server, and without a backoff between attempts.
    pub fn client_builder(&self) -> ClientBuilder {
        Client::builder()
            .api_key(self.service.api_key.as_deref().unwrap_or("test-key"))
            .base_url(self.base_url())
            .retry_policy(RetryPolicy::default().max_delay(Duration::ZERO))
    }

    /// Returns the base URL of the API, for example `http://127.0.0.1:49152/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the clock of the server.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.service.pacer.clock
    }

    /// Returns the requests received so far, in order, including refused ones.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.service.requests).clone()
    }

    /// Returns the last request received.
    #[must_use]
    pub fn last_request(&self) -> Option<ReceivedRequest> {
        lock(&self.service.requests).last().cloned()
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.service.pacer.counters.snapshot()
    }

    /// Waits until the counts satisfy a condition. Works on any runtime.
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
    ///
    /// Fails if that doesn't happen within [`ServerBuilder::wait_limit`].
    pub async fn until(&self, condition: impl FnMut(&Counts) -> bool + Send + 'static) -> Result<Counts, WaitError> {
        self.settled(self.runtime.spawn(self.reached(condition)).await)
    }

    /// Blocks until the counts satisfy a condition.
    ///
    /// # Errors
    ///
    /// As [`Server::until`].
    pub fn blocking_until(&self, condition: impl FnMut(&Counts) -> bool + Send + 'static) -> Result<Counts, WaitError> {
        let (sender, receiver) = mpsc::channel();
        let reached = self.runtime.spawn(self.reached(condition));
        self.runtime.spawn(async move { sender.send(reached.await) });
        match receiver.recv() {
            Ok(reached) => self.settled(reached),
            Err(_) => Err(self.not_reached()),
        }
    }

    /// Returns the failures so far and the unmet expectations. If there are any, dropping the server fails the test.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.service.script.problems()
    }

    /// Resumes a panic of the condition in the test.
    fn settled(&self, reached: Result<Result<Counts, WaitError>, JoinError>) -> Result<Counts, WaitError> {
        match reached {
            Ok(reached) => reached,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => Err(self.not_reached()),
        }
    }

    fn not_reached(&self) -> WaitError {
        WaitError { limit: self.wait_limit, counts: self.counts() }
    }

    fn reached(
        &self,
        condition: impl FnMut(&Counts) -> bool + Send + 'static,
    ) -> impl Future<Output = Result<Counts, WaitError>> + Send + 'static {
        let (counters, limit) = (self.service.pacer.counters.clone(), self.wait_limit);
        async move {
            let mut counts = counters.subscribe();
            match tokio::time::timeout(limit, counts.wait_for(condition)).await {
                Ok(Ok(counts)) => Ok(*counts),
                Ok(Err(_)) | Err(_) => Err(WaitError { limit, counts: counters.snapshot() }),
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

/// The settings of a [`Server`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct ServerBuilder {
    address: SocketAddr,
    api_key: Option<String>,
    default_reply: Reply,
    strict: bool,
    checks_requests: bool,
    seed: u64,
    clock: Option<Clock>,
    wait_limit: Duration,
    batch_end: BatchEnd,
    models: Vec<Value>,
    mistake: Option<String>,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: None,
            default_reply: Reply::echo(),
            strict: false,
            checks_requests: true,
            seed: 0,
            clock: None,
            wait_limit: Duration::from_secs(10),
            batch_end: BatchEnd::AfterPolls(1),
            models: Vec::new(),
            mistake: None,
        }
    }
}

impl ServerBuilder {
    /// Sets the port on the loopback interface. Defaults to 0, which picks any free port.
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Sets the only accepted key. Defaults to accepting any key that isn't empty.
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.api_key = Some(api_key.into());
        self
    }

    /// Sets the reply to requests without a scripted one. Defaults to [`Reply::echo`].
    pub fn default_reply(mut self, reply: impl Into<Reply>) -> Self {
        self.default_reply = reply.into();
        self
    }

    /// Sets whether a request without a scripted reply receives a 500 and fails the test. Defaults to `false`.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Sets whether the server checks the path, method, credential and body of requests. Defaults to `true`.
    ///
    /// If `false`, the server replies to any request, as a proxy does. [`Reply::echo`] still replies with a 404 or 405 to
    /// requests that the contract doesn't have.
    pub fn check_requests(mut self, check: bool) -> Self {
        self.checks_requests = check;
        self
    }

    /// Sets the seed of all identifiers. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the clock for pauses and arrival times. Defaults to [`Clock::real`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets the longest time that [`Server::until`] waits, in real time. Defaults to 10 seconds.
    pub fn wait_limit(mut self, limit: Duration) -> Self {
        self.wait_limit = limit;
        self
    }

    /// Ends a batch after this many `getBatch` requests that return an unfinished batch. Defaults to 1.
    ///
    /// The server replies to the requests of a batch when the batch ends, as if it had received each by itself, so that the
    /// script applies to them: see [`Matcher::custom_id`]. The results are in any order, which follows from the seed.
    pub fn batches_end_after_polls(mut self, polls: usize) -> Self {
        self.batch_end = BatchEnd::AfterPolls(polls);
        self
    }

    /// Ends a batch at this time after its creation, on the server's clock, instead of after a number of requests.
    pub fn batches_end_after(mut self, duration: Duration) -> Self {
        self.batch_end = BatchEnd::After(duration);
        self
    }

    /// Sets the models that the server lists, in order: anything that serializes to JSON objects like
    /// [`ModelInfo`](anthropic_messages::types). Defaults to five models. The id without its date is an alias of a model.
    pub fn models<M: Serialize>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        let models: Result<Vec<Value>, _> = models.into_iter().map(serde_json::to_value).collect();
        match models {
            Ok(models) => self.models = models,
            Err(error) => self.mistake = Some(format!("a model can't be serialized: {error}")),
        }
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// Fails if the port can't be opened or the client's contract can't be prepared.
    pub fn start(self) -> Result<Server, StartError> {
        let contract = Contract::embedded().map_err(StartError::Contract)?;
        let listener = TcpListener::bind(self.address).map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        listener.set_nonblocking(true).map_err(StartError::Listen)?;
        let pacer = Pacer { clock: self.clock.unwrap_or_else(Clock::real), counters: Counters::new() };
        let script = Script::default();
        if let Some(mistake) = self.mistake {
            script.fail(mistake);
        }
        let service = Arc::new(Service {
            contract,
            api_key: self.api_key,
            default_reply: self.default_reply,
            strict: self.strict,
            checks_requests: self.checks_requests,
            identifiers: Identifiers::new(self.seed),
            pacer,
            script,
            resources: Resources::new(self.batch_end, self.models),
            requests: Default::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let (started, start) = mpsc::channel();
        let shared = Arc::clone(&service);
        let thread = std::thread::Builder::new()
            .name("testing server".to_owned())
            .spawn(move || run(listener, shared, stopped, &started))
            .map_err(StartError::Listen)?;
        let runtime = start
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the server's thread ended at once")))
            .map_err(StartError::Listen)?;
        Ok(Server { service, address, wait_limit: self.wait_limit, runtime, stop: Some(stop), thread: Some(thread) })
    }
}

/// The error of a server that can't be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The port can't be opened, or the thread can't be spawned.
    Listen(io::Error),
    /// The contract that the client was built from can't be prepared, with the reason.
    Contract(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(_) => f.write_str("failed to start the test server"),
            Self::Contract(reason) => {
                write!(f, "failed to prepare the contract: {reason}")
            }
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen(error) => Some(error),
            Self::Contract(_) => None,
        }
    }
}

/// Runs the server's thread. Creates the runtime on it, because dropping a runtime inside another one panics.
pub(crate) fn run(
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
            // The client gave up, or the process is out of file descriptors and has to wait for one.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
