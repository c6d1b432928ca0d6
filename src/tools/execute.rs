//! Running the calls of a reply.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout};

use super::{
    handler::{ToolCall, ToolContext},
    output::{ToolFailure, ToolFailureKind, ToolOutput},
    step::{StepSink, ToolFinished, ToolStep},
    tool::Tool,
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{ContentBlock, ContentBlockToolResult, ContentBlockToolUse, MessageCreateRequest, ToolUnion},
    json::{Empty, Json},
};

/// How the calls of a run are executed.
pub(super) struct ExecuteOptions {
    /// The number of calls that run concurrently.
    pub(super) max_parallel: usize,
    /// The limit for tools that have none of their own.
    pub(super) tool_timeout: Option<Duration>,
    pub(super) context: Option<ToolContext>,
}

/// The tools of a run. Their names are unique.
pub(super) struct ToolSet(Vec<Tool>);

impl ToolSet {
    /// # Errors
    /// Fails if two tools have the same name.
    pub(super) fn new(tools: Vec<Tool>) -> Result<Self> {
        let repeated = tools
            .iter()
            .enumerate()
            .find(|(index, tool)| tools.iter().take(*index).any(|earlier| earlier.name() == tool.name()));
        match repeated {
            Some((_, tool)) => {
                Err(Error::new(ErrorKind::Contract, format!("two tools have the name `{}`", tool.name())))
            }
            None => Ok(Self(tools)),
        }
    }

    /// Adds the definitions to a request, except for those that it has already.
    ///
    /// # Errors
    /// Fails if a tool has no definition.
    pub(super) fn define_in(&self, request: &mut MessageCreateRequest) -> Result<()> {
        let mut missing = Vec::new();
        let defined: Vec<_> = request.tools.iter().flatten().map(DefinitionKey::new).collect();
        for tool in &self.0 {
            let definition = tool.definition()?;
            let key = DefinitionKey::new(definition);
            if !defined.iter().any(|other| key.matches(other)) {
                missing.push(definition.clone());
            }
        }
        if !missing.is_empty() {
            request.tools.get_or_insert_with(Vec::new).extend(missing);
        }
        Ok(())
    }

    /// Runs the calls of a reply concurrently. Returns the results in the order of the calls.
    pub(super) async fn run(
        &self,
        calls: Vec<ContentBlockToolUse>,
        options: &ExecuteOptions,
        steps: &StepSink,
    ) -> Vec<ContentBlock> {
        let mut results = vec![None; calls.len()];
        let mut running = FuturesUnordered::new();
        let mut waiting = calls.into_iter().zip(&mut results);
        loop {
            while running.len() < options.max_parallel
                && let Some((block, result)) = waiting.next()
            {
                let call = ToolCall::new(block, options.context.clone());
                steps.emit(|| ToolStep::ToolCalled(call.clone())).await;
                running.push(async move {
                    let finished = self.finish(call, options.tool_timeout).await;
                    *result = Some(finished.result.clone().into());
                    finished
                });
            }
            let Some(finished) = running.next().await else { break };
            steps.emit(|| ToolStep::ToolFinished(finished)).await;
        }
        drop((running, waiting));
        results.into_iter().flatten().collect()
    }

    /// Runs one call and makes its result.
    async fn finish(&self, call: ToolCall, time_limit: Option<Duration>) -> ToolFinished {
        let started = Instant::now();
        let ended = self.outcome(call.clone(), time_limit).await;
        let elapsed = started.elapsed();
        let (output, failure) = match ended {
            Ok(output) => (output, None),
            Err(failure) => (failure.output(), Some(failure)),
        };
        let result = result(&call, output, failure.is_some());
        ToolFinished { call, result, failure, elapsed }
    }

    async fn outcome(&self, call: ToolCall, time_limit: Option<Duration>) -> Result<ToolOutput, ToolFailure> {
        let name = call.name().to_owned();
        let failed = |kind| ToolFailure::new(name, kind);
        let Some(tool) = self.0.iter().find(|tool| tool.name() == call.key()) else {
            let known = self.0.iter().map(|tool| tool.name().to_owned()).collect();
            return Err(failed(ToolFailureKind::Unknown { known }));
        };
        // Only the tool's own state can be left inconsistent by a panic, and Rust's locks are poisoned then.
        let running = AssertUnwindSafe(tool.run(call)).catch_unwind();
        let ended = match tool.time_limit().or(time_limit) {
            Some(limit) => match timeout(limit, running).await {
                Ok(ended) => ended,
                Err(_) => return Err(failed(ToolFailureKind::TimedOut(limit))),
            },
            None => running.await,
        };
        ended.unwrap_or_else(|panic| Err(failed(ToolFailureKind::Panicked(text_of(&*panic)))))
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

/// Identifies the definition of a tool in a request: by its name, or as a whole if it has none.
struct DefinitionKey {
    name: Option<String>,
    definition: Option<Json>,
}

impl DefinitionKey {
    fn new(definition: &ToolUnion) -> Self {
        #[derive(serde::Deserialize)]
        struct Named {
            name: Option<String>,
        }
        let definition = Json::from_serialize(definition).ok();
        let named = definition.as_ref().and_then(|definition| definition.decode::<Named>().ok());
        Self { name: named.and_then(|named| named.name), definition }
    }

    fn matches(&self, other: &Self) -> bool {
        match (&self.name, &other.name) {
            (Some(own), Some(name)) => own == name,
            (None, None) => self.definition == other.definition,
            _ => false,
        }
    }
}
