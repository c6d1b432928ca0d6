//! Calls for a message: whole, or as a stream of its events.

use super::{MessageStream, whole::events_of};
use crate::{
    error::Result,
    generated::{
        Client,
        types::{MessageCreateRequest, MessageResponse},
    },
    response::Response,
    transport::{Answer, DEFAULT_TIMEOUT, Settings},
};

impl Client {
    /// Sends a conversation and returns the model's next turn.
    ///
    /// ```
    /// use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
    ///
    /// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
    /// let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    /// let reply = client.create_message(&request).await?;
    /// println!("{} ({:?})", reply.text(), reply.request_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The call is sent as a stream and read to its end if the request sets `stream`, or if the reply may take longer than
    /// the default timeout (`max_tokens` above 21,333) and the client sets no [`timeout`](crate::ClientBuilder::timeout):
    /// a connection that is silent for so long is likely to be lost. The result is the same.
    ///
    /// # Errors
    /// Fails if the request violates the contract or cannot be sent, if the API answers with an error, and if the response
    /// is not a message. [`ErrorKind`](crate::ErrorKind) lists all kinds. With a stream, [`Error::partial_message`] returns
    /// what had arrived.
    ///
    /// [`Error::partial_message`]: crate::Error::partial_message
    pub async fn create_message(&self, request: &MessageCreateRequest) -> Result<Response<MessageResponse>> {
        let is_long = Some(request.max_tokens).is_some_and(may_outlast_the_connection);
        let is_streamed = request.stream == Some(true) || (is_long && self.transport.settings().timeout.is_none());
        if !is_streamed {
            return self.create_message_whole(request).await;
        }
        // Boxed to keep the futures of ordinary calls small.
        Box::pin(async {
            let settings = Settings { checks_first_event: true, ..Settings::clone(self.transport.settings()) };
            let (timeout, max_bytes) = (settings.timeout, settings.max_response_bytes);
            let client = Self { transport: self.transport.with_settings(settings) };
            let mut stream = MessageStream::from_answer(client.create_message_stream(request).await?)?
                .with_max_bytes(max_bytes)
                .with_default_event_timeout(DEFAULT_TIMEOUT);
            if let Some(timeout) = timeout {
                stream = stream.with_timeout(timeout);
            }
            stream.into_response().await
        })
        .await
    }

    /// Sends a conversation and returns the model's next turn as a stream, to be read while it is written. Sets the
    /// request's `stream`.
    ///
    /// The call succeeds when the stream begins. Timeout and retries cover the time before.
    ///
    /// ```
    /// use anthropic_messages::{Client, types::{AnthropicMessage, MessageCreateRequest, StreamEvent}};
    ///
    /// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
    /// let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    /// let mut stream = client.stream_message(&request).await?;
    /// while let Some(event) = stream.next().await {
    ///     match event? {
    ///         StreamEvent::ContentBlockDelta(event) => println!("block {}: {:?}", event.index, event.delta),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// If the server answers with a whole message, the stream consists of the events of that message.
    ///
    /// # Errors
    /// Fails as [`create_message`](Self::create_message) does, and with
    /// [`ErrorKind::ContentType`](crate::ErrorKind::ContentType) if the response is neither a stream nor JSON, such as the
    /// page of a gateway.
    pub async fn stream_message(&self, request: &MessageCreateRequest) -> Result<MessageStream> {
        // Boxed: otherwise the task that reads the stream keeps the room for opening it.
        Box::pin(async { MessageStream::from_answer(self.create_message_stream(request).await?) }).await
    }
}

/// Returns `true` if writing this many tokens may take longer than the default timeout. The official SDKs expect an hour for
/// 128,000 tokens.
fn may_outlast_the_connection(max_tokens: i64) -> bool {
    u64::try_from(max_tokens).is_ok_and(|tokens| tokens.saturating_mul(3600) > DEFAULT_TIMEOUT.as_secs() * 128_000)
}

impl MessageStream {
    /// Reads the answer to a call: a stream of events, or a whole message, whose events are made from it.
    fn from_answer(answer: Answer) -> Result<Self> {
        let settings = answer.settings().clone();
        if answer.is_stream() {
            return Ok(Self::of_answer(answer.bytes(), settings));
        }
        let response = answer.json::<MessageResponse>()?;
        let (message, head) = response.into_parts();
        Ok(Self::of_events(events_of(message), Response::new((), head), settings))
    }
}
