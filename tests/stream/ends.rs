//! The end of a message.

use std::{pin::pin, time::Duration};

use anthropic_messages::{AnthropicMessage, Error, ErrorKind, MessageCreateRequest, MessageResponse};
use anthropic_messages_testing::{At, Clock, Fault, Reply, Server};
use futures_util::future::poll_immediate;
use serde_json::{Value, json};

use crate::{
    read,
    stream::transcripts::{close, end, input, open, start, stop, text},
    stream_of, wire,
};

fn opened() -> Vec<Value> {
    vec![start(), open(0, json!({"type": "text", "text": ""})), text(0, "Hi")]
}

/// Everything but the last event.
fn told() -> String {
    let mut events = opened();
    events.extend([close(0), end("end_turn")]);
    wire(&events)
}

async fn outcome(wire: &str) -> Result<MessageResponse, Error> {
    let whole = read(stream_of([wire])).await.1;
    for length in [1, 7] {
        let cut = read(stream_of(wire.as_bytes().chunks(length))).await.1;
        assert_eq!(cut.as_ref().map_err(Error::kind), whole.as_ref().map_err(Error::kind), "in pieces of {length}");
    }
    whole
}

#[tokio::test]
async fn the_last_blank_line_may_be_missing() {
    let stop = wire(&[stop()]);
    for line_end in ["\n", "\r\n", "\r"] {
        let whole = (told() + &stop).replace('\n', line_end);
        for end in ["", line_end] {
            let cut = whole.strip_suffix(&line_end.repeat(2)).unwrap().to_owned() + end;
            let (events, message) = read(stream_of([&cut])).await;
            assert_eq!(message.unwrap().text(), "Hi", "{cut:?}");
            assert_eq!(events.len(), 6, "`message_stop` is handed on");
        }
    }
    let mut stream = stream_of([told() + stop.trim_end()]);
    stream.final_message().await.unwrap();
    assert!(stream.has_stopped());
}

#[tokio::test]
async fn another_event_without_its_blank_line_is_not_applied() {
    for last in
        ["event: message_stop\ndata:", "event: message_stop\ndata: ", "event: message_stop\n", "data: {", "data: {}"]
    {
        let error = outcome(&(told() + last)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete, "{last:?}");
        assert_eq!(error.partial_message().unwrap().text(), "Hi");
    }
    let delta = wire(&[text(0, " there")]);
    let error = outcome(&(wire(&opened()) + delta.trim_end())).await.unwrap_err();
    assert_eq!((error.kind(), error.partial_message().unwrap().text()), (ErrorKind::Incomplete, "Hi".to_owned()));
}

#[tokio::test]
async fn a_connection_that_breaks_after_message_stop_breaks_nothing() {
    let server = Server::start().unwrap();
    let mut events = opened();
    events.extend([close(0), end("end_turn"), stop()]);
    let length = wire(&events).len();
    let client = server.client_builder().max_retries(0).build().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 10);
    for (at, is_whole) in [(length - 2, true), (length - 1, true), (length, true), (length - 3, false)] {
        server.reply(Reply::events(&events).fault(Fault::reset(At::AfterByte(at))));
        let outcome = client.stream_message(&request).await.unwrap().final_message().await;
        assert_eq!(outcome.is_ok(), is_whole, "{at} of {length}");
    }
}

#[tokio::test]
async fn done_ends_a_message_with_a_stop_reason() {
    for done in ["data: [DONE]\n\n", "data: [DONE]\n", "data: [DONE]", "data:[DONE]\n\ndata: [DONE]\n\n"] {
        let (events, message) = read(stream_of([told() + done])).await;
        assert_eq!((events.len(), message.unwrap().text().as_str()), (5, "Hi"), "{done:?}");
        let error = outcome(&(wire(&opened()) + done)).await.unwrap_err();
        assert_eq!((error.kind(), error.partial_message().unwrap().text()), (ErrorKind::Incomplete, "Hi".to_owned()));
    }
    // An event of that name is none.
    assert!(outcome(&(told() + "event: note\ndata: [DONE]\n\n")).await.is_ok());
    assert_eq!(read(stream_of([told() + "event: note\ndata: [DONE]\n\n"])).await.0.len(), 6);
}

#[tokio::test]
async fn a_message_without_a_stop_reason_is_incomplete() {
    let mut events = opened();
    events.extend([close(0), stop()]);
    let error = outcome(&wire(&events)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!(error.to_string(), "stream ended without a stop reason");
    assert_eq!(error.partial_message().unwrap().text(), "Hi");
    // Of a whole answer the end is known.
    let server = Server::start().unwrap();
    server.reply(Reply::json(200, json!({"content": [{"type": "text", "text": "Hi"}]})));
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 10);
    let mut stream = server.client().unwrap().stream_message(&request).await.unwrap();
    assert_eq!(stream.final_message().await.unwrap().text(), "Hi");
}

#[tokio::test]
async fn a_block_that_the_stop_reason_cut_may_be_open() {
    let call = |index| open(index, json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}));
    for (reason, is_cut) in [
        ("max_tokens", true),
        ("model_context_window_exceeded", true),
        ("refusal", true),
        ("end_turn", false),
        ("tool_use", false),
        ("later_reason", false),
    ] {
        let mut events = opened();
        events.extend([call(1), input(1, "{\"city\": \"Par"), call(2), input(2, "{}"), end(reason)]);
        // By a clean end, and by `message_stop`.
        for (ended, kind) in [(vec![], ErrorKind::Incomplete), (vec![stop()], ErrorKind::Protocol)] {
            let all: Vec<Value> = events.iter().cloned().chain(ended).collect();
            let mut stream = stream_of([wire(&all)]);
            match stream.final_message().await {
                Ok(message) => {
                    assert!(is_cut, "{reason}");
                    assert_eq!(message.text(), "Hi");
                    let inputs: Vec<_> = message.tool_uses().map(|call| call.incomplete_input()).collect();
                    assert_eq!(inputs, [Some("{\"city\": \"Par".to_owned()), Some("{}".to_owned())]);
                    assert_eq!(stream.incomplete_inputs().count(), 2);
                    assert!(stream.tool_input(2).unwrap().is_err());
                }
                Err(error) => {
                    assert!(!is_cut, "{reason}: {error}");
                    assert_eq!(error.kind(), kind, "{reason}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_missing_block_is_an_error() {
    let events = [start(), open(1, json!({"type": "text", "text": ""})), close(1), end("max_tokens"), stop()];
    assert_eq!(outcome(&wire(&events)).await.unwrap_err().kind(), ErrorKind::Protocol);
    // Whatever a gateway says in between.
    let junk = wire(&events)
        .replace("event: message_stop", "data: ping\n\nevent: note\ndata: {\"a\":1}\n\nevent: message_stop");
    assert_eq!(outcome(&junk).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_repeated_start_is_ignored() {
    let mut again = start();
    again["message"]["usage"] = json!({"output_tokens": 99});
    let mut events = opened();
    events.insert(1, again.clone());
    events.extend([again, close(0), end("end_turn"), stop()]);
    let (seen, message) = read(stream_of([wire(&events)])).await;
    assert_eq!((seen.len(), message.unwrap().text().as_str()), (8, "Hi"));
    // Without an id nobody knows whether it is the same.
    let mut first = start();
    first["message"].as_object_mut().unwrap().remove("id");
    assert_eq!(outcome(&wire(&[first.clone(), first])).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn the_message_is_moved_out_once() {
    let whole = told() + &wire(&[stop()]);
    let mut stream = stream_of([&whole]);
    assert_eq!(stream.final_message().await.unwrap().text(), "Hi");
    assert_eq!(stream.message(), &crate::message(json!({})));
    let error = stream.final_message().await.unwrap_err();
    assert_eq!(error.to_string(), "the message was already moved out of the stream");
    assert!(error.partial_message().is_none());
}

#[test]
fn moving_the_message_out_copies_nothing() {
    let long = "x".repeat(1 << 20);
    let mut events = vec![start(), open(0, json!({"type": "text", "text": ""})), text(0, &long)];
    events.extend([close(0), end("end_turn"), stop()]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut stream = stream_of([wire(&events)]);
    runtime.block_on(async { while stream.next().await.is_some() {} });
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async { assert_eq!(stream.final_message().await.unwrap().text().len(), long.len()) });
    });
    // The text that is asked for is one copy.
    assert!(counted.bytes_total < (1 << 20) + 10_000, "{}", counted.bytes_total);
}

#[tokio::test]
async fn final_message_continues_after_its_future_was_dropped() {
    let clock = Clock::manual();
    let server = Server::builder().clock(clock.clone()).start().unwrap();
    let mut events = opened();
    events.extend([close(0), end("end_turn"), stop()]);
    server.reply(Reply::events(&events).paced(Duration::from_secs(1)));
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 10);
    let mut stream = server.client().unwrap().stream_message(&request).await.unwrap();
    for _ in 0..5 {
        server.until(|counts| counts.pausing == 1).await.unwrap();
        let given_up = poll_immediate(pin!(stream.final_message())).await;
        assert!(given_up.is_none());
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(stream.final_message().await.unwrap().text(), "Hi");
}
