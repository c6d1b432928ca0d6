//! A request as the server received it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Uri, Version};
use serde::de::DeserializeOwned;
use serde_json::Value;

use anthropic_messages::types::MessageCreateRequest;

/// A request that a [`Server`](super::Server) received.
///
/// Credentials are replaced by `[redacted]` before anything else sees the headers, so that a failed
/// assertion can print the whole of it.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    pub(crate) number: usize,
    pub(crate) connection: usize,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// What was redacted, to be compared and never shown: `Debug` of a sensitive value hides it.
    pub(crate) credentials: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    pub(crate) json: Option<Value>,
    pub(crate) arrived_at: Duration,
    pub(crate) status: Option<u16>,
}

impl ReceivedRequest {
    /// Which request this was, counted from 1 in the order in which they were received whole.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// The connection it came on, counted from 1 in the order in which they were accepted.
    #[must_use]
    pub fn connection(&self) -> usize {
        self.connection
    }

    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The version of HTTP that it was sent in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The target as sent: to a server path and query, to a proxy a whole address, and of `CONNECT`
    /// the host and the port.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The path as sent, for example `/v1/messages`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query as sent, without the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// The headers, with credentials redacted.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header as text, with credentials redacted.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether a header was sent with this value. Credentials are compared as they were sent, and
    /// shown nowhere.
    #[must_use]
    pub fn has_header(&self, name: &str, value: impl AsRef<[u8]>) -> bool {
        let credentials = self.credentials.iter().filter(|(header, _)| header == name).map(|(_, value)| value);
        let mut values: Vec<&HeaderValue> = credentials.collect();
        if values.is_empty() {
            values.extend(self.headers.get_all(name));
        }
        values.into_iter().any(|sent| sent.as_bytes() == value.as_ref())
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as a request to create a message.
    ///
    /// # Errors
    /// If the body is not one.
    pub fn message_request(&self) -> serde_json::Result<MessageCreateRequest> {
        self.json()
    }

    /// The body as any type.
    ///
    /// # Errors
    /// If the body is not JSON or does not fit the type.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }

    /// The value at a JSON pointer (RFC 6901) of the body; `""` is the whole body.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        self.json.as_ref()?.pointer(pointer)
    }

    /// The time on the server's clock when the head of the request was read.
    #[must_use]
    pub fn arrived_at(&self) -> Duration {
        self.arrived_at
    }

    /// The status that the server answered with; `None` while the reply is not chosen, and for a
    /// reply that breaks off before its status.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The `model` of the body.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.pointer("/model")?.as_str()
    }

    /// Whether the body asks for a stream.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        self.pointer("/stream").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The text of the last user turn that has any; its text blocks are joined by a line feed.
    #[must_use]
    pub fn last_user_text(&self) -> Option<String> {
        self.messages().iter().rev().filter(|message| role(message) == Some("user")).find_map(text_of)
    }

    /// The `tool_result` blocks of the last turn.
    #[must_use]
    pub fn tool_results(&self) -> Vec<&Value> {
        self.messages().last().map(tool_results).unwrap_or_default()
    }

    fn messages(&self) -> &[Value] {
        self.pointer("/messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The text of a turn or of a `tool_result` block: its `content` as a string, or as text blocks.
pub(crate) fn text_of(holder: &Value) -> Option<String> {
    match holder.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks
                .iter()
                .filter(|block| block.get("type").and_then(Value::as_str) == Some("text"))
                .filter_map(|block| block.get("text")?.as_str())
                .collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        _ => None,
    }
}

/// Replaces every credential by `[redacted]`; the scheme of `Authorization` stays. What was replaced
/// comes as well, marked as sensitive.
pub(crate) fn redact(headers: &HeaderMap) -> (HeaderMap, Vec<(HeaderName, HeaderValue)>) {
    let (mut redacted, mut credentials) = (HeaderMap::with_capacity(headers.len()), Vec::new());
    for (name, value) in headers {
        let substitute = substitute(name, value);
        if substitute.is_some() {
            let mut credential = value.clone();
            credential.set_sensitive(true);
            credentials.push((name.clone(), credential));
        }
        redacted.append(name.clone(), substitute.unwrap_or_else(|| value.clone()));
    }
    (redacted, credentials)
}

/// What stands in the place of a credential; `None` for any other header.
fn substitute(name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
    if *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION {
        let is_bearer = value.as_bytes().get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"bearer "));
        return Some(HeaderValue::from_static(if is_bearer { "Bearer [redacted]" } else { "[redacted]" }));
    }
    let is_credential = *name == COOKIE || matches!(name.as_str(), "x-api-key" | "api-key" | "x-amz-security-token");
    is_credential.then(|| HeaderValue::from_static("[redacted]"))
}

fn role(message: &Value) -> Option<&str> {
    message.get("role")?.as_str()
}

fn tool_results(message: &Value) -> Vec<&Value> {
    let blocks = message.get("content").and_then(Value::as_array);
    blocks
        .into_iter()
        .flatten()
        .filter(|block| block.get("type").and_then(Value::as_str) == Some("tool_result"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_that_may_carry_a_credential_is_redacted() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "x-amz-security-token"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("canary"));
        }
        headers.append("authorization", HeaderValue::from_static("Bearer canary"));
        headers.insert("anthropic-version", HeaderValue::from_static("2026-10-21"));
        let (redacted, credentials) = redact(&headers);
        assert!(!format!("{redacted:?} {credentials:?}").contains("canary"));
        assert_eq!(credentials.len(), 7);
        assert_eq!(redacted.get_all("authorization").iter().next_back().unwrap(), "Bearer [redacted]");
        assert_eq!(redacted.get("anthropic-version").unwrap(), "2026-10-21");
    }
}
