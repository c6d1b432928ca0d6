//! Writing events as text.

use std::fmt::Write as _;

use anthropic_messages::sse::{Decoder, Event};

use crate::{
    Numbers, decode_whole, random_stream,
    sse::corpus::{Case, corpus},
};

#[test]
fn a_relayed_stream_reads_the_same() {
    let relayed = |stream: &[u8]| {
        let (mut decoder, mut text) = (Decoder::default(), String::new());
        decoder.feed(stream);
        while let Some(event) = decoder.next_event() {
            write!(text, "{}", event.unwrap()).unwrap();
        }
        text
    };
    let mut numbers = Numbers(5);
    let random = (0..50_000).map(|_| random_stream(&mut numbers)).collect::<Vec<_>>();
    for stream in corpus().iter().map(Case::input).chain(random) {
        let text = relayed(&stream);
        assert_eq!(decode_whole(text.as_bytes()).events, decode_whole(&stream).events, "{text:?}");
        assert_eq!(relayed(text.as_bytes()), text);
    }
}

#[test]
fn a_plain_event_is_relayed_unchanged() {
    for text in [
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "data: a\ndata: b\ndata: \ndata:  c\n\n",
        "event: x\nid: 7\ndata: \n\n",
    ] {
        let mut decoder = Decoder::default();
        decoder.feed(text.as_bytes());
        assert_eq!(decoder.next_event().unwrap().unwrap().to_string(), text);
    }
}

#[test]
fn an_id_is_cleared_for_the_reader_of_a_relay_too() {
    let mut decoder = Decoder::default();
    decoder.feed(b"id: 1\ndata: a\n\nid\n\ndata: b\n\ndata: c\n\n");
    let mut texts = Vec::new();
    while let Some(event) = decoder.next_event() {
        texts.push(event.unwrap().to_string());
    }
    assert_eq!(texts, ["id: 1\ndata: a\n\n", "id: \ndata: b\n\n", "data: c\n\n"]);

    decoder.feed(b"id: 2\ndata: d\n\n");
    while decoder.next_event().is_some() {}
    assert!(!decoder.finish());
    decoder.feed(b"id\ndata: the connection was made anew\n\n");
    assert!(decoder.next_event().unwrap().unwrap().to_string().starts_with("id: \n"));
}

#[test]
fn an_event_made_by_hand_can_not_smuggle_in_another() {
    let mut event = Event::new("a\n\ndata: b", "c\rd\r\ne\nf\r");
    event.id = "1\0\r\ndata: g".into();
    let text = event.to_string();
    assert_eq!(text, "event: adata: b\nid: 1data: g\ndata: c\ndata: d\ndata: e\ndata: f\ndata: \n\n");
    assert_eq!(decode_whole(text.as_bytes()).events, [("adata: b".into(), "c\nd\ne\nf\n".into(), "1data: g".into())]);
}

#[test]
fn events_are_equal_when_type_data_and_id_are() {
    let event = Event::new("e", "d");
    assert_eq!(event, Event::new("e", "d").into_owned());
    assert_ne!(event, Event::new("f", "d"));
    assert_ne!(event, Event::new("e", "f"));
    let mut with_id = event.clone();
    with_id.id = "i".into();
    assert_ne!(event, with_id);
}

#[test]
fn an_event_outlives_the_decoder_when_it_owns_its_text() {
    let owned: Event<'static> = {
        let mut decoder = Decoder::default();
        decoder.feed(b"event: e\nid: i\ndata: d\n\n");
        decoder.next_event().unwrap().unwrap().into_owned()
    };
    assert_eq!((&*owned.event, &*owned.data, &*owned.id), ("e", "d", "i"));
}
