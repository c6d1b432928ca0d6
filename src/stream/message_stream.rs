//! A streamed reply.

mod failure;
mod reading;

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::sleep;

use super::{
    accumulate::{Accumulator, IncompleteInput},
    source::Source,
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
    transport::{ByteStream, Settings},
};

/// A streamed reply.
///
/// Returned by [`Client::stream_message`](crate::Client::stream_message). It is a [`Stream`](futures_core::Stream) that
/// yields one [`StreamEvent`] per server-sent event, including pings and events this version doesn't know. An `error`
/// event is an error instead. [`next`](Self::next) is for those who don't use `Stream`:
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
/// A text that is cut within a character arrives whole: half of a surrogate pair at the end of a delta goes to the next
/// delta of the block. Content in `message_start`, or of a whole message instead of a stream, arrives as blocks and
/// deltas too.
///
/// # Cancellation
///
/// Drop the stream to cancel the reply. Dropping closes the connection, and the API stops generating.
///
/// # Backpressure
///
/// Nothing is spawned, and nothing is kept but the event that is being read and the message so far. The stream reads
/// from the socket only when polled, so a slow consumer slows the server down instead of filling memory. After
/// `message_stop`, read on to the end (`None`) to let the connection be used again;
/// [`final_message`](Self::final_message) and [`text_stream`](Self::text_stream) do so.
///
/// # Timeouts
///
/// [`idle_timeout`](crate::ClientBuilder::idle_timeout) bounds the time between two reads. Any byte resets it, including
/// pings. [`event_timeout`](crate::ClientBuilder::event_timeout) bounds the time between two events of the message. Time
/// the consumer spends between polls counts for neither. A reply has no overall time limit, unless
/// [`RequestOptions::timeout`](crate::RequestOptions::timeout) sets one.
///
/// # Errors
///
/// An error ends the stream. [`Error::partial_message`] returns what had arrived. A tool call in it whose input was cut
/// has the cut text as a string in its `input`, see [`Accumulator`].
///
/// The message is complete when it has a stop reason, its blocks are closed or cut by that reason, and the stream ended
/// with `message_stop`, with `[DONE]`, or cleanly. Anything less fails, mostly with [`ErrorKind::Incomplete`]: a truncated
/// reply never looks like a complete one. Only an event that lacks its blank line is not taken, unless it is
/// `message_stop`, since the rest of it may be missing.
pub struct MessageStream {
    source: Source,
    decoder: Decoder,
    accumulator: Accumulator,
    /// Events that go before those of the bytes.
    queue: VecDeque<StreamEvent>,
    timers: Option<Box<Timers>>,
    answer: Option<Box<Answer>>,
    state: State,
    /// The number of events read.
    events: u64,
    /// The number of bytes read, and its limit.
    bytes: u64,
    max_bytes: u64,
    /// The message was moved out.
    is_taken: bool,
}

/// The answer that the stream is the body of.
struct Answer {
    response: Response<()>,
    settings: Arc<Settings>,
    recorder: CallRecorder,
    started: Instant,
    /// The beginning of the body, if that is a document instead of a stream.
    document: Vec<u8>,
}

impl Answer {
    fn new(response: Response<()>, settings: Arc<Settings>, recorder: CallRecorder) -> Box<Self> {
        Box::new(Self { response, settings, recorder, started: Instant::now(), document: Vec::new() })
    }

    fn secret(&self) -> &[u8] {
        self.settings.credential.secret()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Reading,
    /// A marker has arrived that no more events follow.
    Ending,
    /// `message_stop` has come, and this many further bytes.
    Draining(usize),
    Done,
    Failed,
}

impl MessageStream {
    /// Reads a stream of bytes from another source than a [`Client`](crate::Client): a recording, another HTTP client, a
    /// queue. The bytes may be cut anywhere.
    ///
    /// There are no timeouts, and no runtime is needed. An event may have 32 MiB.
    pub fn from_bytes<S, B, E>(bytes: S) -> Self
    where
        S: Stream<Item = std::result::Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::of(Source::given(bytes), Decoder::default())
    }

    /// Reads the answer to a call.
    pub(super) fn of_answer(answer: Response<ByteStream>, settings: Arc<Settings>) -> Self {
        let (mut bytes, head) = answer.into_parts();
        let timers = Timers {
            idle: IdleTimer::new(settings.idle_timeout),
            event: settings.event_timeout.map(IdleTimer::new),
            total: settings.stream_timeout.map(|limit| (Box::pin(sleep(limit.saturating_sub(head.elapsed))), limit)),
        };
        Self {
            timers: Some(Box::new(timers)),
            decoder: settings.decoder(),
            answer: Some(Answer::new(Response::new((), head), settings, bytes.take_recorder())),
            ..Self::of(Source::Answer(bytes), Decoder::default())
        }
    }

    /// Creates a stream from the events of a message that arrived whole.
    pub(super) fn of_events(events: VecDeque<StreamEvent>, response: Response<()>, settings: Arc<Settings>) -> Self {
        Self {
            queue: events,
            answer: Some(Answer::new(response, settings, CallRecorder::default())),
            ..Self::of(Source::Closed, Decoder::default())
        }
    }

    fn of(source: Source, decoder: Decoder) -> Self {
        Self {
            source,
            decoder,
            accumulator: Accumulator::new(),
            queue: VecDeque::new(),
            timers: None,
            answer: None,
            state: State::Reading,
            events: 0,
            bytes: 0,
            max_bytes: u64::MAX,
            is_taken: false,
        }
    }

    /// Limits all bytes of the stream, for a call that wants the message whole.
    pub(super) fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Limits the time between two events of the message, unless the caller has set a limit.
    pub(super) fn with_default_event_timeout(mut self, limit: Duration) -> Self {
        if let Some(timers) = &mut self.timers {
            timers.event.get_or_insert_with(|| IdleTimer::new(limit));
        }
        self
    }

    /// Limits the call as a whole.
    pub(super) fn with_timeout(mut self, limit: Duration) -> Self {
        let left = limit.saturating_sub(self.elapsed());
        if let Some(timers) = &mut self.timers {
            timers.total = Some((Box::pin(sleep(left)), limit));
        }
        self
    }

    /// Returns the next event, or `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Once, with the partial message: see [`MessageStream`].
    pub async fn next(&mut self) -> Option<Result<StreamEvent>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the text of the reply, piece by piece as it arrives. Other events are read and skipped, and the stream can
    /// be used afterwards.
    pub fn text_stream(&mut self) -> TextStream<&mut Self> {
        TextStream::new(self)
    }

    /// Returns the text of the reply, piece by piece as it arrives.
    pub fn into_text_stream(self) -> TextStream<Self> {
        TextStream::new(self)
    }

    /// Returns the message assembled so far. It is empty until the first event arrives, and once
    /// [`final_message`](Self::final_message) has moved it out.
    ///
    /// The `input` of a tool call stays `{}` until its block is complete: to keep a message that is not read on,
    /// [finish](Accumulator::finish) a copy of the [`accumulator`](Self::accumulator).
    #[must_use]
    pub fn message(&self) -> &MessageResponse {
        self.accumulator.message()
    }

    /// Reads the rest of the stream and moves the complete message out: [`message`](Self::message) is empty afterwards.
    ///
    /// Dropping the future loses nothing. Called again, for example after a timeout, it reads on.
    ///
    /// The token limit may have cut the input of its last tool call: [`incomplete_inputs`](Self::incomplete_inputs)
    /// returns it, and the `input` of the call is no object.
    ///
    /// # Errors
    /// As [`next`](Self::next), again if the stream has failed before, and if the message was moved out before.
    pub async fn final_message(&mut self) -> Result<MessageResponse> {
        while let Some(event) = self.next().await {
            event?;
        }
        let error = match (self.state, self.is_taken) {
            (State::Failed, _) => "the stream already failed",
            (_, true) => "the message was already moved out of the stream",
            (_, false) => {
                self.is_taken = true;
                return Ok(self.accumulator.take_message());
            }
        };
        Err(self.with_what_is_known(Error::new(ErrorKind::Incomplete, error)))
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

    /// Returns the text of a tool call's input as far as it has arrived, for showing progress. It is the beginning of a
    /// JSON text and not to be acted upon. `None` if there is no such block, or it isn't a tool call.
    #[must_use]
    pub fn partial_input(&self, index: i64) -> Option<&str> {
        self.accumulator.partial_input(index)
    }

    /// Returns the inputs of tool calls that were cut.
    pub fn incomplete_inputs(&self) -> impl Iterator<Item = &IncompleteInput> {
        self.accumulator.incomplete_inputs()
    }

    /// Returns what assembles the message.
    #[must_use]
    pub fn accumulator(&self) -> &Accumulator {
        &self.accumulator
    }

    /// Returns the id that the server gave the request, which support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.response()?.request_id()
    }

    /// Returns the head of the answer: status, headers, attempts, rate limits. `None` for
    /// [`from_bytes`](Self::from_bytes).
    #[must_use]
    pub fn response(&self) -> Option<&Response<()>> {
        self.answer.as_ref().map(|answer| &answer.response)
    }

    /// Reads the rest of the stream and returns the complete message with the head of its answer.
    pub(super) async fn into_response(mut self) -> Result<Response<MessageResponse>> {
        let message = self.final_message().await?;
        let elapsed = self.elapsed();
        let (_, head) = self.answer.map(|answer| answer.response.into_parts()).unwrap_or_default();
        Ok(Response::new(message, Head { elapsed, ..head }))
    }
}

/// Omits the content, which is a completion.
impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream")
            .field("state", &self.state)
            .field("events", &self.events)
            .field("request_id", &self.request_id())
            .finish_non_exhaustive()
    }
}
