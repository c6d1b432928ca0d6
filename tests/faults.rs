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
//! | 48, 59, 60 | `stream.rs` as well: a cut at every byte, events in every order, every cut of a tool's input |
//! | 54 to 58 | `sse.rs` and `memory.rs` as well |
//! | 64, 65, 67, 68 | streams over HTTP/2: not held here |
//! | 66 | module `http2`, with the feature of that name |
//! | 71 | a rule for callers: build the client after a fork |
//! | 74, 78, 79 | `secrets.rs` |
//! | 75, 76 | `client.rs`: keys and headers |
//! | 77 | `src/runtime/call/request.rs`: no operation of the contract has a path parameter |
//! | 80 | no operation of the contract names an address or a cursor |

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that can't go on fails"
)]

#[path = "faults/body.rs"]
mod body;
#[path = "faults/call.rs"]
mod call;
#[path = "faults/connect.rs"]
mod connect;
#[path = "faults/head.rs"]
mod head;
#[cfg(feature = "http2")]
#[path = "faults/http2.rs"]
mod http2;
#[path = "support/raw.rs"]
#[allow(dead_code)]
mod raw;
#[path = "faults/streams.rs"]
mod streams;
#[path = "support/timing.rs"]
mod timing;

use std::time::Duration;

use anthropic_messages::{AnthropicMessage, Client, ClientBuilder, Error, MessageCreateRequest};
use raw::RawServer;
use timing::NoWaiting;

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

/// A client of a server, whose waits between attempts pass at once, and that never hangs.
fn builder(server: &RawServer) -> ClientBuilder {
    let builder = Client::builder().api_key("k").base_url(server.url()).no_proxy();
    builder.timing(NoWaiting::default()).timeout(Duration::from_secs(20))
}

fn client(server: &RawServer) -> Client {
    builder(server).build().unwrap()
}

async fn failing(client: &Client) -> Error {
    client.create_message(&request()).await.unwrap_err()
}

async fn answered(bytes: impl Into<Vec<u8>>) -> Error {
    failing(&client(&RawServer::answering([bytes]))).await
}

async fn said(client: &Client) -> String {
    client.create_message(&request()).await.unwrap().text()
}
