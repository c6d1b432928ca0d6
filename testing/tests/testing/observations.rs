//! Received requests, counts and clocks.

use std::time::Duration;

use anthropic_messages::{AnthropicMessage, MessageCreateRequest};
use anthropic_messages_testing::{At, Clock, Fault, Reply, Server};
use serde_json::{Value, json};

use crate::support::{answer, ask, ask_for_stream, exchange, http, open, post, post_with};

#[tokio::test]
async fn a_received_request_shows_everything_but_the_key() {
    let server = Server::start().unwrap();
    let url = format!("{}/messages?beta=true", server.base_url());
    let body = serde_json::to_vec(&ask("hello")).unwrap();
    let request = http().post(url).bearer_auth("canary-1").header("x-api-key", "canary-2").body(body.clone());
    assert_eq!(request.header("anthropic-beta", "a").send().await.unwrap().status(), 200);
    let received = server.last_request().unwrap();
    assert_eq!(received.number(), 1);
    assert_eq!(received.connection(), 1);
    assert_eq!(received.method(), "POST");
    assert_eq!(received.path(), "/v1/messages");
    assert_eq!(received.query(), Some("beta=true"));
    assert_eq!(received.uri(), "/v1/messages?beta=true");
    assert_eq!(received.version(), http::Version::HTTP_11);
    assert_eq!(received.header("authorization"), Some("Bearer [redacted]"));
    assert_eq!(received.header("x-api-key"), Some("[redacted]"));
    for (name, value) in [("Authorization", "Bearer canary-1"), ("x-api-key", "canary-2"), ("anthropic-beta", "a")] {
        assert!(received.has_header(name, value), "{name}");
        assert!(!received.has_header(name, "Bearer [redacted]") && !received.has_header(name, "[redacted]"));
    }
    assert!(!received.has_header("x-absent", ""));
    assert_eq!(received.headers()["anthropic-beta"], "a");
    assert_eq!(received.body(), body);
    assert_eq!(received.status(), Some(200));
    assert_eq!(received.model(), Some("claude-sonnet-5"));
    assert_eq!(received.last_user_text().as_deref(), Some("hello"));
    assert_eq!(received.pointer("/max_tokens"), Some(&json!(100)));
    assert!(!received.wants_stream());
    assert!(received.tool_results().is_empty());
    assert_eq!(received.message_request().unwrap().max_tokens, 100);
    assert_eq!(received.json::<Value>().unwrap(), ask("hello"));
    assert!(!format!("{received:?} {server:?}").contains("canary"));
}

#[tokio::test]
async fn refused_requests_are_received_too() {
    let server = Server::start().unwrap();
    assert_eq!(post(&server, &json!({})).await.status(), 400);
    assert_eq!(post(&server, &ask("hi")).await.status(), 200);
    let statuses: Vec<_> = server.requests().iter().map(|request| request.status()).collect();
    assert_eq!(statuses, [Some(400), Some(200)]);
    let received = server.requests();
    assert!(received[0].message_request().is_err());
}

#[tokio::test]
async fn requests_arrive_on_the_clock_of_the_server() {
    let server = Server::builder().clock(Clock::manual()).start().unwrap();
    answer(&server, &ask("a")).await;
    server.clock().advance(Duration::from_secs(90));
    answer(&server, &ask("b")).await;
    let times: Vec<Duration> = server.requests().iter().map(|request| request.arrived_at()).collect();
    assert_eq!(times, [Duration::ZERO, Duration::from_secs(90)]);
}

#[test]
#[should_panic(expected = "the real clock can't be advanced")]
fn the_real_clock_cannot_be_advanced() {
    Clock::real().advance(Duration::from_secs(1));
}

#[tokio::test]
async fn connections_are_counted_and_requests_have_the_number_of_theirs() {
    let server = Server::start().unwrap();
    let http = http();
    for _ in 0..2 {
        post_with(&http, &server, &ask("hi")).await.unwrap().bytes().await.unwrap();
    }
    post(&server, &ask("hi")).await.bytes().await.unwrap();
    let connections: Vec<usize> = server.requests().iter().map(|request| request.connection()).collect();
    assert_eq!(connections, [1, 1, 2], "the first client kept its connection");
    server.until(|counts| counts.closed_connections == 1).await.unwrap();
    assert_eq!((server.counts().connections, server.counts().open_connections()), (2, 1));
    drop(http);
    let counts = server.until(|counts| counts.open_connections() == 0).await.unwrap();
    assert_eq!((counts.requests, counts.answered, counts.abandoned, counts.in_flight), (3, 3, 0, 0));
}

#[tokio::test]
async fn a_dropped_stream_closes_its_connection() {
    let server = Server::builder().clock(Clock::manual()).start().unwrap();
    server.reply(Reply::text("never all of it").paced(Duration::from_secs(1)));
    let mut response = post(&server, &ask_for_stream("hi")).await;
    response.chunk().await.unwrap().unwrap();
    server.until(|counts| counts.pausing == 1).await.unwrap();
    assert_eq!(server.counts().in_flight, 1);
    drop(response);
    let counts = server.until(|counts| counts.closed_connections == 1).await.unwrap();
    assert_eq!((counts.abandoned, counts.in_flight, counts.pausing), (1, 0, 0));
}

#[tokio::test]
async fn an_abandoned_request_closes_its_connection() {
    let server = Server::builder().clock(Clock::manual()).start().unwrap();
    server.reply(Reply::text("late").delayed(Duration::from_secs(60)));
    let socket = open(&server, &ask("hi"));
    server.until(|counts| counts.pausing == 1).await.unwrap();
    drop(socket);
    let counts = server.until(|counts| counts.closed_connections == 1).await.unwrap();
    assert_eq!((counts.abandoned, counts.pausing), (1, 0));
}

#[tokio::test]
async fn a_condition_that_is_not_met_ends_the_wait() {
    let server = Server::builder().wait_limit(Duration::from_millis(20)).start().unwrap();
    let error = server.until(|counts| counts.requests == 1).await.unwrap_err();
    assert_eq!(error.counts().requests, 0);
    assert!(error.to_string().starts_with("condition not met within 20ms"), "{error}");
    assert!(server.blocking_until(|counts| counts.requests == 1).is_err());
}

#[tokio::test]
#[should_panic(expected = "the condition is broken")]
async fn a_panic_in_an_awaited_condition_fails_the_test() {
    let server = Server::start().unwrap();
    let _ = server.until(|_| panic!("the condition is broken")).await;
}

#[test]
#[should_panic(expected = "the condition is broken")]
fn a_panic_in_a_blocking_condition_fails_the_test() {
    let server = Server::start().unwrap();
    let _ = server.blocking_until(|_| panic!("the condition is broken"));
}

#[test]
fn a_server_works_without_a_runtime() {
    let server = Server::start().unwrap();
    assert!(exchange(&server, &ask("hi")).head().starts_with("HTTP/1.1 200 OK"));
    server.blocking_until(|counts| counts.answered == 1).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_servers_and_requests_do_not_affect_each_other() {
    let tasks: Vec<_> = (0..4)
        .map(|number| {
            tokio::spawn(async move {
                let server = Server::start().unwrap();
                server.reply(format!("server {number}")).times(8);
                let asked = ask("hi");
                let http = http();
                let calls = (0..8).map(|_| post_with(&http, &server, &asked));
                for call in calls {
                    let body: Value = call.await.unwrap().json().await.unwrap();
                    assert_eq!(body["content"][0]["text"], format!("server {number}"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn dropping_the_server_closes_its_connections() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("x").fault(Fault::stall(At::AfterEvent(1))));
    let mut response = post(&server, &ask_for_stream("hi")).await;
    response.chunk().await.unwrap().unwrap();
    let address = server.address();
    drop(server);
    assert!(response.chunk().await.is_err(), "the stream was cut");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_port_in_use_is_an_error_with_its_cause() {
    let server = Server::start().unwrap();
    let error = Server::builder().port(server.address().port()).start().unwrap_err();
    assert_eq!(error.to_string(), "failed to start the test server");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn the_client_of_the_server_is_ready() {
    let server = Server::builder().api_key("the-key").start().unwrap();
    server.reply("Hi");
    let client = server.client().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 64);
    assert_eq!(client.create_message(&request).await.unwrap().text(), "Hi");
    let received = server.last_request().unwrap();
    assert_eq!(received.message_request().unwrap(), request);
}
