//! A call of a tool, as the tool sees it.

use std::{any::Any, fmt, sync::Arc};

use crate::{generated::types::ContentBlockToolUse, json::Json};

/// What all tools of a run share, see [`ToolRun::context`](super::ToolRun::context).
pub(super) type Context = Arc<dyn Any + Send + Sync>;

/// A call of a tool: which one, under which id, with which input. Cloning it is cheap.
///
/// Printing it shows name and id only: the input was written by the model.
#[derive(Clone)]
pub struct ToolCall {
    block: Arc<ContentBlockToolUse>,
    context: Option<Context>,
}

impl ToolCall {
    pub(super) fn new(block: ContentBlockToolUse, context: Option<Context>) -> Self {
        Self { block: Arc::new(block), context }
    }

    /// The name of the tool.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.block.name
    }

    /// The id of the call, which its result carries.
    #[must_use]
    pub fn id(&self) -> &str {
        self.block.id.as_deref().unwrap_or_default()
    }

    /// The input as the model wrote it.
    #[must_use]
    pub fn input(&self) -> &Json {
        &self.block.input
    }

    /// The whole block of the reply.
    #[must_use]
    pub fn block(&self) -> &ContentBlockToolUse {
        &self.block
    }

    /// What the tools of the run share: the value given to
    /// [`ToolRun::context`](super::ToolRun::context), where it is of this type.
    #[must_use]
    pub fn context<C: Any + Send + Sync>(&self) -> Option<&C> {
        self.context.as_deref()?.downcast_ref()
    }

    /// The name to look the tool up by: the toolset's, where the tool is a part of one.
    pub(super) fn key(&self) -> &str {
        self.block.toolset_name.as_deref().unwrap_or(&self.block.name)
    }
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall").field("name", &self.name()).field("id", &self.id()).finish_non_exhaustive()
    }
}
