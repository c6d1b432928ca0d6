//! The settings of a server, and how it starts.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::Clock;
use super::contract::Contract;
use super::counts::Counters;
use super::identifiers::Identifiers;
use super::reply::Reply;
use super::script::Script;
use super::server::{Server, run};
use super::service::{Pacer, Service};

/// A server to be.
#[derive(Clone, Debug)]
#[must_use = "a server to be does nothing until it is started"]
pub struct ServerBuilder {
    address: SocketAddr,
    api_key: Option<String>,
    default_reply: Reply,
    strict: bool,
    checks_requests: bool,
    seed: u64,
    clock: Option<Clock>,
    wait_limit: Duration,
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
        }
    }
}

impl ServerBuilder {
    /// Listens on this port of the loopback interface. Default: 0, any port that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Lets in only requests with this key. Default: any key that is not empty.
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.api_key = Some(api_key.into());
        self
    }

    /// Answers with this where nothing is scripted. Default: [`Reply::echo`].
    pub fn default_reply(mut self, reply: impl Into<Reply>) -> Self {
        self.default_reply = reply.into();
        self
    }

    /// Whether a request that nothing is scripted for fails the test, and is answered with a 500.
    /// Default: no.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Whether requests are checked as the API checks them: path, method, credential and body.
    /// Default: yes.
    ///
    /// Unchecked, the server answers whatever comes, as a proxy or a gateway does. Where nothing is
    /// scripted, the default reply answers; [`Reply::echo`] knows only what the contract names, and
    /// is a 404 or 405 for anything else.
    pub fn check_requests(mut self, check: bool) -> Self {
        self.checks_requests = check;
        self
    }

    /// The seed of all identifiers. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The clock of pacing and arrival times. Default: [`Clock::real`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The longest that [`Server::until`] waits, in real time. Default: 10 seconds.
    pub fn wait_limit(mut self, limit: Duration) -> Self {
        self.wait_limit = limit;
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    /// If the port can't be opened, or the contract that the crate was built from can't be checked
    /// against.
    pub fn start(self) -> Result<Server, StartError> {
        let contract = Contract::of_the_crate().map_err(StartError::Contract)?;
        let listener = TcpListener::bind(self.address).map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        listener.set_nonblocking(true).map_err(StartError::Listen)?;
        let pacer = Pacer { clock: self.clock.unwrap_or_else(Clock::real), counters: Counters::new() };
        let service = Arc::new(Service {
            contract,
            api_key: self.api_key,
            default_reply: self.default_reply,
            strict: self.strict,
            checks_requests: self.checks_requests,
            identifiers: Identifiers::new(self.seed),
            pacer,
            script: Script::default(),
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
            .unwrap_or_else(|_| Err(io::Error::other("the thread of the server ended at once")))
            .map_err(StartError::Listen)?;
        Ok(Server { service, address, wait_limit: self.wait_limit, runtime, stop: Some(stop), thread: Some(thread) })
    }
}

/// A server could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The port can't be opened, or the system refuses a thread.
    Listen(io::Error),
    /// The contract that the crate was built from can't be checked against; the sentence says why.
    Contract(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(_) => formatter.write_str("the test server could not listen"),
            Self::Contract(reason) => {
                write!(formatter, "the test server can't check requests: {reason}")
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
