//! A run as a stream of steps, and what dropping it does.

use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use anthropic_messages::{
    ErrorKind, StreamEvent,
    tools::{Tool, ToolStep, ToolSteps},
};
use anthropic_messages_testing::{At, Fault, Reply, Server};
use serde_json::json;

use crate::{City, request, weather};

fn name(step: &ToolStep) -> String {
    match step {
        ToolStep::RequestStarted { iteration } => format!("request {iteration}"),
        ToolStep::Event(event) => match **event {
            StreamEvent::MessageStart(_) => "event start".to_owned(),
            StreamEvent::MessageStop(_) => "event stop".to_owned(),
            _ => "event".to_owned(),
        },
        ToolStep::Reply(reply) => format!("reply {}", reply.stop_reason.as_ref().unwrap()),
        ToolStep::ToolCalled(call) => format!("called {}", call.name()),
        ToolStep::ToolFinished(finished) => format!("finished {}", finished.call.name()),
        ToolStep::Finished(outcome) => format!("done {}", outcome.text()),
        ToolStep::Text(text) => format!("text {text}"),
        other => format!("{other:?}"),
    }
}

async fn names(mut steps: ToolSteps) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(step) = steps.next().await {
        names.push(name(&step.unwrap()));
    }
    assert!(steps.next().await.is_none(), "it stays at its end");
    names
}

#[tokio::test]
async fn a_run_tells_its_steps_in_order() {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("weather", json!({"city": "Paris"}))).then("Warm.");
    let steps = server.client().unwrap().run_tools(request(), [weather()]).steps();
    let expected = [
        "request 1",
        "reply tool_use",
        "called weather",
        "finished weather",
        "request 2",
        "text Warm.",
        "reply end_turn",
        "done Warm.",
    ];
    assert_eq!(names(steps).await, expected);
}

#[tokio::test]
async fn a_streamed_run_tells_the_events_too() {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("weather", json!({"city": "Paris"}))).then("Warm.");
    let steps = server.client().unwrap().run_tools(request(), [weather()]).streaming(true).steps();
    let mut names = names(steps).await;
    names.retain(|name| name != "event" && !name.starts_with("text"));
    let expected = [
        "request 1",
        "event start",
        "event stop",
        "reply tool_use",
        "called weather",
        "finished weather",
        "request 2",
        "event start",
        "event stop",
        "reply end_turn",
        "done Warm.",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn calls_are_told_as_they_start_and_end() {
    let server = Server::start().unwrap();
    let slow = Tool::new("slow", "", |_: City| async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    });
    server
        .reply(Reply::tool_call("slow", json!({"city": ""})).and_tool_call("weather", json!({"city": ""})))
        .then("Done.");
    let steps = server.client().unwrap().run_tools(request(), [slow, weather()]).steps();
    assert_eq!(names(steps).await[2..6], ["called slow", "called weather", "finished weather", "finished slow"]);
}

#[tokio::test]
async fn an_error_is_the_last_step() {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("weather", json!({"city": "Paris"}))).then(Reply::status(400));
    let mut steps = server.client().unwrap().run_tools(request(), [weather()]).steps();
    let error = loop {
        match steps.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert_eq!(error.conversation().messages().len(), 3);
    assert!(steps.next().await.is_none());
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_asked_for() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    drop(client.run_tools(request(), [weather()]));
    drop(client.run_tools(request(), [weather()]).into_future());
    let mut steps = client.run_tools(request(), [weather()]).steps();
    assert_eq!(name(&steps.next().await.unwrap().unwrap()), "request 1");
    assert_eq!(server.requests().len(), 0, "the run waits until its step is taken");
}

/// Counts those alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn dropping_a_run_cancels_its_tools() {
    let alive = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&alive);
    let endless = Tool::new("endless", "", move |_: City| {
        let guard = Alive::new(&own);
        async move {
            let _guard = guard;
            pending::<String>().await
        }
    });
    let server = Server::start().unwrap();
    let call = json!({"city": ""});
    server.reply(Reply::tool_call("endless", &call).and_tool_call("endless", &call));
    let mut steps = server.client().unwrap().run_tools(request(), [endless]).steps();
    while name(&steps.next().await.unwrap().unwrap()) != "called endless" {}
    assert_eq!(name(&steps.next().await.unwrap().unwrap()), "called endless");
    let mut context = Context::from_waker(Waker::noop());
    assert!(Box::pin(steps.next()).as_mut().poll(&mut context).is_pending());
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    drop(steps);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn dropping_a_run_between_tools_and_request_sends_nothing_more() {
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("weather", json!({"city": ""})));
    let mut steps = server.client().unwrap().run_tools(request(), [weather()]).steps();
    while name(&steps.next().await.unwrap().unwrap()) != "finished weather" {}
    drop(steps);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn dropping_a_run_within_a_reply_closes_its_connection() {
    for streaming in [false, true] {
        let server = Server::start().unwrap();
        let client = server.client().unwrap();
        server.reply(Reply::text("Warm.").fault(Fault::stall(At::AfterByte(1))));
        let mut steps = client.run_tools(request(), [weather()]).streaming(streaming).steps();
        assert_eq!(name(&steps.next().await.unwrap().unwrap()), "request 1");
        tokio::select! {
            _ = steps.next() => panic!("the reply has not come"),
            counts = server.until(|counts| counts.answered + counts.in_flight == 1) => drop(counts.unwrap()),
        }
        drop(steps);
        server.until(|counts| counts.open_connections() == 0).await.unwrap();
    }
}

#[tokio::test]
async fn printing_a_step_shows_nothing_that_was_said() {
    let server = Server::start().unwrap();
    server
        .reply(Reply::tool_call("weather", json!({"city": "unsayable"})).and_tool_call("broken", json!({"city": ""})))
        .then("It is unsayable.");
    let weather = Tool::new("weather", "Weather", |_: City| async { "unsayable" });
    let broken = Tool::new("broken", "Breaks", |city: City| async move {
        assert_eq!(city.city, "full", "unsayable");
    });
    let mut steps = server.client().unwrap().run_tools(request(), [weather, broken]).streaming(true).steps();
    let mut shown = String::new();
    while let Some(step) = steps.next().await {
        shown += &format!("{:?}\n", step.unwrap());
    }
    assert!(shown.contains("Panicked") && shown.contains("weather"), "{shown}");
    assert!(!shown.contains("unsayable"), "{shown}");
}
