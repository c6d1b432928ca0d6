//! Tests of executing tools: their input, concurrency, and failures.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anthropic_messages::{
    AnthropicTool, ErrorKind,
    tools::{Tool, ToolCall, ToolError, ToolFailure, ToolFailureKind, ToolHandler, ToolStep},
    types::ToolUnionBash20250124,
};
use anthropic_messages_testing::{Reply, Server};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{City, request, results, weather};

/// The result of one call of a tool, as the model gets it.
async fn called(tool: Tool, input: Value) -> (Value, bool) {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call(tool.name(), input)).then("done");
    let outcome = server.client().unwrap().run_tools(request(), [tool]).await.unwrap();
    assert_eq!(outcome.text(), "done");
    results(&server).remove(0)
}

/// The failure of one call of a tool, as the steps tell it.
async fn failure(tool: Tool, name: &str, input: Value) -> (ToolFailure, Value) {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call(name, input));
    let mut steps = server.client().unwrap().run_tools(request(), [tool]).steps();
    while let Some(step) = steps.next().await {
        if let ToolStep::ToolFinished(finished) = step.unwrap() {
            assert_eq!(finished.result.is_error, Some(true));
            return (finished.failure.unwrap(), serde_json::to_value(finished.result.content).unwrap());
        }
    }
    panic!("no tool ran");
}

#[tokio::test]
async fn a_closure_is_a_tool() {
    assert_eq!(called(weather(), json!({"city": "Paris"})).await, (json!("22 degrees in Paris"), false));
}

#[tokio::test]
async fn a_closure_may_take_the_call() {
    let tool = Tool::new("weather", "", |input: City, call: ToolCall| async move {
        let id_is_there = call.id().starts_with("toolu_");
        format!("{} {} {id_is_there} {}", call.name(), input.city, call.input())
    });
    let result = called(tool, json!({"city": "Paris"})).await;
    assert_eq!(result.0, json!(r#"weather Paris true {"city":"Paris"}"#));
}

#[tokio::test]
async fn a_type_with_state_is_a_tool() {
    struct Log(Mutex<Vec<String>>);
    impl ToolHandler for Log {
        type Input = City;
        type Output = String;

        async fn call(&self, input: City, _call: ToolCall) -> String {
            let mut log = self.0.lock().unwrap();
            log.push(input.city);
            log.join(", ")
        }
    }
    let server = Server::start().unwrap();
    server
        .reply(Reply::tool_call("log", json!({"city": "Paris"})))
        .then(Reply::tool_call("log", json!({"city": "Rome"})))
        .then("done");
    let log = Tool::new("log", "", Log(Mutex::default()));
    server.client().unwrap().run_tools(request(), [log]).await.unwrap();
    assert_eq!(results(&server), [(json!("Paris, Rome"), false)]);
}

#[tokio::test]
async fn a_tool_may_bring_its_own_definition() {
    let schema = json!({"type": "object"});
    let roll = Tool::defined("roll", AnthropicTool::new("roll", schema), |_: Value| async { "4" });
    assert_eq!(called(roll, json!({"any": 1})).await, (json!("4"), false));
    let bash =
        Tool::defined("bash", ToolUnionBash20250124::new(), |input: Value| async move { input["command"].to_string() });
    assert_eq!(called(bash, json!({"command": "ls"})).await, (json!("\"ls\""), false));
}

#[tokio::test]
async fn a_toolset_has_one_tool() {
    let server = Server::start().unwrap();
    let block =
        json!({"type": "tool_use", "id": "toolu_1", "name": "screenshot", "toolset_name": "computer", "input": {}});
    server.reply(Reply::message(json!({"content": [block], "stop_reason": "tool_use"}))).then("done");
    let computer = Tool::defined(
        "computer",
        serde_json::from_value::<anthropic_messages::types::ToolUnion>(json!({"type": "computer_toolset_20260801"}))
            .unwrap(),
        |_: Value, call: ToolCall| async move { call.name().to_owned() },
    );
    server.client().unwrap().run_tools(request(), [computer]).await.unwrap();
    let request = server.last_request().unwrap();
    let expected =
        json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "screenshot", "toolset_name": "computer"});
    assert_eq!(request.tool_results(), [&expected]);
}

#[tokio::test]
async fn tools_share_a_context() {
    struct Shared(AtomicUsize);
    let shared = Arc::new(Shared(AtomicUsize::new(0)));
    let server = Server::start().unwrap();
    server
        .reply(Reply::tool_call("count", json!({"city": ""})).and_tool_call("count", json!({"city": ""})))
        .then("done");
    let count = Tool::new("count", "", |_: City, call: ToolCall| async move {
        assert!(call.context::<String>().is_none());
        call.context::<Arc<Shared>>().unwrap().0.fetch_add(1, Ordering::SeqCst).to_string()
    });
    server.client().unwrap().run_tools(request(), [count]).context(Arc::clone(&shared)).await.unwrap();
    assert_eq!(shared.0.load(Ordering::SeqCst), 2);
    assert!(results(&server).iter().all(|(_, is_error)| !is_error));
}

#[tokio::test]
async fn calls_run_side_by_side_and_results_keep_their_order() {
    // Each call waits for the one behind it: they end in reverse, and only if they run together.
    let gates: Arc<Vec<Notify>> = Arc::new((0..4).map(|_| Notify::new()).collect());
    let last = gates.len() - 1;
    let ended = Arc::new(Mutex::new(Vec::new()));
    let (own_gates, own_ended) = (Arc::clone(&gates), Arc::clone(&ended));
    let chained =
        Tool::defined("chained", AnthropicTool::new("chained", json!({"type": "object"})), move |input: Value| {
            let (gates, ended) = (Arc::clone(&own_gates), Arc::clone(&own_ended));
            async move {
                let number = usize::try_from(input["number"].as_u64().unwrap()).unwrap();
                if number < last {
                    gates[number + 1].notified().await;
                }
                gates[number].notify_one();
                ended.lock().unwrap().push(number);
                number.to_string()
            }
        });
    let server = Server::start().unwrap();
    let calls = (1..=last).fold(Reply::tool_call("chained", json!({"number": 0})), |reply, number| {
        reply.and_tool_call("chained", json!({"number": number}))
    });
    server.reply(calls).then("done");
    server.client().unwrap().run_tools(request(), [chained]).await.unwrap();
    assert_eq!(*ended.lock().unwrap(), [3, 2, 1, 0]);
    let texts: Vec<_> = results(&server).into_iter().map(|(content, _)| content).collect();
    assert_eq!(texts, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn no_more_calls_run_together_than_may() {
    for (bound, most) in [(None, 8), (Some(8), 8), (Some(3), 3), (Some(1), 1), (Some(0), 1), (Some(1000), 100)] {
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (own_running, own_peak) = (Arc::clone(&running), Arc::clone(&peak));
        let busy = Tool::new("busy", "", move |_: City| {
            let (running, peak) = (Arc::clone(&own_running), Arc::clone(&own_peak));
            async move {
                peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let server = Server::start().unwrap();
        let calls = (1..100).fold(Reply::tool_call("busy", json!({"city": ""})), |reply, _| {
            reply.and_tool_call("busy", json!({"city": ""}))
        });
        server.reply(calls).then("done");
        let run = server.client().unwrap().run_tools(request(), [busy]);
        match bound {
            Some(bound) => run.max_parallel(bound).await.unwrap(),
            None => run.await.unwrap(),
        };
        assert_eq!(results(&server).len(), 100);
        assert_eq!(peak.load(Ordering::SeqCst), most, "{bound:?}");
    }
}

#[tokio::test]
async fn an_error_reaches_the_model_in_its_author_s_words() {
    let tool = Tool::new("weather", "", |_: City| async {
        let source = std::io::Error::other("password=hunter2");
        Err::<String, _>(ToolError::new("the weather service is closed").with_source(source))
    });
    let (failure, content) = failure(tool, "weather", json!({"city": ""})).await;
    assert_eq!(content, "the weather service is closed");
    assert_eq!(failure.to_string(), "tool `weather` failed: the weather service is closed");
    assert_eq!(std::error::Error::source(&failure).unwrap().to_string(), "password=hunter2");
    assert!(matches!(failure.kind(), ToolFailureKind::Failed(_)), "{failure:?}");
    let text = Tool::new("weather", "", |_: City| async { Err::<(), _>("closed on Sundays") });
    assert_eq!(called(text, json!({"city": ""})).await, (json!("closed on Sundays"), true));
}

#[tokio::test]
async fn a_panic_becomes_an_error_and_the_other_calls_go_on() {
    async fn report(text: &str) -> String {
        assert!(text != "Atlantis", "secret detail");
        text.to_owned()
    }
    let during = Tool::new("during", "", |input: City| async move { report(&input.city).await });
    let before = Tool::new("before", "", |input: City| {
        assert!(input.city != "Atlantis", "secret detail");
        async { "fine" }
    });
    for (tool, fine) in [(during, "Paris"), (before, "fine")] {
        let name = tool.name().to_owned();
        let server = Server::start().unwrap();
        let both = Reply::tool_call(&name, json!({"city": "Atlantis"})).and_tool_call(&name, json!({"city": "Paris"}));
        server.reply(both).then("done");
        server.client().unwrap().run_tools(request(), [tool]).await.unwrap();
        let failed = json!(format!("`{name}` failed unexpectedly"));
        assert_eq!(results(&server), [(failed, true), (json!(fine), false)]);
    }
    let panics = Tool::new("panics", "", |_: City| async { panic!("secret detail") as String });
    let (failure, content) = failure(panics, "panics", json!({"city": ""})).await;
    assert!(
        matches!(failure.kind(), ToolFailureKind::Panicked(Some(message)) if message == "secret detail"),
        "{failure:?}"
    );
    assert!(!content.to_string().contains("secret"));
}

#[tokio::test]
async fn a_call_of_an_unknown_tool_is_answered() {
    let (failure, content) = failure(weather(), "Weather", json!({})).await;
    assert!(matches!(failure.kind(), ToolFailureKind::Unknown { known } if known == &["weather"]), "{failure:?}");
    assert_eq!(content, "there is no tool `Weather`; the tools are `weather`");
}

#[tokio::test]
async fn undecodable_input_is_answered_with_the_place() {
    let ran = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&ran);
    let tool = Tool::new("nested", "", move |_: Vec1| {
        own.store(true, Ordering::SeqCst);
        async {}
    });
    let (failure, content) = failure(tool, "nested", json!({"cities": [{"city": "Paris"}, {"city": 5}]})).await;
    let ToolFailureKind::Undecodable(error) = failure.kind() else { panic!("{failure:?}") };
    assert_eq!(error.pointer(), "/cities/1/city");
    let message = content.as_str().unwrap();
    assert!(message.starts_with("the input of `nested` does not fit its schema: invalid type"), "{message}");
    assert!(message.contains("/cities/1/city"), "{message}");
    assert!(!ran.load(Ordering::SeqCst));
}

#[derive(serde::Deserialize, anthropic_messages::schemars::JsonSchema)]
#[schemars(crate = "anthropic_messages::schemars")]
struct Vec1 {
    #[expect(dead_code)]
    cities: Vec<City>,
}

/// Says when it is dropped.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_tool_that_takes_too_long_is_dropped() {
    let dropped = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&dropped);
    let endless = Tool::new("endless", "", move |_: City| {
        let guard = Guard(Arc::clone(&own));
        async move {
            let _guard = guard;
            pending::<String>().await
        }
    });
    let server = Server::start().unwrap();
    server
        .reply(Reply::tool_call("endless", json!({"city": ""})).and_tool_call("weather", json!({"city": "Paris"})))
        .then("done");
    let run = server.client().unwrap().run_tools(request(), [endless, weather()]);
    run.tool_timeout(Duration::from_millis(1)).await.unwrap();
    assert!(dropped.load(Ordering::SeqCst));
    let late = json!("`endless` took longer than 1ms and was stopped");
    assert_eq!(results(&server), [(late, true), (json!("22 degrees in Paris"), false)]);
}

#[tokio::test]
async fn a_tool_s_own_limit_stands_above_the_run_s() {
    let tool = Tool::new("endless", "", |_: City| pending::<String>()).timeout(Duration::from_millis(1));
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("endless", json!({"city": ""}))).then("done");
    server.client().unwrap().run_tools(request(), [tool]).tool_timeout(Duration::from_secs(3600)).await.unwrap();
    assert!(results(&server)[0].1);
}

#[tokio::test]
async fn a_tool_without_a_schema_sends_nothing() {
    let server = Server::start().unwrap();
    let tool = Tool::new("numbers", "", |_: Vec<u8>| async {});
    assert_eq!(tool.definition().unwrap_err().kind(), ErrorKind::Contract);
    let error = server.client().unwrap().run_tools(request(), [tool]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contract);
    assert!(error.to_string().starts_with("the schema of `Array_of_uint8` is not an object"), "{error}");
    let error = server.client().unwrap().run_tools(request(), [weather(), weather()]).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Contract, "two tools have the name `weather`"));
    assert_eq!(server.requests().len(), 0);
}
