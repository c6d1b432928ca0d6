//! A streamed reply.

mod poll;

use std::{
    collections::VecDeque,
    error::Error as StdError,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::sleep;

use super::{
    accumulate::{Accumulator, IncompleteInput},
    sse::Decoder,
    text_stream::TextStream,
    timers::{IdleTimer, Timers},
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{MessageResponse, StreamEvent},
    json::Json,
    observe::CallRecorder,
    response::{Head, Response},
    transport::{ByteStream, PAGE_LIMIT, Settings},
};

/// A streamed reply.
///
/// Returned by [`Client::stream_message`](crate::Client::stream_message). It is a [`Stream`](futures_core::Stream) that
/// yields one [`StreamEvent`] per server-sent event, including pings and events this version doesn't know. An `error` event
/// is returned as an [`Error`]. [`next`](Self::next) reads events without the `Stream` trait:
///
/// ```
/// # use anthropic_messages::{Client, types::{AnthropicMessage, MessageCreateRequest}};
/// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
/// let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
/// let mut stream = client.stream_message(&request).await?;
/// let mut text = stream.text_stream();
/// while let Some(piece) = text.next().await {
///     print!("{}", piece?);
/// }
/// let reply = stream.final_message().await?;
/// println!("\n{:?}", reply.usage);
/// # Ok(())
/// # }
/// ```
///
/// The stream assembles the message as events arrive: see [`message`](Self::message),
/// [`final_message`](Self::final_message), and [`Accumulator`] for the rules. The result is the message that
/// [`create_message`](crate::Client::create_message) returns for the same reply.
///
/// Text is never split within a character: if a delta ends with the high surrogate of a pair, the character is a part of
/// the next delta. If `message_start` already has content, or the server sends a complete message instead of a stream, the
/// stream yields the same events as if the content had been streamed.
///
/// # Cancellation
///
/// Drop the stream to cancel the reply. Dropping closes the connection, and the API stops generating.
///
/// # Backpressure
///
/// Nothing is spawned, and nothing is buffered except the event that is being read and the message so far. The stream reads
/// from the socket only when polled, so a slow consumer slows the server down instead of filling memory.
///
/// # Connection reuse
///
/// The connection returns to the pool once the stream has returned `None`. Keep reading after `message_stop` to get there.
/// [`final_message`](Self::final_message) and [`text_stream`](Self::text_stream) do so.
///
/// # Timeouts
///
/// [`idle_timeout`](crate::ClientBuilder::idle_timeout) bounds the time between two reads. Any byte resets it, including
/// pings. [`event_timeout`](crate::ClientBuilder::event_timeout) bounds the time between two events of the message. Time
/// the consumer spends between polls doesn't count towards either. A reply has no overall time limit unless
/// [`RequestOptions::timeout`](crate::RequestOptions::timeout) sets one.
///
/// # Errors
///
/// An error ends the stream. [`Error::partial_message`] returns what had arrived. If the input of a tool call in it was
/// cut, its `input` is a string, see [`Accumulator`].
///
/// The message is complete if it has a stop reason, its blocks are closed or were cut by that reason, and the stream ended
/// with `message_stop`, with `[DONE]`, or with a clean end of the connection. Anything less is an error, usually of the kind
/// [`ErrorKind::Incomplete`]: a truncated reply never looks like a complete one. An event without its blank line isn't
/// applied, because the rest of it may be missing, except for `message_stop`.
pub struct MessageStream {
    source: ByteSource,
    decoder: Decoder,
    accumulator: Accumulator,
    /// Events that precede those of the decoder.
    queue: VecDeque<StreamEvent>,
    timers: Option<Box<Timers>>,
    call: Option<Box<CallContext>>,
    state: StreamState,
    event_count: u64,
    byte_count: u64,
    max_bytes: u64,
    /// [`final_message`](Self::final_message) has moved the message out.
    is_taken: bool,
}

/// The call whose response the stream reads.
struct CallContext {
    response: Response<()>,
    settings: Arc<Settings>,
    recorder: CallRecorder,
    /// The time at which the head of the response arrived.
    started: Instant,
    /// The beginning of a body that is a document instead of a stream, or of events that are none of a message.
    document: Vec<u8>,
}

impl CallContext {
    fn new(response: Response<()>, settings: Arc<Settings>, recorder: CallRecorder) -> Box<Self> {
        Box::new(Self { response, settings, recorder, started: Instant::now(), document: Vec::new() })
    }

    /// Keeps what arrived in place of a message, as far as it explains an error.
    fn keep_document(&mut self, bytes: &[u8]) {
        let room = PAGE_LIMIT.saturating_sub(self.document.len());
        self.document.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn secret(&self) -> &[u8] {
        self.settings.credential.secret()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum StreamState {
    Reading,
    /// `[DONE]` has arrived.
    Ending,
    /// `message_stop` has arrived, and this many bytes after it.
    Draining(usize),
    Done,
    Failed,
}

type BoxError = Box<dyn StdError + Send + Sync>;

type PollBytes = dyn FnMut(&mut Context<'_>) -> Poll<Option<std::result::Result<Bytes, BoxError>>> + Send;

/// The source of the bytes of a stream.
enum ByteSource {
    /// The body of a response.
    Response(ByteStream),
    /// A stream passed to [`MessageStream::from_bytes`].
    Custom(Box<PollBytes>),
    /// Nothing is left to read: the stream has ended, or the message arrived whole.
    Closed,
}

impl ByteSource {
    fn from_stream<S, B, E>(bytes: S) -> Self
    where
        S: Stream<Item = std::result::Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        let mut bytes = Box::pin(bytes);
        Self::Custom(Box::new(move |context| {
            bytes.as_mut().poll_next(context).map(|next| next.map(|chunk| chunk.map(Into::into).map_err(Into::into)))
        }))
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<std::result::Result<Bytes, BoxError>>> {
        match self {
            Self::Response(bytes) => {
                pin!(bytes).poll_next(context).map(|next| next.map(|chunk| chunk.map_err(Into::into)))
            }
            Self::Custom(poll) => poll(context),
            Self::Closed => Poll::Ready(None),
        }
    }
}

impl MessageStream {
    /// Creates a stream from bytes of another source than a [`Client`](crate::Client): a recording, another HTTP client, a
    /// queue. The chunks may be of any size.
    ///
    /// There are no timeouts, and no runtime is needed. An event is limited to 32 MiB.
    pub fn from_bytes<S, B, E>(bytes: S) -> Self
    where
        S: Stream<Item = std::result::Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::new(ByteSource::from_stream(bytes), Decoder::default())
    }

    /// Creates a stream that reads the response to a call.
    pub(super) fn from_response(response: Response<ByteStream>, settings: Arc<Settings>) -> Self {
        let (mut bytes, head) = response.into_parts();
        let timers = Timers {
            idle: IdleTimer::new(settings.idle_timeout),
            event: settings.event_timeout.map(IdleTimer::new),
            total: settings.stream_timeout.map(|limit| (Box::pin(sleep(limit.saturating_sub(head.elapsed))), limit)),
        };
        Self {
            timers: Some(Box::new(timers)),
            decoder: settings.decoder(),
            call: Some(CallContext::new(Response::new((), head), settings, bytes.take_recorder())),
            ..Self::new(ByteSource::Response(bytes), Decoder::default())
        }
    }

    /// Creates a stream from the events of a message that arrived whole.
    pub(super) fn from_events(events: VecDeque<StreamEvent>, response: Response<()>, settings: Arc<Settings>) -> Self {
        Self {
            queue: events,
            call: Some(CallContext::new(response, settings, CallRecorder::default())),
            ..Self::new(ByteSource::Closed, Decoder::default())
        }
    }

    fn new(source: ByteSource, decoder: Decoder) -> Self {
        Self {
            source,
            decoder,
            accumulator: Accumulator::new(),
            queue: VecDeque::new(),
            timers: None,
            call: None,
            state: StreamState::Reading,
            event_count: 0,
            byte_count: 0,
            max_bytes: u64::MAX,
            is_taken: false,
        }
    }

    /// Limits the size of the stream as a whole, in bytes.
    pub(super) fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Limits the time between two events of the message unless `event_timeout` is set.
    pub(super) fn with_default_event_timeout(mut self, limit: Duration) -> Self {
        if let Some(timers) = &mut self.timers {
            timers.event.get_or_insert_with(|| IdleTimer::new(limit));
        }
        self
    }

    /// Limits the duration of the call as a whole.
    pub(super) fn with_timeout(mut self, limit: Duration) -> Self {
        let left = limit.saturating_sub(self.elapsed());
        if let Some(timers) = &mut self.timers {
            timers.total = Some((Box::pin(sleep(left)), limit));
        }
        self
    }

    /// Returns the next event, or `None` at the end of the stream.
    ///
    /// Cancel safe: dropping the future loses no event.
    ///
    /// # Errors
    /// Returns an error if the stream fails, see [`MessageStream`]. The stream returns `None` afterwards.
    pub async fn next(&mut self) -> Option<Result<StreamEvent>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns a stream of the reply's text. Events without text are skipped. This stream can be used again afterwards.
    pub fn text_stream(&mut self) -> TextStream<&mut Self> {
        TextStream::new(self)
    }

    /// Converts the stream into a stream of the reply's text, which owns it.
    pub fn into_text_stream(self) -> TextStream<Self> {
        TextStream::new(self)
    }

    /// Returns the message assembled so far. It is empty until the first event arrives, and again after
    /// [`final_message`](Self::final_message) has moved it out.
    ///
    /// The `input` of a tool call stays `{}` until its block is complete. To keep the message of a stream that isn't read
    /// to its end, call [`finish`](Accumulator::finish) on a clone of the [`accumulator`](Self::accumulator).
    #[must_use]
    pub fn message(&self) -> &MessageResponse {
        self.accumulator.message()
    }

    /// Reads the rest of the stream and returns the complete message. The message is moved out, so that
    /// [`message`](Self::message) is empty afterwards.
    ///
    /// Cancel safe: dropping the future loses no event. Call the method again to continue, for example after a timeout.
    ///
    /// If the token limit has cut the input of the last tool call, [`incomplete_inputs`](Self::incomplete_inputs) returns
    /// it, and the `input` of the call is a string.
    ///
    /// # Errors
    /// Returns an error if the stream fails, see [`MessageStream`], if it has failed before, or if the message was already
    /// moved out.
    pub async fn final_message(&mut self) -> Result<MessageResponse> {
        while let Some(event) = self.next().await {
            event?;
        }
        let error = match (self.state, self.is_taken) {
            (StreamState::Failed, _) => "the stream already failed",
            (_, true) => "the message was already moved out of the stream",
            (_, false) => {
                self.is_taken = true;
                return Ok(self.accumulator.take_message());
            }
        };
        Err(self.with_context(Error::new(ErrorKind::Incomplete, error)))
    }

    /// Returns `true` once `message_stop` has arrived.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.accumulator.has_stopped()
    }

    /// Returns the input of the tool call at this `index`, or `None` if there is no such block, it isn't a tool call, or
    /// it isn't closed yet.
    pub fn tool_input(&self, index: i64) -> Option<std::result::Result<&Json, &IncompleteInput>> {
        self.accumulator.tool_input(index)
    }

    /// Returns the JSON text of a tool call's input as far as it has arrived, or `None` if there is no such block or it isn't
    /// a tool call.
    ///
    /// Use it to show progress. Don't run a tool on it, because the rest of the text is missing.
    #[must_use]
    pub fn partial_input(&self, index: i64) -> Option<&str> {
        self.accumulator.partial_input(index)
    }

    /// Returns the inputs of tool calls that were cut.
    pub fn incomplete_inputs(&self) -> impl Iterator<Item = &IncompleteInput> {
        self.accumulator.incomplete_inputs()
    }

    /// Returns the accumulator that assembles the message.
    #[must_use]
    pub fn accumulator(&self) -> &Accumulator {
        &self.accumulator
    }

    /// Returns the request id that the server assigned. Include it when you contact support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.response()?.request_id()
    }

    /// Returns the head of the response: status, headers, attempts and rate limits. It is `None` for a stream created by
    /// [`from_bytes`](Self::from_bytes).
    #[must_use]
    pub fn response(&self) -> Option<&Response<()>> {
        self.call.as_ref().map(|call| &call.response)
    }

    /// Reads the rest of the stream and returns the complete message with the head of its response.
    pub(super) async fn into_response(mut self) -> Result<Response<MessageResponse>> {
        let message = self.final_message().await?;
        let elapsed = self.elapsed();
        let (_, head) = self.call.map(|call| call.response.into_parts()).unwrap_or_default();
        Ok(Response::new(message, Head { elapsed, ..head }))
    }
}

/// Omits the content, which is a completion.
impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream")
            .field("state", &self.state)
            .field("events", &self.event_count)
            .field("request_id", &self.request_id())
            .finish_non_exhaustive()
    }
}
