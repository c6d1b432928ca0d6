//! A stream that ends after any byte and in any way: an incomplete message is an error.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anthropic_messages::{AnthropicMessage, Error, ErrorKind, MessageCreateRequest, MessageResponse};
use anthropic_messages_testing::{At, Fault, Framing, Reply, Server};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    read,
    stream::transcripts::{close, delta, end, input, open, start, stop, text},
    stream_of, wire,
};

fn events() -> Vec<Value> {
    vec![
        start(),
        open(0, json!({"type": "thinking", "thinking": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "sig"})),
        close(0),
        open(1, json!({"type": "text", "text": ""})),
        json!({"type": "ping"}),
        text(1, "Grüße, "),
        text(1, "world"),
        close(1),
        open(2, json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}})),
        input(2, "{\"a\":"),
        input(2, "1}"),
        close(2),
        end("tool_use"),
        stop(),
    ]
}

/// Checks the outcome of a stream cut after `at` bytes. `clean` is `true` if the body ends without an error.
fn judge(at: usize, clean: bool, whole: &MessageResponse, outcome: Result<MessageResponse, Error>) {
    let (length, told) = (wire(&events()).len(), wire(&events()[..15]).len());
    // The blank line after `message_stop` may be missing.
    let may_succeed = at >= length - 2 || (clean && at == told);
    match outcome {
        Ok(message) => {
            assert!(may_succeed, "cut at {at} of {length}: a silent success");
            assert_eq!(&message, whole, "cut at {at}");
        }
        Err(error) => {
            assert!(!may_succeed, "cut at {at} of {length}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::Incomplete, "cut at {at}");
            assert_eq!(error.partial_message().is_some(), at >= wire(&events()[..1]).len(), "cut at {at}");
            let partial = error.partial_message().cloned().unwrap_or_else(|| crate::message(json!({})));
            assert!(whole.text().starts_with(&partial.text()), "cut at {at}");
            let closed = at >= wire(&events()[..14]).len();
            for call in partial.tool_uses() {
                assert_eq!(call.incomplete_input().is_none(), closed, "cut at {at}");
            }
        }
    }
}

async fn whole() -> MessageResponse {
    read(stream_of([wire(&events())])).await.1.unwrap()
}

#[tokio::test]
async fn in_memory() {
    let (text, whole) = (wire(&events()), whole().await);
    for at in 0..=text.len() {
        judge(at, true, &whole, read(stream_of([&text.as_bytes()[..at]])).await.1);
    }
}

/// Cuts the stream of a server everywhere.
async fn cut(framing: Framing, fault: fn(At) -> Fault, clean: bool) {
    let at = Arc::new(AtomicUsize::new(0));
    let place = Arc::clone(&at);
    let reply = Reply::from_request(move |_| {
        let at = At::AfterByte(place.load(Ordering::SeqCst));
        Reply::events(events()).framed(framing).fault(fault(at))
    });
    let server = Server::builder().default_reply(reply).check_requests(false).start().unwrap();
    let client = server.client_builder().no_proxy().max_retries(0).build().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    let whole = whole().await;
    for cut in 0..=wire(&events()).len() {
        at.store(cut, Ordering::SeqCst);
        let outcome = async {
            match client.stream_message(&request).await {
                Ok(stream) => read(stream).await.1,
                Err(error) => panic!("cut at {cut}: the answer has begun: {error}"),
            }
        };
        let outcome = timeout(Duration::from_secs(20), outcome).await;
        judge(cut, clean, &whole, outcome.unwrap_or_else(|_| panic!("cut at {cut}: it hangs")));
    }
}

#[tokio::test]
async fn by_the_end_of_a_shorter_length() {
    cut(Framing::Length, Fault::end, true).await;
}

#[tokio::test]
async fn by_a_close_before_the_length() {
    cut(Framing::Length, Fault::close, false).await;
}

#[tokio::test]
async fn by_the_last_chunk() {
    cut(Framing::Chunked, Fault::end, true).await;
}

#[tokio::test]
async fn by_a_close_between_chunks() {
    cut(Framing::Chunked, Fault::close, false).await;
}

#[tokio::test]
async fn by_a_close_that_is_the_end() {
    cut(Framing::UntilClose, Fault::close, true).await;
}

#[tokio::test]
async fn a_clean_end_after_the_stop_reason_completes_the_message() {
    let mut stream = stream_of([wire(&events()[..15])]);
    assert!(stream.final_message().await.is_ok());
    assert!(!stream.has_stopped());
    let mut stream = stream_of([wire(&events())]);
    assert!(stream.final_message().await.is_ok());
    assert!(stream.has_stopped());
}

#[tokio::test]
async fn a_failed_stream_never_gives_its_message_as_whole() {
    let mut stream = stream_of([wire(&events()[..8])]);
    while let Some(Ok(_)) = stream.next().await {}
    let error = stream.final_message().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!(error.partial_message().unwrap().text(), "Grüße, ");
}
