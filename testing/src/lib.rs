//! A server for tests of code that uses [`anthropic_messages`]: real HTTP on the loopback interface, no key, no network, no
//! mock of the client.
//!
//! # A test
//!
//! The crate belongs among the dev-dependencies, so that nothing of it is in what you ship:
//!
//! ```toml
//! [dev-dependencies]
//! anthropic-messages-testing = "0.1"
//! ```
//!
//! [`Server`] is a real HTTP server on the loopback interface. Code under test
//! gets a client of it, and a test says what is answered:
//!
//! ```
//! use anthropic_messages_testing::{Matcher, Reply, Server};
//! use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
//!
//! /// What is tested.
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
//! A reply that was scripted and not fetched fails the test when the server is dropped; so does a
//! request beyond a [`times`](Expectation::times), and with
//! [`strict`](ServerBuilder::strict) every request that nothing is scripted for. Without
//! a script the server [echoes](Reply::echo).
//!
//! # It knows the contract
//!
//! Requests are checked against the contract that the crate was built from, and refused as the API
//! refuses them: a wrong path, a missing key, a body that breaks the schema. So a request that passes
//! here is one that the contract allows. Whether a reply is asked for whole or as a stream makes no
//! difference to the script.
//!
//! # What goes wrong
//!
//! A [`Fault`] breaks a reply at a byte or an event; [`Reply`]
//! has the API's errors, a gateway's page, and waits:
//!
//! ```
//! use anthropic_messages_testing::{Reply, Server};
//! use anthropic_messages::{AnthropicMessage, ErrorKind, MessageCreateRequest};
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
//! // Longer than a client waits by itself: it is the caller's to decide.
//! assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
//! assert_eq!(error.attempts(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Without waiting
//!
//! Identifiers follow from a seed. Pauses follow a [`Clock`]: a
//! [skipping](Clock::skipping) one jumps over them, a
//! [manual](Clock::manual) one stands until the test moves it. To wait for something
//! without sleeping, ask for the [counts](Counts): `server.until(|counts| …)` holds as
//! soon as, for example, the server has seen a connection close.
//!
//! The retries of the client wait in real time. A test that is not about them sets
//! [`max_retries(0)`](anthropic_messages::ClientBuilder::max_retries) or answers with
//! [`retry_after`](Reply::retry_after) of a millisecond.
//!
//! # Other ways
//!
//! - The server runs in a thread of its own, and works for a test without a runtime and for clients in
//!   other languages: `cargo run --example serve` runs it on a port.
//! - Code that reads streams needs no server: [`MessageStream::from_bytes`](anthropic_messages::MessageStream::from_bytes)
//!   reads a recording.
//! - Code that reads replies needs nothing at all: [`Json::parse`](anthropic_messages::Json::parse) and
//!   [`to`](anthropic_messages::Json::to) make any type from JSON.

mod body;
mod builder;
mod clock;
mod connection;
mod contract;
mod counts;
mod defaults;
mod delivery;
mod events;
mod fault;
mod fold;
mod identifiers;
mod matcher;
mod object;
mod render;
mod reply;
mod request;
mod sample;
mod script;
mod server;
mod service;

pub use builder::{ServerBuilder, StartError};
pub use clock::Clock;
pub use counts::{Counts, NotReached};
pub use delivery::{Chunking, Framing};
pub use fault::{At, Fault};
pub use matcher::Matcher;
pub use reply::Reply;
pub use request::ReceivedRequest;
pub use script::{Expectation, When};
pub use server::Server;
