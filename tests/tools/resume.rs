//! A run that is stored after each step, killed, and resumed.

use std::sync::{Arc, Mutex};

use anthropic_messages::{
    AnthropicMessage, Client,
    tools::{Conversation, Tool, ToolFailureKind, ToolStep, ToolSteps},
};
use anthropic_messages_testing::{ReceivedRequest, Reply, Server};
use serde_json::{Value, json};

use crate::{City, request};

/// The side effects of a run.
type Log = Arc<Mutex<Vec<String>>>;

/// A tool that writes down each of its calls.
fn visit(log: &Log) -> Tool {
    let log = Arc::clone(log);
    Tool::new("visit", "Visits a city", move |input: City| {
        log.lock().unwrap().push(input.city.clone());
        async move { format!("visited {}", input.city) }
    })
}

/// Calls two tools in each of four replies. A reply depends on nothing but the conversation.
fn guide(request: &ReceivedRequest) -> Reply {
    let turns = request.message_request().unwrap().messages.len();
    if turns > 8 {
        return Reply::text("That was the tour.");
    }
    let call = |number: usize| {
        json!({"type": "tool_use", "id": format!("toolu_{turns}_{number}"), "name": "visit",
        "input": {"city": format!("{turns}.{number}")}})
    };
    Reply::message(json!({"content": [{"type": "text", "text": "Next:"}, call(1), call(2)], "stop_reason": "tool_use"}))
}

fn server() -> (Server, Client) {
    let server = Server::builder().default_reply(Reply::from_request(guide)).start().unwrap();
    let client = server.client().unwrap();
    (server, client)
}

fn stored(steps: &ToolSteps) -> String {
    serde_json::to_string(steps.conversation()).unwrap()
}

fn turns(conversation: &Conversation) -> Value {
    serde_json::to_value(conversation.messages()).unwrap()
}

/// Runs until a number of steps has been taken, as a process that is killed then. `None` if the run ends before.
async fn killed_after(
    count: usize,
    client: &Client,
    conversation: Conversation,
    tool: Tool,
    streaming: bool,
) -> Option<String> {
    let mut steps = client.run_tools(conversation, [tool]).streaming(streaming).steps();
    let mut kept = stored(&steps);
    for _ in 0..count {
        if let ToolStep::Finished(_) = steps.next().await?.unwrap() {
            return None;
        }
        kept = stored(&steps);
    }
    Some(kept)
}

#[tokio::test]
async fn a_run_that_is_killed_between_any_two_steps_ends_with_the_same_conversation() {
    let (_server, client) = server();
    let log = Log::default();
    let whole = client.run_tools(request(), [visit(&log)]).await.unwrap();
    let (effects, expected) = (log.lock().unwrap().clone(), turns(whole.conversation()));
    assert_eq!(effects.len(), 8);
    let mut points = 0;
    for streaming in [false, true] {
        for count in 0.. {
            let log = Log::default();
            let first = killed_after(count, &client, request().into(), visit(&log).restartable(), streaming);
            let Some(kept) = first.await else { break };
            let conversation: Conversation = serde_json::from_str(&kept).unwrap();
            let outcome = client.run_tools(conversation, [visit(&log).restartable()]).await.unwrap();
            assert_eq!(turns(outcome.conversation()), expected, "killed after {count} steps");
            assert_eq!(*log.lock().unwrap(), effects, "killed after {count} steps");
            assert_eq!(outcome.text(), "That was the tour.");
            assert_eq!(outcome.conversation().replies().len(), 5);
            points += 1;
        }
    }
    assert!(points >= 40, "{points}");
}

#[tokio::test]
async fn a_run_that_is_killed_after_every_step_ends_with_the_same_conversation() {
    let (_server, client) = server();
    let log = Log::default();
    let expected = turns(client.run_tools(request(), [visit(&Log::default())]).await.unwrap().conversation());
    let mut kept = serde_json::to_string(&Conversation::from(request())).unwrap();
    // Each process takes three steps, which a reply needs: a process that is killed before its reply sends the same request.
    while let Some(next) =
        killed_after(3, &client, serde_json::from_str(&kept).unwrap(), visit(&log).restartable(), false).await
    {
        kept = next;
    }
    let outcome = client.run_tools(serde_json::from_str::<Conversation>(&kept).unwrap(), [visit(&log)]).await.unwrap();
    assert_eq!(turns(outcome.conversation()), expected);
    let mut cities = log.lock().unwrap().clone();
    cities.sort();
    cities.dedup();
    assert_eq!(cities.len(), 8);
}

#[tokio::test]
async fn a_call_that_was_running_is_answered_as_interrupted() {
    let (server, client) = server();
    let log = Log::default();
    let mut steps = client.run_tools(request(), [visit(&log)]).steps();
    while !matches!(steps.next().await.unwrap().unwrap(), ToolStep::ToolCalled(_)) {}
    let kept = stored(&steps);
    drop(steps);
    let conversation: Conversation = serde_json::from_str(&kept).unwrap();
    let mut steps = client.run_tools(conversation, [visit(&log)]).steps();
    let ToolStep::ToolFinished(finished) = steps.next().await.unwrap().unwrap() else { panic!("no call was answered") };
    assert!(matches!(finished.failure.unwrap().kind(), ToolFailureKind::Interrupted));
    while let Some(step) = steps.next().await {
        step.unwrap();
    }
    let results = server.requests()[1].tool_results().into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(results[0]["content"], "`visit` was interrupted and may have had effects");
    assert_eq!((&results[0]["is_error"], &results[1]["content"]), (&json!(true), &json!("visited 1.2")));
    assert_eq!(log.lock().unwrap().len(), 7, "all calls but the interrupted one ran once");
}

#[tokio::test]
async fn a_run_that_is_over_sends_nothing_when_it_is_resumed_unless_a_turn_is_added() {
    let (server, client) = server();
    let outcome = client.run_tools(request(), [visit(&Log::default())]).await.unwrap();
    let kept = serde_json::to_string(outcome.conversation()).unwrap();
    let sent = server.requests().len();
    let mut conversation: Conversation = serde_json::from_str(&kept).unwrap();
    let again = client.run_tools(conversation.clone(), [visit(&Log::default())]).await.unwrap();
    assert_eq!((again.text(), server.requests().len()), ("That was the tour.".to_owned(), sent));
    conversation.push(AnthropicMessage::user("Once more?"));
    let more = client.run_tools(conversation, [visit(&Log::default())]).max_iterations(1).await.unwrap();
    assert_eq!((more.conversation().replies().len(), server.requests().len()), (6, sent + 1));
}

#[tokio::test]
async fn replies_keep_their_metadata() {
    let (_server, client) = server();
    let outcome = client.run_tools(request(), [visit(&Log::default())]).await.unwrap();
    let ids: Vec<_> =
        outcome.conversation().replies().iter().map(|reply| reply.request_id().map(str::to_owned)).collect();
    assert!(ids.len() == 5 && ids.iter().all(Option::is_some), "{ids:?}");
    assert_eq!(outcome.request_id(), ids[4].as_deref());
    let restored: Conversation = serde_json::from_str(&serde_json::to_string(outcome.conversation()).unwrap()).unwrap();
    let restored_ids: Vec<_> = restored.replies().iter().map(|reply| reply.request_id().map(str::to_owned)).collect();
    assert_eq!(restored_ids, ids);
    assert!(restored.replies().iter().all(|reply| reply.attempts() == 1 && reply.status() == 200));
    let tokens = |reply: &anthropic_messages::MessageResponse| reply.usage.as_ref().unwrap().output_tokens.unwrap();
    let sum: i64 = restored.replies().iter().map(|reply| tokens(reply)).sum();
    assert!(sum > 0);
    assert_eq!(outcome.total_usage().output_tokens, Some(sum));
}
