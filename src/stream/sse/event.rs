//! One event, and its text.

use std::{borrow::Cow, fmt};

/// A server-sent event.
///
/// [`Display`](fmt::Display) writes it as the text of a stream again, blank line included, so that
/// it can be relayed:
///
/// ```
/// use anthropic_messages::sse::Event;
///
/// let event = Event::new("note", "two\nlines");
/// assert_eq!(event.to_string(), "event: note\ndata: two\ndata: lines\n\n");
/// ```
///
/// What a [`Decoder`](super::Decoder) yields comes back equal when all its events are written one
/// after the other. In events made by hand, a line end in `data` comes back as a line feed, and
/// what a stream can't carry is left out: line ends in `event` and `id`, U+0000 in `id`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The event's type; `message` where the stream names none.
    pub event: Cow<'a, str>,
    /// The `data` lines, joined by line feeds.
    pub data: Cow<'a, str>,
    /// The id last given in the stream, by this event or an earlier one; empty when there is none.
    pub id: Cow<'a, str>,
    /// Whether earlier events had an id, so that an empty one must be written to take effect.
    clears_id: bool,
}

impl<'a> Event<'a> {
    /// An event without an id.
    #[must_use]
    pub fn new(event: impl Into<Cow<'a, str>>, data: impl Into<Cow<'a, str>>) -> Self {
        Self { event: event.into(), data: data.into(), id: Cow::Borrowed(""), clears_id: false }
    }

    /// An event from the bytes of a stream.
    pub(super) fn from_stream(event: &'a [u8], data: &'a [u8], id: &'a str, clears_id: bool) -> Self {
        let event = if event.is_empty() { Cow::Borrowed("message") } else { text(event) };
        Self { event, data: text(data), id: Cow::Borrowed(id), clears_id }
    }

    /// Returns `true` if bytes of the data were not UTF-8.
    pub(crate) fn is_lossy(&self) -> bool {
        // Text that is what was sent is borrowed from the decoder.
        matches!(self.data, Cow::Owned(_))
    }

    /// The event with text of its own, which outlives the decoder's.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            event: Cow::Owned(self.event.into_owned()),
            data: Cow::Owned(self.data.into_owned()),
            id: Cow::Owned(self.id.into_owned()),
            clears_id: self.clears_id,
        }
    }
}

/// The text of bytes; what is not UTF-8 in them becomes U+FFFD.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

impl PartialEq for Event<'_> {
    fn eq(&self, other: &Self) -> bool {
        (&self.event, &self.data, &self.id) == (&other.event, &other.data, &other.id)
    }
}

impl Eq for Event<'_> {}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.event.is_empty() && self.event != "message" {
            write_line(f, "event: ", self.event.split(['\r', '\n']))?;
        }
        if !self.id.is_empty() || self.clears_id {
            write_line(f, "id: ", self.id.split(['\r', '\n', '\0']))?;
        }
        for line in with_line_feeds(&self.data).split('\n') {
            write_line(f, "data: ", [line])?;
        }
        f.write_str("\n")
    }
}

fn write_line<'a>(f: &mut fmt::Formatter<'_>, field: &str, value: impl IntoIterator<Item = &'a str>) -> fmt::Result {
    f.write_str(field)?;
    value.into_iter().try_for_each(|part| f.write_str(part))?;
    f.write_str("\n")
}

fn with_line_feeds(data: &str) -> Cow<'_, str> {
    if data.contains('\r') { Cow::Owned(data.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(data) }
}
