//! Shared connections, runtimes and clients, and headers that are never sent.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anthropic_messages::{ErrorKind, Observer, observe};

use crate::{
    answered, builder, client, failing, said,
    support::answers::{answer, answering, api_error, message},
    support::bodies::message_body,
    support::raw::{RawServer, json},
};

#[tokio::test]
async fn a_connection_with_leftover_bytes_is_not_used_again() {
    let server = RawServer::start(|connection| {
        let number = connection.number;
        while connection.request().is_some() {
            let mut bytes = json(&message_body(&format!("connection {number}")));
            bytes.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
            connection.send(&bytes);
        }
    });
    let client = client(&server);
    assert_eq!(said(&client).await, "connection 0");
    assert_eq!(said(&client).await, "connection 1");
}

#[test]
fn a_client_outlives_its_runtime() {
    let server = answering([message("Hi")]);
    let client = client(&server);
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(said(&client)), "Hi");
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_share_a_client() {
    let server = answering([message("Hi")]);
    let client = client(&server);
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..4 {
                    assert_eq!(said(&client).await, "Hi");
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(server.requests().len(), 256);
    assert!(server.counts().connections < 256, "{} connections", server.counts().connections);
}

/// Panics on the first request it sees.
struct Panicking(Arc<AtomicUsize>);

impl Observer for Panicking {
    fn request(&self, _: &mut observe::Request<'_>) -> Result<(), observe::ObserverError> {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "the observer fails");
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_in_an_observer_is_the_callers_and_breaks_nothing() {
    let server = answering([api_error(529, "overloaded_error"), message("Hi")]);
    let client = builder(&server).observer(Panicking(Arc::default())).build().unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { said(&client).await }
    });
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!(said(&client).await, "Hi");
}

#[tokio::test]
async fn no_referer_is_sent() {
    let server = answering([message("Hi")]);
    let client = client(&server);
    said(&client).await;
    said(&client).await;
    assert!(server.requests().iter().all(|request| request.header("referer").is_none()));
}

#[tokio::test]
async fn cookies_are_not_kept() {
    let headers = [("content-type", "application/json"), ("set-cookie", "a=b; Path=/")];
    let server = answering([answer(200, &headers, message_body("Hi"))]);
    let client = client(&server);
    said(&client).await;
    said(&client).await;
    assert_eq!(server.requests().len(), 2);
    assert!(server.requests().iter().all(|request| request.header("cookie").is_none()));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_told_and_not_repeated() {
    let error = answered(api_error(413, "request_too_large")).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::RequestTooLarge, 1));
    assert!(!error.may_have_been_processed());
}

#[tokio::test]
async fn a_server_that_answers_before_it_has_read_the_request_is_heard() {
    let server = RawServer::start(|connection| {
        connection.head();
        connection.send("HTTP/1.1 413 Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large");
        connection.wait_for_close();
    });
    let mut large = crate::request();
    large.model = "x".repeat(4 * 1024 * 1024);
    let error = client(&server).create_message(&large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestTooLarge, "{error:?}");
}

#[tokio::test]
async fn a_failing_call_leaves_its_connection_usable() {
    let server = answering([api_error(400, "invalid_request_error"), message("Hi")]);
    let client = client(&server);
    assert_eq!(failing(&client).await.kind(), ErrorKind::BadRequest);
    assert_eq!(said(&client).await, "Hi");
    assert_eq!(server.counts().connections, 1);
}
