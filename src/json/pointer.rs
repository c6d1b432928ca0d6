//! The JSON pointer of a byte in a document, found when an error is reported.

use super::reader::Reader;

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
        let start = reader.place();
        if reader.skip_ahead().is_err() || reader.offset() > offset {
            reader.rewind(start);
            return Some(step);
        }
        index += 1;
    }
}
