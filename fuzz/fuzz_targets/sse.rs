//! The decoder of server-sent events on any bytes, cut anywhere: it means what the standard followed
//! word by word means, bounded or not, relayed or not, in linear time.
//!
//! `cargo +nightly fuzz run sse -- -runs=10000000`

#![no_main]

use anthropic_messages::{internal_for_tests::steps, sse::Decoder};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

use self::reference::Meaning;

#[path = "../../tests/support/reference.rs"]
mod reference;

fuzz_target!(|input: &[u8]| {
    // The first bytes say where the rest is cut and how large an event may be.
    let Some((plan, stream)) = input.split_at_checked(4) else { return };
    let chunks = cut(stream, plan);
    let expected = reference::read(stream);

    let mut decoder = Decoder::default();
    let (meaning, text) = decode(&mut decoder, &chunks).expect("nothing is as large as the default bound");
    assert_eq!(meaning, expected, "in chunks");
    assert!(steps(&decoder) <= 6 * stream.len() as u64, "{} steps for {} bytes", steps(&decoder), stream.len());
    assert_eq!(decode(&mut Decoder::default(), &[stream]).map(|it| it.0), Ok(meaning), "whole");

    let (relayed, text_again) = decode(&mut Decoder::default(), &cut(text.as_bytes(), plan)).expect("as above");
    assert_eq!(relayed.events, expected.events, "relayed");
    assert_eq!(text_again, text, "relayed twice");

    let limit = usize::from(plan[0] % 32);
    let bounded = decode(&mut Decoder::new(limit), &chunks).map(|it| it.0);
    assert_eq!(bounded, decode(&mut Decoder::new(limit), &[stream]).map(|it| it.0), "bounded by {limit}");
    match bounded {
        Ok(meaning) => assert_eq!(meaning, expected, "bounded by {limit}"),
        Err(events) => assert!(expected.events.starts_with(&events), "bounded by {limit}"),
    }
});

/// Cuts a stream in pieces of these lengths, in turn, some of them empty.
fn cut<'s>(mut stream: &'s [u8], lengths: &[u8]) -> Vec<&'s [u8]> {
    let mut chunks = Vec::new();
    for length in lengths.iter().map(|length| usize::from(length % 24)).chain([1]).cycle() {
        if stream.is_empty() {
            break;
        }
        let (chunk, rest) = stream.split_at(length.min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}

/// Returns the meaning of the stream and its events as text, or the events before the error.
fn decode(decoder: &mut Decoder, chunks: &[&[u8]]) -> Result<(Meaning, String), Vec<(String, String, String)>> {
    let (mut events, mut text) = (Vec::new(), String::new());
    for (index, chunk) in chunks.iter().enumerate() {
        if index % 2 == 0 {
            decoder.feed(chunk);
        } else {
            decoder.feed_bytes(Bytes::copy_from_slice(chunk));
        }
        while let Some(event) = decoder.next_event() {
            let Ok(event) = event else {
                assert!(decoder.next_event().is_none() && decoder.finish());
                return Err(events);
            };
            text.push_str(&event.to_string());
            let event = event.into_owned();
            events.push((event.event.into_owned(), event.data.into_owned(), event.id.into_owned()));
        }
    }
    let retry = decoder.retry().map(|time| u64::try_from(time.as_millis()).expect("given as 64 bits"));
    let last_event_id = decoder.last_event_id().to_owned();
    Ok((Meaning { events, retry, last_event_id }, text))
}
