//! Matchers, and the order of rules.

use anthropic_messages_testing::{Matcher, Reply, Server};
use serde_json::{Value, json};

use crate::support::{answer, ask, ask_for_stream, http, with};

/// Returns `true` if a matcher matches a request with this body.
async fn accepts(matcher: Matcher, body: &Value) -> bool {
    let server = Server::start().unwrap();
    server.when(matcher).reply(Reply::json(200, "matched")).any_times();
    let response = crate::support::post(&server, body).await;
    response.text().await.unwrap() == "\"matched\""
}

fn tool_result_turns() -> Value {
    json!([
        {"role": "user", "content": [{"type": "text", "text": "go"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}]}
    ])
}

#[tokio::test]
async fn any_matches_every_request() {
    assert!(accepts(Matcher::any(), &ask("hi")).await);
}

#[tokio::test]
async fn a_model_matches_by_its_whole_name() {
    assert!(accepts(Matcher::model("claude-sonnet-5"), &ask("hi")).await);
    assert!(!accepts(Matcher::model("claude-sonnet"), &ask("hi")).await);
}

#[tokio::test]
async fn the_last_user_text_matches_exactly_or_in_part() {
    let turns = json!([
        {"role": "user", "content": [{"type": "text", "text": "first"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "reply"}]},
        {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "text", "text": "part"}]}
    ]);
    let body = with(ask(""), "messages", turns);
    assert!(accepts(Matcher::last_user_text("second\npart"), &body).await);
    assert!(!accepts(Matcher::last_user_text("second"), &body).await);
    assert!(accepts(Matcher::last_user_text_contains("second"), &body).await);
    assert!(!accepts(Matcher::last_user_text_contains("first"), &body).await);
    assert!(!accepts(Matcher::last_user_text_contains("reply"), &body).await);
}

#[tokio::test]
async fn the_last_user_text_may_be_a_bare_string() {
    let body = with(ask(""), "messages", json!([{"role": "user", "content": "bare"}]));
    assert!(accepts(Matcher::last_user_text("bare"), &body).await);
}

#[tokio::test]
async fn a_tool_result_matches_in_the_last_turn_only() {
    let mut turns = tool_result_turns();
    assert!(accepts(Matcher::tool_result(), &with(ask(""), "messages", turns.clone())).await);
    turns.as_array_mut().unwrap().push(json!({"role": "user", "content": [{"type": "text", "text": "and?"}]}));
    assert!(!accepts(Matcher::tool_result(), &with(ask(""), "messages", turns)).await);
    assert!(!accepts(Matcher::tool_result(), &ask("tool_result")).await);
}

#[tokio::test]
async fn a_request_for_a_stream_matches() {
    assert!(accepts(Matcher::stream(), &ask_for_stream("hi")).await);
    assert!(!accepts(Matcher::stream(), &ask("hi")).await);
}

#[tokio::test]
async fn a_header_matches_by_name_and_value_with_credentials_redacted() {
    let server = Server::start().unwrap();
    let header = Matcher::header("Anthropic-Beta", "a-1").and(Matcher::header("authorization", "Bearer [redacted]"));
    server.when(header).reply("matched");
    server.when(Matcher::header("authorization", "Bearer key")).reply("leaked").times(0);
    let url = format!("{}/messages", server.base_url());
    let request = http().post(url).bearer_auth("key").header("anthropic-beta", "a-1").json(&ask("hi"));
    assert!(request.send().await.unwrap().text().await.unwrap().contains("matched"));
    assert_eq!(answer(&server, &ask("hi")).await, "hi");
}

#[tokio::test]
async fn a_pointer_matches_by_value() {
    assert!(accepts(Matcher::pointer("/max_tokens", 100), &ask("hi")).await);
    assert!(!accepts(Matcher::pointer("/max_tokens", 101), &ask("hi")).await);
    assert!(accepts(Matcher::pointer("/messages/0/role", "user"), &ask("hi")).await);
    assert!(!accepts(Matcher::pointer("/absent", Value::Null), &ask("hi")).await);
}

#[tokio::test]
async fn a_closure_sees_the_whole_request() {
    let matcher = Matcher::matching("short body", |request| request.body().len() < 200);
    assert!(accepts(matcher.clone(), &ask("hi")).await);
    assert!(!accepts(matcher, &ask(&"x".repeat(200))).await);
}

#[tokio::test]
async fn matchers_are_combined_by_and_or_and_not() {
    let yes = || Matcher::model("claude-sonnet-5");
    let no = || Matcher::model("other");
    assert!(accepts(yes().and(yes()), &ask("hi")).await);
    assert!(!accepts(yes().and(no()), &ask("hi")).await);
    assert!(!accepts(no().and(yes()), &ask("hi")).await);
    assert!(accepts(no().or(yes()), &ask("hi")).await);
    assert!(!accepts(no().or(no()), &ask("hi")).await);
    assert!(accepts(no().not(), &ask("hi")).await);
    assert!(!accepts(yes().not(), &ask("hi")).await);
}

#[test]
fn the_description_of_a_compound_matcher_has_parentheses() {
    let matcher = Matcher::model("a").or(Matcher::stream()).and(Matcher::tool_result().not());
    assert_eq!(
        matcher.to_string(),
        r#"(model is "a" or a stream is asked for) and (not (last turn has a tool result))"#
    );
}

#[tokio::test]
async fn replies_are_given_in_order_and_then_the_default() {
    let server = Server::start().unwrap();
    server.reply("one").then("two");
    server.reply("three");
    for expected in ["one", "two", "three", "default"] {
        assert_eq!(answer(&server, &ask("default")).await, expected);
    }
}

#[tokio::test]
async fn the_first_matching_rule_that_is_not_used_up_applies() {
    let server = Server::start().unwrap();
    server.when(Matcher::last_user_text("b")).reply("b first");
    server.when(Matcher::last_user_text("a")).reply("a first").then("a second");
    server.reply("any").times(2);
    for (text, expected) in
        [("a", "a first"), ("b", "b first"), ("b", "any"), ("a", "a second"), ("a", "any"), ("a", "a")]
    {
        assert_eq!(answer(&server, &ask(text)).await, expected);
    }
}

#[tokio::test]
async fn the_last_reply_is_repeated_as_often_as_expected() {
    let server = Server::start().unwrap();
    server.reply("one").then("two").times(3);
    for expected in ["one", "two", "two", "echo"] {
        assert_eq!(answer(&server, &ask("echo")).await, expected, "{expected}");
        if expected == "two" && server.counts().requests == 3 {
            break;
        }
    }
    let server = Server::start().unwrap();
    server.reply("again").any_times();
    for _ in 0..4 {
        assert_eq!(answer(&server, &ask("echo")).await, "again");
    }
}
