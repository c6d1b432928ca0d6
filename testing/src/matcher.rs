//! Conditions on requests.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::request::ReceivedRequest;

/// A condition on a request.
///
/// Combine conditions with [`and`](Matcher::and), [`or`](Matcher::or) and [`not`](Matcher::not). A matcher sees the
/// request with its credentials redacted.
///
/// ```
/// use anthropic_messages_testing::Matcher;
///
/// let matcher = Matcher::model("claude-sonnet-5").and(Matcher::last_user_text_contains("weather"));
/// assert_eq!(matcher.to_string(), r#"model is "claude-sonnet-5" and last user text contains "weather""#);
/// ```
#[derive(Clone)]
pub struct Matcher {
    description: String,
    compound: bool,
    condition: Arc<dyn Fn(&ReceivedRequest) -> bool + Send + Sync>,
}

impl Matcher {
    /// Matches any request.
    #[must_use]
    pub fn any() -> Self {
        Self::matching("any request", |_| true)
    }

    /// Matches a request of this operation, by its operation id in the contract: for example `createMessage`, `getBatch` or
    /// `uploadFile`. A request of a batch is a `createMessage`.
    #[must_use]
    pub fn operation(operation_id: impl Into<String>) -> Self {
        let operation_id = operation_id.into();
        Self::matching(format!("operation is {operation_id}"), move |request| {
            request.operation() == Some(operation_id.as_str())
        })
    }

    /// Matches the request of a batch with this `custom_id`.
    #[must_use]
    pub fn custom_id(custom_id: impl Into<String>) -> Self {
        let custom_id = custom_id.into();
        Self::matching(format!("custom_id is {custom_id:?}"), move |request| {
            request.custom_id() == Some(custom_id.as_str())
        })
    }

    /// Matches a request with this `model`.
    #[must_use]
    pub fn model(model: impl Into<String>) -> Self {
        let model = model.into();
        Self::matching(format!("model is {model:?}"), move |request| request.model() == Some(&model))
    }

    /// Matches a request whose [last user text](ReceivedRequest::last_user_text) is `text`.
    #[must_use]
    pub fn last_user_text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::matching(format!("last user text is {text:?}"), move |request| {
            request.last_user_text().is_some_and(|last| last == text)
        })
    }

    /// Matches a request whose [last user text](ReceivedRequest::last_user_text) contains `part`.
    #[must_use]
    pub fn last_user_text_contains(part: impl Into<String>) -> Self {
        let part = part.into();
        Self::matching(format!("last user text contains {part:?}"), move |request| {
            request.last_user_text().is_some_and(|last| last.contains(&part))
        })
    }

    /// Matches a request whose last turn has a tool result.
    #[must_use]
    pub fn tool_result() -> Self {
        Self::matching("last turn has a tool result", |request| !request.tool_results().is_empty())
    }

    /// Matches a request for a stream.
    #[must_use]
    pub fn stream() -> Self {
        Self::matching("a stream is asked for", ReceivedRequest::wants_stream)
    }

    /// Matches a request with a header of this name and value.
    #[must_use]
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        Self::matching(format!("header {name} is {value:?}"), move |request| {
            request.headers().get_all(name.as_str()).iter().any(|found| found == value.as_str())
        })
    }

    /// Matches a request whose body has `value` at a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        let (pointer, value) = (pointer.into(), value.into());
        Self::matching(format!("{pointer} is {value}"), move |request| request.pointer(&pointer) == Some(&value))
    }

    /// Matches a request for which a closure returns `true`. The description appears in failure messages.
    ///
    /// If the closure panics, the server replies with a 500 and fails the test when it is dropped.
    #[must_use]
    pub fn matching(
        description: impl Into<String>,
        condition: impl Fn(&ReceivedRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { description: description.into(), compound: false, condition: Arc::new(condition) }
    }

    /// Matches a request that both matchers match.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let description = format!("{} and {}", self.as_part(), other.as_part());
        Self::compound(description, move |request| self.accepts(request) && other.accepts(request))
    }

    /// Matches a request that at least one of the matchers matches.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let description = format!("{} or {}", self.as_part(), other.as_part());
        Self::compound(description, move |request| self.accepts(request) || other.accepts(request))
    }

    /// Matches a request that the matcher doesn't match.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "reads as the third of `and`, `or` and `not`")]
    pub fn not(self) -> Self {
        Self::compound(format!("not ({})", self.description), move |request| !self.accepts(request))
    }

    pub(crate) fn accepts(&self, request: &ReceivedRequest) -> bool {
        (self.condition)(request)
    }

    fn compound(description: String, condition: impl Fn(&ReceivedRequest) -> bool + Send + Sync + 'static) -> Self {
        Self { compound: true, ..Self::matching(description, condition) }
    }

    fn as_part(&self) -> String {
        if self.compound { format!("({})", self.description) } else { self.description.clone() }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Matcher").field(&self.description).finish()
    }
}
