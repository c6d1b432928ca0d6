//! A pull reader of JSON text, held to the grammar of RFC 8259.

use std::{borrow::Cow, mem};

use super::{error::DecodeError, unknown::UnknownParts};

/// The number of levels that arrays and objects may nest. Free-form JSON inside of a type is counted anew, from where it
/// begins.
pub(crate) const MAX_DEPTH: usize = 128;

/// The number of bytes that failed attempts to read unions may read in total, in lengths of the document.
const MAX_REREAD: usize = 16;

/// The length in bytes up to which an unescaped string is copied out of the buffer. A longer one takes the buffer along.
const MAX_COPIED: usize = 64 * 1024;

/// The six types of a JSON value (RFC 8259, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonType {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number, whole or not.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonType {
    /// Returns the name of the type in a JSON Schema.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// Reads JSON text from its start to its end.
///
/// Each method reads the part of the grammar that it is named after, or fails. [`peek`](Self::peek) looks ahead where
/// several may follow, and [`rewind`](Self::rewind) goes back. The reader tracks its offset and depth. It doesn't track
/// the path: the JSON pointer of an error is found afterwards, by a walk over the text (`pointer` in `read.rs`).
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Set after an opening bracket: no comma precedes the next part.
    is_first: bool,
    tagged: Option<Tagged>,
    /// The number of bytes read ahead, counting repetitions.
    scanned: usize,
    reread: usize,
    has_lone_surrogate: bool,
    is_respelled: bool,
    unknown: Option<UnknownParts>,
    /// The buffer for strings with escapes, so that those handed out have their exact size.
    unescaped: String,
}

/// A state of the reader to rewind to.
#[derive(Clone, Copy)]
pub(crate) struct Checkpoint {
    at: usize,
    depth: usize,
    is_first: bool,
    has_lone_surrogate: bool,
    is_respelled: bool,
    scanned: usize,
    unknown: usize,
}

/// An object whose first member is its tag, which has been read already.
#[derive(Clone, Copy)]
struct Tagged {
    object: usize,
    name: &'static str,
    after: usize,
}

/// The next part of an object.
pub(crate) enum Member<'a> {
    /// The member with this number among the known ones.
    Known(usize),
    /// A member with another name.
    Unknown(Cow<'a, str>),
    End,
}

/// A piece of a text, whose ends may be halves of surrogate pairs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StringPiece<'a> {
    /// A low surrogate at the start, whose other half may be at the end of the piece before.
    pub(crate) leading: Option<u16>,
    /// The text between. Half of a surrogate pair within it is unpaired, and becomes U+FFFD.
    pub(crate) text: Cow<'a, str>,
    /// A high surrogate at the end, whose other half may be at the start of the next piece.
    pub(crate) trailing: Option<u16>,
}

impl<'a> Reader<'a> {
    /// Starts before the first value. One leading byte-order mark is skipped.
    pub(crate) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        Self {
            text,
            at,
            depth: 0,
            is_first: false,
            tagged: None,
            scanned: 0,
            reread: 0,
            has_lone_surrogate: false,
            is_respelled: false,
            unknown: None,
            unescaped: String::new(),
        }
    }

    /// Records the unknown parts of the document from here on.
    pub(crate) fn record_unknown(&mut self) {
        self.unknown = Some(UnknownParts::default());
    }

    /// Returns the unknown parts recorded.
    pub(crate) fn take_unknown(&mut self) -> UnknownParts {
        self.unknown.take().unwrap_or_default()
    }

    /// Returns `true` if a string that was read lost half of a surrogate pair.
    pub(crate) fn has_lone_surrogate(&self) -> bool {
        self.has_lone_surrogate
    }

    /// Returns `true` if a value that was read is written otherwise than it was sent: a string that lost half of a
    /// surrogate pair, a number with another spelling, or a `null` that was left out.
    pub(crate) fn is_respelled(&self) -> bool {
        self.is_respelled || self.has_lone_surrogate
    }

    /// Records that a value is written otherwise than it was sent.
    pub(super) fn respelled(&mut self) {
        self.is_respelled = true;
    }

    /// Returns the text read since an offset.
    pub(super) fn text_since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Returns the bytes that were looked at ahead, and those that failed attempts read.
    #[cfg(test)]
    pub(crate) fn extra_steps(&self) -> usize {
        self.scanned + self.reread
    }

    /// Returns the number of bytes read.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            at: self.at,
            depth: self.depth,
            is_first: self.is_first,
            has_lone_surrogate: self.has_lone_surrogate,
            is_respelled: self.is_respelled,
            scanned: self.scanned,
            unknown: self.unknown.as_ref().map_or(0, UnknownParts::len),
        }
    }

    /// Restores the state of a checkpoint.
    pub(crate) fn rewind(&mut self, checkpoint: Checkpoint) {
        (self.at, self.depth, self.is_first) = (checkpoint.at, checkpoint.depth, checkpoint.is_first);
        self.has_lone_surrogate = checkpoint.has_lone_surrogate;
        self.is_respelled = checkpoint.is_respelled;
        // Another type may be tried here, and has to read the tag itself.
        self.tagged = None;
        if let Some(unknown) = &mut self.unknown {
            unknown.truncate(checkpoint.unknown);
        }
    }

    /// Rewinds after a failed attempt to read one variant of a union.
    ///
    /// # Errors
    /// Fails if all attempts together have read a multiple of the document's length. In nested unions they multiply with
    /// every level.
    pub(crate) fn retry(&mut self, checkpoint: Checkpoint) -> Result<(), DecodeError> {
        self.reread += self.at - checkpoint.at + self.scanned - checkpoint.scanned;
        self.scanned = checkpoint.scanned;
        self.rewind(checkpoint);
        if self.reread > self.text.len().saturating_mul(MAX_REREAD) {
            return Err(DecodeError::data(checkpoint.at, "too many attempts to find the variant of a union"));
        }
        Ok(())
    }

    /// Returns the first byte of what follows, after white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, DecodeError> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(self.eof()),
            }
        }
    }

    /// Returns the type of the value that follows.
    pub(crate) fn peek_type(&mut self) -> Result<JsonType, DecodeError> {
        Ok(match self.peek()? {
            b'{' => JsonType::Object,
            b'[' => JsonType::Array,
            b'"' => JsonType::String,
            b't' | b'f' => JsonType::Boolean,
            b'n' => JsonType::Null,
            b'-' | b'0'..=b'9' => JsonType::Number,
            _ => return Err(self.syntax("expected value")),
        })
    }

    /// Requires that the document ends here.
    pub(crate) fn end(&mut self) -> Result<(), DecodeError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        match rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\t' | b'\r')) {
            None => Ok(()),
            Some(space) => {
                self.at += space;
                Err(self.syntax("trailing characters"))
            }
        }
    }

    /// Begins an object, and returns the byte it begins at.
    pub(crate) fn object(&mut self, expected: &'static str) -> Result<usize, DecodeError> {
        self.open(b'{', expected)
    }

    /// Begins an object like [`object`](Self::object), and skips its first member if that is a tag that
    /// [`tag`](Self::tag) has just read. Returns `true` if it was.
    pub(crate) fn tagged_object(
        &mut self,
        tag: &'static str,
        expected: &'static str,
    ) -> Result<(usize, bool), DecodeError> {
        let start = self.object(expected)?;
        match self.tagged.take() {
            Some(tagged) if tagged.object == start && tagged.name == tag => {
                self.at = tagged.after;
                self.is_first = false;
                Ok((start, true))
            }
            _ => Ok((start, false)),
        }
    }

    /// Begins an array.
    pub(crate) fn array(&mut self) -> Result<(), DecodeError> {
        self.open(b'[', "an array").map(drop)
    }

    fn open(&mut self, bracket: u8, expected: &'static str) -> Result<usize, DecodeError> {
        if self.peek()? != bracket {
            return Err(self.wrong_type(expected));
        }
        if self.depth == MAX_DEPTH {
            return Err(too_deep(self.at));
        }
        let start = self.at;
        self.at += 1;
        self.depth += 1;
        self.is_first = true;
        Ok(start)
    }

    /// Reads up to the next part of an object or array, or past its end. Returns `true` if there is a part.
    #[inline]
    fn separator(&mut self, close: u8) -> Result<bool, DecodeError> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        match self.peek()? {
            byte if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ if is_first => Ok(true),
            b',' => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.syntax(if close == b'}' { "expected `,` or `}`" } else { "expected `,` or `]`" })),
        }
    }

    #[inline]
    fn next_part(&mut self, close: u8) -> Result<bool, DecodeError> {
        let has_part = self.separator(close)?;
        self.depth -= usize::from(!has_part);
        Ok(has_part)
    }

    /// Reads up to the next item of an array, or past its end. Returns `true` if there is an item.
    #[inline]
    pub(crate) fn item(&mut self) -> Result<bool, DecodeError> {
        self.next_part(b']')
    }

    /// Reads the next key of an object, or past its end.
    ///
    /// A lone surrogate in a key stays spelled out, as the six characters of its escape: names that differ must not
    /// become the same.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        if self.next_part(b'}')? { self.name().map(Some) } else { Ok(None) }
    }

    /// Reads the next key of an object as its text with the quotation marks, or past its end.
    pub(super) fn raw_key(&mut self) -> Result<Option<&'a str>, DecodeError> {
        if !self.next_part(b'}')? {
            return Ok(None);
        }
        self.raw_name().map(Some)
    }

    fn raw_name(&mut self) -> Result<&'a str, DecodeError> {
        if self.peek()? != b'"' {
            return Err(self.syntax("key must be a string"));
        }
        let start = self.at;
        self.skip_string()?;
        let name = self.text.get(start..self.at).unwrap_or_default();
        self.colon()?;
        Ok(name)
    }

    /// Reads the next key of an object with these members. `next` is the number of the member that is looked for
    /// first: keys mostly follow the contract's order.
    #[inline]
    pub(crate) fn member(
        &mut self,
        names: &'static [&'static str],
        next: &mut usize,
    ) -> Result<Member<'a>, DecodeError> {
        if !self.next_part(b'}')? {
            return Ok(Member::End);
        }
        if let Some(name) = names.get(*next)
            && let Some(value) = self.at_member(name)
        {
            self.at = value;
            *next += 1;
            return Ok(Member::Known(*next - 1));
        }
        let key = self.name()?;
        match names.iter().position(|name| *name == key) {
            Some(index) => {
                *next = index + 1;
                Ok(Member::Known(index))
            }
            None => Ok(Member::Unknown(key)),
        }
    }

    /// Returns where the value of a member begins whose key follows, plain and without white space.
    #[inline]
    fn at_member(&self, name: &str) -> Option<usize> {
        let rest = self.text.as_bytes().get(self.at..)?.strip_prefix(b"\"")?.strip_prefix(name.as_bytes())?;
        rest.starts_with(b"\":").then_some(self.at + name.len() + 3)
    }

    fn name(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        if self.peek()? != b'"' {
            return Err(self.syntax("key must be a string"));
        }
        let name = self.quoted_string(LoneSurrogate::SpelledOut)?;
        self.colon()?;
        Ok(name)
    }

    fn colon(&mut self) -> Result<(), DecodeError> {
        if self.peek()? != b':' {
            return Err(self.syntax("expected `:`"));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a string, borrowed unless it has escapes. A lone surrogate (`\ud800`, half an emoji) becomes U+FFFD.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        if self.peek()? != b'"' {
            return Err(self.wrong_type("a string"));
        }
        self.quoted_string(LoneSurrogate::Replaced)
    }

    /// Reads a string that may begin or end within a surrogate pair.
    pub(crate) fn string_piece(&mut self) -> Result<StringPiece<'a>, DecodeError> {
        if self.peek()? != b'"' {
            return Err(self.wrong_type("a string"));
        }
        let start = self.checkpoint();
        let text = self.string()?;
        if !self.has_lone_surrogate {
            return Ok(StringPiece { leading: None, text, trailing: None });
        }
        self.rewind(start);
        self.at += 1;
        let mut points = Vec::new();
        while let Some(point) = self.code_point()? {
            points.push(point);
        }
        let half = |point: Option<&u32>, range: std::ops::Range<u16>| {
            point.and_then(|point| u16::try_from(*point).ok()).filter(|half| range.contains(half))
        };
        let leading = half(points.first(), 0xDC00..0xE000);
        let trailing = half(points.last(), 0xD800..0xDC00);
        let between = usize::from(leading.is_some())..points.len() - usize::from(trailing.is_some());
        let between = points.get(between).unwrap_or_default();
        let text: String = between.iter().map(|point| character(*point)).collect();
        self.has_lone_surrogate = start.has_lone_surrogate || between.iter().any(|point| is_surrogate(*point));
        Ok(StringPiece { leading, text: text.into(), trailing })
    }

    /// Reads a string whose quotation mark follows.
    #[inline]
    fn quoted_string(&mut self, lone: LoneSurrogate) -> Result<Cow<'a, str>, DecodeError> {
        let start = self.at + 1;
        let end = end_of_unescaped(self.text.as_bytes(), start);
        match (self.text.as_bytes().get(end), self.text.get(start..end)) {
            (Some(b'"'), Some(text)) => {
                self.at = end + 1;
                Ok(Cow::Borrowed(text))
            }
            (_, text) => self.unescape(text.unwrap_or_default(), end, lone).map(Cow::Owned),
        }
    }

    #[inline(never)]
    fn unescape(&mut self, start: &str, end: usize, lone: LoneSurrogate) -> Result<String, DecodeError> {
        let mut string = mem::take(&mut self.unescaped);
        string.clear();
        string.push_str(start);
        self.at = end;
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    if string.len() > MAX_COPIED {
                        return Ok(string);
                    }
                    let exact = string.as_str().to_owned();
                    self.unescaped = string;
                    return Ok(exact);
                }
                Some(b'\\') => {
                    self.at += 1;
                    if let Some(character) = self.text.as_bytes().get(self.at).copied().and_then(short_escape) {
                        self.at += 1;
                        string.push(character);
                    } else {
                        let point = self.escape()?;
                        match lone {
                            LoneSurrogate::SpelledOut if is_surrogate(point) => {
                                self.is_respelled = true;
                                string.push_str(&format!("\\u{point:04x}"));
                            }
                            _ => {
                                self.has_lone_surrogate |= is_surrogate(point);
                                string.push(character(point));
                            }
                        }
                    }
                }
                _ => return Err(self.unfinished_string()),
            }
            let end = end_of_unescaped(self.text.as_bytes(), self.at);
            string.push_str(self.text.get(self.at..end).unwrap_or_default());
            self.at = end;
        }
    }

    /// Reads one character of a string whose opening quotation mark has been read, or past its end. Half of a
    /// surrogate pair is returned as it is.
    fn code_point(&mut self) -> Result<Option<u32>, DecodeError> {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some('"') => {
                self.at += 1;
                Ok(None)
            }
            Some('\\') => {
                self.at += 1;
                self.escape().map(Some)
            }
            Some(character) if character >= ' ' => {
                self.at += character.len_utf8();
                Ok(Some(character.into()))
            }
            _ => Err(self.unfinished_string()),
        }
    }

    /// Reads an escape whose backslash has been read. Half of a surrogate pair is returned as it is.
    fn escape(&mut self) -> Result<u32, DecodeError> {
        match self.text.as_bytes().get(self.at) {
            Some(b'u') => {
                let first = self.hex()?;
                let after = self.at;
                if (0xD800..0xDC00).contains(&first) && self.text.as_bytes().get(after..after + 2) == Some(br"\u") {
                    self.at += 1;
                    if let second @ 0xDC00..0xE000 = self.hex()? {
                        return Ok(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00));
                    }
                    self.at = after;
                }
                Ok(first)
            }
            Some(byte) => match short_escape(*byte) {
                Some(character) => {
                    self.at += 1;
                    Ok(character.into())
                }
                None => Err(self.syntax("invalid escape")),
            },
            None => Err(self.eof()),
        }
    }

    /// Reads a `u` and the four digits after it.
    fn hex(&mut self) -> Result<u32, DecodeError> {
        let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
        });
        match value {
            Some(value) => {
                self.at += 5;
                Ok(value)
            }
            None => Err(self.syntax("invalid escape")),
        }
    }

    /// Reads a number, and returns its text.
    pub(crate) fn number(&mut self, expected: &'static str) -> Result<&'a str, DecodeError> {
        if !matches!(self.peek()?, b'-' | b'0'..=b'9') {
            return Err(self.wrong_type(expected));
        }
        let start = self.at;
        self.at += usize::from(self.is_at(b'-'));
        if self.is_at(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.is_at(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if self.is_at(b'e') || self.is_at(b'E') {
            self.at += 1;
            self.at += usize::from(self.is_at(b'+') || self.is_at(b'-'));
            self.digits()?;
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn is_at(&self, byte: u8) -> bool {
        self.text.as_bytes().get(self.at) == Some(&byte)
    }

    fn digits(&mut self) -> Result<(), DecodeError> {
        let start = self.at;
        while self.text.as_bytes().get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        match self.text.as_bytes().get(self.at) {
            _ if self.at > start => Ok(()),
            Some(_) => Err(self.syntax("invalid number")),
            None => Err(self.eof()),
        }
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, DecodeError> {
        match self.peek()? {
            b't' => self.word("true").map(|()| true),
            b'f' => self.word("false").map(|()| false),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    /// Reads `null` if that follows. Returns `true` if it did.
    #[inline]
    pub(crate) fn null(&mut self) -> Result<bool, DecodeError> {
        if self.peek()? != b'n' {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    fn word(&mut self, word: &'static str) -> Result<(), DecodeError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        if word.as_bytes().starts_with(rest) { Err(self.eof()) } else { Err(self.syntax("expected value")) }
    }

    /// Reads a value of any type, held to the whole grammar, and returns its text.
    pub(crate) fn value(&mut self) -> Result<&'a str, DecodeError> {
        self.skip(MAX_DEPTH)
    }

    /// Skips a value that is read later. It may be free-form JSON inside of a type, and nest as deep as both may.
    pub(super) fn skip_any_depth(&mut self) -> Result<(), DecodeError> {
        self.skip(2 * MAX_DEPTH).map(drop)
    }

    /// Skips a value. Not recursive, so that free-form JSON takes no stack.
    fn skip(&mut self, max_depth: usize) -> Result<&'a str, DecodeError> {
        self.peek()?;
        let start = self.at;
        // One bit for each open bracket, set for an object. There are `2 * MAX_DEPTH`.
        let (mut outer, mut inner, mut level) = (0_u128, 0_u128, 0);
        loop {
            let bracket = self.peek()?;
            match bracket {
                b'{' | b'[' => {
                    if level == max_depth {
                        return Err(too_deep(start));
                    }
                    self.at += 1;
                    outer = outer << 1 | inner >> 127;
                    inner = inner << 1 | u128::from(bracket == b'{');
                    level += 1;
                    self.is_first = true;
                }
                b'"' => self.skip_string()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                b'-' | b'0'..=b'9' => drop(self.number("a value")?),
                _ => return Err(self.syntax("expected value")),
            }
            loop {
                if level == 0 {
                    return Ok(self.text.get(start..self.at).unwrap_or_default());
                }
                let is_object = inner & 1 == 1;
                if self.separator(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.raw_name()?;
                    }
                    break;
                }
                inner = inner >> 1 | outer << 127;
                outer >>= 1;
                level -= 1;
            }
        }
    }

    fn skip_string(&mut self) -> Result<(), DecodeError> {
        self.at += 1;
        loop {
            self.at = end_of_unescaped(self.text.as_bytes(), self.at);
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(self.unfinished_string()),
            }
        }
    }

    /// Looks ahead for the tag of a union in the object that follows, without reading the object. Returns the tag's value,
    /// or `None` if it is absent or `null`.
    pub(crate) fn tag(
        &mut self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<Cow<'a, str>>, DecodeError> {
        self.peek()?;
        let start = self.checkpoint();
        let object = self.object(expected)?;
        // Fast path: the API writes the tag first and without white space.
        if let Some(value) = self.at_member(name)
            && self.text.as_bytes().get(value) == Some(&b'"')
        {
            self.at = value;
            let tag = self.quoted_string(LoneSurrogate::Replaced)?;
            let after = self.at;
            self.rewind(start);
            self.tagged = Some(Tagged { object, name, after });
            return Ok(Some(tag));
        }
        let mut tag = None;
        while let Some(key) = self.key()? {
            if key == name {
                tag = if self.null()? { None } else { Some(self.string()?) };
                break;
            }
            self.skip_any_depth()?;
        }
        self.scanned += self.at - start.at;
        self.rewind(start);
        Ok(tag)
    }

    /// Looks ahead at the members of the object that follows, each with its key and, if it is a string, its value.
    pub(crate) fn peek_members(&mut self, mut look: impl FnMut(&str, Option<&str>)) -> Result<(), DecodeError> {
        let start = self.checkpoint();
        self.object("an object")?;
        while let Some(key) = self.key()? {
            if self.peek()? == b'"' {
                look(&key, Some(&self.string()?));
            } else {
                look(&key, None);
                self.skip_any_depth()?;
            }
        }
        self.scanned += self.at - start.at;
        self.rewind(start);
        Ok(())
    }

    /// Reports a member that no type has.
    pub(crate) fn unknown_member(&mut self, name: &str) {
        if let Some(unknown) = &mut self.unknown {
            unknown.record(None, name);
        }
    }

    /// Reports a variant of a union, or a value of an enumeration, that no type has.
    pub(crate) fn unknown_variant(&mut self, schema: &'static str, name: &str) {
        if let Some(unknown) = &mut self.unknown {
            unknown.record(Some(schema), name);
        }
    }

    #[cold]
    fn eof(&self) -> DecodeError {
        DecodeError::eof(self.text.len())
    }

    #[cold]
    pub(crate) fn syntax(&self, problem: &'static str) -> DecodeError {
        DecodeError::syntax(self.at, problem)
    }

    #[cold]
    fn unfinished_string(&self) -> DecodeError {
        if self.at < self.text.len() {
            self.syntax("control character (\\u0000-\\u001F) found while parsing a string")
        } else {
            self.eof()
        }
    }

    /// Returns the error of a value of another type.
    #[cold]
    pub(crate) fn wrong_type(&mut self, expected: &'static str) -> DecodeError {
        let found = match self.peek_type() {
            Ok(found) => found,
            Err(error) => return error,
        };
        let at = self.at;
        let found = match found {
            JsonType::Null => "null",
            JsonType::Boolean => "boolean",
            JsonType::Number => match self.number(expected) {
                Ok(number) if !number.contains(['.', 'e', 'E']) => "integer",
                Ok(_) => "floating point",
                Err(error) => return error,
            },
            JsonType::String => "string",
            JsonType::Array => "sequence",
            JsonType::Object => "map",
        };
        DecodeError::data(at, format!("invalid type: {found}, expected {expected}"))
    }

    /// Returns the error of a repeated member, whose key was just read.
    #[cold]
    pub(crate) fn duplicate(&self, name: &str) -> DecodeError {
        // Point to the colon, which is in the object: pointing to the value would blame the value.
        DecodeError::data(self.at - 1, format!("duplicate field `{name}`"))
    }
}

/// Returns the error of an object that lacks a member, given by the offset of the object.
#[cold]
pub(crate) fn missing(object: usize, name: &str) -> DecodeError {
    DecodeError::data(object, format!("missing field `{name}`"))
}

#[cold]
fn too_deep(at: usize) -> DecodeError {
    DecodeError::data(at, format!("recursion limit exceeded: the value nests deeper than {MAX_DEPTH} levels"))
}

/// The representation of half of a surrogate pair in a string.
#[derive(Clone, Copy)]
enum LoneSurrogate {
    Replaced,
    SpelledOut,
}

/// Returns the character of an escape that is one letter.
#[inline]
fn short_escape(letter: u8) -> Option<char> {
    Some(match letter {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'"' | b'\\' | b'/' => char::from(letter),
        _ => return None,
    })
}

fn is_surrogate(point: u32) -> bool {
    (0xD800..0xE000).contains(&point)
}

fn character(point: u32) -> char {
    char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns the characters of a string given as valid JSON text, with its quotation marks. LoneSurrogate surrogates are returned
/// as they are, so that two of them differ.
pub(super) fn code_points(string: &str) -> impl Iterator<Item = u32> {
    let mut reader = Reader::new(string);
    reader.at = 1;
    std::iter::from_fn(move || reader.code_point().ok().flatten())
}

/// Returns the offset of the first byte from `at` on that is a quotation mark, a backslash or a control character.
#[inline(never)]
fn end_of_unescaped(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut short = 4;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let (quote, backslash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5C));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & (ONES << 7);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
        if short == 0 {
            // A long string: thirty-two bytes at a time, which the compiler turns into a few comparisons.
            while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
                if chunk.iter().fold(false, |ends, byte| ends | (*byte < b' ') | (*byte == b'"') | (*byte == b'\\')) {
                    break;
                }
                at += 32;
            }
        } else {
            short -= 1;
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, 0..=0x1F | b'"' | b'\\')).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_split_from_halves_at_its_ends() {
        let split = |leading, text: &str, trailing| StringPiece { leading, text: text.to_owned().into(), trailing };
        let (high, low) = (Some(0xD83D), Some(0xDE00));
        let cases = [
            (r#""""#, split(None, "", None), false),
            (r#""a\n\ud83d\ude00""#, split(None, "a\n😀", None), false),
            (r#""a\ud83d""#, split(None, "a", high), false),
            (r#""\ude00b""#, split(low, "b", None), false),
            (r#""\ude00 \ud83d""#, split(low, " ", high), false),
            (r#""\ud83d""#, split(None, "", high), false),
            (r#""\ude00""#, split(low, "", None), false),
            (r#""\ud83da""#, split(None, "\u{FFFD}a", None), true),
            (r#""\ud83d\ud83d""#, split(None, "\u{FFFD}", high), true),
            (r#""\ude00\ude00\ud83d\ude00""#, split(low, "\u{FFFD}😀", None), true),
        ];
        for (json, expected, is_lost) in cases {
            let mut reader = Reader::new(json);
            assert_eq!(reader.string_piece().unwrap(), expected, "{json}");
            assert_eq!(reader.has_lone_surrogate(), is_lost, "{json}");
            assert!(reader.end().is_ok());
        }
        assert!(Reader::new(r#""\ud83d"#).string_piece().unwrap_err().is_eof());
        assert!(Reader::new("5").string_piece().unwrap_err().is_data());
    }

    #[test]
    fn a_place_is_gone_back_to_with_all_that_was_known_there() {
        let mut reader = Reader::new(r#"[{"a":["\ud800"],"type":"x"},2]"#);
        reader.record_unknown();
        reader.unknown_member("before");
        reader.array().unwrap();
        assert!(reader.item().unwrap());
        let checkpoint = reader.checkpoint();
        for _ in 0..2 {
            assert_eq!(reader.tag("type", "an object").unwrap().as_deref(), Some("x"));
            reader.object("an object").unwrap();
            assert_eq!(reader.key().unwrap().as_deref(), Some("a"));
            reader.array().unwrap();
            assert!(reader.item().unwrap());
            assert_eq!(reader.string().unwrap(), "\u{FFFD}");
            reader.unknown_member("within");
            assert!(reader.has_lone_surrogate());
            reader.rewind(checkpoint);
            assert!(!reader.has_lone_surrogate());
        }
        reader.value().unwrap();
        assert!(reader.item().unwrap());
        assert_eq!(reader.number("a number").unwrap(), "2");
        assert!(!reader.item().unwrap());
        assert_eq!((reader.depth, reader.end().is_ok()), (0, true));
        let names: Vec<String> = reader.take_unknown().into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["before"]);
    }

    /// A tag that was looked at is skipped once: by the object that it is in, and by no other.
    #[test]
    fn a_tag_is_skipped_only_in_its_own_object() {
        let json = r#"{"type":"a","of":{"type":"b"}}"#;
        let mut reader = Reader::new(json);
        let start = reader.checkpoint();
        reader.tag("type", "an object").unwrap();
        assert_eq!(reader.tagged_object("type", "an object").unwrap(), (0, true));
        assert_eq!(reader.key().unwrap().as_deref(), Some("of"));
        assert_eq!(reader.tagged_object("type", "an object").unwrap(), (17, false));
        reader.rewind(start);
        assert_eq!(reader.tagged_object("type", "an object").unwrap(), (0, false), "rewound");
        reader.rewind(start);
        reader.tag("type", "an object").unwrap();
        assert_eq!(reader.tagged_object("kind", "an object").unwrap(), (0, false), "another tag");
    }

    #[test]
    fn the_end_of_the_plain_part_of_a_string_is_found_at_every_offset() {
        for end in ["\"", "\\", "\u{1F}", "\0", "\n"] {
            for length in 0..100 {
                let text = format!("{}{end}{}", "é".repeat(length / 2) + &"x".repeat(length % 2), "y".repeat(40));
                assert_eq!(end_of_unescaped(text.as_bytes(), 0), length, "{end:?}");
            }
        }
        let text = "\u{80}\u{7F} !#[]\u{FF}".repeat(20);
        assert_eq!(end_of_unescaped(text.as_bytes(), 0), text.len());
    }
}
