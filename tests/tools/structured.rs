//! Structured output.

use anthropic_messages::{
    ErrorKind, InvalidOutput, MessageResponse, OutputConfig, Result,
    schemars::{self, JsonSchema},
    types::Effort,
};
use anthropic_messages_testing::{Reply, Server};
use serde::Deserialize;
use serde_json::json;

use crate::request;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Contact {
    name: String,
    email: Option<String>,
}

async fn reply(reply: Reply) -> MessageResponse {
    let server = Server::start().unwrap();
    server.reply(reply);
    let request = request().structured::<Contact>().unwrap();
    server.client().unwrap().create_message(&request).await.unwrap().into_inner()
}

/// Returns the structured value of a reply, and its text.
async fn read(sent: Reply) -> (Result<Contact>, String) {
    let reply = reply(sent).await;
    (reply.structured(), reply.text())
}

#[tokio::test]
async fn the_schema_is_sent_and_the_reply_is_read() {
    let server = Server::start().unwrap();
    server.reply(r#"{"name": "Ada", "email": null}"#);
    let request = request().output_config(OutputConfig::new().effort(Effort::Low)).structured::<Contact>().unwrap();
    let reply = server.client().unwrap().create_message(&request).await.unwrap();
    assert_eq!(reply.structured::<Contact>().unwrap(), Contact { name: "Ada".into(), email: None });
    let sent = server.last_request().unwrap().pointer("/output_config").unwrap().clone();
    assert_eq!(
        sent,
        json!({"effort": "low", "format": {"type": "json_schema", "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "email": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": false
        }}})
    );
}

#[tokio::test]
async fn a_refusal_is_told_apart() {
    for text in ["I can't do that.", r#"{"name": "Ada"}"#] {
        let (result, shown) = read(Reply::text(text).stop_reason("refusal")).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Refusal, "the model refused to answer"));
        assert_eq!(shown, text);
    }
    let details = json!({"type": "refusal", "category": "cyber", "explanation": "secret"});
    let (result, _) = read(Reply::text("").stop_reason("refusal").field("stop_details", details)).await;
    assert_eq!(result.unwrap_err().to_string(), "the model refused to answer (cyber)");
}

#[tokio::test]
async fn a_reply_that_was_cut_off_is_told_apart() {
    for reason in ["max_tokens", "model_context_window_exceeded"] {
        let (result, text) = read(Reply::text(r#"{"name": "Ad"#).stop_reason(reason)).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CutOff);
        assert_eq!(error.to_string(), format!("the reply was cut off by `{reason}` before its JSON was complete"));
        assert_eq!(text, r#"{"name": "Ad"#);
    }
}

#[tokio::test]
async fn bad_json_is_told_with_its_place_and_without_its_text() {
    let (result, _) = read(Reply::text("Sure! {\"name\": \"Ada\"}")).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Decode);
    let (result, _) = read(Reply::text(r#"{"name": {"first": "secret"}}"#)).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("/name"), "{source}");
    assert!(!format!("{error} {error:?} {source}").contains("secret"));
    let (result, _) = read(Reply::message(json!({"content": []}))).await;
    assert_eq!(result.unwrap_err().to_string(), "failed to decode the structured output: the reply has no text");
}

#[tokio::test]
async fn the_text_may_come_in_several_blocks_and_by_a_stream() {
    let halves = Reply::text(r#"{"name": "#).and_text(r#""Ada"}"#);
    assert_eq!(read(halves.clone()).await.0.unwrap().name, "Ada");
    let server = Server::start().unwrap();
    server.reply(halves);
    let request = request().structured::<Contact>().unwrap();
    let mut stream = server.client().unwrap().stream_message(&request).await.unwrap();
    assert_eq!(stream.final_message().await.unwrap().structured::<Contact>().unwrap().name, "Ada");
}

#[test]
fn a_type_without_a_strict_schema_is_an_error_before_anything_is_sent() {
    let error = request().structured::<std::collections::HashMap<String, String>>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contract);
}

#[tokio::test]
async fn a_text_that_cannot_be_read_is_kept() {
    let (result, text) = read(Reply::text(r#"{"name": 5}"#)).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Decode, Some("/name")));
    assert_eq!(error.body(), text.as_bytes());
}

#[tokio::test]
async fn an_extraction_is_corrected_with_the_place_and_the_reason() {
    let server = Server::start().unwrap();
    server.reply(r#"{"name": 5}"#).then(r#"{"name": "ada", "email": null}"#).then(r#"{"name": "Ada"}"#);
    let run = server.client().unwrap().extract::<Contact>(request()).max_tries(3).validate(|contact| {
        match contact.name.starts_with(char::is_uppercase) {
            true => Ok(()),
            false => Err(InvalidOutput::at("/name", "must begin with a capital")),
        }
    });
    let contact = run.await.unwrap();
    assert_eq!(contact.name, "Ada");
    assert!(contact.request_id().is_some());
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[1].pointer("/messages/1/content/0/text").unwrap(), r#"{"name": 5}"#);
    let first = requests[1].last_user_text().unwrap();
    assert!(first.starts_with("That JSON is invalid at `/name`: ") && first.contains("string"), "{first}");
    assert_eq!(
        requests[2].last_user_text().unwrap(),
        "That JSON is invalid at `/name`: must begin with a capital. Answer with the corrected JSON and nothing else."
    );
    assert_eq!(requests[2].pointer("/messages").unwrap().as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn an_extraction_makes_no_more_requests_than_it_may() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    server.reply("{}").times(3);
    let error = client.extract::<Contact>(request()).await.unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Decode, 1));
    let error = client.extract::<Contact>(request()).max_tries(2).await.unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Decode, 3));
    assert!(error.request_id().is_some());
    server.reply(Reply::text("No.").stop_reason("refusal"));
    let error = client.extract::<Contact>(request()).max_tries(5).await.unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Refusal, 4), "a refusal is not corrected");
    server.reply(r#"{"name": "secret"}"#);
    let rejected = client.extract::<Contact>(request()).validate(|_| Err("too short".into())).await.unwrap_err();
    assert_eq!((rejected.kind(), rejected.pointer()), (ErrorKind::Decode, Some("")));
    assert_eq!(std::error::Error::source(&rejected).unwrap().to_string(), "too short");
    assert!(rejected.to_string().starts_with("the structured output failed validation"), "{rejected}");
}

#[tokio::test]
async fn partial_values_grow_while_the_reply_is_streamed() {
    #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Recipe {
        title: String,
        servings: Option<u32>,
        steps: Vec<String>,
    }
    let server = Server::start().unwrap();
    server.reply(Reply::text(r#"{"title": "Tea", "servings": 12, "steps": ["boil", "pour"]}"#).delta_length(3));
    let mut stream = server.client().unwrap().stream_message(&request()).await.unwrap();
    let mut partial = stream.partial::<Recipe>();
    let mut last = Recipe::default();
    while let Some(recipe) = partial.next().await {
        let recipe = recipe.unwrap();
        assert!(recipe.title.starts_with(&last.title) && recipe.steps.len() >= last.steps.len());
        assert!(recipe.servings.is_none_or(|servings| servings == 12), "{recipe:?}");
        last = recipe;
    }
    assert_eq!(last, Recipe { title: "Tea".into(), servings: Some(12), steps: vec!["boil".into(), "pour".into()] });
    let whole: Recipe = stream.final_message().await.unwrap().structured().unwrap();
    assert_eq!(whole, last);
}
