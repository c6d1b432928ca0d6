#![doc = include_str!("docs/tools.md")]

mod call;
mod conversation;
mod drive;
mod handler;
mod outcome;
mod output;
mod run;
mod stage;
mod step;
mod tool;
mod toolbox;

pub use self::{
    call::ToolCall,
    conversation::Conversation,
    handler::ToolHandler,
    outcome::{ToolRunError, ToolRunOutcome},
    output::{IntoToolResult, ToolError, ToolOutput},
    run::{ToolRun, ToolSteps},
    step::{ToolFailure, ToolFinished, ToolStep},
    tool::Tool,
};
