//! Hooks, wrappers, and tools that start while the reply is streamed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use anthropic_messages::{
    ErrorKind, Json,
    tools::{Next, Tool, ToolCall, ToolFailureKind, ToolStep, Verdict},
};
use anthropic_messages_testing::{Reply, Server};
use serde_json::json;

use crate::{City, request, results, weather};

#[tokio::test]
async fn a_hook_allows_denies_or_replaces() {
    let server = Server::start().unwrap();
    let calls = ["Paris", "Rome", "Oslo"].map(|city| json!({"city": city}));
    let [first, second, third] = &calls;
    let reply = Reply::tool_call("weather", first).and_tool_call("weather", second).and_tool_call("weather", third);
    server.reply(reply).then("Done.");
    let run = server.client().unwrap().run_tools(request(), [weather()]).before_tool(|call: ToolCall| async move {
        tokio::task::yield_now().await;
        match call.input().decode::<City>().unwrap().city.as_str() {
            "Rome" => Verdict::Deny("not Rome".to_owned()),
            "Oslo" => Verdict::ReplaceInput(Json::from(json!({"city": "Bergen"}))),
            _ => Verdict::Allow,
        }
    });
    let (mut steps, mut seen) = (run.steps(), Vec::new());
    while let Some(step) = steps.next().await {
        match step.unwrap() {
            ToolStep::ToolCalled(call) => seen.push(format!("called {}", call.input())),
            ToolStep::ToolFinished(finished) => seen.push(match finished.failure {
                Some(failure) => {
                    assert!(matches!(failure.kind(), ToolFailureKind::Denied(_)));
                    failure.to_string()
                }
                None => "finished".to_owned(),
            }),
            _ => {}
        }
    }
    seen.sort();
    let expected = [
        r#"called {"city":"Bergen"}"#,
        r#"called {"city":"Paris"}"#,
        "finished",
        "finished",
        "tool `weather` failed: the call was denied",
    ];
    assert_eq!(seen, expected);
    let expected =
        [(json!("22 degrees in Paris"), false), (json!("not Rome"), true), (json!("22 degrees in Bergen"), false)];
    assert_eq!(results(&server), expected);
    let sent = server.last_request().unwrap();
    assert_eq!(sent.pointer("/messages/1/content/2/input/city").unwrap(), "Oslo", "the reply goes back as it came");
}

#[tokio::test]
async fn a_request_can_be_changed_before_it_is_sent() {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("weather", json!({"city": "Paris"}))).then("Done.");
    let mut number = 0;
    let run = server.client().unwrap().run_tools(request(), [weather()]).before_request(move |request| {
        number += 1;
        request.max_tokens = number;
    });
    let outcome = run.await.unwrap();
    let sent: Vec<_> =
        server.requests().iter().map(|request| request.pointer("/max_tokens").unwrap().clone()).collect();
    assert_eq!(sent, [json!(1), json!(2)]);
    assert_eq!(outcome.conversation().request().max_tokens, 1024, "the conversation stays");
}

#[tokio::test]
async fn a_wrapped_tool_runs_through_its_wrappers() {
    let server = Server::start().unwrap();
    server
        .reply(Reply::tool_call("weather", json!({"city": "Paris"})).and_tool_call("weather", json!({"city": "Rome"})))
        .then("Done.");
    let log = Arc::new(Mutex::new(Vec::new()));
    let logged = |name: &'static str, tool: Tool| {
        let log = Arc::clone(&log);
        tool.wrap(move |call: ToolCall, next: Next| {
            let log = Arc::clone(&log);
            async move {
                log.lock().unwrap().push(name);
                if call.input().as_str().contains("Rome") {
                    return Err(call.fail("closed"));
                }
                next.run(call.with_input(Json::from(json!({"city": "Lyon"})))).await
            }
        })
    };
    let tool = logged("outer", logged("inner", weather()));
    server.client().unwrap().run_tools(request(), [tool]).await.unwrap();
    assert_eq!(results(&server), [(json!("22 degrees in Lyon"), false), (json!("closed"), true)]);
    assert_eq!(*log.lock().unwrap(), ["outer", "inner", "outer"]);
}

#[tokio::test]
async fn an_eager_tool_starts_before_the_reply_is_complete() {
    let started = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&started);
    let tool = Tool::new("eager", "", move |_: City| {
        own.store(true, Ordering::SeqCst);
        async { "early" }
    });
    let clock = anthropic_messages_testing::Clock::manual();
    let server = Server::builder().clock(clock.clone()).start().unwrap();
    // Nothing after the first block is sent until the clock is moved.
    let second = std::time::Duration::from_secs(1);
    server.reply(Reply::tool_call("eager", json!({"city": ""})).and_text("and more").paced(second)).then("Done.");
    let mut steps = server.client().unwrap().run_tools(request(), [tool]).eager(true).steps();
    let mut names = Vec::new();
    loop {
        tokio::select! {
            step = steps.next() => match step {
                Some(step) => match step.unwrap() {
                    ToolStep::ToolCalled(_) => names.push("called"),
                    ToolStep::ToolFinished(_) => names.push("finished"),
                    ToolStep::Reply(_) => names.push("reply"),
                    _ => {}
                },
                None => break,
            },
            () = tokio::task::yield_now() => clock.advance(second),
        }
    }
    assert_eq!(names, ["called", "finished", "reply", "reply"]);
    assert!(started.load(Ordering::SeqCst));
    assert_eq!(results(&server), [(json!("early"), false)]);
}

#[tokio::test]
async fn a_hundred_eager_calls_keep_order_and_bound() {
    let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (own_running, own_peak) = (Arc::clone(&running), Arc::clone(&peak));
    let busy = Tool::new("busy", "", move |input: City| {
        let (running, peak) = (Arc::clone(&own_running), Arc::clone(&own_peak));
        async move {
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..input.city.len() {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            input.city
        }
    });
    let city = |number: usize| format!("{number}{}", "x".repeat((number * 7) % 5));
    let calls = (1..100).fold(Reply::tool_call("busy", json!({"city": city(0)})), |reply, number| {
        reply.and_tool_call("busy", json!({"city": city(number)}))
    });
    let server = Server::start().unwrap();
    server.reply(calls).then("Done.");
    server.client().unwrap().run_tools(request(), [busy]).eager(true).max_parallel(5).await.unwrap();
    let expected: Vec<_> = (0..100).map(|number| (json!(city(number)), false)).collect();
    assert_eq!(results(&server), expected);
    assert!(peak.load(Ordering::SeqCst) <= 5);
}

#[tokio::test]
async fn a_reply_that_is_cut_or_refused_takes_its_early_calls_back() {
    for reason in ["max_tokens", "refusal"] {
        let server = Server::start().unwrap();
        let reply = Reply::tool_call("weather", json!({"city": "Paris"})).and_text("then").stop_reason(reason);
        server.reply(reply);
        let mut steps = server.client().unwrap().run_tools(request(), [weather()]).eager(true).steps();
        let (mut names, mut conversation) = (Vec::new(), None);
        while let Some(step) = steps.next().await {
            match step {
                Ok(ToolStep::ToolCalled(_)) => names.push("called"),
                Ok(ToolStep::ToolFinished(_)) => names.push("finished"),
                Ok(ToolStep::ToolDiscarded(call)) => {
                    assert_eq!(call.name(), "weather");
                    names.push("discarded");
                }
                Ok(ToolStep::Finished(outcome)) => conversation = Some(outcome.into_conversation()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::CutOff);
                    conversation = Some(error.conversation().clone());
                }
                Ok(_) => {}
            }
        }
        assert_eq!(names, ["called", "finished", "discarded"], "{reason}");
        assert_eq!(conversation.unwrap().messages(), request().messages, "{reason}");
    }
}

#[tokio::test]
async fn steps_are_written_for_user_interfaces() {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("weather", json!({"city": "Paris"}))).then("Warm.");
    let mut steps = server.client().unwrap().run_tools(request(), [weather()]).streaming(true).steps();
    let mut written = Vec::new();
    while let Some(step) = steps.next().await {
        written.push(serde_json::to_value(step.unwrap().clone()).unwrap());
    }
    let find = |name: &str| written.iter().find(|step| step["type"] == name).unwrap()["data"].clone();
    assert_eq!(find("request_started"), json!({"iteration": 1}));
    assert_eq!(find("tool_called")["input"], json!({"city": "Paris"}));
    assert_eq!(find("tool_finished")["result"]["content"], "22 degrees in Paris");
    assert_eq!(find("reply")["stop_reason"], "tool_use");
    assert_eq!(find("finished")["content"][0]["text"], "Warm.");
    let text: String =
        written.iter().filter(|step| step["type"] == "text").map(|step| step["data"].as_str().unwrap()).collect();
    assert_eq!(text, "Warm.");
}
