//! A server-sent event and how it is written.

use std::{borrow::Cow, fmt};

/// A server-sent event.
///
/// [`Display`](fmt::Display) writes the event as it appears in a stream, including the blank line, so that it can be
/// relayed:
///
/// ```
/// use anthropic_messages::sse::Event;
///
/// let event = Event::new("note", "two\nlines");
/// assert_eq!(event.to_string(), "event: note\ndata: two\ndata: lines\n\n");
/// ```
///
/// If all events of a [`Decoder`](super::Decoder) are written one after the other, decoding them again yields equal events.
/// In an event created with [`new`](Self::new), a line end in `data` is read back as a line feed. Characters that a stream
/// can't carry are omitted: line ends in `event` and `id`, and U+0000 in `id`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The type of the event. It is `message` if the stream doesn't give one.
    pub event: Cow<'a, str>,
    /// The values of the `data` lines, joined by line feeds.
    pub data: Cow<'a, str>,
    /// The last id that the stream has set, by this event or an earlier one. It is empty if there is none.
    pub id: Cow<'a, str>,
    /// Earlier events had an id, so that an empty one must be written to take effect.
    clears_id: bool,
}

impl<'a> Event<'a> {
    /// Creates an event without an id.
    #[must_use]
    pub fn new(event: impl Into<Cow<'a, str>>, data: impl Into<Cow<'a, str>>) -> Self {
        Self { event: event.into(), data: data.into(), id: Cow::Borrowed(""), clears_id: false }
    }

    /// Creates an event from the bytes of a stream.
    pub(super) fn from_stream(event: &'a [u8], data: &'a [u8], id: &'a str, clears_id: bool) -> Self {
        let event = if event.is_empty() { Cow::Borrowed("message") } else { decode_utf8(event) };
        Self { event, data: decode_utf8(data), id: Cow::Borrowed(id), clears_id }
    }

    /// Returns `true` if the data contained bytes that aren't UTF-8.
    pub(crate) fn is_lossy(&self) -> bool {
        // Valid text is borrowed from the decoder.
        matches!(self.data, Cow::Owned(_))
    }

    /// Copies the text of the event, so that it outlives the decoder.
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

/// Decodes UTF-8. Invalid bytes become U+FFFD.
pub(super) fn decode_utf8(bytes: &[u8]) -> Cow<'_, str> {
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
