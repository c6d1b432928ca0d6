//! The decoder of server-sent events: what streams mean, wherever their chunks end. The corpus, the
//! limits and the way back to text have files of their own.

#![cfg(test)]

use std::time::Duration;

use anthropic_messages::sse::{Decoder, Error, Event};

use self::support::reference::{self, Meaning};

mod support;
mod sse {
    pub(crate) mod corpus;
    mod limits;
    mod relay;
}

/// Feeds the chunks one by one, takes out all events in between, and ends the stream.
fn decode<'c>(decoder: &mut Decoder, chunks: impl IntoIterator<Item = &'c [u8]>) -> Result<Meaning, Error> {
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk);
        while let Some(event) = decoder.next_event() {
            let event = event?.into_owned();
            events.push((event.event.into_owned(), event.data.into_owned(), event.id.into_owned()));
        }
    }
    let retry = decoder.retry().map(|time| u64::try_from(time.as_millis()).unwrap());
    let last_event_id = decoder.last_event_id().to_owned();
    let _ = decoder.finish();
    Ok(Meaning { events, retry, last_event_id })
}

fn decode_whole(stream: &[u8]) -> Meaning {
    decode(&mut Decoder::default(), [stream]).unwrap()
}

/// Every way to cut a stream in two.
fn two_way_splits(stream: &[u8]) -> impl Iterator<Item = [&[u8]; 2]> {
    (0..=stream.len()).map(|at| stream.split_at(at).into())
}

/// Numbers that are the same on every run and every machine (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// Cuts a stream into pieces of random lengths, some of them empty.
    fn split<'s>(&mut self, mut stream: &'s [u8]) -> Vec<&'s [u8]> {
        let longest = [3, 12, 48, stream.len()][self.below(4)];
        let mut chunks = Vec::new();
        while !stream.is_empty() {
            let (chunk, rest) = stream.split_at(self.below(longest + 1).min(stream.len()));
            chunks.push(chunk);
            stream = rest;
        }
        chunks
    }
}

/// A stream of pieces that mean something to a decoder, in any order.
fn random_stream(numbers: &mut Numbers) -> Vec<u8> {
    const PIECES: [&[u8]; 32] = [
        b"data: x\n",
        b"event: e\n",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r",
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b": ",
        b" ",
        b"data:",
        b"id: 1",
        b"\0",
        b"\xEF\xBB\xBF",
        b"\xEF",
        b"\xBB",
        b"\xE2\x82\xAC",
        b"\xE2\x82",
        b"\xF0\x9F",
        b"\xFF",
        b"\xED\xA0\x80",
        b"d",
        b"dat",
        b"datas: y",
        b"7",
        b"99999999999999999999",
        b"retry: 12",
        b"id\n",
        b"{\"a\":1}",
    ];
    let count = numbers.below(24);
    let mut stream = Vec::new();
    for _ in 0..count {
        // Half of the pieces are of the first four, so that events come of them.
        let kinds = [4, PIECES.len()][numbers.below(2)];
        stream.extend_from_slice(PIECES[numbers.below(kinds)]);
    }
    stream
}

#[test]
fn random_streams_mean_what_the_standard_says() {
    let mut numbers = Numbers(7);
    let mut events = 0;
    for _ in 0..200_000 {
        let stream = random_stream(&mut numbers);
        let expected = reference::read(&stream);
        let chunks = numbers.split(&stream);
        assert_eq!(decode(&mut Decoder::default(), chunks.iter().copied()).unwrap(), expected, "{chunks:?}");
        assert_eq!(decode_whole(&stream), expected, "{:?}", stream.escape_ascii().to_string());
        events += expected.events.len();
    }
    assert!(events > 100_000, "only {events} events");
}

#[test]
fn an_event_that_ends_in_a_carriage_return_is_there_at_once() {
    let mut decoder = Decoder::default();
    decoder.feed(b"data: x\r\r");
    assert_eq!(decoder.next_event(), Some(Ok(Event::new("message", "x"))));
    decoder.feed(b"\n");
    assert_eq!(decoder.next_event(), None);
    decoder.feed(b"data: y\r\n\r");
    assert_eq!(decoder.next_event(), Some(Ok(Event::new("message", "y"))));
}

#[test]
fn malformed_text_has_one_replacement_for_each_maximal_part() {
    let cases: [(&[u8], &str); 6] = [
        (b"\xFFa", "\u{FFFD}a"),
        (b"\xE2\x82", "\u{FFFD}"),
        (b"\xE2\x82\xE2\x82\xAC", "\u{FFFD}\u{20AC}"),
        (b"\xF0\x9F\x98x", "\u{FFFD}x"),
        (b"\xED\xA0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        (b"\xC0\xAF", "\u{FFFD}\u{FFFD}"),
    ];
    for (bytes, expected) in cases {
        let stream = [b"event: ", bytes, b"\nid: ", bytes, b"\ndata: ", bytes, b"\n\n"].concat();
        for chunks in two_way_splits(&stream) {
            let meaning = decode(&mut Decoder::default(), chunks).unwrap();
            assert_eq!(meaning.events, [(expected.into(), expected.into(), expected.into())]);
        }
    }
}

#[test]
fn a_retry_beyond_all_numbers_is_the_longest_time() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.retry(), None);
    decoder.feed(b"retry: 0250\n");
    assert!(decoder.next_event().is_none());
    assert_eq!(decoder.retry(), Some(Duration::from_millis(250)));
    decoder.feed(b"retry: 99999999999999999999999\nretry: -1\nretry: 1.5\nretry:\nretry\n");
    assert!(decoder.next_event().is_none());
    assert_eq!(decoder.retry(), Some(Duration::from_millis(u64::MAX)));
}

#[test]
fn large_values_are_whole_wherever_chunks_end() {
    let value = |start: &str| format!("{start}{}", "0123456789".repeat(1000));
    let (event, id, data) = (value("event"), value("id"), value("data"));
    let stream = format!("event: {event}\nid: {id}\ndata: {data}\ndata: {data}\n\n");
    let expected = [(event, format!("{data}\n{data}"), id)];
    for length in [1, 100, 1023, 1024, 1025, 5000] {
        let meaning = decode(&mut Decoder::default(), stream.as_bytes().chunks(length)).unwrap();
        assert!(meaning.events == expected, "chunks of {length} bytes");
    }
}

#[test]
fn finish_reports_a_stream_that_ends_inside_an_event() {
    let unfinished = [
        "data: x",
        "data: x\n",
        "data: x\r",
        "d",
        "data",
        "data:",
        "event: ping\n",
        "event",
        "id: 1\n",
        "retry: 1",
        "data: x\n\ndata: y\n",
        "data: x\n: comment",
    ];
    let finished = [
        "",
        "data: x\n\n",
        "data: x\r\r",
        "data: x\r\n\r\n",
        ": comment",
        ": comment\n",
        "unknown: x",
        "unknown: x\n",
        "datas",
        "retry: 1\n",
        "event: ping\n\n",
        "id: 1\n\n",
        "\u{FEFF}",
        "\n\n\n",
    ];
    let expected = unfinished.map(|stream| (stream, true)).into_iter().chain(finished.map(|stream| (stream, false)));
    for (stream, is_unfinished) in expected {
        for chunks in two_way_splits(stream.as_bytes()) {
            let mut decoder = Decoder::default();
            for chunk in chunks {
                decoder.feed(chunk);
                while decoder.next_event().is_some() {}
            }
            assert_eq!(decoder.finish(), is_unfinished, "{stream:?}");
            assert!(!decoder.finish(), "{stream:?}, ended twice");
        }
    }
}

#[test]
fn bytes_that_were_never_asked_for_count_as_unfinished() {
    let mut decoder = Decoder::default();
    decoder.feed(b"data: x\n\ndata: y\n\n");
    assert!(decoder.next_event().is_some());
    assert!(decoder.finish());
    assert_eq!(decoder.next_event(), None);
}

#[test]
fn a_connection_made_anew_keeps_the_last_event_id_and_nothing_else() {
    let mut decoder = Decoder::default();
    decoder.feed(b"retry: 5\nid: 1\ndata: x\n\nid: 2\nevent: cut\ndata: cut");
    while decoder.next_event().is_some() {}
    assert!(decoder.finish());
    assert_eq!(decoder.last_event_id(), "1");
    assert_eq!(decoder.retry(), Some(Duration::from_millis(5)));
    let meaning = decode(&mut decoder, [&b"\xEF\xBB\xBFdata: y\n\n"[..]]).unwrap();
    assert_eq!(meaning.events, [("message".into(), "y".into(), "1".into())]);
}

#[test]
fn debug_of_the_decoder_omits_its_bytes() {
    fn is_send_and_sync<T: Send + Sync + 'static>(_: &T) {}
    let mut decoder = Decoder::new(1000);
    is_send_and_sync(&decoder);
    decoder.feed(b"data: secret\n");
    assert!(decoder.next_event().is_none());
    assert_eq!(format!("{decoder:?}"), "Decoder { max_event_bytes: 1000, .. }");
    assert_eq!(format!("{:?}", Decoder::default()), "Decoder { max_event_bytes: 33554432, .. }");
}
