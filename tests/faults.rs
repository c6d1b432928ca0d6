//! What can go wrong between a client and a server, one row of the fault catalogue after the other.
//!
//! Rows that are held elsewhere, or not here, and why:
//!
//! | rows | where |
//! |---|---|
//! | 6 | `errors.rs`: a call outside of a runtime |
//! | 7 to 9 | `client.rs`: proxies (in processes of their own), clear text, the table of base URLs |
//! | 14, 16, 18 | `retry.rs`: statuses, header forms, clock jumps |
//! | 23 | no operation of the contract has a body that can be sent only once |
//! | 25, 26 | `client.rs`: redirects, with a second server that must see nothing |
//! | 33 | `errors.rs`: 9 bodies by 6 statuses |
//! | 36 | no content coding is asked for or decoded, so there is no bomb; row 36 here holds that |
//! | 48, 59 | `stream.rs` as well: a cut at every byte, events in every order |
//! | 54 to 56 | `sse.rs` and `memory.rs` as well |
//! | 57, 58 | `sse.rs`: time in steps, the corpus in every split |
//! | 60 | `stream.rs`: every cut of a tool's input |
//! | 47 to 49, 61 and 62 over HTTP/2, 64 to 68 | modules `http2` and `http2_streams`, with the feature `http2` |
//! | 71 | a rule for callers: build the client after a fork |
//! | 74, 78, 79 | `secrets.rs` |
//! | 75, 76 | `client.rs`: keys and headers |
//! | 77 | `src/runtime/call/request.rs`: no operation of the contract has a path parameter |
//! | 80 | no operation of the contract names an address or a cursor |

#![cfg(test)]

mod support;
mod faults {
    mod body;
    mod call;
    mod connect;
    mod head;
    #[cfg(feature = "http2")]
    pub(crate) mod http2;
    #[cfg(feature = "http2")]
    mod http2_streams;
    pub(crate) mod streams;
}

use std::time::Duration;

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{AnthropicMessage, Client, ClientBuilder, Error, MessageCreateRequest};
use anthropic_messages_testing::{Reply, Server};
use support::answers::answering;
use support::raw::RawServer;
use support::timing::NoWaiting;

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

/// A server that a client can call.
trait Listening {
    fn base_url(&self) -> String;
}

impl Listening for Server {
    fn base_url(&self) -> String {
        self.base_url()
    }
}

impl Listening for RawServer {
    fn base_url(&self) -> String {
        self.base_url()
    }
}

/// A client of a server, whose waits between attempts pass at once, and that never hangs.
fn builder(server: &impl Listening) -> ClientBuilder {
    let builder = Client::builder().api_key("k").base_url(server.base_url()).no_proxy();
    builder.timing(NoWaiting::default()).timeout(Duration::from_secs(20))
}

fn client(server: &impl Listening) -> Client {
    builder(server).build().unwrap()
}

async fn failing(client: &Client) -> Error {
    client.create_message(&request()).await.unwrap_err()
}

async fn answered(reply: Reply) -> Error {
    failing(&client(&answering([reply]))).await
}

async fn said(client: &Client) -> String {
    client.create_message(&request()).await.unwrap().text()
}
