//! Reads documents into Rust types.

use indexmap::IndexMap;

use super::{error::DecodeError, number, reader::Reader, unknown::UnknownParts};

/// A type that is read from JSON.
///
/// The implementations for plain values follow the contract: half of a surrogate pair in a string becomes U+FFFD, an
/// integer may be spelled `1.0`, and a list may be a bare string if its items have a shorthand.
pub(crate) trait FromJson: Sized {
    /// Reads one value.
    ///
    /// # Errors
    /// Fails if the text is not JSON, or if the value has another shape.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Returns the item that a bare string is short for in place of a list.
    fn from_shorthand(_text: String) -> Option<Self> {
        None
    }
}

/// Reads a document.
pub(crate) fn read_str<T: FromJson>(json: &str) -> Result<T, DecodeError> {
    read_to_end(&mut Reader::new(json)).map_err(|error| with_pointer(error, json))
}

/// Checks a document for UTF-8, and reads it.
pub(crate) fn read_slice<T: FromJson>(json: &[u8]) -> Result<T, DecodeError> {
    read_str(utf8(json)?)
}

/// Reads a document, and also returns the parts that its type doesn't name.
pub(crate) fn read_recording<T: FromJson>(json: &[u8]) -> Result<(T, UnknownParts), DecodeError> {
    let json = utf8(json)?;
    let mut reader = Reader::new(json);
    reader.record_unknown();
    match read_to_end(&mut reader) {
        Ok(value) => Ok((value, reader.take_unknown())),
        Err(error) => Err(with_pointer(error, json)),
    }
}

/// Finds members of an object without copying or decoding anything. Returns `None` if the document is not an object. Uses
/// the last value of a repeated member.
pub(crate) fn find_members<'a, const N: usize>(json: &'a [u8], names: [&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut reader = Reader::new(std::str::from_utf8(json).ok()?);
    let mut found = [None; N];
    reader.object("an object").ok()?;
    while let Some(name) = reader.key().ok()? {
        let value = reader.value().ok()?;
        if let Some((_, slot)) = names.iter().zip(&mut found).find(|(wanted, _)| **wanted == name) {
            *slot = Some(value);
        }
    }
    reader.end().ok().map(|()| found)
}

/// Reads the rest of a document as one value.
pub(crate) fn read_to_end<T: FromJson>(reader: &mut Reader<'_>) -> Result<T, DecodeError> {
    let value = T::read(reader)?;
    reader.end().map(|()| value)
}

/// Adds the place to an error of reading a document.
#[cold]
pub(crate) fn with_pointer(error: DecodeError, json: &str) -> DecodeError {
    let pointer = error.offset().map(|offset| pointer(json, offset)).unwrap_or_default();
    error.at(json, pointer)
}

/// Returns the JSON pointer (RFC 6901) of the innermost value that a byte is in.
///
/// The text may be cut, or not be JSON from some byte on; the walk ends there.
#[cold]
pub(super) fn pointer(text: &str, offset: usize) -> String {
    let mut pointer = String::new();
    let mut reader = Reader::new(text);
    while let Some(step) = step(&mut reader, offset) {
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

/// Moves to the part of the value that follows which a byte is in. Returns `None` if it is in none of them.
fn step(reader: &mut Reader<'_>, offset: usize) -> Option<String> {
    let is_object = match reader.peek().ok()? {
        b'{' => reader.object("an object").map(|_| true).ok()?,
        b'[' => reader.array().map(|()| false).ok()?,
        _ => return None,
    };
    let mut index = 0;
    loop {
        let step = if is_object {
            reader.key().ok()??.into_owned()
        } else if reader.item().ok()? {
            index.to_string()
        } else {
            return None;
        };
        reader.peek().ok()?;
        if reader.offset() > offset {
            return None;
        }
        let start = reader.checkpoint();
        if reader.skip_any_depth().is_err() || reader.offset() > offset {
            reader.rewind(start);
            return Some(step);
        }
        index += 1;
    }
}

/// Checks a document for UTF-8.
pub(super) fn utf8(json: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(json).map_err(|error| {
        let valid = json.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
        let error = DecodeError::syntax(error.valid_up_to(), "invalid unicode code point");
        with_pointer(error, valid.unwrap_or_default())
    })
}

/// Reads a union of a string and a list.
pub(crate) fn string_or_list<T, I: FromJson>(
    reader: &mut Reader<'_>,
    string: fn(String) -> T,
    list: fn(Vec<I>) -> T,
) -> Result<T, DecodeError> {
    match reader.peek()? {
        b'"' => String::read(reader).map(string),
        b'[' => Vec::read(reader).map(list),
        _ => Err(reader.wrong_type("a string or an array")),
    }
}

impl FromJson for String {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.string().map(std::borrow::Cow::into_owned)
    }
}

impl FromJson for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.boolean()
    }
}

impl FromJson for f64 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.peek()?;
        let at = reader.offset();
        let number = reader.number("a number")?;
        match number.parse::<Self>() {
            Ok(value) if value.is_finite() => {
                let written = serde_json::Value::from(value).to_string();
                if written != number {
                    reader.respelled();
                }
                Ok(value)
            }
            _ => Err(DecodeError::data(at, "invalid value: number out of range, expected a number of 64 bits")),
        }
    }
}

/// Reads an integer, whatever its spelling.
macro_rules! integer_from_json {
    ($($type:ty: $expected:literal),*) => {$(
        impl FromJson for $type {
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                const EXPECTED: &str = $expected;
                reader.peek()?;
                let at = reader.offset();
                let number = reader.number(EXPECTED)?;
                if number == "-0" || number.contains(['.', 'e', 'E']) {
                    reader.respelled();
                }
                number::integer(number)
                    .map_err(|found| DecodeError::data(at, format!("invalid value: {found}, expected {EXPECTED}")))
            }
        }
    )*};
}

integer_from_json!(i64: "an integer of 64 bits", u64: "an unsigned integer of 64 bits");

impl FromJson for () {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.value().map(drop)
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::read(reader).map(Self::new)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.null()? { Ok(None) } else { T::read(reader).map(Some) }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.peek()? == b'"' {
            let checkpoint = reader.checkpoint();
            if let Some(item) = T::from_shorthand(String::read(reader)?) {
                reader.respelled();
                return Ok(vec![item]);
            }
            reader.rewind(checkpoint);
        }
        reader.array()?;
        let mut list = Self::new();
        while reader.item()? {
            list.push(T::read(reader)?);
        }
        Ok(list)
    }
}

impl<T: FromJson> FromJson for IndexMap<String, T> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.object("an object")?;
        let mut map = Self::new();
        while let Some(key) = reader.key()? {
            if map.contains_key(&*key) {
                return Err(reader.duplicate(&key));
            }
            map.insert(key.into_owned(), T::read(reader)?);
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    #[test]
    fn members_are_found_wherever_they_are() {
        let document = br#" {"a":{"b":1},"\u0062": [2] ,"c":null,"b":3} "#;
        assert_eq!(find_members(document, ["b", "c", "d"]), Some([Some("3"), Some("null"), None]));
        assert_eq!(find_members(b"{}", ["b"]), Some([None]));
        for other in [&b"[]"[..], b"{", b"{} {}", b"\"b\"", b"", b"{\"b\":\xff}"] {
            assert_eq!(find_members(other, ["b"]), None);
        }
    }

    #[test]
    fn a_byte_order_mark_counts_in_offsets() {
        let error = read_str::<Json>("\u{FEFF}{\"a\":tru}").unwrap_err();
        assert_eq!((error.pointer(), error.offset()), ("/a", Some(8)), "{error}");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_at_their_place() {
        let cases: [(&[u8], &str, usize); 9] = [
            (b"\xff", "", 0),
            (b"[\"\xc3\"]", "/0", 2),
            (b"{\"type\":\"text\",\"text\":\"a\xed\xa0\x80\"}", "/text", 24),
            (b"{\"type\":\"text\",\"text\":\"\xe0\xff\"}", "/text", 23),
            (b"{\"type\":\"text\",\"text\":\"\xc0\xaf\"}", "/text", 23),
            (b"{\"type\":\"text\",\"text\":\"\xf4\xbf\xbf\xbf\"}", "/text", 23),
            (b"{\"type\":\"text\",\"text\":\"\x81\"}", "/text", 23),
            (b"{\"a\":[1,\"\xfc\x83\"]}", "/a/1", 9),
            (b"\xff\xfe[\0]\0", "", 0),
        ];
        for (bytes, pointer, offset) in cases {
            let error = read_slice::<Json>(bytes).unwrap_err();
            assert!(error.is_syntax(), "{error}");
            assert_eq!((error.pointer(), error.offset()), (pointer, Some(offset)), "{error}");
        }
    }
}
