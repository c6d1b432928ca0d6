//! A reply that is read while the model writes it.

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
    observe::CallRecorder,
    response::{Head, Response},
    json::Json,
    transport::{ByteStream, Settings},
};

/// A reply that is read while the model writes it, event by event.
///
/// [`Client::stream_message`](crate::Client::stream_message) gives one. It is a
/// [`Stream`](futures_core::Stream) of [`StreamEvent`]s, and has [`next`](Self::next) for those who
/// need no more than that:
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
/// Every event of the API is handed on, pings and those of unknown kinds included, but for `error`
/// events, which are errors. The message that the events tell is put together on the way
/// ([`message`](Self::message), [`final_message`](Self::final_message)); how is said at
/// [`Accumulator`].
///
/// # Reading
///
/// Nothing is read before it is asked for, and nothing is kept but the event that is being read and
/// the message so far. Dropping the stream before its end closes the connection, which is how a
/// reply is cancelled. Once `message_stop` has come, reading on to the end (`None`) lets the
/// connection be used again; [`final_message`](Self::final_message) and
/// [`text_stream`](Self::text_stream) do so.
///
/// There is no limit on how long a reply takes as a whole. There is one on how long it may be
/// silent, [`ClientBuilder::idle_timeout`](crate::ClientBuilder::idle_timeout): any byte resets it,
/// those of pings and comments as well, and time that the consumer spends elsewhere does not count.
///
/// # Errors
///
/// An error ends the stream, and its [`Error::partial_message`] is what had come of the message. A
/// tool call in it whose input was cut has the cut text as a string in its `input`, see
/// [`Accumulator`].
///
/// A stream that ends without `message_stop` is an error of the kind [`ErrorKind::Incomplete`]. The
/// exception is one that ends cleanly, after a stop reason and with every block closed: all of the
/// message is there then, and [`has_stopped`](Self::has_stopped) stays `false`. An event that has
/// begun and not ended, by a blank line, makes it an error all the same: what it was to say is not
/// known.
pub struct MessageStream {
    source: Source,
    decoder: Decoder,
    accumulator: Accumulator,
    /// Events that go before those of the bytes.
    queue: VecDeque<StreamEvent>,
    timers: Option<Box<Timers>>,
    answer: Option<Box<Answer>>,
    state: State,
    /// How many events have come.
    events: u64,
    /// How many bytes have come, and how many may.
    bytes: u64,
    max_bytes: u64,
    /// The message was moved out.
    is_taken: bool,
}

/// What is known of the answer that the stream comes in.
struct Answer {
    response: Response<()>,
    settings: Arc<Settings>,
    recorder: CallRecorder,
    started: Instant,
}

impl Answer {
    fn new(response: Response<()>, settings: Arc<Settings>, recorder: CallRecorder) -> Box<Self> {
        Box::new(Self { response, settings, recorder, started: Instant::now() })
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
    /// Reads a stream of bytes that comes another way than by a [`Client`](crate::Client): a
    /// recording, another HTTP client, a queue. It is cut anywhere.
    ///
    /// It knows no time: there is no idle timeout, and no runtime is needed. An event may have
    /// 32 MiB.
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

    /// The next event; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Once, with what had come of the message: see [`MessageStream`].
    pub async fn next(&mut self) -> Option<Result<StreamEvent>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The text of the reply, piece by piece as it comes. Other events are read and passed over;
    /// the stream can be used on afterwards.
    pub fn text_stream(&mut self) -> TextStream<&mut Self> {
        TextStream::new(self)
    }

    /// The text of the reply, piece by piece as it comes, for those who need nothing else.
    pub fn into_text_stream(self) -> TextStream<Self> {
        TextStream::new(self)
    }

    /// The message so far; nothing is in it before the first event. A tool call has the `input`
    /// that it began with until its block is closed, mostly `{}`: to keep a message that is not
    /// read on, [finish](Accumulator::finish) a copy of the [`accumulator`](Self::accumulator).
    #[must_use]
    pub fn message(&self) -> &MessageResponse {
        self.accumulator.message()
    }

    /// Reads the rest of the stream and moves the complete message out: [`message`](Self::message) is empty afterwards.
    ///
    /// Dropping the future loses nothing. Called again, for example after a timeout, it reads on.
    ///
    /// The token limit may have cut the input of its last tool call:
    /// [`incomplete_inputs`](Self::incomplete_inputs) says so, and the call has no object as its
    /// `input`.
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

    /// Whether `message_stop` has come.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.accumulator.has_stopped()
    }

    /// The input of the tool call with this `index`. `None` when there is no such block, when it is
    /// no tool call, and until it is closed.
    pub fn tool_input(&self, index: i64) -> Option<std::result::Result<&Json, &IncompleteInput>> {
        self.accumulator.tool_input(index)
    }

    /// The raw text of a tool call's input as far as it has come, for showing progress: a beginning
    /// of JSON, not to be acted upon. `None` when there is no such block, or it is no tool call.
    #[must_use]
    pub fn partial_input(&self, index: i64) -> Option<&str> {
        self.accumulator.partial_input(index)
    }

    /// The inputs of tool calls that were cut short.
    pub fn incomplete_inputs(&self) -> impl Iterator<Item = &IncompleteInput> {
        self.accumulator.incomplete_inputs()
    }

    /// What has been put together so far, with all that is known of it.
    #[must_use]
    pub fn accumulator(&self) -> &Accumulator {
        &self.accumulator
    }

    /// The id that the server gave the request: what support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.response()?.request_id()
    }

    /// What the answer said before the stream began: status, headers, attempts, rate limits. `None`
    /// for [`from_bytes`](Self::from_bytes).
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

/// What was said is left out.
impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream")
            .field("state", &self.state)
            .field("events", &self.events)
            .field("request_id", &self.request_id())
            .finish_non_exhaustive()
    }
}
