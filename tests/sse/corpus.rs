//! Every case of the corpus, split at every position.

use std::time::Duration;

use anthropic_messages::sse::Decoder;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use crate::{Numbers, support::reference, two_way_splits};

pub(crate) fn corpus() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/sse_cases.json")).unwrap();
    assert_eq!(cases.len(), 122);
    cases
}

#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    input_base64: String,
    chunks_base64: Option<Vec<String>>,
    expected: Vec<Expected>,
    retry: Option<u64>,
    last_event_id_after: Option<String>,
}

#[derive(Deserialize)]
struct Expected {
    event: String,
    data: String,
    id: String,
}

impl Case {
    pub(crate) fn input(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.input_base64).unwrap()
    }

    #[track_caller]
    fn check<'c>(&self, chunks: impl IntoIterator<Item = &'c [u8]>, mode: &str) {
        let (mut decoder, mut expected) = (Decoder::default(), self.expected.iter());
        for chunk in chunks {
            decoder.feed(chunk);
            while let Some(event) = decoder.next_event() {
                let event = event.unwrap();
                let event = (&*event.event, &*event.data, &*event.id);
                let expected = expected.next().map(|it| (&*it.event, &*it.data, &*it.id));
                assert_eq!(Some(event), expected, "{}, {mode}", self.name);
            }
        }
        assert_eq!(expected.count(), 0, "events are missing: {}, {mode}", self.name);
        if let Some(retry) = self.retry {
            assert_eq!(decoder.retry(), Some(Duration::from_millis(retry)), "{}, {mode}", self.name);
        }
        if let Some(id) = &self.last_event_id_after {
            assert_eq!(decoder.last_event_id(), id, "{}, {mode}", self.name);
        }
    }
}

#[test]
fn every_case_of_the_corpus_is_read_whole() {
    for case in corpus() {
        case.check([&case.input()[..]], "whole");
    }
}

#[test]
fn every_case_of_the_corpus_is_read_byte_by_byte() {
    for case in corpus() {
        case.check(case.input().chunks(1), "byte by byte");
    }
}

#[test]
fn every_case_of_the_corpus_is_read_from_every_two_way_split() {
    for case in corpus() {
        let input = case.input();
        for (at, chunks) in two_way_splits(&input).enumerate() {
            case.check(chunks, &format!("split at {at}"));
        }
    }
}

#[test]
fn every_case_of_the_corpus_is_read_from_its_given_chunks() {
    let mut given = 0;
    for case in corpus() {
        let Some(chunks) = &case.chunks_base64 else { continue };
        let chunks: Vec<_> = chunks.iter().map(|chunk| BASE64_STANDARD.decode(chunk).unwrap()).collect();
        assert_eq!(chunks.concat(), case.input(), "{}", case.name);
        case.check(chunks.iter().map(Vec::as_slice), "given chunks");
        given += 1;
    }
    assert_eq!(given, 10);
}

#[test]
fn every_case_of_the_corpus_is_read_with_empty_chunks_between() {
    for case in corpus() {
        for length in [1, 2, 3, 7] {
            let input = case.input();
            let chunks = input.chunks(length).flat_map(|chunk| [b"", chunk, b"", b""]);
            case.check(chunks, &format!("{length} bytes and empty chunks"));
        }
    }
}

#[test]
fn every_case_of_the_corpus_is_read_from_10_000_random_splits() {
    let mut numbers = Numbers(2026);
    for case in corpus() {
        let input = case.input();
        for _ in 0..10_000 {
            case.check(numbers.split(&input), "random split");
        }
    }
}

#[test]
fn every_case_of_the_corpus_is_read_when_all_chunks_are_fed_first() {
    for case in corpus() {
        let mut decoder = Decoder::default();
        for chunk in case.input().chunks(3) {
            decoder.feed(chunk);
        }
        let mut data = Vec::new();
        while let Some(event) = decoder.next_event() {
            data.push(event.unwrap().data.into_owned());
        }
        let expected: Vec<_> = case.expected.iter().map(|event| &event.data).collect();
        assert_eq!(data.iter().collect::<Vec<_>>(), expected, "{}", case.name);
    }
}

#[test]
fn the_corpus_means_the_same_to_the_standard_followed_word_by_word() {
    for case in corpus() {
        let meaning = reference::read(&case.input());
        let expected: Vec<_> = case.expected.into_iter().map(|it| (it.event, it.data, it.id)).collect();
        assert_eq!(meaning.events, expected, "{}", case.name);
    }
}
