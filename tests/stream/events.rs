//! What one event is read as.

use anthropic_messages::{ErrorKind, StreamEvent, sse};
use serde_json::json;

use crate::{
    read, stream_of,
    transcripts::{self, close, end, open, start, stop, text},
    wire,
};

async fn only(wire: &str) -> StreamEvent {
    let (mut events, _) = read(stream_of([wire])).await;
    assert_eq!(events.len(), 1, "{wire}");
    events.remove(0)
}

#[tokio::test]
async fn the_type_in_the_data_decides() {
    let ping = only("event: message_stop\ndata: {\"type\": \"ping\"}\n\n").await;
    assert!(matches!(ping, StreamEvent::Ping(_)));
    assert!(matches!(only("data: {\"type\": \"ping\"}\n\n").await, StreamEvent::Ping(_)));
    assert!(matches!(only("data: {\"a\": {\"type\": \"b\"}, \"type\": \"ping\"}\n\n").await, StreamEvent::Ping(_)));
}

#[tokio::test]
async fn the_name_stands_in_for_a_type_that_is_missing() {
    for data in ["{}", "{ }", " {\n}"] {
        let data = data.replace('\n', "\ndata:");
        let event = only(&format!("event: ping\ndata: {data}\n\n")).await;
        assert!(matches!(event, StreamEvent::Ping(_)), "{data}");
    }
    let unnamed: String = transcripts::plain_text()
        .events
        .iter()
        .map(|event| {
            let mut data = event.clone();
            let name = data.as_object_mut().unwrap().remove("type").unwrap();
            format!("event: {}\ndata: {data}\n\n", name.as_str().unwrap())
        })
        .collect();
    let (_, message) = read(stream_of([unnamed])).await;
    assert_eq!(message.unwrap(), transcripts::plain_text().message);
}

#[tokio::test]
async fn an_event_without_data_is_what_its_name_says_or_nothing() {
    assert!(matches!(only("event: ping\ndata:\n\n").await, StreamEvent::Ping(_)));
    assert!(matches!(only("data:\n\nevent: ping\ndata:\n\ndata\n\n").await, StreamEvent::Ping(_)));
}

#[tokio::test]
async fn an_unknown_event_is_handed_on_as_it_was_sent() {
    let StreamEvent::Unknown(event) = only("data: {\"type\": \"note\",  \"n\": 1e400}\n\n").await else {
        panic!("it is not unknown")
    };
    assert_eq!(event.name(), "note");
    assert!(event.data().contains("1e400") && event.json().is_some());
}

#[tokio::test]
async fn an_event_that_can_t_be_read_is_an_error_with_its_number_and_place() {
    let cases = [
        (
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":5}}\n\n",
            "/delta/text",
            "content_block_delta",
        ),
        ("event: x\ndata: {\"type\":\"content_block_stop\",\"index\":\"0\"}\n\n", "/index", "x"),
        ("event: message_stop\ndata: [1]\n\n", "", "message_stop"),
        ("event: message_delta\ndata: text\n\n", "", "message_delta"),
        ("event: content_block_stop\ndata: {\"type\": 5, \"index\": 0}\n\n", "/type", "content_block_stop"),
        ("data: {\"type\":\"content_block_stop\",\n\n", "", "message"),
        (
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\"}}\n\n",
            "/content_block",
            "content_block_start",
        ),
    ];
    for (bad, pointer, name) in cases {
        let error = read(stream_of([wire(&[start(), json!({"type": "ping"})]), bad.to_owned()])).await.1.unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::Decode, Some(pointer)), "{bad}");
        assert_eq!(error.to_string(), format!("event 3 of the stream ({name}) could not be read"));
        assert!(std::error::Error::source(&error).is_some());
        assert!(error.partial_message().is_some());
        assert!(bad.contains(std::str::from_utf8(error.body()).unwrap()));
    }
}

#[tokio::test]
async fn an_error_event_is_the_error_that_it_tells() {
    let cases = [
        ("overloaded_error", ErrorKind::Overloaded),
        ("rate_limit_error", ErrorKind::RateLimit),
        ("api_error", ErrorKind::Server),
        ("invalid_request_error", ErrorKind::BadRequest),
    ];
    for (kind, expected) in cases {
        let failed = json!({"type": "error", "error": {"type": kind, "message": "Why."}, "request_id": "req_1"});
        let events = [start(), open(0, json!({"type": "text", "text": ""})), text(0, "so far"), failed.clone(), stop()];
        let (seen, outcome) = read(stream_of([wire(&events)])).await;
        let error = outcome.unwrap_err();
        assert_eq!((seen.len(), error.kind()), (3, expected));
        let api = error.api_error().unwrap();
        assert_eq!((api.error_type(), api.message()), (Some(kind), Some("Why.")));
        assert_eq!(error.request_id(), Some("req_1"));
        assert_eq!(error.partial_message().unwrap().text(), "so far");
    }
}

#[tokio::test]
async fn an_error_event_of_any_shape_is_an_error() {
    for (data, kind) in [
        ("{\"error\": {\"type\": \"overloaded_error\", \"message\": \"x\"}}", ErrorKind::Overloaded),
        ("{\"type\": \"error\"}", ErrorKind::Server),
        ("{\"type\": \"error\", \"error\": \"busy\"}", ErrorKind::Server),
        ("Overloaded", ErrorKind::Server),
        ("{\"type\": \"overloaded_error\", \"message\": \"x\"}", ErrorKind::Server),
        ("{\"type\": \"error\", \"error\": {\"type\": \"new_error\"}}", ErrorKind::Server),
    ] {
        let error = read(stream_of([format!("event: error\ndata: {data}\n\n")])).await.1.unwrap_err();
        assert_eq!(error.body(), data.as_bytes());
        assert!(error.partial_message().is_none());
        assert_eq!(error.kind(), kind, "{data}");
    }
}

#[tokio::test]
async fn a_relayed_stream_is_the_same_stream() {
    for transcript in transcripts::all() {
        let (events, _) = read(stream_of([wire(&transcript.events)])).await;
        let relayed: String = events.iter().map(|event| event.to_sse().unwrap().to_string()).collect();
        let (again, message) = read(stream_of([&relayed])).await;
        assert_eq!(again, events, "{}", transcript.name);
        assert_eq!(message.unwrap(), transcript.message);
        let names: Vec<String> = decoded(&relayed);
        let sent: Vec<&str> = transcript.events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(names, sent);
    }
}

fn decoded(text: &str) -> Vec<String> {
    let mut decoder = sse::Decoder::default();
    decoder.feed(text.as_bytes());
    let mut names = Vec::new();
    while let Some(event) = decoder.next_event() {
        names.push(event.unwrap().event.into_owned());
    }
    names
}

#[tokio::test]
async fn what_comes_after_the_message_is_not_read() {
    let events = [start(), end("end_turn"), stop()];
    let (seen, message) = read(stream_of([wire(&events), "data: [DONE]\n\n".to_owned()])).await;
    assert_eq!((seen.len(), message.unwrap().stop_reason.unwrap().as_str()), (3, "end_turn"));
}

#[tokio::test]
async fn the_text_comes_alone_where_it_is_asked_for() {
    let events = [
        start(),
        open(0, json!({"type": "thinking", "thinking": "hm"})),
        close(0),
        open(1, json!({"type": "text", "text": "Once "})),
        json!({"type": "ping"}),
        text(1, "upon"),
        text(1, ""),
        close(1),
        open(2, json!({"type": "text", "text": ""})),
        text(2, " a time"),
        close(2),
        end("end_turn"),
        stop(),
    ];
    let mut stream = stream_of([wire(&events)]);
    let mut pieces = Vec::new();
    let mut text = stream.text_stream();
    while let Some(piece) = text.next().await {
        pieces.push(piece.unwrap());
    }
    assert_eq!(pieces, ["Once ", "upon", " a time"]);
    assert_eq!(stream.final_message().await.unwrap().text(), "Once upon a time");

    let mut owned = stream_of([wire(&events[..6])]).into_text_stream();
    assert_eq!(owned.next().await.unwrap().unwrap(), "Once ");
    assert_eq!(owned.next().await.unwrap().unwrap(), "upon");
    assert_eq!(owned.next().await.unwrap().unwrap_err().kind(), ErrorKind::Incomplete);
    assert!(owned.next().await.is_none());
}
