//! The limits of the decoder: event size, memory and work.

use std::borrow::Cow;

use anthropic_messages::internal_for_tests::steps;
use anthropic_messages::sse::{Decoder, Event};
use bytes::Bytes;

use crate::{Numbers, decode, random_stream, two_way_splits};

#[test]
fn an_event_as_large_as_the_bound_passes_and_a_larger_one_is_an_error() {
    // Each holds 10 bytes: of data with the line feeds inside, of type, and of id.
    let largest = [
        "data: 0123456789\n",
        "event: 012\nid: 345\ndata: 6789\n",
        "data\ndata: 12345678\ndata\n",
        "event: 0123456789\nevent: 0123456789\ndata\n",
    ];
    for event in largest {
        let stream = format!("{event}: a comment counts nothing\nnor: this\nretry: 1234567890123\n\n");
        for chunks in two_way_splits(stream.as_bytes()) {
            assert_eq!(decode(&mut Decoder::new(10), chunks).unwrap().events.len(), 1, "{stream:?}");
            let error = decode(&mut Decoder::new(9), chunks).unwrap_err();
            assert_eq!(error.max_event_bytes(), 9);
            assert_eq!(error.to_string(), "server-sent event exceeds the limit of 9 bytes");
        }
    }
}

#[test]
fn after_the_error_there_is_nothing_until_the_stream_is_finished() {
    let mut decoder = Decoder::new(3);
    decoder.feed(b"data: abc\n\ndata: abcd");
    assert_eq!(decoder.next_event(), Some(Ok(Event::new("message", "abc"))));
    assert!(decoder.next_event().is_some_and(|event| event.is_err()));
    assert_eq!(decoder.next_event(), None);
    decoder.feed(b"\n\ndata: x\n\n");
    assert_eq!(decoder.next_event(), None);
    assert!(decoder.finish());
    decoder.feed(b"data: x\n\n");
    assert_eq!(decoder.next_event(), Some(Ok(Event::new("message", "x"))));
}

#[test]
fn the_bound_does_not_depend_on_where_chunks_end() {
    /// The events before the error, and whether there was one.
    fn bounded<'c>(limit: usize, chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<String>, bool) {
        let (mut decoder, mut data) = (Decoder::new(limit), Vec::new());
        for chunk in chunks {
            decoder.feed(chunk);
            while let Some(event) = decoder.next_event() {
                match event {
                    Ok(event) => data.push(event.data.into_owned()),
                    Err(_) => return (data, true),
                }
            }
        }
        (data, false)
    }
    let mut numbers = Numbers(11);
    let mut errors = 0;
    for _ in 0..100_000 {
        let stream = random_stream(&mut numbers);
        let limit = numbers.below(12);
        let whole = bounded(limit, [&stream[..]]);
        assert_eq!(bounded(limit, numbers.split(&stream)), whole, "{limit}, {:?}", stream.escape_ascii().to_string());
        errors += usize::from(whole.1);
    }
    assert!(errors > 10_000, "only {errors} errors");
}

#[test]
fn an_event_that_lies_whole_in_a_chunk_is_borrowed_from_it() {
    let chunk = Bytes::from_static(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n");
    let lies_in_chunk = |text: &Cow<'_, str>| chunk.as_ptr_range().contains(&text.as_ptr());
    let mut decoder = Decoder::default();
    let allocations = allocation_counter::measure(|| {
        for _ in 0..1000 {
            decoder.feed_bytes(chunk.clone());
            let event = decoder.next_event().unwrap().unwrap();
            assert!(lies_in_chunk(&event.event) && lies_in_chunk(&event.data));
            assert!(decoder.next_event().is_none());
        }
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn small_events_that_chunks_cut_share_their_buffers() {
    let stream = Bytes::from("event: ping\nid: 1\ndata: a\ndata: b\n\n".repeat(1000));
    let mut decoder = Decoder::default();
    let allocations = allocation_counter::measure(|| {
        for start in (0..stream.len()).step_by(5) {
            decoder.feed_bytes(stream.slice(start..(start + 5).min(stream.len())));
            while decoder.next_event().is_some() {}
        }
    });
    assert_eq!(decoder.last_event_id(), "1");
    assert!(allocations.count_total < 12, "{} allocations", allocations.count_total);
}

#[test]
fn a_chunk_is_freed_when_it_has_been_read() {
    for stream in ["data: x\n\n", "data: x\n\ndata: cut", "event: cut\n", ": cut", "id: cut"] {
        let chunk = Bytes::from(stream.to_owned());
        let mut decoder = Decoder::default();
        decoder.feed_bytes(chunk.clone());
        assert!(!chunk.is_unique());
        while decoder.next_event().is_some() {}
        assert!(chunk.is_unique(), "{stream:?}");
    }
}

#[test]
fn ignored_lines_take_no_memory() {
    for line in [": a comment that never ends ", "unknown: and so is this ", "id: \0 and this ", "retry: 00000000 "] {
        let chunk = Bytes::from(line.repeat(1000));
        let mut decoder = Decoder::new(100);
        let memory = allocation_counter::measure(|| {
            for _ in 0..1000 {
                decoder.feed_bytes(chunk.clone());
                assert!(decoder.next_event().is_none());
            }
        });
        assert!(memory.bytes_max < 200, "{line:?} took {} bytes", memory.bytes_max);
    }
}

#[test]
fn the_memory_of_a_large_event_is_freed() {
    let value = "x".repeat(100_000);
    let stream = format!("event: {value}\nid: {value}\nid: 1\ndata: {value}\ndata: {value}\n\n");
    let memory = allocation_counter::measure(|| {
        let mut decoder = Decoder::default();
        let during = allocation_counter::measure(|| {
            for chunk in stream.as_bytes().chunks(1000) {
                decoder.feed(chunk);
                while decoder.next_event().is_some() {}
            }
        });
        assert!(during.bytes_max > 300_000);
        assert!(during.bytes_current < 3000, "{} bytes are kept", during.bytes_current);
    });
    assert_eq!(memory.bytes_current, 0);
}

#[test]
fn twice_the_bytes_take_twice_the_work() {
    const SIZE: usize = 60_000;
    for ((name, once), (_, twice)) in worst_cases(SIZE).into_iter().zip(worst_cases(2 * SIZE)) {
        for chunk_length in [1, 7, 1000, usize::MAX] {
            let ((steps, bytes), (more_steps, more_bytes)) = (work(&once, chunk_length), work(&twice, chunk_length));
            let what = format!("{name}, {chunk_length} bytes a chunk");
            assert!(2 * more_steps <= 5 * steps, "{what}: {steps} steps became {more_steps}");
            assert!(2 * more_bytes <= 5 * bytes, "{what}: {bytes} allocated bytes became {more_bytes}");
            assert!(steps <= 6 * once.len() as u64, "{what}: {steps} steps for {} bytes", once.len());
            assert!(2 * steps >= once.len() as u64, "{what}: {steps} steps can't be all");
        }
    }
}

/// Streams that make a careless decoder slow, of about the given number of bytes.
fn worst_cases(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let times = |piece: &str| piece.repeat(size / piece.len()).into_bytes();
    let after = |start: &str, piece: &str| [start.as_bytes(), &times(piece), b"\n\n"].concat();
    vec![
        ("one endless data line", after("data: ", "x")),
        ("one endless data line without end", [b"data: ", &times("x")[..]].concat()),
        ("one endless comment", after(": ", "x")),
        ("one endless unknown line", after("x", "x")),
        ("one endless id", after("data\nid: ", "x")),
        ("one endless event type", after("data\nevent: ", "x")),
        ("one endless retry", after("data\nretry: ", "7")),
        ("comment lines", times(":\n")),
        ("data lines", after("", "data\n")),
        ("data lines with a value", after("", "data: 0123456789\n")),
        ("id lines", after("data\n", "id: 0123456789\n")),
        ("event lines", after("data\n", "event: 0123456789\n")),
        ("unfinished names", times("dat\n")),
        ("blank lines", times("\n")),
        ("carriage returns", times("\r")),
        ("carriage returns and line feeds", times("\r\n")),
        ("tiny events", times("data\n\n")),
        ("tiny events in the largest numbers", times("data\r\r")),
        (
            "a long id and tiny events",
            [b"id: ", &vec![b'x'; size / 2][..], b"\n", &b"data\n\n".repeat(size / 12)].concat(),
        ),
        ("malformed text", [b"data: ", &vec![0xE2; size][..], b"\n\n"].concat()),
        ("byte-order marks", [&b"\xEF\xBB\xBF".repeat(size / 3)[..], b"\n\n"].concat()),
        ("voided ids", after("data\n", "id: 012345678\0\n")),
        ("ends that may be cut", after("data: ", "x\r\ndata: ")),
    ]
}

/// The bytes looked at or copied, and those asked of the allocator.
fn work(stream: &[u8], chunk_length: usize) -> (u64, u64) {
    let mut decoder = Decoder::default();
    let memory = allocation_counter::measure(|| {
        for chunk in stream.chunks(chunk_length) {
            decoder.feed(chunk);
            while let Some(event) = decoder.next_event() {
                event.unwrap();
            }
        }
    });
    (steps(&decoder), memory.bytes_total)
}
