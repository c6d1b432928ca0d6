//! Values that mocks of a client return, without a server.

use anthropic_messages::{Error, ErrorKind, Response};

/// Returns a response with a value, as a call that succeeded returns it: status 200 after one attempt, with the request id
/// `req_mock`.
///
/// ```
/// use anthropic_messages::{Client, MessageCreateRequest, MessageResponse, Response, Result};
///
/// /// The part of the client that the program uses.
/// trait Model {
///     async fn reply(&self, request: &MessageCreateRequest) -> Result<Response<MessageResponse>>;
/// }
///
/// impl Model for Client {
///     async fn reply(&self, request: &MessageCreateRequest) -> Result<Response<MessageResponse>> {
///         self.create_message(request).await
///     }
/// }
///
/// struct Mock;
///
/// impl Model for Mock {
///     async fn reply(&self, _: &MessageCreateRequest) -> Result<Response<MessageResponse>> {
///         let json = r#"{"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}"#;
///         Ok(anthropic_messages_testing::response(serde_json::from_str(json).unwrap()))
///     }
/// }
/// ```
#[must_use]
pub fn response<T>(value: T) -> Response<T> {
    let mut response = http::Response::new(value);
    response.headers_mut().insert("request-id", http::HeaderValue::from_static("req_mock"));
    response.into()
}

/// Returns an error of a kind, without a response.
///
/// ```
/// use anthropic_messages::ErrorKind;
/// use anthropic_messages_testing::error;
///
/// assert_eq!(error(ErrorKind::Overloaded).to_string(), "529 Overloaded");
/// ```
#[must_use]
pub fn error(kind: ErrorKind) -> Error {
    kind.into()
}
