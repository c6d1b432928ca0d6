//! Strings from JSON: what can't be UTF-8 is replaced in typed strings and told apart in raw ones.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// Reads a string. A lone surrogate (`\ud800`, a cut emoji) becomes one U+FFFD each.
pub(super) fn string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_bytes(StringVisitor)
}

/// Reads a string as [`string`] does, borrowed from the document where it holds no escapes.
pub(super) fn borrowed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    deserializer.deserialize_bytes(KeyVisitor("a string")).map(|key| key.0)
}

/// An object's key, borrowed from the document where it holds no escapes.
pub(crate) struct Key<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if LOCATING.get() {
            deserializer.deserialize_str(KeyVisitor("a key"))
        } else {
            deserializer.deserialize_bytes(KeyVisitor("a key"))
        }
    }
}

thread_local! {
    static LOCATING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decode whose path is followed. `serde_path_to_error` sees the keys that are asked for as
/// strings only, and those that hold lone surrogates can be had as bytes only.
pub(super) fn locating<T>(decode: impl FnOnce() -> T) -> T {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            LOCATING.set(false);
        }
    }
    LOCATING.set(true);
    let _reset = Reset;
    decode()
}

/// The bytes of a JSON string with lone surrogates as they are, so that two of them differ.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Exact<'de>(pub Cow<'de, [u8]>);

impl<'de> Deserialize<'de> for Exact<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(ExactVisitor)
    }
}

/// The bytes of a JSON string given as text with its quotes.
pub(super) fn exact(json: &str) -> Option<Cow<'_, [u8]>> {
    serde_json::from_str::<Exact<'_>>(json).ok().map(|exact| exact.0)
}

/// The string of a JSON string's bytes, its lone surrogates replaced.
pub(super) fn from_bytes<E: de::Error>(bytes: &[u8]) -> Result<String, E> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => without_surrogates(bytes).ok_or_else(|| E::custom("invalid UTF-8 in a string")),
    }
}

struct StringVisitor;

impl<'de> Visitor<'de> for StringVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<String, E> {
        Ok(value)
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<String, E> {
        from_bytes(value)
    }
}

/// Holds what is expected.
struct KeyVisitor(&'static str);

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(value)))
    }

    fn visit_borrowed_bytes<E: de::Error>(self, value: &'de [u8]) -> Result<Key<'de>, E> {
        match std::str::from_utf8(value) {
            Ok(value) => Ok(Key(Cow::Borrowed(value))),
            Err(_) => self.visit_bytes(value),
        }
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Key<'de>, E> {
        from_bytes(value).map(|key| Key(Cow::Owned(key)))
    }
}

struct ExactVisitor;

impl<'de> Visitor<'de> for ExactVisitor {
    type Value = Exact<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, value: &'de [u8]) -> Result<Exact<'de>, E> {
        Ok(Exact(Cow::Borrowed(value)))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Exact<'de>, E> {
        Ok(Exact(Cow::Owned(value.to_owned())))
    }
}

/// serde_json hands out a lone surrogate as the three bytes that UTF-8 would give it (ED A0..BF
/// xx). Each becomes one U+FFFD; anything else that is not UTF-8 gives `None`.
fn without_surrogates(mut bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    loop {
        let error = match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return Some(text);
            }
            Err(error) => error,
        };
        let (valid, rest) = bytes.split_at_checked(error.valid_up_to())?;
        text.push_str(std::str::from_utf8(valid).ok()?);
        match rest {
            [0xED, 0xA0..=0xBF, 0x80..=0xBF, after @ ..] => {
                text.push(char::REPLACEMENT_CHARACTER);
                bytes = after;
            }
            _ => return None,
        }
    }
}
