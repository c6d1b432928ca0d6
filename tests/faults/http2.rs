//! Streams and connections that an HTTP/2 server resets.

use std::{
    io::Read as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{Client, ErrorKind, RetryStop, retry::RetryAmbiguous};
use bytes::Bytes;
use h2::{Reason, server};
use tokio::net::TcpListener;

use crate::{
    failing, request, said, support::bodies::message_body, support::raw::RawServer, support::timing::NoWaiting,
};

/// The server's handling of the first request. It answers all others.
#[derive(Clone, Copy)]
enum First {
    Answer,
    Reset(Reason),
    GoAway(Reason),
}

/// A server, and how many requests it has seen.
async fn serve(first: First) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut connection = server::handshake(socket).await.unwrap();
                while let Some(Ok((_request, mut respond))) = connection.accept().await {
                    match (first, seen.fetch_add(1, Ordering::SeqCst)) {
                        (First::Reset(reason), 0) => respond.send_reset(reason),
                        (First::GoAway(reason), 0) => connection.abrupt_shutdown(reason),
                        _ => {
                            let answer = http::Response::builder().header("content-type", "application/json");
                            let mut body = respond.send_response(answer.body(()).unwrap(), false).unwrap();
                            body.send_data(Bytes::from(message_body("Hi")), true).unwrap();
                        }
                    }
                }
            });
        }
    });
    (url, requests)
}

pub(crate) fn client(url: &str) -> Client {
    Client::builder().api_key("k").base_url(url).no_proxy().timing(NoWaiting::default()).http2(true).build().unwrap()
}

#[tokio::test]
async fn a_call_goes_over_http2() {
    let (url, requests) = serve(First::Answer).await;
    let client = client(&url);
    assert_eq!((said(&client).await, said(&client).await), ("Hi".to_owned(), "Hi".to_owned()));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_stream_that_was_refused_was_not_processed() {
    let (url, _) = serve(First::Reset(Reason::REFUSED_STREAM)).await;
    let client = client(&url).with_options(|o| o.retry_ambiguous(RetryAmbiguous::Never));
    assert_eq!(client.create_message(&request()).await.unwrap().attempts(), 2);

    let (url, _) = serve(First::Reset(Reason::REFUSED_STREAM)).await;
    let error = failing(&self::client(&url).with_options(|o| o.max_retries(0))).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Closed, 1));
    assert!(!error.may_have_been_processed());
}

#[tokio::test]
async fn a_stream_that_was_reset_may_have_been_processed() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
        let (url, requests) = serve(First::Reset(reason)).await;
        let error = failing(&client(&url).with_options(|o| o.retry_ambiguous(RetryAmbiguous::Never))).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Closed, 1), "{reason:?}");
        assert_eq!(error.retry_stop(), Some(RetryStop::Ambiguous));
        assert!(error.may_have_been_processed());
        assert_eq!(requests.load(Ordering::SeqCst), 1);

        let (url, _) = serve(First::Reset(reason)).await;
        assert_eq!(client(&url).create_message(&request()).await.unwrap().attempts(), 2);
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_is_counted_as_an_attempt() {
    for reason in [Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        let (url, requests) = serve(First::GoAway(reason)).await;
        let reply = client(&url).create_message(&request()).await.unwrap();
        assert_eq!((reply.attempts(), requests.load(Ordering::SeqCst)), (2, 2), "{reason:?}");
    }
}

/// In cleartext nothing negotiates the version. A server that speaks HTTP/1.1 is asked once, since it would answer the same
/// way again.
#[tokio::test]
async fn a_server_that_speaks_http_1_is_not_asked_again() {
    let answers = [
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n",
        "not HTTP at all",
    ];
    for answer in answers {
        let server = RawServer::start(move |connection| {
            let _ = connection.socket().read(&mut [0; 24]);
            connection.send(answer);
            connection.wait_for_close();
        });
        let error = failing(&client(&server.base_url())).await;
        assert_eq!((error.kind(), error.attempts(), server.connections()), (ErrorKind::Http, 1, 1), "{error:?}");
        assert_eq!(error.retry_stop(), Some(RetryStop::Permanent));
        assert!(error.to_string().starts_with("invalid HTTP response from 127.0.0.1:"), "{error}");
    }
}
