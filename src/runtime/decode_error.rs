//! Reading a document, and saying where one could not be read.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{json::TooDeep, text};

/// Why a document could not be read into a type, and where.
///
/// The message names the place and what was expected there, never what stood there: documents are
/// prompts and completions. The place is made of the document's own member names, and a
/// `Deserialize` that is written by hand may say in its own errors what it likes.
///
/// ```
/// use anthropic_messages::{DecodeError, types::AnthropicMessage};
///
/// let error = serde_json::from_str::<AnthropicMessage>(r#"{"role": "user", "content": 5}"#).unwrap_err();
/// # let _ = error;
/// let json = anthropic_messages::Json::parse(r#"{"role": "user", "content": 5}"#)?;
/// let error = json.to::<AnthropicMessage>().unwrap_err();
/// assert_eq!(error.pointer(), "/content");
/// assert!(error.is_data());
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    pointer: String,
    message: String,
    line: usize,
    column: usize,
    category: Category,
}

/// Reads a JSON document. One leading byte-order mark is passed over.
///
/// The document is read once; only when that fails it is read again to find the place.
pub(crate) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    serde_json::from_slice(json).map_err(|error| match place::<T>(json) {
        // A key that can't be followed stops the second reading earlier than the first.
        Some(placed) if (placed.inner().line(), placed.inner().column()) == (error.line(), error.column()) => {
            DecodeError::at(&placed.path().iter().map(segment).collect::<String>(), placed.inner())
        }
        _ => DecodeError::at("", &error),
    })
}

fn place<T: DeserializeOwned>(json: &[u8]) -> Option<serde_path_to_error::Error<serde_json::Error>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    text::locating(|| serde_path_to_error::deserialize::<_, T>(&mut deserializer)).err()
}

/// A step of a path as a JSON pointer has it (RFC 6901).
pub(super) fn segment(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    }
}

/// Marks a message that carries the rest of its pointer: an object whose tag did not come first is
/// read from a joined copy, where the path starts anew.
const MARK: char = '\u{1F}';

/// The message of an error inside a joined copy.
pub(super) fn nested(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let inner = DecodeError::at(&error.path().iter().map(segment).collect::<String>(), error.inner());
    format!("{MARK}{}{MARK}{}", inner.0.pointer, inner.0.message)
}

impl DecodeError {
    fn at(pointer: &str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let message = text.strip_suffix(&position).unwrap_or(&text);
        let (inner_pointer, message) = match message.strip_prefix(MARK).and_then(|rest| rest.split_once(MARK)) {
            Some((pointer, message)) => (pointer, message),
            None => ("", message),
        };
        Self(Box::new(Inner {
            pointer: format!("{pointer}{inner_pointer}"),
            message: without_values(message),
            line: error.line(),
            column: error.column(),
            category: error.classify(),
        }))
    }

    pub(crate) fn of_serialize(error: serde_json::Error) -> Self {
        Self::at("", &error)
    }

    pub(super) fn of_depth(error: TooDeep) -> Self {
        Self(Box::new(Inner {
            pointer: String::new(),
            message: error.to_string(),
            line: 0,
            column: 0,
            category: Category::Data,
        }))
    }

    /// The place, as a JSON pointer (RFC 6901); empty for the whole document.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.0.pointer
    }

    /// The line, counted from 1; 0 when not known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column in bytes, counted from 1; 0 when not known.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// Whether the text is not JSON.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        self.0.category == Category::Syntax
    }

    /// Whether the text ended before the value did.
    #[must_use]
    pub fn is_eof(&self) -> bool {
        self.0.category == Category::Eof
    }

    /// Whether the text is JSON, but of another shape than asked for.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.0.category == Category::Data
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !self.0.pointer.is_empty() {
            write!(f, ", at {}", self.0.pointer)?;
        }
        if self.0.line > 0 {
            write!(f, " (line {} column {})", self.0.line, self.0.column)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self})")
    }
}

impl std::error::Error for DecodeError {}

/// serde's messages quote what they found (``invalid type: string "…", expected …``); the quoted
/// value goes, its type and what was expected stay.
fn without_values(message: &str) -> String {
    for (start, end) in [
        ("invalid type: ", ", expected "),
        ("invalid value: ", ", expected "),
        ("unknown variant ", ", expected "),
        ("unknown variant ", ", there are no "),
        ("unknown field ", ", expected "),
        ("unknown field ", ", there are no "),
    ] {
        let Some(rest) = message.strip_prefix(start) else { continue };
        let Some((found, expected)) = rest.rsplit_once(end) else { continue };
        let found = found.split(['"', '`']).next().unwrap_or_default().trim_end();
        return format!("{}{end}{expected}", format!("{start}{found}").trim_end());
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_not_quote_the_document() {
        let cases = [
            (r#"invalid type: string "my \", expected secret", expected i64"#, "invalid type: string, expected i64"),
            ("invalid type: integer `12`, expected a string", "invalid type: integer, expected a string"),
            ("invalid type: null, expected a string", "invalid type: null, expected a string"),
            ("unknown variant `secret`, expected `a` or `b`", "unknown variant, expected `a` or `b`"),
            ("unknown variant `secret`, there are no variants", "unknown variant, there are no variants"),
            ("unknown field `secret`, expected `a`", "unknown field, expected `a`"),
            ("unknown field `secret`, there are no fields", "unknown field, there are no fields"),
            ("missing field `text`", "missing field `text`"),
        ];
        for (message, shown) in cases {
            assert_eq!(without_values(message), shown);
        }
    }

    #[test]
    fn a_pointer_escapes_its_segments() {
        let error = from_slice::<std::collections::BTreeMap<String, Vec<u8>>>(br#"{"a/b~c": [1, "x"]}"#).unwrap_err();
        assert_eq!(error.to_string(), "invalid type: string, expected u8, at /a~1b~0c/1 (line 1 column 17)");
    }
}
