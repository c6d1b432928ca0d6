//! The timeouts of a stream. The tests set the clocks of the client and the server.

use std::{pin::pin, time::Duration};

use anthropic_messages::{
    AnthropicMessage, Client, Error, ErrorKind, MessageCreateRequest, MessageStream, StreamEvent,
};
use anthropic_messages_testing::{At, Clock, Fault, Reply, Server};
use futures_util::future::poll_immediate;
use serde_json::json;

use crate::stream::transcripts::{end, start, stop};

const IDLE: Duration = Duration::from_secs(60);

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

/// A server that sends one event each second of its clock.
fn pacing(pings: usize) -> (Server, Clock) {
    let clock = Clock::manual();
    let server = Server::builder().clock(clock.clone()).start().unwrap();
    let mut events = vec![start()];
    events.extend((0..pings).map(|_| json!({"type": "ping"})));
    events.extend([end("end_turn"), stop()]);
    server.reply(Reply::events(events).paced(Duration::from_secs(1)));
    (server, clock)
}

fn client(server: &Server) -> Client {
    server.client_builder().no_proxy().idle_timeout(IDLE).build().unwrap()
}

/// Lets time pass on the client's clock at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Lets the server send its next event.
async fn let_send(server: &Server, clock: &Clock) {
    server.until(|counts| counts.pausing == 1).await.unwrap();
    clock.advance(Duration::from_secs(1));
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_an_error_and_is_closed() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("Hello, world").delta_length(5).fault(Fault::stall(At::AfterEvent(4))));
    let limit = Duration::from_millis(50);
    let client = server.client().unwrap().with_options(|o| o.idle_timeout(limit));
    let mut stream = client.stream_message(&request()).await.unwrap();
    for _ in 0..4 {
        stream.next().await.unwrap().unwrap();
    }
    let waiting = std::time::Instant::now();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(waiting.elapsed() >= limit);
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert!(error.to_string().starts_with("no data on the stream for 50ms"), "{error}");
    assert_eq!(error.partial_message().unwrap().text(), "Hello");
    assert_eq!((error.status().unwrap().as_u16(), error.attempts()), (200, 1));
    assert!(error.request_id().is_some() && error.may_have_been_processed());
    assert!(error.elapsed() >= limit, "{:?}", error.elapsed());
    assert!(stream.next().await.is_none());
    server.until(|counts| counts.abandoned == 1).await.unwrap();
}

#[tokio::test]
async fn pings_keep_a_stream_alive() {
    let (server, clock) = pacing(10);
    let mut stream = client(&server).stream_message(&request()).await.unwrap();
    assert!(matches!(stream.next().await, Some(Ok(StreamEvent::MessageStart(_)))));
    for _ in 0..10 {
        let mut next = pin!(stream.next());
        // In steps that meet every minute from the first wait on.
        for _ in 0..5 {
            assert!(poll_immediate(next.as_mut()).await.is_none());
            pass(IDLE / 6).await;
        }
        assert!(poll_immediate(next.as_mut()).await.is_none());
        let_send(&server, &clock).await;
        assert!(matches!(next.await, Some(Ok(StreamEvent::Ping(_)))));
    }
    for _ in 0..2 {
        let_send(&server, &clock).await;
        stream.next().await.unwrap().unwrap();
    }
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn time_that_the_consumer_spends_elsewhere_does_not_count() {
    let (server, clock) = pacing(3);
    let mut stream = client(&server).stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    // Between two events.
    pass(IDLE * 10).await;
    let_send(&server, &clock).await;
    stream.next().await.unwrap().unwrap();
    // Having asked once and left, while the next event comes.
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    let_send(&server, &clock).await;
    server.until(|counts| counts.pausing == 1).await.unwrap();
    pass(IDLE * 10).await;
    stream.next().await.unwrap().unwrap();
    // Having asked once and left, while nothing comes.
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    pass(IDLE * 10).await;
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    for _ in 0..3 {
        let_send(&server, &clock).await;
        stream.next().await.unwrap().unwrap();
    }
    assert!(stream.has_stopped());
}

#[tokio::test]
async fn a_reply_may_take_longer_than_any_limit_of_the_call() {
    let (server, clock) = pacing(30);
    let limit = Duration::from_secs(5);
    let builder = server.client_builder().no_proxy().idle_timeout(IDLE);
    let client = builder.timeout(limit).response_timeout(limit).build().unwrap();
    let mut stream = client.stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    for _ in 0..32 {
        let mut next = pin!(stream.next());
        assert!(poll_immediate(next.as_mut()).await.is_none());
        pass(Duration::from_secs(50)).await;
        let_send(&server, &clock).await;
        next.await.unwrap().unwrap();
    }
    assert!(stream.has_stopped());
}

#[tokio::test]
async fn a_limit_beyond_all_time_is_none() {
    let (server, clock) = pacing(0);
    let client = client(&server).with_options(|o| o.idle_timeout(Duration::MAX));
    let mut stream = client.stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    pass(Duration::from_secs(60 * 60 * 24 * 365)).await;
    for _ in 0..2 {
        let_send(&server, &clock).await;
        stream.next().await.unwrap().unwrap();
    }
    assert!(stream.final_message().await.is_ok());
}

/// Lets the client's clock run on its own whenever it waits.
async fn next_while_time_flies(stream: &mut MessageStream) -> (Option<Result<StreamEvent, Error>>, Duration) {
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let next = stream.next().await;
    let waited = started.elapsed();
    tokio::time::resume();
    (next, waited)
}

#[tokio::test]
async fn pings_do_not_count_as_events_of_the_message() {
    let (server, clock) = pacing(10);
    let client = client(&server).with_options(|o| o.idle_timeout(Duration::MAX).event_timeout(IDLE));
    let mut stream = client.stream_message(&request()).await.unwrap();
    assert!(matches!(stream.next().await, Some(Ok(StreamEvent::MessageStart(_)))));
    for _ in 0..3 {
        assert!(poll_immediate(pin!(stream.next())).await.is_none());
        pass(IDLE / 4).await;
        let_send(&server, &clock).await;
        assert!(matches!(stream.next().await, Some(Ok(StreamEvent::Ping(_)))));
    }
    let (next, waited) = next_while_time_flies(&mut stream).await;
    let error = next.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert!(error.to_string().starts_with("no event of the message for 60s"), "{error}");
    assert!(error.partial_message().is_some());
    assert!(waited < IDLE / 2, "the pings reset nothing: {waited:?}");
}

#[tokio::test]
async fn time_that_the_consumer_spends_with_a_ping_does_not_count() {
    let (server, clock) = pacing(3);
    let client = client(&server).with_options(|o| o.idle_timeout(Duration::MAX).event_timeout(IDLE));
    let mut stream = client.stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    for _ in 0..3 {
        assert!(poll_immediate(pin!(stream.next())).await.is_none());
        pass(IDLE / 5).await;
        let_send(&server, &clock).await;
        assert!(matches!(stream.next().await, Some(Ok(StreamEvent::Ping(_)))));
        pass(IDLE * 10).await;
    }
    // The waits between the pings count.
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    pass(IDLE / 5).await;
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    let (next, waited) = next_while_time_flies(&mut stream).await;
    assert_eq!(next.unwrap().unwrap_err().kind(), ErrorKind::Stalled);
    assert!(waited < IDLE / 2, "{waited:?}");
}

#[tokio::test]
async fn events_of_the_message_reset_their_limit() {
    let (server, clock) = pacing(0);
    let client = client(&server).with_options(|o| o.event_timeout(IDLE));
    let mut stream = client.stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    for _ in 0..2 {
        assert!(poll_immediate(pin!(stream.next())).await.is_none());
        pass(IDLE / 4 * 3).await;
        let_send(&server, &clock).await;
        stream.next().await.unwrap().unwrap();
    }
    assert!(stream.has_stopped());
}

#[tokio::test]
async fn only_a_stream_that_the_client_chose_has_a_limit_on_events_by_itself() {
    let long = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 100_000);
    for limit in [None, Some(Duration::from_secs(120)), Some(Duration::from_secs(6000))] {
        let (server, clock) = pacing(20);
        let client = client(&server).with_options(|o| {
            let o = o.idle_timeout(Duration::MAX);
            if let Some(limit) = limit { o.event_timeout(limit) } else { o }
        });
        let mut call = pin!(client.create_message(&long));
        for _ in 0..8 {
            tokio::select! {
                biased;
                outcome = call.as_mut() => panic!("it ended: {outcome:?}"),
                () = let_send(&server, &clock) => {}
            }
        }
        assert!(poll_immediate(call.as_mut()).await.is_none());
        tokio::time::pause();
        let started = tokio::time::Instant::now();
        let error = call.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stalled);
        let limit = limit.unwrap_or(Duration::from_secs(600));
        assert!(
            started.elapsed() <= limit + IDLE && started.elapsed() > limit / 2,
            "{limit:?}: {:?}",
            started.elapsed()
        );
        tokio::time::resume();
    }
    // The caller's own stream waits as long as there are pings.
    let (server, clock) = pacing(20);
    let mut stream = client(&server).stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    for _ in 0..20 {
        assert!(poll_immediate(pin!(stream.next())).await.is_none());
        pass(IDLE / 2).await;
        let_send(&server, &clock).await;
        assert!(matches!(stream.next().await, Some(Ok(StreamEvent::Ping(_)))));
    }
}

#[tokio::test]
async fn the_timeout_of_some_calls_bounds_their_streams_as_a_whole() {
    let (server, clock) = pacing(10);
    let client = client(&server).with_options(|o| o.timeout(Duration::from_secs(30)));
    let mut stream = client.stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    for _ in 0..3 {
        pass(Duration::from_secs(8)).await;
        let_send(&server, &clock).await;
        stream.next().await.unwrap().unwrap();
    }
    // Events that have already arrived are no longer returned, whoever took the time.
    let_send(&server, &clock).await;
    server.until(|counts| counts.pausing == 1).await.unwrap();
    pass(Duration::from_secs(8)).await;
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("timeout of 30s"), "{error}");
    assert!(error.partial_message().is_some() && error.may_have_been_processed());
    server.until(|counts| counts.abandoned == 1).await.unwrap();
}

#[tokio::test]
async fn silence_that_is_noticed_late_is_not_waited_for_again() {
    let (server, _clock) = pacing(0);
    let mut stream = client(&server).stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    pass(IDLE * 10).await;
    // The connection gets another turn, in case that it had none.
    assert!(poll_immediate(pin!(stream.next())).await.is_none());
    let (next, waited) = next_while_time_flies(&mut stream).await;
    assert_eq!(next.unwrap().unwrap_err().kind(), ErrorKind::Stalled);
    assert!(waited < IDLE / 4, "{waited:?}");
}

#[tokio::test]
async fn silence_is_noticed_by_a_consumer_that_asks_in_between() {
    let (server, _clock) = pacing(0);
    let mut stream = client(&server).stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let error = async {
        for asked in 0..20 {
            match poll_immediate(pin!(stream.next())).await {
                None => pass(IDLE / 8).await,
                Some(next) => return (asked, next.unwrap().unwrap_err()),
            }
        }
        panic!("asking restarts the limit");
    };
    let (asked, error) = error.await;
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert!((8..=10).contains(&asked), "{asked}");
}
