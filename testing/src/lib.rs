//! A server for tests: real HTTP on the loopback interface, no key, no network.
//!
//! [`Server`] speaks the contract that the crate was built from. It checks paths, credentials and
//! bodies as the contract asks, answers in the API's own words, and is scripted where a test wants
//! more than its [defaults](Reply::echo): by [replies](Reply) in order or by [matcher](Matcher), as
//! JSON or as a stream, whole or with a [fault](Fault). It tells what it
//! [received](ReceivedRequest) and [counted](Counts).
//!
//! ```
//! use anthropic_messages::testing::{Matcher, Reply, Server};
//! use anthropic_messages::{AnthropicMessage, MessageCreateRequest};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start()?;
//! server.when(Matcher::last_user_text_contains("weather")).reply(Reply::text("Sunny."));
//!
//! let client = server.client()?;
//! let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("How is the weather?")], 100);
//! assert_eq!(client.create_message(&request).await?.text(), "Sunny.");
//! assert_eq!(server.requests().len(), 1);
//! # Ok(()) }
//! ```
//!
//! All that a server makes up is deterministic: identifiers follow from a seed, and pauses and
//! times from a [`Clock`].

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
