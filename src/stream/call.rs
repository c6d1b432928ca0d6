//! Calls that are answered with a stream.

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::BytesMut;
use futures_core::Stream as _;
use http::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::{MessageStream, teller::Teller, whole::events_of};
use crate::{
    client::{DEFAULT_TIMEOUT, Inner},
    error::{Error, ErrorKind, Result, shown},
    generated::{
        Client,
        types::{MessageCreateRequest, MessageResponse},
    },
    observe::Watch,
    response::Response,
    runtime::{ByteStream, is_event_stream, is_json, read_slice},
    transport::redacted_beginning,
};

/// How much of an answer that is no stream is read to be shown, and for how long.
const SHOWN: (usize, Duration) = (64 * 1024, Duration::from_secs(1));

/// The time that a whole reply is expected to take at most: an hour for 128,000 tokens, as the
/// official SDKs reckon. A call that is to take longer than the default time limit is likely to lose
/// its connection while nothing is sent.
fn may_outlast_the_connection(max_tokens: i64) -> bool {
    u64::try_from(max_tokens).is_ok_and(|tokens| tokens.saturating_mul(3600) > DEFAULT_TIMEOUT.as_secs() * 128_000)
}

/// Whether a call for a whole message has to be made as a stream: the request asks for one, or the
/// reply may take so long that a silent connection would not live to its end. A caller who chose a
/// time limit has thought of that.
pub(crate) fn must_stream(client: &Client, stream: Option<bool>, max_tokens: impl Into<Option<i64>>) -> bool {
    let is_long = max_tokens.into().is_some_and(may_outlast_the_connection);
    stream == Some(true) || (is_long && client.inner.settings().timeout == DEFAULT_TIMEOUT)
}

/// Reads a stream to its end, for a call that wants the whole message. A time limit of the caller's
/// holds for all of it; the default one is for what comes before the stream.
pub(crate) async fn whole(client: &Client, answer: Response<ByteStream>) -> Result<Response<MessageResponse>> {
    let settings = client.inner.settings();
    let stream = open(answer, client.inner.clone()).await?;
    let mut stream = stream.with_max_bytes(settings.max_response_bytes).with_default_event_timeout(DEFAULT_TIMEOUT);
    if settings.timeout != DEFAULT_TIMEOUT {
        stream = stream.with_timeout(settings.timeout);
    }
    stream.into_response().await?.ok_or_else(|| Error::new(ErrorKind::Incomplete, "the stream came in no answer"))
}

impl Client {
    /// Sends a conversation and returns the model's next turn as a stream, to be read while it is
    /// written. The request's `stream` is set.
    ///
    /// The call is over when the stream begins: time limits and retries are for what comes before.
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
    /// If the server answers with a whole message instead, the stream yields the events that make it.
    ///
    /// # Errors
    /// As [`create_message`](Self::create_message); of the kind
    /// [`ErrorKind::ContentType`] when the answer is neither a stream nor JSON, such as a gateway's
    /// page.
    pub async fn stream_message(&self, request: &MessageCreateRequest) -> Result<MessageStream> {
        // In a box, or the task that reads the stream would keep the room for opening it.
        let opening = async { open(self.create_message_stream(request).await?, self.inner.clone()).await };
        Box::pin(opening).await
    }
}

/// Looks at what the answer is.
async fn open(answer: Response<ByteStream>, inner: Inner) -> Result<MessageStream> {
    let content_type = answer.packed_headers().get(CONTENT_TYPE.as_str()).map(<[u8]>::to_vec);
    let mut answer = answer.map(Some);
    let bytes = answer.take();
    let response = answer.map(drop);
    let Some(mut bytes) = bytes else {
        return Err(Error::new(ErrorKind::Incomplete, "the answer has no body"));
    };
    match content_type {
        Some(content_type) if is_json(&content_type) => {
            // The transport has read it whole, within the client's limit.
            let mut body = BytesMut::new();
            gather(&mut bytes, usize::MAX, &mut body).await;
            let body = body.freeze();
            let read = match bytes.tell() {
                Some(tell) => Teller::new(tell.clone()).read(&body),
                None => read_slice(&body),
            };
            let message = read.map_err(|error| {
                let unread = Error::new(ErrorKind::Decode, "the answer could not be read into its type")
                    .in_document(error.pointer(), body)
                    .because(error);
                unusable(unread, &bytes, &response)
            })?;
            Ok(MessageStream::of_events(events_of(message), response, inner))
        }
        Some(content_type) if !is_event_stream(&content_type) => {
            let mut page = BytesMut::new();
            // What came before the time ran out is kept.
            let _ = timeout(SHOWN.1, gather(&mut bytes, SHOWN.0, &mut page)).await;
            let body = redacted_beginning(page.freeze(), inner.settings().credential.secret());
            let content_type = shown(&String::from_utf8_lossy(&content_type), 100);
            let message = format!("the answer is no stream of events, its content type is {content_type}");
            Err(unusable(Error::new(ErrorKind::ContentType, message).with_body(body), &bytes, &response))
        }
        // Without a type it is what was asked for.
        _ => Ok(MessageStream::of_answer(bytes, response, inner)),
    }
}

/// Tells of an answer that is of no use, and adds to its error what is known of it.
fn unusable(error: Error, bytes: &ByteStream, response: &Response<()>) -> Error {
    if let Some(watch) = bytes.companion::<Watch>() {
        watch.failed(error.kind(), response.elapsed());
    }
    error.of_answer(response.status(), response.headers(), response.attempts(), response.elapsed())
}

/// Reads bytes up to a limit, or as far as they come.
async fn gather(bytes: &mut ByteStream, limit: usize, body: &mut BytesMut) {
    while body.len() < limit {
        match poll_fn(|context| Pin::new(&mut *bytes).poll_next(context)).await {
            Some(Ok(chunk)) if body.is_empty() && chunk.len() <= limit => *body = chunk.into(),
            Some(Ok(chunk)) => body.extend_from_slice(&chunk),
            Some(Err(_)) | None => break,
        }
    }
    body.truncate(limit);
}
