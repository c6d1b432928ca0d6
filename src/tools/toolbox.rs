//! The tools of a run, and the calls of one reply.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout};

use super::{
    call::ToolCall,
    output::ToolOutput,
    run::RunOptions,
    stage::Stage,
    step::{ToolFailure, ToolFinished, ToolStep},
    tool::Tool,
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{ContentBlock, ContentBlockToolResult, ContentBlockToolUse, MessageCreateRequest, ToolUnion},
    json::{Empty, Json},
};

/// The tools of a run, each with a name of its own.
pub(super) struct Toolbox(Vec<Tool>);

impl Toolbox {
    /// # Errors
    /// When two tools have the same name.
    pub(super) fn new(tools: Vec<Tool>) -> Result<Self> {
        let same = tools
            .iter()
            .enumerate()
            .find(|(index, tool)| tools.iter().take(*index).any(|earlier| earlier.name() == tool.name()));
        match same {
            Some((_, tool)) => {
                Err(Error::new(ErrorKind::Contract, format!("two tools have the name `{}`", tool.name())))
            }
            None => Ok(Self(tools)),
        }
    }

    /// Adds the tools to a request that does not have them already.
    ///
    /// # Errors
    /// When a tool has no definition that could be sent.
    pub(super) fn declare(&self, request: &mut MessageCreateRequest) -> Result<()> {
        let mut missing = Vec::new();
        let declared: Vec<Declared> = request.tools.iter().flatten().map(Declared::of).collect();
        for tool in &self.0 {
            let definition = tool.definition()?;
            let own = Declared::of(definition);
            if !declared.iter().any(|other| own.is_same(other)) {
                missing.push(definition.clone());
            }
        }
        if !missing.is_empty() {
            request.tools.get_or_insert_with(Vec::new).extend(missing);
        }
        Ok(())
    }

    /// Runs the calls of a reply side by side, as many as may be. The results come in the order of
    /// the calls.
    pub(super) async fn run(
        &self,
        calls: Vec<ContentBlockToolUse>,
        options: &RunOptions,
        stage: &Stage,
    ) -> Vec<ContentBlock> {
        let mut results = vec![None; calls.len()];
        let mut running = FuturesUnordered::new();
        let mut waiting = calls.into_iter().zip(&mut results);
        loop {
            while running.len() < options.max_parallel
                && let Some((block, result)) = waiting.next()
            {
                let call = ToolCall::new(block, options.context.clone());
                stage.show(|| ToolStep::ToolCalled(call.clone())).await;
                running.push(async move {
                    let finished = self.finish(call, options.tool_timeout).await;
                    *result = Some(finished.result.clone().into());
                    finished
                });
            }
            let Some(finished) = running.next().await else { break };
            stage.show(|| ToolStep::ToolFinished(finished)).await;
        }
        drop((running, waiting));
        results.into_iter().flatten().collect()
    }

    /// Runs one call to its end, whatever that is.
    async fn finish(&self, call: ToolCall, time_limit: Option<Duration>) -> ToolFinished {
        let started = Instant::now();
        let ended = self.outcome(call.clone(), time_limit).await;
        let elapsed = started.elapsed();
        let (output, failure) = match ended {
            Ok(output) => (output, None),
            Err(failure) => (failure.output(&call), Some(failure)),
        };
        let result = result(&call, output, failure.is_some());
        ToolFinished { call, result, failure, elapsed }
    }

    async fn outcome(&self, call: ToolCall, time_limit: Option<Duration>) -> Result<ToolOutput, ToolFailure> {
        let Some(tool) = self.0.iter().find(|tool| tool.name() == call.key()) else {
            return Err(ToolFailure::Unknown { known: self.0.iter().map(|tool| tool.name().to_owned()).collect() });
        };
        // What a panic leaves half done is the tool's own state, which Rust's locks mark as such.
        let running = AssertUnwindSafe(tool.run(call)).catch_unwind();
        let ended = match tool.time_limit().or(time_limit) {
            Some(limit) => timeout(limit, running).await.map_err(|_| ToolFailure::TimedOut(limit))?,
            None => running.await,
        };
        ended.unwrap_or_else(|panic| Err(ToolFailure::Panicked(text_of(&*panic))))
    }
}

fn result(call: &ToolCall, output: ToolOutput, is_error: bool) -> ContentBlockToolResult {
    ContentBlockToolResult {
        tool_use_id: call.id().to_owned(),
        content: output.into_content(),
        is_error: is_error.then_some(true),
        toolset_name: call.block().toolset_name.clone(),
        ..ContentBlockToolResult::empty()
    }
}

fn text_of(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

/// What tells one definition of a tool from another: its name, or all of it where it has none.
#[derive(PartialEq)]
struct Declared {
    name: Option<String>,
    whole: Option<Json>,
}

#[derive(serde::Deserialize)]
struct Named {
    name: Option<String>,
}

impl Declared {
    fn of(definition: &ToolUnion) -> Self {
        let whole = Json::of(definition).ok();
        let name = whole.as_ref().and_then(|whole| whole.to::<Named>().ok()).and_then(|named| named.name);
        Self { name, whole }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.name, &other.name) {
            (Some(own), Some(name)) => own == name,
            (None, None) => self.whole == other.whole,
            _ => false,
        }
    }
}
