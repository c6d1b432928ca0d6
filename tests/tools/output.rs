//! Tests of the results of tools.

use anthropic_messages::{
    ContentBlock, Json,
    tools::{IntoToolResult, Tool, ToolError, ToolHandler, ToolOutput},
};
use anthropic_messages_testing::{Reply, Server};
use serde_json::{Value, json};

use crate::{City, request};

/// Returns the result that the model receives, as written in the request.
async fn sent<Form: 'static>(handler: impl ToolHandler<Form, Input = City>) -> Value {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("tool", json!({"city": ""}))).then("done");
    server.client().unwrap().run_tools(request(), [Tool::new("tool", "", handler)]).await.unwrap();
    let mut result = server.last_request().unwrap().tool_results()[0].clone();
    result.as_object_mut().unwrap().retain(|name, _| name != "type" && name != "tool_use_id");
    result
}

#[tokio::test]
async fn everything_that_can_be_a_result_becomes_one() {
    let text = json!({"content": "text"});
    assert_eq!(sent(|_: City| async { "text" }).await, text);
    assert_eq!(sent(|_: City| async { "text".to_owned() }).await, text);
    assert_eq!(sent(|_: City| async { Ok::<_, ToolError>("text") }).await, text);
    assert_eq!(sent(|_: City| async { ToolOutput::from("text") }).await, text);
    let object = json!({"content": "{\"a\":[1]}"});
    assert_eq!(sent(|_: City| async { json!({"a": [1]}) }).await, object);
    assert_eq!(sent(|_: City| async { Json::from(json!({"a": [1]})) }).await, object);
    assert_eq!(
        sent(|_: City| async { ToolOutput::json(&std::collections::BTreeMap::from([("a", [1])])) }).await,
        object
    );
    let blocks = json!({"content": [{"type": "text", "text": "a"}]});
    assert_eq!(sent(|_: City| async { ContentBlock::text("a") }).await, blocks);
    assert_eq!(sent(|_: City| async { [ContentBlock::text("a")] }).await, blocks);
    assert_eq!(sent(|_: City| async { vec![ContentBlock::text("a")] }).await, blocks);
    assert_eq!(sent(|_: City| async {}).await, json!({}));
    let failed = json!({"content": [{"type": "text", "text": "a"}], "is_error": true});
    assert_eq!(sent(|_: City| async { Err::<(), _>(ToolError::new(ContentBlock::text("a"))) }).await, failed);
    assert_eq!(
        sent(|_: City| async { Err::<(), _>("no".to_owned()) }).await,
        json!({"content": "no", "is_error": true})
    );
}

#[test]
fn a_value_that_is_no_json_is_an_error_that_shows_nothing_of_it() {
    let unwritable = std::collections::BTreeMap::from([((1, 2), "secret")]);
    let error = ToolOutput::json(&unwritable).into_tool_result().unwrap_err();
    assert_eq!(*error.output(), ToolOutput::from("the result could not be written as JSON"));
    assert_eq!(error.to_string(), "the result could not be written as JSON");
    assert!(std::error::Error::source(&error).is_some());
    let secret = ToolError::new("for the model");
    assert!(!format!("{secret:?}").contains("model"));
}
