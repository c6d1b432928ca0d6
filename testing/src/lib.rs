//! A server for tests of code that uses [`anthropic_messages`].
//!
//! The server speaks real HTTP on the loopback interface, so tests exercise the whole client without a key, a network or a
//! mock. Add the crate as a dev-dependency:
//!
//! ```toml
//! [dev-dependencies]
//! anthropic-messages-testing = "0.1"
//! ```
//!
//! # Example
//!
//! The code under test gets a client of the [`Server`], and the test scripts the replies:
//!
//! ```
//! use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
//! use anthropic_messages_testing::{Matcher, Reply, Server};
//!
//! /// The code under test.
//! async fn summary(client: &Client, text: &str) -> anthropic_messages::Result<String> {
//!     let text = [AnthropicMessage::user(text)];
//!     let request = MessageCreateRequest::new("claude-sonnet-5", text, 200).system("Sum up in a sentence.");
//!     Ok(client.create_message(&request).await?.text())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start()?;
//! server.when(Matcher::last_user_text_contains("whale")).reply(Reply::text("A man hunts a whale."));
//!
//! assert_eq!(summary(&server.client()?, "… the whale …").await?, "A man hunts a whale.");
//! let request = server.last_request().unwrap().message_request()?;
//! assert_eq!(request.max_tokens, 200);
//! assert!(request.system.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! The test fails when the server is dropped if a scripted reply wasn't requested, if a rule received more requests than
//! its [`times`](Expectation::times) allows, or, with [`strict`](ServerBuilder::strict), if any request had no scripted
//! reply. Without a script, the server [echoes](Reply::echo).
//!
//! # Requests are checked
//!
//! The server checks each request against the contract the client was built from, and refuses it as the API does: an
//! unknown path, a missing key, or a body that doesn't match its schema. A script doesn't depend on whether the client
//! asks for a whole reply or for a stream: the server sends the form that the request asks for.
//!
//! # Failures
//!
//! A [`Fault`] breaks a reply at a byte or an event. [`Reply`] has constructors for API errors and gateway pages, and can
//! delay a reply:
//!
//! ```
//! use anthropic_messages::{AnthropicMessage, ErrorKind, MessageCreateRequest};
//! use anthropic_messages_testing::{Reply, Server};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start()?;
//! server.reply(Reply::rate_limited().retry_after(Duration::from_secs(120)));
//!
//! let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 100);
//! let error = server.client()?.create_message(&request).await.unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::RateLimit);
//! // The client doesn't wait this long by itself, so the caller decides.
//! assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
//! assert_eq!(error.attempts(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! Tests don't need to sleep. Identifiers follow from a seed. Pauses follow a [`Clock`]: [`Clock::skipping`] skips them,
//! and [`Clock::manual`] only moves when the test advances it. [`Server::until`] waits for a condition on the
//! [`Counts`], such as a closed connection.
//!
//! The client of [`Server::client`] retries without a backoff. It still waits for a [`retry_after`](Reply::retry_after).
//!
//! # Alternatives
//!
//! - The server runs on its own thread, so it works for tests without a runtime and for clients in other languages.
//!   `cargo run --example serve` runs it on a port.
//! - Code that reads streams can use a recording and
//!   [`MessageStream::from_bytes`](anthropic_messages::MessageStream::from_bytes) instead of a server.
//! - Code behind its own trait can return [`response`] and [`error`] from a mock, without a server.
//! - Code that reads replies can build any type from JSON with [`Json::parse`](anthropic_messages::Json::parse) and
//!   [`Json::decode`](anthropic_messages::Json::decode).

mod body;
mod clock;
mod connection;
mod contract;
mod counts;
mod defaults;
mod events;
mod fault;
mod form;
mod identifiers;
mod matcher;
mod mock;
mod object;
mod render;
mod reply;
mod request;
mod resources;
mod sample;
mod script;
mod server;
mod service;
mod wire;

pub use clock::Clock;
pub use counts::{Counts, WaitError};
pub use fault::{At, Fault};
pub use matcher::Matcher;
pub use mock::{error, response};
pub use reply::Reply;
pub use request::ReceivedRequest;
pub use script::{Expectation, When};
pub use server::{Server, ServerBuilder, StartError};
pub use wire::{Chunking, Framing};
