//! Errors of reading a document, with the place.

use std::{borrow::Cow, fmt};

use serde_json::error::Category;

/// The error of a document that can't be read into a type.
///
/// The message names the place and what was expected there, never the value found there: documents
/// are prompts and completions. The place is made of the document's own member names, and a
/// `Deserialize` written by hand may put anything into its own errors.
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

    /// The value that begins at a byte is JSON, but of another shape.
    #[cold]
    pub(super) fn data(offset: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Some(offset), Category::Data, message.into())
    }

    /// The text is not JSON from this byte on.
    #[cold]
    pub(super) fn syntax(offset: usize, problem: &'static str) -> Self {
        Self::new(Some(offset), Category::Syntax, problem.into())
    }

    /// The text ends too early.
    #[cold]
    pub(super) fn eof(offset: usize) -> Self {
        Self::new(Some(offset), Category::Eof, "the document ended early".into())
    }

    /// A value of another shape, at a place that is not known yet.
    #[cold]
    pub(super) fn without_place(message: String) -> Self {
        Self::new(None, Category::Data, message.into())
    }

    /// Adds the byte, unless it is known already.
    #[cold]
    pub(super) fn or_at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// A value can't be written as JSON.
    pub(crate) fn from_serialize(error: &serde_json::Error) -> Self {
        Self::new(None, error.classify(), error.to_string().into())
    }

    /// Adds the place in the whole document. Reading itself knows no more than the byte.
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

    /// Returns the place as the number of bytes before it, or `None` if there is no text to count in.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// Returns the line, counted from 1, or 0 if it is not known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// Returns the column in bytes, counted from 1, or 0 if it is not known.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// Returns `true` if the text is not JSON.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        self.0.category == Category::Syntax
    }

    /// Returns `true` if the text ended before the value did.
    #[must_use]
    pub fn is_eof(&self) -> bool {
        self.0.category == Category::Eof
    }

    /// Returns `true` if the text is JSON, but of another shape than asked for.
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
