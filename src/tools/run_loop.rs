//! The loop of a run: request, reply, tools, and the next request.

use serde::Deserialize;

use super::{
    conversation::Conversation,
    execute::{ExecuteOptions, ToolSet},
    outcome::{ToolRunError, ToolRunOutcome},
    step::{StepSink, ToolStep},
    tool::Tool,
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::{
        Client,
        types::{ContentBlock, ContentBlockToolUse, MessageCreateRequest, MessageResponse},
    },
    json::{Json, JsonType},
    response::{Head, Response},
};

/// The settings of a run.
pub(super) struct RunOptions {
    pub(super) max_iterations: usize,
    pub(super) streaming: bool,
    pub(super) execute: ExecuteOptions,
    pub(super) stop_when: Option<StopWhen>,
}

pub(super) type StopWhen = Box<dyn FnMut(&Conversation) -> bool + Send>;

/// Runs a conversation to its end.
pub(super) async fn run(
    client: Client,
    request: MessageCreateRequest,
    tools: Vec<Tool>,
    options: RunOptions,
    steps: StepSink,
) -> Result<ToolRunOutcome, ToolRunError> {
    let mut conversation = Conversation::new(request);
    match run_loop(&client, tools, options, &mut conversation, &steps).await {
        Ok(End { message, stopped }) => Ok(ToolRunOutcome::new(message, conversation, stopped)),
        Err(error) => Err(ToolRunError::new(error, conversation)),
    }
}

struct End {
    message: MessageResponse,
    stopped: bool,
}

async fn run_loop(
    client: &Client,
    tools: Vec<Tool>,
    mut options: RunOptions,
    conversation: &mut Conversation,
    steps: &StepSink,
) -> Result<End> {
    let tools = ToolSet::new(tools)?;
    tools.define_in(conversation.request_mut())?;
    let mut head = Head::default();
    for iteration in 1..=options.max_iterations {
        steps.emit(|| ToolStep::RequestStarted { iteration }).await;
        let (reply, reply_head) = send(client, conversation.request(), options.streaming, steps).await?.into_parts();
        head = reply_head;
        steps.emit(|| ToolStep::Reply(Box::new(reply.clone()))).await;
        conversation.add_reply(reply.clone());
        match NextAction::after(&reply).map_err(|error| error.with_head(head.clone()))? {
            NextAction::Finish => {
                // The API takes neither the remains of a refused call nor a truncated call of a server's tool.
                if reply.tool_uses().next().is_none() && !has_truncated_input(&reply) {
                    conversation.echo();
                }
                return Ok(End { message: reply, stopped: false });
            }
            NextAction::Continue => conversation.echo(),
            NextAction::RunTools(calls) => {
                let results = tools.run(calls, &options.execute, steps).await;
                conversation.echo();
                conversation.add_results(results);
            }
        }
        if let Some(stop_when) = &mut options.stop_when
            && stop_when(conversation)
        {
            return Ok(End { message: reply, stopped: true });
        }
    }
    let sentence = format!("tool run stopped after {} requests", options.max_iterations);
    Err(Error::new(ErrorKind::ToolLimit, sentence).with_head(head))
}

/// Sends a request and returns the complete reply.
async fn send(
    client: &Client,
    request: &MessageCreateRequest,
    streaming: bool,
    steps: &StepSink,
) -> Result<Response<MessageResponse>> {
    if !streaming {
        return client.create_message(request).await;
    }
    let mut stream = client.stream_message(request).await?;
    while let Some(event) = stream.next().await {
        let event = event?;
        steps.emit(|| ToolStep::Event(Box::new(event))).await;
    }
    let message = stream.final_message().await?;
    let head = stream.response().map(|response| response.head().clone()).unwrap_or_default();
    Ok(Response::new(message, head))
}

/// The action that a reply asks for.
enum NextAction {
    /// End the run: the reply is the answer, or there will be none.
    Finish,
    /// Send the reply back as it is.
    Continue,
    /// Run these calls and send their results.
    RunTools(Vec<ContentBlockToolUse>),
}

impl NextAction {
    /// Decides what follows a reply.
    ///
    /// # Errors
    /// Fails if the reply calls tools and can't be answered.
    fn after(reply: &MessageResponse) -> Result<Self> {
        let reason = reply.stop_reason.as_ref();
        if reason.is_some_and(|reason| reason.is_refusal()) {
            return Ok(Self::Finish);
        }
        let calls: Vec<_> = reply.tool_uses().cloned().collect();
        if calls.is_empty() {
            return Ok(if reason.is_some_and(|reason| reason.is_pause()) { Self::Continue } else { Self::Finish });
        }
        if let Some(problem) = truncation(reply, &calls) {
            return Err(Error::new(ErrorKind::CutOff, problem));
        }
        if let Some(call) = calls.iter().find(|call| call.id.as_ref().is_none_or(String::is_empty)) {
            let sentence = format!("the call of tool `{}` has no id and can't be answered", call.name);
            return Err(Error::new(ErrorKind::Tool, sentence));
        }
        Ok(Self::RunTools(calls))
    }
}

/// Returns `true` if a call that the caller doesn't run, such as one of a server's tool, was cut off. Its input is then the
/// text that had arrived.
fn has_truncated_input(reply: &MessageResponse) -> bool {
    #[derive(Deserialize)]
    struct Call {
        input: Option<Json>,
    }
    reply.content.iter().flatten().any(|block| match block {
        ContentBlock::ServerToolUse(call) => call.incomplete_input().is_some(),
        ContentBlock::Unknown(block) => {
            block.decode().is_ok_and(|Call { input }| input.is_some_and(|input| input.json_type() == JsonType::String))
        }
        _ => false,
    })
}

/// Returns the reason why the calls of a reply may be incomplete.
///
/// Only three stop reasons are known to leave calls complete. The input of a truncated call is not an object, see
/// [`Accumulator`](crate::Accumulator).
fn truncation(reply: &MessageResponse, calls: &[ContentBlockToolUse]) -> Option<String> {
    let is_complete = |reason: &str| matches!(reason, "tool_use" | "end_turn" | "pause_turn");
    match &reply.stop_reason {
        Some(reason) if is_complete(reason.as_str()) => {}
        Some(reason) => {
            return Some(format!("the reply stopped with `{reason}` and may be cut off within a tool call"));
        }
        None => return Some("the reply has no stop reason and may be cut off within a tool call".to_owned()),
    }
    let truncated = calls.iter().find(|call| call.input.json_type() != JsonType::Object)?;
    Some(format!("the input of the call of tool `{}` is incomplete", truncated.name))
}
