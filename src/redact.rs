//! The credential is taken out of what a server says.

use bytes::Bytes;
use memchr::{memchr2_iter, memmem};

/// Takes the credential out of what a server says: some repeat what they don't accept.
pub(crate) fn redacted(body: Bytes, secret: &[u8]) -> Bytes {
    without(body, secret, true)
}

/// As [`redacted`], for a body of which only the beginning was read: it may end within the
/// credential.
pub(crate) fn redacted_beginning(body: Bytes, secret: &[u8]) -> Bytes {
    without(body, secret, false)
}

fn without(body: Bytes, secret: &[u8], is_whole: bool) -> Bytes {
    let Some(first) = secret.first() else { return body };
    let mut clean = Vec::new();
    // All before this is in `clean`.
    let mut done = 0;
    for at in memchr2_iter(*first, b'\\', &body) {
        let Some((before, text)) = body.get(done..).and_then(|rest| rest.split_at_checked(at.checked_sub(done)?))
        else {
            continue;
        };
        // As it is, and as JSON may write it: `\/` or `\u002b`.
        match [likeness(text, secret, plain), likeness(text, secret, unescaped)] {
            [Likeness::Same(length), _] | [_, Likeness::Same(length)] => {
                clean.extend_from_slice(before);
                clean.extend_from_slice(b"[redacted]");
                done = at.saturating_add(length);
            }
            [Likeness::Cut, _] | [_, Likeness::Cut] if !is_whole => {
                clean.extend_from_slice(before);
                return clean.into();
            }
            _ => {}
        }
    }
    if done == 0 {
        return body;
    }
    clean.extend_from_slice(body.get(done..).unwrap_or_default());
    clean.into()
}

/// The result of comparing the beginning of a text with the credential.
enum Likeness {
    /// It is the credential, in this many bytes.
    Same(usize),
    /// It is as much of the credential as there is text.
    Cut,
    Other,
}

fn likeness(text: &[u8], secret: &[u8], next: Next) -> Likeness {
    let mut rest = text;
    for expected in secret {
        match next(rest) {
            Some((byte, tail)) if byte == *expected => rest = tail,
            None if rest.is_empty() || (rest.starts_with(b"\\") && rest.len() < "\\u0000".len()) => {
                return Likeness::Cut;
            }
            _ => return Likeness::Other,
        }
    }
    Likeness::Same(text.len() - rest.len())
}

/// Takes one character off the beginning of a text.
type Next = fn(&[u8]) -> Option<(u8, &[u8])>;

fn plain(text: &[u8]) -> Option<(u8, &[u8])> {
    text.split_first().map(|(byte, tail)| (*byte, tail))
}

/// The first character of what stands in a JSON string, where it is one that a credential may have.
fn unescaped(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', b'u', b'0', b'0', high, low, tail @ ..] => {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            let code = digit(high)? * 16 + digit(low)?;
            Some((u8::try_from(code).ok()?, tail))
        }
        [b'\\', byte @ (b'"' | b'\\' | b'/'), tail @ ..] => Some((*byte, tail)),
        [b'\\', ..] => None,
        _ => plain(text),
    }
}

pub(super) fn contains(body: &[u8], secret: &[u8]) -> bool {
    !secret.is_empty() && memmem::find(body, secret).is_some()
}
