//! A client for code without `async`.
//!
//! [`Client`] wraps the asynchronous [`Client`](crate::Client) and waits for its calls on the current thread. It has a method
//! for each operation. [`call`](Client::call) waits for any other future of the asynchronous client, such as that of a tool
//! run, and [`iter`](Client::iter) turns its streams into iterators.
//!
//! ```no_run
//! use anthropic_messages::{AnthropicMessage, MessageCreateRequest, blocking::Client};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::from_env()?;
//! let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
//! println!("{}", client.create_message(&request)?.text());
//!
//! for event in client.stream_message(&request)? {
//!     print!("{}", event?.text_delta().unwrap_or_default());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Inside of a runtime
//!
//! Connections and timers run on a thread of their own, so the methods work inside of a tokio runtime as well. They block the
//! thread that calls them, which holds up other tasks: call them from `spawn_blocking`, or use the asynchronous client.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use futures_core::Stream;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::{
    client::RequestOptions,
    error::{Error, ErrorKind, Result},
    generated::{
        self,
        types::{MessageCreateRequest, MessageResponse},
    },
    response::Response,
    stream::MessageStream,
};

/// A client whose calls block the current thread. Cloning it is cheap; clones share the connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: generated::Client,
    runtime: Arc<RuntimeThread>,
}

impl Client {
    /// Creates a blocking client from an asynchronous one, and starts the thread for its connections.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Configuration`] if the thread can't be started.
    pub fn new(client: generated::Client) -> Result<Self> {
        let runtime = RuntimeThread::start().map_err(|error| {
            Error::new(ErrorKind::Configuration, "failed to start the thread of the blocking client").with_source(error)
        })?;
        Ok(Self { inner: client, runtime: Arc::new(runtime) })
    }

    /// Creates a client from environment variables, see [`ClientBuilder::from_env`](crate::ClientBuilder::from_env).
    ///
    /// # Errors
    /// Fails as [`Client::from_env`](crate::Client::from_env) and [`new`](Self::new) do.
    pub fn from_env() -> Result<Self> {
        Self::new(generated::Client::from_env()?)
    }

    /// Sends a conversation and returns the model's next turn, see [`Client::create_message`](crate::Client::create_message).
    ///
    /// # Errors
    /// Fails as the asynchronous method does.
    pub fn create_message(&self, request: &MessageCreateRequest) -> Result<Response<MessageResponse>> {
        self.call(|client| client.create_message(request))
    }

    /// Sends a conversation and returns the model's next turn as an iterator of events, see
    /// [`Client::stream_message`](crate::Client::stream_message).
    ///
    /// # Errors
    /// Fails as the asynchronous method does.
    pub fn stream_message(&self, request: &MessageCreateRequest) -> Result<Iter<MessageStream>> {
        Ok(self.iter(self.call(|client| client.stream_message(request))?))
    }

    /// Runs a future of the asynchronous client to its end.
    pub fn call<'a, F: Future>(&'a self, call: impl FnOnce(&'a generated::Client) -> F) -> F::Output {
        let future = call(&self.inner);
        self.runtime.block_on(future)
    }

    /// Turns a stream of the asynchronous client into an iterator.
    pub fn iter<S: Stream + Unpin>(&self, stream: S) -> Iter<S> {
        Iter { stream, runtime: Arc::clone(&self.runtime) }
    }

    /// Returns a client with other options, see [`Client::with_options`](crate::Client::with_options).
    #[must_use]
    pub fn with_options(&self, change: impl FnOnce(RequestOptions) -> RequestOptions) -> Self {
        Self { inner: self.inner.with_options(change), runtime: Arc::clone(&self.runtime) }
    }

    /// Returns the asynchronous client.
    #[must_use]
    pub fn get_ref(&self) -> &generated::Client {
        &self.inner
    }
}

/// The generated operations.
#[allow(
    clippy::all,
    clippy::pedantic,
    deprecated,
    reason = "whatever the contract, its code is not written for this project's lints"
)]
mod operations {
    #[allow(unused_imports, reason = "which of them a contract needs depends on its operations")]
    use super::Client;
    #[allow(unused_imports, reason = "which of them a contract needs depends on its operations")]
    use crate::{generated::types, transport::ByteStream};

    include!(concat!(env!("OUT_DIR"), "/blocking.rs"));
}

/// A stream as an iterator. `next` blocks the current thread until the next item arrives.
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is consumed"]
pub struct Iter<S> {
    stream: S,
    runtime: Arc<RuntimeThread>,
}

impl<S: Stream + Unpin> Iterator for Iter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let stream = &mut self.stream;
        self.runtime.block_on(poll_fn(|context| Pin::new(&mut *stream).poll_next(context)))
    }
}

impl<S> Iter<S> {
    /// Returns the stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl Iter<MessageStream> {
    /// Reads the rest of the stream and returns the complete message.
    ///
    /// # Errors
    /// Fails as [`MessageStream::final_message`] does: a stream that was cut off is an error with the partial message.
    pub fn final_message(&mut self) -> Result<MessageResponse> {
        let stream = &mut self.stream;
        self.runtime.block_on(stream.final_message())
    }
}

/// A thread that runs connections and timers until it is dropped.
#[derive(Debug)]
struct RuntimeThread {
    handle: Handle,
    /// The thread ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl RuntimeThread {
    fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        // On a separate thread: a runtime can't be entered or dropped inside another one.
        thread::Builder::new().name("anthropic-messages".to_owned()).spawn(move || {
            // The sender sends nothing. Its end is the error.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, _stop: stop })
    }

    /// Polls a future on the current thread. Its connections and timers run on the runtime's thread.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _guard = self.handle.enter();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
