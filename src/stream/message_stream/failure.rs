//! The errors of a stream, from what the server sent. The credential is taken out of it.

use bytes::Bytes;

use crate::{
    error::{Error, shorten},
    json::DecodeError,
    redact::redacted,
    stream::source::BoxError,
};

/// The connection ended, or a stream of the caller's failed.
pub(super) fn broken(error: BoxError) -> Error {
    Error::incomplete().with_source(error)
}

/// An event could not be read into its type.
pub(super) fn unreadable(number: u64, name: &str, data: &str, error: DecodeError, secret: &[u8]) -> Error {
    let name = shorten(&String::from_utf8_lossy(&clean(name, secret)), 64);
    Error::undecodable(&format!("event {number} of the stream"), error.pointer(), clean(data, secret))
        .with_detail(format!("its name is `{name}`"))
        .with_source(error)
}

/// A text of the server's without the credential.
pub(super) fn clean(text: &str, secret: &[u8]) -> Bytes {
    redacted(Bytes::copy_from_slice(text.as_bytes()), secret)
}
