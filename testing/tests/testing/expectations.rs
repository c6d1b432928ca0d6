//! Tests whose expectations aren't met fail with a report.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anthropic_messages_testing::{Matcher, Reply, Server};
use serde_json::json;

use crate::support::{ask, exchange};

/// Runs a test with a server and returns the message of its failure.
fn failure(server: Server, test: impl FnOnce(&Server)) -> Option<String> {
    let result = catch_unwind(AssertUnwindSafe(move || {
        test(&server);
        drop(server);
    }));
    result.err().map(|payload| match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    })
}

fn started() -> Server {
    Server::start().unwrap()
}

#[test]
fn a_test_whose_expectations_are_met_passes() {
    let message = failure(started(), |server| {
        server.reply("once");
        server.when(Matcher::model("other")).reply("never").times(0);
        server.when(Matcher::model("other")).reply("perhaps").any_times();
        server.when(Matcher::stream().not()).reply("more").at_least(1);
        for _ in 0..3 {
            exchange(server, &ask("hi"));
        }
        assert_eq!(server.problems(), [""; 0]);
    });
    assert_eq!(message, None);
}

#[test]
fn a_reply_that_was_not_requested_fails_the_test() {
    let message = failure(started(), |server| {
        server.reply("used").then("not used");
        exchange(server, &ask("hi there"));
    });
    let line = line!() - 3;
    let expected = format!(
        "the test server's expectations weren't met\n  \
         - any request: expected 2, got 1 (scripted at {}:{line}:16)\n\
         received:\n  \
         1. POST /v1/messages, model \"claude-sonnet-5\", last user text \"hi there\", replied with 200",
        file!()
    );
    assert_eq!(message.as_deref(), Some(expected.as_str()));
}

#[test]
fn too_few_requests_fail_the_test() {
    let message = failure(started(), |server| {
        server.when(Matcher::model("a")).reply("x").at_least(2);
        server.when(Matcher::model("b")).reply("x").times(3);
    })
    .unwrap();
    assert!(message.contains("model is \"a\": expected at least 2, got 0"), "{message}");
    assert!(message.contains("model is \"b\": expected exactly 3, got 0"), "{message}");
    assert!(message.contains("received no request"), "{message}");
}

#[test]
fn too_many_requests_fail_the_test() {
    let message = failure(started(), |server| {
        server.reply("x").times(1);
        exchange(server, &ask("hi"));
        exchange(server, &ask("hi"));
    });
    assert!(message.unwrap().contains("any request: expected exactly 1, got 2"));
    let message = failure(started(), |server| {
        server.when(Matcher::last_user_text("forbidden")).reply("x").times(0);
        exchange(server, &ask("forbidden"));
    });
    assert!(message.unwrap().contains("last user text is \"forbidden\": expected exactly 0, got 1"));
}

#[test]
fn an_excess_request_that_another_rule_matches_is_no_failure() {
    let message = failure(started(), |server| {
        server.reply("first").times(1);
        server.reply("second").times(1);
        exchange(server, &ask("hi"));
        exchange(server, &ask("hi"));
    });
    assert_eq!(message, None);
}

#[test]
fn a_strict_server_fails_the_test_on_a_request_that_is_not_scripted() {
    let message = failure(Server::builder().strict(true).start().unwrap(), |server| {
        server.reply("scripted");
        exchange(server, &ask("hi"));
        assert!(exchange(server, &ask("hi")).head().starts_with("HTTP/1.1 500"));
    });
    assert!(message.unwrap().contains("no reply is scripted for request 2 (createMessage)"));
}

#[test]
fn a_panic_in_a_matcher_fails_the_test() {
    let message = failure(started(), |server| {
        let matcher = Matcher::matching("broken", |request| {
            assert_eq!(request.model(), Some("other"), "wrong model");
            true
        });
        server.when(matcher).reply("x").any_times();
        let answer = exchange(server, &ask("hi"));
        assert!(answer.head().starts_with("HTTP/1.1 500"));
        assert!(answer.body().contains("api_error"));
        exchange(server, &ask("the server goes on"));
    })
    .unwrap();
    assert!(
        message.contains("the matcher \"broken\" panicked: assertion `left == right` failed: wrong model"),
        "{message}"
    );
}

#[test]
fn a_panic_in_a_closure_fails_the_test() {
    let message = failure(started(), |server| {
        server.reply(Reply::from_request(|_| panic!("no idea")));
        assert!(exchange(server, &ask("hi")).head().starts_with("HTTP/1.1 500"));
    });
    assert!(message.unwrap().contains("the closure of a reply panicked: no idea"));
}

#[test]
fn a_mistake_in_a_script_fails_the_test() {
    let mistakes = [
        (Reply::text("x").header("a b", "c"), "\"a b\" can't be a header"),
        (Reply::text("x").header("a", "c\r\nd"), "\"a\" can't be a header"),
        (Reply::text("x").without_header("a b"), "\"a b\" can't be a header"),
        (Reply::status(99), "a status is not between 100 and 999"),
        (Reply::status(500).and_text("x"), "a block can only be set on a message"),
        (Reply::text("x").details(json!({})), "only an API error has details"),
        (Reply::from_request(|_| "x".into()).and_text("x"), "a block can only be set on a message"),
        (Reply::message(5), "a message can't be serialized to a JSON object"),
        (Reply::events([1]), "an event can't be serialized to a JSON object"),
        (Reply::events([json!({"type": "ping"})]), "message_start is missing or late"),
        (Reply::raw(200, "a\nb", "x"), "a content type can't be a header value"),
    ];
    for (reply, mistake) in mistakes {
        let message = failure(started(), |server| {
            server.reply(reply);
            assert!(exchange(server, &ask("hi")).head().starts_with("HTTP/1.1 500"));
        })
        .unwrap();
        assert!(message.contains(&format!("the reply to request 1 can't be sent: {mistake}")), "{message}");
    }
}

#[test]
fn a_panicking_test_keeps_its_message() {
    let message = failure(started(), |server| {
        server.reply("never used");
        panic!("the test's own failure");
    });
    assert_eq!(message.as_deref(), Some("the test's own failure"));
}
