//! Which requests a scripted reply is for.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::request::ReceivedRequest;

/// A condition on a request, made of parts by [`and`](Matcher::and), [`or`](Matcher::or) and
/// [`not`](Matcher::not).
///
/// A matcher sees the request with its credentials redacted.
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
    /// Any request.
    #[must_use]
    pub fn any() -> Self {
        Self::matching("any request", |_| true)
    }

    /// A request whose body names this `model`.
    #[must_use]
    pub fn model(model: impl Into<String>) -> Self {
        let model = model.into();
        Self::matching(format!("model is {model:?}"), move |request| request.model() == Some(&model))
    }

    /// A request whose last user text is exactly `text`; see [`ReceivedRequest::last_user_text`].
    #[must_use]
    pub fn last_user_text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::matching(format!("last user text is {text:?}"), move |request| {
            request.last_user_text().is_some_and(|last| last == text)
        })
    }

    /// A request whose last user text contains `part`; see [`ReceivedRequest::last_user_text`].
    #[must_use]
    pub fn last_user_text_contains(part: impl Into<String>) -> Self {
        let part = part.into();
        Self::matching(format!("last user text contains {part:?}"), move |request| {
            request.last_user_text().is_some_and(|last| last.contains(&part))
        })
    }

    /// A request whose last turn brings the result of a tool.
    #[must_use]
    pub fn tool_result() -> Self {
        Self::matching("last turn has a tool result", |request| !request.tool_results().is_empty())
    }

    /// A request that asks for a stream.
    #[must_use]
    pub fn stream() -> Self {
        Self::matching("a stream is asked for", ReceivedRequest::wants_stream)
    }

    /// A request with a header of this name and value.
    #[must_use]
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        Self::matching(format!("header {name} is {value:?}"), move |request| {
            request.headers().get_all(name.as_str()).iter().any(|found| found == value.as_str())
        })
    }

    /// A request whose body has `value` at a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        let (pointer, value) = (pointer.into(), value.into());
        Self::matching(format!("{pointer} is {value}"), move |request| request.pointer(&pointer) == Some(&value))
    }

    /// A request that a closure accepts; the description appears in messages about it.
    ///
    /// A panic of the closure is answered with a 500 and fails the test that owns the server, when
    /// the server is dropped.
    #[must_use]
    pub fn matching(
        description: impl Into<String>,
        condition: impl Fn(&ReceivedRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { description: description.into(), compound: false, condition: Arc::new(condition) }
    }

    /// A request that both matchers accept.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let description = format!("{} and {}", self.as_part(), other.as_part());
        Self::compound(description, move |request| self.accepts(request) && other.accepts(request))
    }

    /// A request that one of the matchers, or both, accept.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let description = format!("{} or {}", self.as_part(), other.as_part());
        Self::compound(description, move |request| self.accepts(request) || other.accepts(request))
    }

    /// A request that the matcher does not accept.
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
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.description)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Matcher").field(&self.description).finish()
    }
}
