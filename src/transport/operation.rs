//! The description of an operation, which generated code hands to the transport with each request.

use http::StatusCode;

use crate::json::{Json, Map};

/// An operation of the contract.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The contract's `operationId` in snake case.
    pub(crate) name: &'static str,
    /// The form of a successful response.
    pub(crate) answers: Answers,
    /// The first and last status of each range of successes that the contract names, and the form of its response.
    pub(crate) statuses: &'static [(u16, u16, Answers)],
    /// Members that must be present and not null in a successful response (`x-answer-requires`).
    pub(crate) requires: &'static [&'static str],
    /// `true` if the schema of a successful response declares a member `error` itself.
    pub(crate) declares_error: bool,
}

/// The form of a successful response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// A JSON document, read whole.
    Json,
    /// A stream of server-sent events. A server may answer with a JSON document instead.
    Events,
    /// One JSON value per line, passed on as they arrive.
    JsonLines,
    /// Bytes of any type, passed on as they arrive and never parsed.
    Bytes,
    /// No content.
    Nothing,
}

impl Operation {
    /// Returns the form of a response with a status, or `None` if the contract does not name it as a success.
    pub(super) fn answers_to(&self, status: StatusCode) -> Option<Answers> {
        let named = self.statuses.iter().find(|(first, last, _)| (*first..=*last).contains(&status.as_u16()));
        named.map(|(.., answers)| *answers)
    }

    pub(crate) fn is_streaming(&self) -> bool {
        matches!(self.answers, Answers::Events | Answers::JsonLines | Answers::Bytes)
    }
}

/// A type that an operation answers with.
pub(crate) trait AnswerType {
    /// Returns `true` if a member is present and not null.
    fn has(&self, member: &str) -> bool;
}

/// Implements [`AnswerType`] for values without members of their own. They have all that can be required of them.
macro_rules! has_all {
    ($([$($generic:ident)?] $value:ty),+ $(,)?) => {
        $(impl<$($generic)?> AnswerType for $value {
            fn has(&self, _member: &str) -> bool {
                true
            }
        })+
    };
}

has_all!([] Json, [] String, [] bool, [] i64, [] u64, [] f64, [T] Vec<T>, [T] Map<T>, [T] Option<T>);
