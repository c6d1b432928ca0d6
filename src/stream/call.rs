//! The calls that create a message.

use super::{MessageStream, convert::message_to_events};
use crate::{
    error::Result,
    generated::{
        Client, CreateMessageArguments,
        types::{MessageCreateRequest, MessageResponse},
    },
    response::Response,
    rules,
    transport::{Answer, DEFAULT_TIMEOUT, Settings},
};

#[cfg(not(required_parameters_of = "create_message"))]
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
    /// the default timeout (`max_tokens` above 21,333) and the client sets no [`timeout`](crate::ClientBuilder::timeout).
    /// The reason is that proxies and load balancers tend to close a connection that is silent for so long. The result is
    /// the same.
    ///
    /// # Errors
    /// Fails if the request violates the contract or the [rules](crate::rules) of the API, if it cannot be sent, if the API
    /// answers with an error, and if the response is not a message. [`ErrorKind`](crate::ErrorKind) lists all kinds. With a stream, [`Error::partial_message`] returns
    /// what had arrived.
    ///
    /// [`Error::partial_message`]: crate::Error::partial_message
    pub async fn create_message(&self, request: &MessageCreateRequest) -> Result<Response<MessageResponse>> {
        self.create_message_in(request, &CreateMessageArguments::default()).await
    }

    /// Sends a conversation and returns the model's next turn as a stream of events. The request is sent with `stream` set.
    ///
    /// The call returns when the stream begins. The timeout and retries of the client cover the time until then.
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
    /// If the server responds with a complete message, the stream yields the events that make this message.
    ///
    /// # Errors
    /// Fails like [`create_message`](Self::create_message), and with
    /// [`ErrorKind::ContentType`](crate::ErrorKind::ContentType) if the response is neither a stream nor JSON, such as an
    /// error page of a gateway.
    pub async fn stream_message(&self, request: &MessageCreateRequest) -> Result<MessageStream> {
        self.stream_message_in(request, &CreateMessageArguments::default()).await
    }
}

#[cfg(parameters_of = "create_message")]
impl Client {
    /// Sends a conversation with parameters of the operation, and returns the model's next turn. See
    /// [`create_message`](Self::create_message).
    ///
    /// # Errors
    /// Fails like [`create_message`](Self::create_message).
    pub async fn create_message_with(
        &self,
        params: &CreateMessageArguments,
        request: &MessageCreateRequest,
    ) -> Result<Response<MessageResponse>> {
        self.create_message_in(request, params).await
    }

    /// Sends a conversation with parameters of the operation, and returns the model's next turn as a stream of events. See
    /// [`stream_message`](Self::stream_message).
    ///
    /// # Errors
    /// Fails like [`stream_message`](Self::stream_message).
    pub async fn stream_message_with(
        &self,
        params: &CreateMessageArguments,
        request: &MessageCreateRequest,
    ) -> Result<MessageStream> {
        self.stream_message_in(request, params).await
    }
}

/// Stands in for the methods without parameters where the contract requires one, so that a tool run compiles.
#[cfg(required_parameters_of = "create_message")]
#[allow(dead_code, clippy::unused_async, reason = "which of them is called depends on the features")]
impl Client {
    pub(crate) async fn create_message(&self, _request: &MessageCreateRequest) -> Result<Response<MessageResponse>> {
        Err(parameters_required())
    }

    pub(crate) async fn stream_message(&self, _request: &MessageCreateRequest) -> Result<MessageStream> {
        Err(parameters_required())
    }
}

#[cfg(required_parameters_of = "create_message")]
fn parameters_required() -> crate::error::Error {
    let sentence = "the contract requires parameters of `create_message`: call `create_message_with`";
    crate::error::Error::new(crate::error::ErrorKind::Contract, sentence)
}

impl Client {
    async fn create_message_in(
        &self,
        request: &MessageCreateRequest,
        params: &CreateMessageArguments,
    ) -> Result<Response<MessageResponse>> {
        self.check_rules(request)?;
        let is_long = Some(request.max_tokens).is_some_and(may_exceed_timeout);
        let is_streamed = request.stream == Some(true) || (is_long && self.transport.settings().timeout.is_none());
        if !is_streamed {
            return self.create_message_whole(request, params).await;
        }
        // Boxed to keep the futures of ordinary calls small.
        Box::pin(async {
            let settings = Settings { checks_first_event: true, ..Settings::clone(self.transport.settings()) };
            let (timeout, max_bytes) = (settings.timeout, settings.max_response_bytes);
            let client = Self { transport: self.transport.with_settings(settings) };
            let mut stream = MessageStream::from_answer(client.create_message_stream(request, params).await?)?
                .with_max_bytes(max_bytes)
                .with_default_event_timeout(DEFAULT_TIMEOUT);
            if let Some(timeout) = timeout {
                stream = stream.with_timeout(timeout);
            }
            stream.into_response().await
        })
        .await
    }

    async fn stream_message_in(
        &self,
        request: &MessageCreateRequest,
        params: &CreateMessageArguments,
    ) -> Result<MessageStream> {
        // Boxed so that a task which reads the stream doesn't keep space for the future that opens it.
        Box::pin(async {
            self.check_rules(request)?;
            MessageStream::from_answer(self.create_message_stream(request, params).await?)
        })
        .await
    }

    fn check_rules(&self, request: &MessageCreateRequest) -> Result<()> {
        if self.transport.settings().check_requests {
            rules::check(request)?;
        }
        Ok(())
    }
}

/// Returns `true` if generating this many tokens may take longer than the default timeout. The estimate is that of the
/// official SDKs: an hour for 128,000 tokens.
fn may_exceed_timeout(max_tokens: i64) -> bool {
    u64::try_from(max_tokens).is_ok_and(|tokens| tokens.saturating_mul(3600) > DEFAULT_TIMEOUT.as_secs() * 128_000)
}

impl MessageStream {
    /// Creates a stream from the response to a call, which is a stream of events or a complete message.
    fn from_answer(answer: Answer) -> Result<Self> {
        let settings = answer.settings().clone();
        if answer.is_stream() {
            return Ok(Self::from_response(answer.bytes(), settings));
        }
        let response = answer.json::<MessageResponse>()?;
        let (message, head) = response.into_parts();
        Ok(Self::from_events(message_to_events(message), Response::new((), head), settings))
    }
}
