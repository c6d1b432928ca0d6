//! A run that the caller stops waiting for, or ends.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anthropic_messages::{
    AnthropicMessage, rules,
    tools::{Conversation, Tool, ToolRun, ToolStep},
};
use anthropic_messages_testing::{Reply, Server};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{City, request, weather};

fn endless() -> Tool {
    Tool::new("endless", "", |_: City| pending::<String>())
}

fn both() -> Reply {
    Reply::tool_call("weather", json!({"city": "Paris"})).and_tool_call("endless", json!({"city": "Rome"}))
}

/// Asserts that the API takes a conversation with another turn of the user.
#[track_caller]
fn is_sendable(conversation: &Conversation) {
    let mut request = conversation.request().clone();
    request.messages.push(AnthropicMessage::user("Go on."));
    rules::check(&request).unwrap();
    request.check().unwrap();
}

fn results(conversation: &Conversation) -> Value {
    serde_json::to_value(conversation.messages().last().unwrap()).unwrap()["content"].clone()
}

#[tokio::test]
async fn open_calls_are_answered_as_interrupted() {
    let server = Server::start().unwrap();
    server.reply(both());
    let mut steps = server.client().unwrap().run_tools(request(), [weather(), endless()]).steps();
    while !matches!(steps.next().await.unwrap().unwrap(), ToolStep::ToolFinished(_)) {}
    let conversation = steps.interrupt();
    is_sendable(&conversation);
    assert_eq!(conversation.messages().len(), 3);
    let results = results(&conversation);
    assert_eq!(results[0]["content"], "22 degrees in Paris");
    assert_eq!(results[1]["content"], "`endless` was interrupted and may have had effects");
}

#[tokio::test]
async fn awaiting_a_run_by_reference_loses_nothing() {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("slow", json!({"city": "Paris"}))).then("Done.");
    let (calls, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (own_calls, own_gate) = (Arc::clone(&calls), Arc::clone(&gate));
    let slow = Tool::new("slow", "", move |_: City| {
        let (calls, gate) = (Arc::clone(&own_calls), Arc::clone(&own_gate));
        async move {
            calls.fetch_add(1, Ordering::SeqCst);
            gate.notified().await;
        }
    });
    let mut run = server.client().unwrap().run_tools(request(), [slow]);
    let started = async {
        while calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = &mut run => panic!("the tool has not returned"),
        () = started => {}
    }
    assert_eq!(run.conversation().replies().len(), 1);
    gate.notify_one();
    assert_eq!((&mut run).await.unwrap().text(), "Done.");
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the call went on where it was");
    assert!((&mut run).await.unwrap_err().to_string().contains("the run is over"));
}

/// The conversation of a run that is interrupted after a step.
async fn interrupted_after(
    server: &Server,
    tools: Vec<Tool>,
    eager: bool,
    until: impl Fn(&ToolStep) -> bool,
) -> Conversation {
    let run: ToolRun = server.client().unwrap().run_tools(request(), tools).streaming(true).eager(eager);
    let mut steps = run.steps();
    while !until(&steps.next().await.unwrap().unwrap()) {}
    steps.interrupt()
}

#[tokio::test]
async fn a_reply_that_is_cut_keeps_its_complete_blocks() {
    let reply = || Reply::text("First.").and_tool_call("weather", json!({"city": "Paris"})).and_text("unfinished");
    let is_unfinished =
        |step: &ToolStep| matches!(step, ToolStep::Text(text) if "unfinished".starts_with(text.as_str()));
    for eager in [false, true] {
        let server = Server::start().unwrap();
        server.reply(reply().delta_length(2));
        let conversation = interrupted_after(&server, vec![weather()], eager, is_unfinished).await;
        is_sendable(&conversation);
        let turn = serde_json::to_value(&conversation.messages()[1]).unwrap();
        assert_eq!(turn["content"].as_array().unwrap().len(), 2, "{turn}");
        assert_eq!(turn["content"][0]["text"], "First.");
        assert_eq!(results(&conversation)[0]["tool_use_id"], turn["content"][1]["id"]);
    }
}

#[tokio::test]
async fn before_anything_arrived_the_conversation_is_the_request() {
    let server = Server::start().unwrap();
    let mut steps = server.client().unwrap().run_tools(request(), [weather()]).steps();
    steps.next().await.unwrap().unwrap();
    let conversation = steps.interrupt();
    assert_eq!(conversation.messages(), request().messages);
}

#[tokio::test]
async fn an_interrupted_run_goes_on_with_another_turn() {
    let server = Server::start().unwrap();
    server.reply(both()).then("I stopped.");
    let client = server.client().unwrap();
    let mut run = client.run_tools(request(), [weather(), endless()]);
    tokio::select! {
        _ = &mut run => panic!("a tool never returns"),
        counts = server.until(|counts| counts.answered == 1) => drop(counts.unwrap()),
    }
    let mut conversation = run.interrupt();
    conversation.push(AnthropicMessage::user("Stop."));
    assert_eq!(client.run_tools(conversation, [weather()]).await.unwrap().text(), "I stopped.");
}
