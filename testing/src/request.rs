//! Received requests.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Uri, Version};
use serde::de::DeserializeOwned;
use serde_json::Value;

use anthropic_messages::types::MessageCreateRequest;

/// A request that a [`Server`](crate::Server) received.
///
/// Credentials are replaced by `[redacted]`, so that a failed assertion can print the whole request.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    pub(crate) number: usize,
    pub(crate) connection: usize,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// The redacted headers, for comparison. They are marked as sensitive, so `Debug` hides them.
    pub(crate) credentials: Vec<(HeaderName, HeaderValue)>,
    /// The operation id, or `None` if the contract doesn't have the operation.
    pub(crate) operation: Option<String>,
    /// The `custom_id` of a request of a batch.
    pub(crate) custom_id: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) json: Option<Value>,
    pub(crate) arrived_at: Duration,
    pub(crate) status: Option<u16>,
}

impl ReceivedRequest {
    /// Returns the number of the request, counted from 1 in the order of complete receipt.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns the number of the connection, counted from 1 in the order of acceptance.
    #[must_use]
    pub fn connection(&self) -> usize {
        self.connection
    }

    /// Returns the operation id of the contract, for example `createMessage`, or `None` if the contract doesn't have the
    /// operation.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// Returns the `custom_id` of a request of a batch, or `None` for a request that was received by itself.
    ///
    /// The server replies to each request of a batch as if it had received it by itself, when the batch ends. The script
    /// applies, but [`Server::requests`](crate::Server::requests) has only the batch.
    #[must_use]
    pub fn custom_id(&self) -> Option<&str> {
        self.custom_id.as_deref()
    }

    /// Returns the HTTP method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the HTTP version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the request target: path and query, the whole address if the server is used as a proxy, or host and port for
    /// `CONNECT`.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the path, for example `/v1/messages`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Returns the query, without the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// Returns the headers, with credentials redacted.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the first value of a header as text, with credentials redacted.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns `true` if the request has a header with this value. Compares credentials as they were sent.
    #[must_use]
    pub fn has_header(&self, name: &str, value: impl AsRef<[u8]>) -> bool {
        let credentials = self.credentials.iter().filter(|(header, _)| header == name).map(|(_, value)| value);
        let mut values: Vec<&HeaderValue> = credentials.collect();
        if values.is_empty() {
            values.extend(self.headers.get_all(name));
        }
        values.into_iter().any(|sent| sent.as_bytes() == value.as_ref())
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn body_bytes(&self) -> &Bytes {
        &self.body
    }

    /// Decodes the body as a message request.
    ///
    /// # Errors
    ///
    /// Fails if the body isn't one.
    pub fn message_request(&self) -> serde_json::Result<MessageCreateRequest> {
        self.json()
    }

    /// Decodes the body.
    ///
    /// # Errors
    ///
    /// Fails if the body isn't JSON or doesn't match the type.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }

    /// Returns the value at a JSON pointer (RFC 6901) of the body. `""` is the whole body.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        self.json.as_ref()?.pointer(pointer)
    }

    /// Returns the time on the server's clock at which the head of the request was read.
    #[must_use]
    pub fn arrived_at(&self) -> Duration {
        self.arrived_at
    }

    /// Returns the status of the reply, or `None` if no reply was chosen yet or the reply ends before its status.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns the `model` of the body.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.pointer("/model")?.as_str()
    }

    /// Returns `true` if the body asks for a stream.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        self.pointer("/stream").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Returns the text of the last user turn that has any. Text blocks are joined by a line feed.
    #[must_use]
    pub fn last_user_text(&self) -> Option<String> {
        self.messages().iter().rev().filter(|message| role(message) == Some("user")).find_map(text_of)
    }

    /// Returns the `tool_result` blocks of the last turn.
    #[must_use]
    pub fn tool_results(&self) -> Vec<&Value> {
        self.messages().last().map(tool_results).unwrap_or_default()
    }

    fn messages(&self) -> &[Value] {
        self.pointer("/messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Returns the text of a turn or of a `tool_result` block, whose `content` is a string or an array of blocks.
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

/// Replaces credentials by `[redacted]`, and keeps the scheme of `Authorization`. Also returns the replaced headers,
/// marked as sensitive.
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

/// Returns the replacement of a credential, or `None` for any other header.
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
