//! The error of reading a document.

use std::{borrow::Cow, fmt};

use serde_json::error::Category;

/// The error of reading a document into a type.
///
/// The message contains the place and what was expected there. It never contains values: documents are prompts and
/// completions. The place consists of the document's member names, and a hand-written `Deserialize` can put anything into
/// its own errors.
///
/// ```
/// use anthropic_messages::{DecodeError, Json, types::AnthropicMessage};
///
/// let json = Json::parse(r#"{"role": "user", "content": 5}"#)?;
/// let error = json.decode::<AnthropicMessage>().unwrap_err();
/// assert_eq!((error.pointer(), error.offset()), ("/content", Some(28)));
/// assert!(error.is_data());
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    message: Cow<'static, str>,
    category: Category,
    offset: Option<usize>,
    pointer: String,
    line: usize,
    column: usize,
}

impl DecodeError {
    fn new(offset: Option<usize>, category: Category, message: Cow<'static, str>) -> Self {
        Self(Box::new(Inner { message, category, offset, pointer: String::new(), line: 0, column: 0 }))
    }

    /// Creates the error of valid JSON of another shape, given the offset of the value.
    #[cold]
    pub(super) fn data(offset: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Some(offset), Category::Data, message.into())
    }

    /// Creates the error of text that isn't JSON from this offset on.
    #[cold]
    pub(super) fn syntax(offset: usize, problem: &'static str) -> Self {
        Self::new(Some(offset), Category::Syntax, problem.into())
    }

    /// Creates the error of text that ends early.
    #[cold]
    pub(super) fn eof(offset: usize) -> Self {
        Self::new(Some(offset), Category::Eof, "the document ended early".into())
    }

    /// Creates the error of a value of another shape, whose place is set later.
    #[cold]
    pub(super) fn without_place(message: String) -> Self {
        Self::new(None, Category::Data, message.into())
    }

    /// Sets the offset, unless it is set already.
    #[cold]
    pub(super) fn or_at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Creates the error of a value that can't be written as JSON.
    pub(crate) fn from_serialize(error: &serde_json::Error) -> Self {
        Self::new(None, error.classify(), error.to_string().into())
    }

    /// Sets the place in the whole document. The reader itself only tracks the offset.
    #[cold]
    pub(super) fn at(mut self, text: &str, pointer: String) -> Self {
        if let Some(before) = self.0.offset.and_then(|offset| text.get(..offset)) {
            self.0.line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            self.0.column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
        }
        self.0.pointer = pointer;
        self
    }

    /// Returns the message without the place.
    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the place as a JSON pointer (RFC 6901), empty for the whole document.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.0.pointer
    }

    /// Returns the byte offset of the error in the text, or `None` if the error isn't from reading text.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// Returns the line, counted from 1, or 0 if it isn't known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// Returns the column in bytes, counted from 1, or 0 if it isn't known.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// Returns `true` if the text is not valid JSON.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        self.0.category == Category::Syntax
    }

    /// Returns `true` if the text ended before the value was complete.
    #[must_use]
    pub fn is_eof(&self) -> bool {
        self.0.category == Category::Eof
    }

    /// Returns `true` if the text is valid JSON, but not of the expected type.
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
