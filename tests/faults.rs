//! Faults between a client and a server. [`CATALOGUE`] lists them with their tests.
//!
//! Some faults are tested elsewhere:
//!
//! | fault | where |
//! |---|---|
//! | call outside of a runtime, error bodies of any shape | `errors.rs` |
//! | proxies, cleartext, base URLs, redirects, keys and headers | `client.rs`, `beside.rs` |
//! | statuses, forms of `retry-after`, clock jumps, random delays | `retry.rs` |
//! | a cut at every byte, events in every order, cut tool input | `stream.rs` |
//! | quadratic input, splits of every kind, memory | `sse.rs`, `memory.rs` |
//! | keys, prompts and completions in any output | `secrets.rs` |
//! | fork | a rule for callers: create the client after the fork |

#![cfg(test)]

mod support;
mod faults {
    mod body;
    mod call;
    mod connect;
    mod head;
    #[cfg(feature = "http2")]
    pub(crate) mod http2;
    #[cfg(feature = "http2")]
    mod http2_streams;
    pub(crate) mod streams;
}

use std::time::Duration;

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{AnthropicMessage, Client, ClientBuilder, Error, MessageCreateRequest};
use anthropic_messages_testing::{Reply, Server};
use support::answers::answering;
use support::raw::RawServer;
use support::timing::NoWaiting;

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

/// A server that a client can call.
trait Listening {
    fn base_url(&self) -> String;
}

impl Listening for Server {
    fn base_url(&self) -> String {
        self.base_url()
    }
}

impl Listening for RawServer {
    fn base_url(&self) -> String {
        self.base_url()
    }
}

/// A client of a server, whose waits between attempts pass at once, and that never hangs.
fn builder(server: &impl Listening) -> ClientBuilder {
    let builder = Client::builder().api_key("k").base_url(server.base_url()).no_proxy();
    builder.timing(NoWaiting::default()).timeout(Duration::from_secs(20))
}

fn client(server: &impl Listening) -> Client {
    builder(server).build().unwrap()
}

async fn failing(client: &Client) -> Error {
    client.create_message(&request()).await.unwrap_err()
}

async fn answered(reply: Reply) -> Error {
    failing(&client(&answering([reply]))).await
}

async fn said(client: &Client) -> String {
    client.create_message(&request()).await.unwrap().text()
}

/// The faults and the tests of them.
const CATALOGUE: &[(&str, &[&str])] = &[
    (
        "DNS lookup fails",
        &["a_name_that_is_not_found_is_looked_up_again", "a_name_that_is_never_found_is_told_with_its_host"],
    ),
    ("connection refused", &["a_refused_connection_is_tried_again_and_was_not_processed"]),
    (
        "connecting takes too long",
        &[
            "a_connection_that_takes_too_long_is_a_timeout_and_was_not_processed",
            "a_call_that_ends_while_it_connects_was_not_processed",
        ],
    ),
    (
        "TLS: expired, wrong host, unknown issuer, no TLS",
        &[
            "a_certificate_that_is_trusted_is_taken",
            "a_root_of_the_callers_is_trusted_by_the_http_client_of_the_crate",
            "a_certificate_that_no_one_vouches_for_is_refused_once",
            "a_certificate_for_another_host_is_refused_once",
            "a_certificate_that_has_expired_is_refused_once",
            "a_server_without_tls_is_refused_once",
            "an_address_with_tls_is_never_called_without",
        ],
    ),
    ("one address of a host is dead", &["a_dead_address_of_a_host_does_not_hide_a_live_one"]),
    (
        "reset before the response, on a new connection",
        &[
            "a_reset_before_the_answer_is_tried_again_and_may_have_been_processed",
            "a_reset_before_the_answer_is_told_where_the_policy_says_so",
        ],
    ),
    ("idle connection closed before it is reused", &["a_connection_that_was_closed_while_idle_is_replaced_unseen"]),
    (
        "connection closed after the request was written",
        &[
            "a_connection_that_closes_under_a_request_is_replaced_at_once",
            "only_a_reused_connection_that_closes_is_replaced_at_once",
            "a_request_that_may_have_been_processed_is_not_repeated_where_the_policy_says_so",
        ],
    ),
    (
        "response never begins",
        &[
            "an_answer_that_never_begins_is_a_timeout_and_is_not_repeated",
            "an_answer_that_never_begins_is_asked_for_again_where_the_policy_says_so",
        ],
    ),
    ("`x-should-retry` contradicts the status", &["the_server_may_ask_for_a_retry", "the_server_may_forbid_a_retry"]),
    ("`retry-after` of a day", &["a_wait_beyond_the_calls_limit_is_not_begun"]),
    ("retry storm", &["a_dead_server_is_not_stormed"]),
    ("a processed request is sent again", &["a_request_is_repeated_unchanged_and_the_attempts_are_told"]),
    (
        "cancelled during a delay",
        &[
            "a_call_that_is_dropped_while_it_waits_sends_nothing_more",
            "calls_that_are_dropped_at_any_point_close_their_connections",
        ],
    ),
    ("redirect loop", &["a_redirect_to_itself_is_followed_by_nothing"]),
    (
        "interim responses without end",
        &["interim_answers_are_passed_over", "interim_answers_without_end_run_into_the_limit"],
    ),
    (
        "malformed or oversized head",
        &[
            "more_than_a_hundred_headers_are_refused",
            "a_head_of_a_mebibyte_is_refused",
            "a_malformed_status_line_is_refused",
            "a_version_that_does_not_exist_is_refused",
            "a_header_with_a_nul_is_refused",
            "a_length_that_is_none_is_refused",
            "two_lengths_are_refused",
            "a_length_beside_chunks_does_not_count",
        ],
    ),
    (
        "headers that are not text, repeated request ids",
        &["headers_that_are_not_text_harm_nothing", "the_first_of_ten_request_ids_counts"],
    ),
    (
        "page of a gateway with a 200",
        &["a_page_instead_of_a_message_is_refused_once", "a_message_without_a_content_type_is_read"],
    ),
    (
        "error object in a 200",
        &[
            "an_error_in_a_success_is_an_error_and_is_retried_by_its_type",
            "an_error_of_another_shape_in_a_success_is_no_message",
            "a_message_that_speaks_of_errors_is_a_message",
        ],
    ),
    ("empty body", &["an_empty_success_is_a_decode_error", "a_success_without_content_is_not_a_message"]),
    (
        "body without end",
        &[
            "a_body_that_declares_too_much_is_not_read",
            "a_body_without_end_is_read_up_to_the_limit",
            "an_error_without_end_keeps_its_status_and_its_beginning",
            "the_body_of_an_error_is_kept_up_to_the_limit",
            "a_body_of_exactly_the_limit_is_read",
        ],
    ),
    ("compressed body", &["a_compressed_body_is_not_asked_for_and_is_refused"]),
    (
        "truncated body",
        &[
            "a_body_shorter_than_declared_is_truncated",
            "a_chunk_shorter_than_declared_is_truncated",
            "chunks_without_their_end_are_truncated",
            "a_chunk_of_no_size_is_truncated",
            "a_reset_in_a_body_is_truncated",
            "a_truncated_error_keeps_its_status_and_what_came",
            "a_body_that_ends_with_its_connection_is_read",
        ],
    ),
    (
        "body that trickles",
        &[
            "a_body_that_trickles_runs_into_the_calls_limit",
            "a_stream_that_trickles_runs_into_the_calls_limit",
            "a_message_that_came_within_the_limit_is_no_timeout",
            "the_body_of_an_error_is_waited_for_ten_seconds",
            "the_body_of_an_error_does_not_use_up_the_call",
        ],
    ),
    (
        "deep nesting",
        &["a_message_nested_without_end_is_a_decode_error", "an_error_nested_without_end_keeps_its_status"],
    ),
    ("repeated members", &["a_field_given_twice_harms_nothing"]),
    (
        "unpaired surrogates",
        &["an_error_with_half_a_character_is_read", "a_character_cut_in_half_does_not_lose_the_message"],
    ),
    ("large numbers", &["numbers_of_any_size_in_unknown_fields_do_not_lose_the_message"]),
    ("NUL and control characters", &["control_characters_are_kept_or_refused"]),
    ("invalid UTF-8", &["bytes_that_are_not_utf_8_are_a_decode_error"]),
    ("not JSON, byte-order mark", &["what_is_not_json_is_a_decode_error", "one_byte_order_mark_is_passed_over"]),
    ("values and blocks of a newer API", &["blocks_and_values_of_tomorrow_do_not_lose_the_message"]),
    (
        "reset within a stream",
        &[
            "a_reset_of_the_stream_keeps_what_came_and_the_connection",
            "a_reset_after_any_event_keeps_what_came",
            "a_reset_before_the_stream_is_a_failed_call",
        ],
    ),
    (
        "stream ends before its message",
        &[
            "a_stream_cut_at_any_byte_is_no_success",
            "a_clean_end_without_the_end_of_the_message_is_incomplete",
            "a_malformed_chunk_is_incomplete",
        ],
    ),
    (
        "silent stream",
        &[
            "a_silent_stream_is_given_up_and_its_connection_is_not",
            "a_silent_stream_is_given_up_and_closed",
            "a_silence_before_the_first_event_is_one_too",
        ],
    ),
    ("pings without end", &["pings_without_end_are_ended_by_the_caller"]),
    ("stream longer than the timeout", &["no_limit_of_the_client_ends_a_stream"]),
    ("`error` event within a stream", &["an_error_event_is_the_error_that_it_tells_and_is_not_tried_again"]),
    (
        "JSON in place of a stream",
        &[
            "an_error_as_json_is_that_error_and_is_tried_again_by_its_type",
            "a_message_as_json_is_told_as_a_stream",
            "a_page_is_refused_at_once_even_where_it_never_ends",
            "a_stream_without_a_content_type_is_read",
        ],
    ),
    ("line without end", &["a_line_without_end_is_refused_and_closed"]),
    ("comments without end", &["comments_are_passed_over_however_many"]),
    ("a million `data` lines", &["a_million_lines_of_data_are_one_event_in_bounded_time"]),
    ("unknown events and impossible orders", &["events_of_tomorrow_are_handed_on"]),
    (
        "stream or call is dropped",
        &[
            "dropping_a_stream_resets_it_and_leaves_its_connection",
            "dropping_a_stream_closes_its_connection_and_harms_nothing",
            "dropping_a_call_for_a_stream_closes_its_connection",
        ],
    ),
    (
        "connection reuse after a stream",
        &[
            "a_hundred_streams_at_once_share_one_connection",
            "a_hundred_streams_go_over_one_connection",
            "a_body_that_goes_on_after_the_message_is_not_waited_for",
        ],
    ),
    ("slow consumer", &["a_stream_that_is_not_read_holds_its_server_up"]),
    (
        "slow consumer over HTTP/2",
        &[
            "streams_that_are_not_read_hold_their_siblings_up",
            "streams_that_are_not_read_hold_nothing_up_over_http1",
            "many_small_frames_that_are_not_read_do_not_end_the_connection",
        ],
    ),
    ("more streams than the server allows", &["a_call_that_waits_for_a_free_stream_runs_into_its_limit"]),
    (
        "HTTP/2 streams and connections reset",
        &[
            "a_call_goes_over_http2",
            "a_server_that_speaks_http_1_is_not_asked_again",
            "a_stream_that_was_refused_was_not_processed",
            "a_stream_that_was_reset_may_have_been_processed",
            "a_connection_that_goes_away_is_counted_as_an_attempt",
        ],
    ),
    (
        "HTTP/2 connection dead without a close",
        &["a_connection_that_died_under_a_stream_is_noticed", "a_connection_that_died_before_a_call_is_noticed"],
    ),
    ("empty DATA frames without end", &["empty_frames_without_number_end_the_stream_as_a_failure"]),
    (
        "leftover bytes on a connection",
        &["a_connection_with_leftover_bytes_is_not_used_again", "a_failing_call_leaves_its_connection_usable"],
    ),
    (
        "runtime shut down",
        &[
            "a_client_outlives_its_runtime",
            "a_client_can_be_made_without_a_runtime_and_used_in_any",
            "a_stream_outlives_its_runtime_as_an_error",
        ],
    ),
    ("client shared by tasks", &["sixty_four_tasks_share_a_client", "a_hundred_streams_at_once_share_a_client"]),
    ("panic in an observer", &["a_panic_in_an_observer_is_the_callers_and_breaks_nothing"]),
    ("referer", &["no_referer_is_sent"]),
    ("cookies", &["cookies_are_not_kept"]),
    (
        "request too large",
        &[
            "a_request_that_is_too_large_is_told_and_not_repeated",
            "a_server_that_answers_before_it_has_read_the_request_is_heard",
        ],
    ),
];

#[test]
fn the_catalogue_lists_every_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for (at, _) in source.match_indices("#[test]\n").chain(source.match_indices("#[tokio::test")) {
            let (_, name) = source.split_at(at).1.split_once("fn ").unwrap();
            found.push(name.split_once('(').unwrap().0.to_owned());
        }
    }
    let mut listed: Vec<String> =
        CATALOGUE.iter().flat_map(|(_, tests)| tests.iter()).map(|name| (*name).to_owned()).collect();
    assert!(CATALOGUE.iter().all(|(_, tests)| !tests.is_empty()));
    found.sort();
    listed.sort();
    let missing: Vec<_> = found.iter().filter(|name| !listed.contains(name)).collect();
    let gone: Vec<_> = listed.iter().filter(|name| !found.contains(name)).collect();
    assert!(
        missing.is_empty() && gone.is_empty() && found.len() == listed.len(),
        "not listed: {missing:#?}, not there: {gone:#?}"
    );
}
