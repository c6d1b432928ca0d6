//! What a line says: its field and value.

/// As many bytes of a line as tell its field and where its value begins: those of `event: `.
pub(super) const LONGEST_HEAD: usize = 7;

/// The fields that mean something.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Field {
    Data,
    /// `event`: the type of the event.
    Kind,
    Id,
    Retry,
}

/// What the first bytes of a line say of it.
pub(super) enum Head<'l> {
    /// They may be the beginning of a known field's name.
    Part,
    /// A known field's name, with its colon or without, and nothing of a value.
    Bare(Field),
    /// A known field, and its value as far as it is there.
    Value(Field, &'l [u8]),
    /// A comment, or a field that nobody knows.
    Other,
}

impl<'l> Head<'l> {
    pub(super) fn of(line: &'l [u8]) -> Self {
        let (field, rest) = match line {
            [b'd', b'a', b't', b'a', rest @ ..] => (Field::Data, rest),
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Field::Kind, rest),
            [b'i', b'd', rest @ ..] => (Field::Id, rest),
            [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Field::Retry, rest),
            _ if [&b"data"[..], b"event", b"id", b"retry"].iter().any(|name| name.starts_with(line)) => {
                return Self::Part;
            }
            _ => return Self::Other,
        };
        match rest {
            [] | [b':'] => Self::Bare(field),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Self::Value(field, value),
            _ => Self::Other,
        }
    }
}
