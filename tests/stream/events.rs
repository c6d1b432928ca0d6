//! Decoding single events.

use anthropic_messages::{ErrorKind, StreamEvent, sse};
use serde_json::{Value, json};

use crate::{
    read,
    stream::transcripts::{self, close, delta, end, input, open, start, stop, text, without_nulls},
    stream_of, wire,
};

async fn only(wire: &str) -> StreamEvent {
    let (mut events, outcome) = read(stream_of([wire])).await;
    assert_eq!(events.len(), 1, "{wire}: {outcome:?}");
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
async fn the_name_replaces_a_missing_type() {
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
async fn an_event_without_data_is_decoded_by_its_name() {
    assert!(matches!(only("event: ping\ndata:\n\n").await, StreamEvent::Ping(_)));
    assert!(matches!(only("data:\n\nevent: ping\ndata:\n\ndata\n\n").await, StreamEvent::Ping(_)));
}

#[tokio::test]
async fn an_unknown_event_is_yielded_unchanged() {
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
        let place = if pointer.is_empty() { String::new() } else { format!(" at `{pointer}`") };
        assert_eq!(error.to_string(), format!("failed to decode event 3 of the stream{place}: its name is `{name}`"));
        assert!(std::error::Error::source(&error).is_some());
        assert!(error.partial_message().is_some());
        assert!(bad.contains(std::str::from_utf8(error.body()).unwrap()));
    }
}

#[tokio::test]
async fn an_error_event_is_the_error_it_describes() {
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
        ("{\"type\": \"overloaded_error\", \"message\": \"x\"}", ErrorKind::Overloaded),
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
async fn bytes_after_the_message_are_not_read() {
    let events = [start(), end("end_turn"), stop()];
    let (seen, message) = read(stream_of([wire(&events), "data: [DONE]\n\n".to_owned()])).await;
    assert_eq!((seen.len(), message.unwrap().stop_reason.unwrap().as_str()), (3, "end_turn"));
}

#[tokio::test]
async fn a_text_stream_yields_only_text() {
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

#[tokio::test]
async fn pings_and_unknown_names_are_yielded_with_any_data() {
    let data =
        ["ping", "12:30:05", "{}", "7", "-1e3", "[1]", "null", "\"text\"", "{\"a\": 1}", "{\"type\": 5}", "{\"type\""];
    for data in data {
        for name in ["ping", "heartbeat", "note.later"] {
            let sent = format!("event: {name}\ndata: {data}\n\n");
            match only(&sent).await {
                StreamEvent::Ping(_) => assert_eq!(name, "ping", "{data}"),
                StreamEvent::Unknown(event) => {
                    assert_eq!((event.name(), event.data()), (name, data));
                    let json: Option<Value> = serde_json::from_str(data).ok();
                    assert_eq!(event.json().map(|json| json.decode::<Value>().unwrap()), json);
                    assert_eq!(StreamEvent::Unknown(event).to_sse().unwrap().to_string(), sent);
                }
                event => panic!("{sent}: {event:?}"),
            }
        }
        // Without a name, but for the beginning of an object, which may be any event.
        if data != "{\"type\"" {
            let StreamEvent::Unknown(event) = only(&format!("data: {data}\n\n")).await else { panic!("{data}") };
            assert_eq!((event.name(), event.data()), ("message", data));
        }
        // A name that is known.
        for name in ["message_start", "content_block_delta", "message_delta", "message_stop"] {
            if (name, data) == ("message_delta", "{}")
                || name == "message_stop" && data.starts_with("{\"a")
                || (name, data) == ("message_stop", "{}")
            {
                continue;
            }
            if name == "message_delta" && data.starts_with("{\"a") {
                continue;
            }
            let (events, outcome) =
                read(stream_of([wire(&[start()]), format!("event: {name}\ndata: {data}\n\n")])).await;
            assert_eq!((events.len(), outcome.unwrap_err().kind()), (1, ErrorKind::Decode), "{name} {data}");
        }
    }
}

/// Members that are repeated, and nesting deeper than anything that is read.
#[tokio::test]
async fn pings_and_unknown_events_may_be_objects_that_no_type_takes() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let members = [r#""a":1,"a":2"#.to_owned()]
        .into_iter()
        .chain([127, 128, 129, 255, 400].map(|levels| format!(r#""a":{}"#, deep(levels))));
    for members in members {
        for (kind, name) in [("later", ""), ("later", "later"), ("ping", ""), ("ping", "ping")] {
            let data = format!(r#"{{"type":"{kind}",{members}}}"#);
            let event = only(&format!("event: {name}\ndata: {data}\n\n")).await;
            let relayed = event.to_sse().unwrap();
            assert_eq!((&*relayed.event, &*relayed.data), (kind, &*data));
            match event {
                StreamEvent::Ping(_) => assert_eq!(kind, "ping"),
                StreamEvent::Unknown(event) => assert_eq!((event.name(), event.data()), ("later", &*data)),
                event => panic!("{data}: {event:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_null_text_at_the_start_of_a_block_is_replaced() {
    for (block, deltas, expected) in [
        (r#"{"type":"text","text":null,"citations":null}"#, vec![text(0, "Hi")], json!({"type": "text", "text": "Hi"})),
        (r#"{"type":"text","text":null}"#, vec![], json!({"type": "text", "text": ""})),
        (
            r#"{"type":"thinking","thinking":null,"signature":null}"#,
            vec![delta(0, json!({"type": "thinking_delta", "thinking": "hm"}))],
            json!({"type": "thinking", "thinking": "hm"}),
        ),
        (
            r#"{"type":"tool_use","id":"t","name":"n","input":null}"#,
            vec![input(0, "{\"a\":1}")],
            json!({"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}),
        ),
        (
            r#"{"input":null,"name":"web_search","id":"s","type":"server_tool_use"}"#,
            vec![],
            json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        ),
    ] {
        let opened = format!(r#"{{"type":"content_block_start","index":0,"content_block":{block},"later":1}}"#);
        let mut events = wire(&[start()]) + &format!("event: content_block_start\ndata: {opened}\n\n");
        events += &wire(&deltas);
        events += &wire(&[close(0), end("end_turn"), stop()]);
        let (seen, message) = read(stream_of([events])).await;
        assert_eq!(without_nulls(serde_json::to_value(message.unwrap()).unwrap())["content"][0], expected);
        assert_eq!(serde_json::to_value(&seen[1]).unwrap()["later"], 1, "the rest of the event is kept");
    }
}

#[tokio::test]
async fn an_error_without_a_name_is_an_error() {
    for data in [
        r#"{"error":{"message":"busy","type":"overloaded_error"}}"#,
        r#"{"error":"busy"}"#,
        r#"{"code":429,"error":{"message":"busy","type":"internal_server_error","code":"429"}}"#,
    ] {
        let (events, outcome) = read(stream_of([wire(&[start()]), format!("data: {data}\n\n")])).await;
        let error = outcome.unwrap_err();
        assert_eq!((events.len(), error.body()), (1, data.as_bytes()));
        assert_ne!(error.kind(), ErrorKind::Decode, "{data}");
    }
    for data in [r#"{"error":null}"#, r#"{"type":"note","error":"none"}"#] {
        assert!(matches!(only(&format!("data: {data}\n\n")).await, StreamEvent::Unknown(_)), "{data}");
    }
}

#[tokio::test]
async fn text_in_message_start_arrives_as_deltas() {
    let mut first = start();
    let content = json!([
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Once "},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}
    ]);
    first["message"]["content"] = content.clone();
    let events =
        [first, open(3, json!({"type": "text", "text": ""})), text(3, "upon"), close(3), end("end_turn"), stop()];
    let (seen, message) = read(stream_of([wire(&events)])).await;
    let deltas: Vec<Value> = seen
        .iter()
        .filter(|event| matches!(event, StreamEvent::ContentBlockDelta(_)))
        .map(|event| serde_json::to_value(event).unwrap()["delta"].clone())
        .collect();
    let expected = [
        json!({"type": "thinking_delta", "thinking": "hm"}),
        json!({"type": "signature_delta", "signature": "s"}),
        json!({"type": "text_delta", "text": "Once "}),
        json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"}),
        json!({"type": "text_delta", "text": "upon"}),
    ];
    assert_eq!(deltas, expected);
    let message = serde_json::to_value(message.unwrap()).unwrap();
    assert_eq!(message["content"].as_array().unwrap()[..3], *content.as_array().unwrap());
    assert_eq!(message["content"][3]["text"], "upon");
    let mut pieces = stream_of([wire(&events)]).into_text_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "Once ");
    assert_eq!(pieces.next().await.unwrap().unwrap(), "upon");
    assert!(pieces.next().await.is_none());
    // A start that is repeated begins nothing again.
    let again = [events[0].clone(), events[0].clone(), end("end_turn"), stop()];
    assert_eq!(read(stream_of([wire(&again)])).await.1.unwrap().content.unwrap().len(), 3);
}

#[tokio::test]
async fn an_error_is_passed_on_as_the_api_sent_it_or_by_its_kind() {
    let sent =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Why.","later":1e400},"request_id":"req_1"}"#;
    let error = read(stream_of([format!("event: error\ndata: {sent}\n\n")])).await.1.unwrap_err();
    assert_eq!(error.to_sse().to_string(), format!("event: error\ndata: {sent}\n\n"));
    let cut = read(stream_of([wire(&[start()])])).await.1.unwrap_err();
    let expected = json!({"type": "error", "error": {"type": "api_error", "message": "the reply ended before it was complete"}, "request_id": null});
    assert_eq!(serde_json::from_str::<Value>(&cut.to_sse().data).unwrap(), expected);
    // Whoever reads the relay has the same error.
    let relayed = read(stream_of([error.to_sse().to_string()])).await.1.unwrap_err();
    assert_eq!((relayed.kind(), relayed.request_id()), (error.kind(), error.request_id()));
}

#[test]
fn an_event_that_repeats_a_field_in_extra_can_t_be_written() {
    let event: StreamEvent = serde_json::from_value(close(0)).unwrap();
    let StreamEvent::ContentBlockStop(mut event) = event else { panic!("{event:?}") };
    event.extra.insert("index", 1);
    let error = StreamEvent::from(event).to_sse().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contract);
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("`index`"));
}
