//! Streams over HTTP/2, where all calls to a server share one connection.

use std::{future::poll_fn, sync::Arc, thread, time::Duration};

use anthropic_messages::{Client, ErrorKind, MessageStream, retry::RetryAmbiguous};
use anthropic_messages_testing::{At, Fault, Reply, Server};
use bytes::Bytes;
use h2::{SendStream, server};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    time::{Instant, timeout},
};

use crate::{
    builder, failing,
    faults::http2,
    faults::streams::{self, PATIENCE, read, reply},
    request,
};

/// The shortest stream that is a message.
const START: &str = "data: {\"type\":\"message_start\",\"message\":{\"role\":\"assistant\",\"content\":[]}}\n\n";
const END: &str = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
    \"usage\":{\"output_tokens\":1}}\n\ndata: {\"type\":\"message_stop\"}\n\n";

fn of(server: &Server) -> Client {
    server.client_builder().no_proxy().max_retries(0).http2(true).build().unwrap()
}

async fn open(client: &Client) -> MessageStream {
    timeout(PATIENCE, client.stream_message(&request())).await.expect("it hangs").unwrap()
}

/// Checks that a client still works, and has made `connections` connections in all.
async fn still_works(client: &Client, server: &Server, connections: usize) {
    server.reply(reply());
    assert_eq!(open(client).await.final_message().await.unwrap().text(), "one two three");
    assert_eq!(server.counts().connections, connections);
}

#[tokio::test]
async fn a_reset_of_the_stream_keeps_what_came_and_the_connection() {
    let server = streams::server();
    let client = of(&server);
    for count in 1..9 {
        server.reply(reply().fault(Fault::reset(At::AfterEvent(count))));
        let (seen, error) = read(&mut open(&client).await).await;
        let error = error.expect("a silent success");
        assert_eq!((seen, error.kind()), (count, ErrorKind::Incomplete));
        assert!(error.partial_message().is_some() && error.may_have_been_processed());
    }
    assert_eq!(server.requests().len(), 8, "none was tried again");
    still_works(&client, &server, 1).await;
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_is_no_success() {
    for (fault, clean) in [(Fault::end as fn(At) -> Fault, true), (Fault::close, false)] {
        // Each request is answered with one byte more than the one before it.
        let stream = Reply::raw(200, "text/event-stream", format!("{START}{END}"));
        let cut = Reply::from_request(move |request| stream.clone().fault(fault(At::AfterByte(request.number() - 1))));
        let server = Server::builder().default_reply(cut).start().unwrap();
        let client = of(&server);
        for at in 0..START.len() + END.len() {
            let mut stream = open(&client).await;
            match read(&mut stream).await.1 {
                Some(error) => assert_eq!(error.kind(), ErrorKind::Incomplete, "cut at {at}"),
                // The blank line behind `message_stop` may be missing.
                None => {
                    let is_stopped = at >= START.len() + END.len() - 2;
                    assert!(
                        is_stopped || clean && stream.message().stop_reason.is_some(),
                        "cut at {at}: a silent success"
                    );
                }
            }
        }
        still_works(&client, &server, 1).await;
    }
}

#[tokio::test]
async fn a_silent_stream_is_given_up_and_its_connection_is_not() {
    let server = streams::server();
    server.reply(reply().fault(Fault::stall(At::AfterEvent(3))));
    let client = of(&server).with_options(|o| o.idle_timeout(Duration::from_millis(200)));
    let (seen, error) = read(&mut open(&client).await).await;
    assert_eq!((seen, error.unwrap().kind()), (3, ErrorKind::Stalled));
    let counts = server.until(|counts| counts.abandoned == 1).await.unwrap();
    assert_eq!(counts.closed_connections, 0);
    still_works(&client, &server, 1).await;
}

#[tokio::test]
async fn dropping_a_stream_resets_it_and_leaves_its_connection() {
    for events in 0..8 {
        let server = streams::server();
        let client = of(&server);
        server.reply(reply().fault(Fault::stall(At::AfterEvent(events))));
        let mut stream = open(&client).await;
        for _ in 0..events {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        let counts = server.until(|counts| counts.abandoned == 1).await.unwrap();
        assert_eq!(counts.closed_connections, 0);
        still_works(&client, &server, 1).await;
    }
}

#[tokio::test]
async fn a_hundred_streams_at_once_share_one_connection() {
    let server = streams::server();
    let client = of(&server);
    server.reply(reply()).times(101);
    // The first makes the connection that the others share.
    open(&client).await.final_message().await.unwrap();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { open(&client).await.final_message().await.unwrap().text() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "one two three");
    }
    let counts = server.until(|counts| counts.in_flight == 0).await.unwrap();
    assert_eq!((counts.connections, counts.answered, counts.abandoned), (1, 101, 0));
}

/// A server that answers each request with a stream that has begun, and hands the rest of it over with
/// its number, from 0.
async fn serve(settings: server::Builder, answer: impl Fn(usize, SendStream<Bytes>) + Send + Sync + 'static) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut number = 0;
        while let Ok((socket, _)) = listener.accept().await {
            let mut connection = settings.handshake(socket).await.unwrap();
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                let head = http::Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
                // A call that was given up before it had a stream comes with its reset.
                let Ok(mut body) = respond.send_response(head, false) else { continue };
                body.send_data(Bytes::from(START), false).unwrap();
                answer(number, body);
                number += 1;
            }
        }
    });
    http2::client(&url).with_options(|o| o.max_retries(0))
}

/// Keeps a stream open for as long as the client wants it.
fn hold(mut body: SendStream<Bytes>) {
    tokio::spawn(async move { poll_fn(|context| body.poll_reset(context)).await });
}

fn end(mut body: SendStream<Bytes>) {
    body.send_data(Bytes::from(END), true).unwrap();
}

/// The number of bytes that a server can send over a connection before the client reads.
const CONNECTION_WINDOW: usize = 5 * 1024 * 1024;

/// The documented price of HTTP/2: `ClientBuilder::http2`.
#[tokio::test]
async fn streams_that_are_not_read_hold_their_siblings_up() {
    let (sent, mut filled) = watch::channel(0);
    let sent = Arc::new(sent);
    let client = serve(server::Builder::new(), move |number, mut body| {
        if number == 3 {
            return end(body);
        }
        let sent = Arc::clone(&sent);
        sent.send_modify(|sent| *sent += START.len());
        tokio::spawn(async move {
            body.reserve_capacity(CONNECTION_WINDOW);
            while let Some(Ok(capacity)) = poll_fn(|context| body.poll_capacity(context)).await {
                body.send_data(Bytes::from(vec![b':'; capacity]), false).unwrap();
                sent.send_modify(|sent| *sent += capacity);
                body.reserve_capacity(CONNECTION_WINDOW);
            }
        });
    })
    .await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        let mut stream = open(&client).await;
        stream.next().await.unwrap().unwrap();
        unread.push(stream);
    }
    let full = timeout(PATIENCE, filled.wait_for(|sent| *sent >= CONNECTION_WINDOW - 64 * 1024)).await;
    drop(full.expect("the window was not filled").unwrap());
    let mut sibling = open(&client).await;
    assert!(timeout(Duration::from_millis(300), sibling.final_message()).await.is_err(), "it was not held up");
    unread.pop();
    assert!(timeout(PATIENCE, sibling.final_message()).await.expect("it is still held up").is_ok());
}

#[tokio::test]
async fn streams_that_are_not_read_hold_nothing_up_over_http1() {
    let server = streams::server();
    server.reply(reply().fault(Fault::endless_line(At::AfterEvent(1)))).times(3);
    server.reply(reply());
    let client = builder(&server).build().unwrap();
    let mut unread = Vec::new();
    for _ in 0..3 {
        let mut stream = open(&client).await;
        stream.next().await.unwrap().unwrap();
        unread.push(stream);
    }
    let message = timeout(PATIENCE, open(&client).await.final_message()).await.expect("it is held up").unwrap();
    assert_eq!((message.text().as_str(), server.counts().connections), ("one two three", 4));
}

/// Versions of h2 below 0.4.19 close the connection in this case.
#[tokio::test]
async fn many_small_frames_that_are_not_read_do_not_end_the_connection() {
    const FRAMES: usize = 600;
    let client = serve(server::Builder::new(), |number, mut body| {
        if number == 0 {
            for _ in 0..FRAMES {
                body.send_data(Bytes::from_static(&[b':'; 99]), false).unwrap();
            }
            body.send_data(Bytes::from_static(b"\n\n"), false).unwrap();
        }
        end(body);
    })
    .await;
    let mut unread = open(&client).await;
    unread.next().await.unwrap().unwrap();
    for _ in 0..3 {
        assert!(open(&client).await.final_message().await.is_ok());
    }
    assert!(unread.final_message().await.is_ok());
}

#[tokio::test]
async fn a_call_that_waits_for_a_free_stream_runs_into_its_limit() {
    let mut settings = server::Builder::new();
    settings.max_concurrent_streams(2);
    let client = serve(settings, |number, body| if number < 2 { hold(body) } else { end(body) }).await;
    let mut held = vec![open(&client).await, open(&client).await];
    for stream in &mut held {
        stream.next().await.unwrap().unwrap();
    }
    let impatient = client.with_options(|o| o.response_timeout(Duration::from_millis(200)));
    let error = impatient.stream_message(&request()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
    assert!(error.to_string().ends_with("within 200ms"), "{error}");
    held.pop();
    assert!(open(&client).await.final_message().await.is_ok());
}

/// A server that answers one request and then neither reads nor writes, as behind a router that has
/// forgotten the connection. It goes silent on request, and ends with the test.
fn forgotten(rest: &'static str) -> (Client, oneshot::Sender<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (silence, silenced) = oneshot::channel::<()>();
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = server::handshake(tokio::net::TcpStream::from_std(socket).unwrap()).await.unwrap();
            let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
            let head = http::Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
            let mut body = respond.send_response(head, false).unwrap();
            body.send_data(Bytes::from(START), false).unwrap();
            if !rest.is_empty() {
                body.send_data(Bytes::from(rest), true).unwrap();
            }
            tokio::select! {
                _ = connection.accept() => {}
                _ = silenced => {}
            }
            // The connection is kept, and never looked at again.
            thread::park();
            drop((connection, body));
        });
    });
    (http2::client(&url).with_options(|o| o.retry_ambiguous(RetryAmbiguous::Never)), silence)
}

/// A ping after 20 s, which must be answered within 10 s.
const NOTICED: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_connection_that_died_under_a_stream_is_noticed() {
    let (client, silence) = forgotten("");
    let mut stream = open(&client).await;
    stream.next().await.unwrap().unwrap();
    silence.send(()).unwrap();
    // From now on, delays pass once the runtime is idle.
    tokio::time::pause();
    let begun = Instant::now();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.partial_message().is_some() && error.may_have_been_processed());
    assert!(begun.elapsed() <= NOTICED + Duration::from_secs(1), "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_that_died_before_a_call_is_noticed() {
    let (client, silence) = forgotten(END);
    open(&client).await.final_message().await.unwrap();
    silence.send(()).unwrap();
    tokio::time::pause();
    let begun = Instant::now();
    let error = failing(&client).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1), "{error:?}");
    assert!(error.to_string().starts_with("no response from ") && error.may_have_been_processed(), "{error}");
    assert!(begun.elapsed() <= NOTICED + Duration::from_secs(1), "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn empty_frames_without_number_end_the_stream_as_a_failure() {
    let client = serve(server::Builder::new(), |number, mut body| {
        if number == 0 {
            for _ in 0..200 {
                body.send_data(Bytes::new(), false).unwrap();
            }
        }
        end(body);
    })
    .await;
    let mut stream = open(&client).await;
    let (_, error) = read(&mut stream).await;
    let error = error.expect("the frames were taken");
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.may_have_been_processed());
    assert!(open(&client).await.final_message().await.is_ok(), "the next call makes a connection");
}
