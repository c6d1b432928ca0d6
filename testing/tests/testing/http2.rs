//! The server over HTTP/2 with prior knowledge.

use anthropic_messages_testing::{At, Fault, Reply, Server};

use crate::support::{ask, ask_for_stream, events, plain, post_with};

fn http2() -> reqwest::Client {
    plain().http2_prior_knowledge().build().unwrap()
}

#[tokio::test]
async fn messages_and_streams_are_served_over_one_connection() {
    let server = Server::start().unwrap();
    let http = http2();
    let message = post_with(&http, &server, &ask("hi")).await.unwrap();
    assert_eq!(message.version(), reqwest::Version::HTTP_2);
    assert_eq!(server.last_request().unwrap().version(), http::Version::HTTP_2);
    assert!(message.text().await.unwrap().contains("\"text\":\"hi\""));
    let stream = post_with(&http, &server, &ask_for_stream("hi")).await.unwrap();
    assert_eq!(events(&stream.text().await.unwrap()).last().unwrap().0, "message_stop");
    assert_eq!(server.counts().connections, 1);
}

#[tokio::test]
async fn breaking_faults_reset_the_stream_and_not_the_connection() {
    let server = Server::start().unwrap();
    let http = http2();
    let at = At::AfterEvent(1);
    for fault in [Fault::reset(at), Fault::close(at), Fault::malformed_chunk(at)] {
        server.reply(Reply::text("x").fault(fault));
        let mut response = post_with(&http, &server, &ask_for_stream("hi")).await.unwrap();
        assert!(response.chunk().await.unwrap().unwrap().starts_with(b"event: message_start"));
        assert!(response.chunk().await.is_err());
    }
    server.reply(Reply::text("x").fault(Fault::reset(At::BeforeHeaders)));
    assert!(post_with(&http, &server, &ask("hi")).await.is_err());
    assert_eq!(post_with(&http, &server, &ask("hi")).await.unwrap().status(), 200);
    assert_eq!(server.counts().connections, 1);
}

#[tokio::test]
async fn a_dropped_stream_is_counted_while_its_connection_stays_open() {
    let server = Server::start().unwrap();
    let http = http2();
    server.reply(Reply::text("x").fault(Fault::stall(At::AfterEvent(1))));
    let mut response = post_with(&http, &server, &ask_for_stream("hi")).await.unwrap();
    response.chunk().await.unwrap().unwrap();
    drop(response);
    let counts = server.until(|counts| counts.abandoned == 1).await.unwrap();
    assert_eq!(counts.closed_connections, 0);
}
