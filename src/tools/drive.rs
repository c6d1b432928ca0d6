//! The loop: request, reply, tools, and again.

use serde::Deserialize;

use super::{
    conversation::Conversation,
    outcome::{ToolRunError, ToolRunOutcome},
    run::{RunOptions, StopWhen, ToolRun},
    stage::Stage,
    step::ToolStep,
    toolbox::Toolbox,
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

/// Leads a run to its end.
pub(super) async fn drive(run: ToolRun, stage: Stage) -> Result<ToolRunOutcome, ToolRunError> {
    let ToolRun { client, request, tools, options, stop_when } = run;
    let mut conversation = Conversation::new(request);
    match turns(&client, Toolbox::new(tools), &options, stop_when, &mut conversation, &stage).await {
        Ok(Ending { message, stopped }) => Ok(ToolRunOutcome::new(message, conversation, stopped)),
        Err(error) => Err(ToolRunError::new(error, conversation)),
    }
}

struct Ending {
    message: MessageResponse,
    stopped: bool,
}

async fn turns(
    client: &Client,
    toolbox: Result<Toolbox>,
    options: &RunOptions,
    mut stop_when: Option<StopWhen>,
    conversation: &mut Conversation,
    stage: &Stage,
) -> Result<Ending> {
    let toolbox = toolbox?;
    toolbox.declare(conversation.request_mut())?;
    let mut head = Head::default();
    for iteration in 1..=options.max_iterations {
        stage.show(|| ToolStep::RequestStarted { iteration }).await;
        let (reply, reply_head) = ask(client, conversation.request(), options.streaming, stage).await?.into_parts();
        head = reply_head;
        stage.show(|| ToolStep::Reply(Box::new(reply.clone()))).await;
        conversation.add_reply(reply.clone());
        match Turn::of(&reply).map_err(|error| error.with_head(head.clone()))? {
            Turn::Last => {
                // What a refusal left of a call can't be sent, nor a call of a server's tool that was cut.
                if reply.tool_uses().next().is_none() && !has_cut_input(&reply) {
                    conversation.echo();
                }
                return Ok(Ending { message: reply, stopped: false });
            }
            Turn::Paused => conversation.echo(),
            Turn::Calls(calls) => {
                let results = toolbox.run(calls, options, stage).await;
                conversation.echo();
                conversation.add_results(results);
            }
        }
        if let Some(stop_when) = &mut stop_when
            && stop_when(conversation)
        {
            return Ok(Ending { message: reply, stopped: true });
        }
    }
    let sentence = format!("tool run stopped after {} requests", options.max_iterations);
    Err(Error::new(ErrorKind::ToolLimit, sentence).with_head(head))
}

/// Sends a request and gives the whole reply.
async fn ask(
    client: &Client,
    request: &MessageCreateRequest,
    streaming: bool,
    stage: &Stage,
) -> Result<Response<MessageResponse>> {
    if !streaming {
        return client.create_message(request).await;
    }
    let mut stream = client.stream_message(request).await?;
    while let Some(event) = stream.next().await {
        let event = event?;
        stage.show(|| ToolStep::Event(Box::new(event))).await;
    }
    let message = stream.final_message().await?;
    let head = stream.response().map(|response| response.head().clone()).unwrap_or_default();
    Ok(Response::new(message, head))
}

/// What a reply asks for.
enum Turn {
    /// It is the answer, or there will be none.
    Last,
    /// To be sent back as it is.
    Paused,
    /// The results of these calls.
    Calls(Vec<ContentBlockToolUse>),
}

impl Turn {
    /// # Errors
    /// When the reply calls tools and can't be answered.
    fn of(reply: &MessageResponse) -> Result<Self> {
        let reason = reply.stop_reason.as_ref();
        if reason.is_some_and(|reason| reason.is_refusal()) {
            return Ok(Self::Last);
        }
        let calls: Vec<_> = reply.tool_uses().cloned().collect();
        if calls.is_empty() {
            return Ok(if reason.is_some_and(|reason| reason.is_pause()) { Self::Paused } else { Self::Last });
        }
        if let Some(problem) = not_whole(reply, &calls) {
            return Err(Error::new(ErrorKind::CutOff, problem));
        }
        if let Some(call) = calls.iter().find(|call| call.id.as_ref().is_none_or(String::is_empty)) {
            let sentence = format!("the model's call of `{}` has no id, so that it can't be answered", call.name);
            return Err(Error::new(ErrorKind::Tool, sentence));
        }
        Ok(Self::Calls(calls))
    }
}

/// Whether a call that is not ours to run, such as one of a server's tool, was cut off: its input is
/// the text that came of it.
fn has_cut_input(reply: &MessageResponse) -> bool {
    #[derive(Deserialize)]
    struct Call {
        input: Option<Json>,
    }
    reply.content.iter().flatten().any(|block| match block {
        ContentBlock::ServerToolUse(call) => call.incomplete_input().is_some(),
        ContentBlock::Unknown(block) => {
            block.to().is_ok_and(|Call { input }| input.is_some_and(|input| input.json_type() == JsonType::String))
        }
        _ => false,
    })
}

/// Why the calls of a reply may not be all that the model meant to write.
///
/// Only three reasons to stop are known to leave calls whole. An input that its stream left
/// unfinished is no object, see [`Accumulator`](crate::Accumulator).
fn not_whole(reply: &MessageResponse, calls: &[ContentBlockToolUse]) -> Option<String> {
    let whole = |reason: &str| matches!(reason, "tool_use" | "end_turn" | "pause_turn");
    match &reply.stop_reason {
        Some(reason) if whole(reason.as_str()) => {}
        Some(reason) => {
            return Some(format!("the reply was ended by `{reason}`, and may have been cut off in a call of a tool"));
        }
        None => return Some("the reply has no stop reason, and may have been cut off in a call of a tool".to_owned()),
    }
    let cut = calls.iter().find(|call| call.input.json_type() != JsonType::Object)?;
    Some(format!("the input that the model wrote for `{}` is not whole", cut.name))
}
