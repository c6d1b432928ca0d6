//! The errors of a stream, from what the server sent. The credential is taken out of it.

use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind, shown},
    runtime::DecodeError,
    stream::source::BoxError,
    transport::redacted,
};

/// The connection ended, or a stream of the caller's failed.
pub(super) fn broken(error: BoxError) -> Error {
    Error::new(ErrorKind::Incomplete, "the stream ended before its message did").because(error)
}

/// The server sent an `error` event.
pub(super) fn sent_error(data: &str, secret: &[u8]) -> Error {
    let body = clean(data, secret);
    Error::of_error_object(body.clone()).unwrap_or_else(|| {
        Error::new(ErrorKind::Server, "the API sent an error that says nothing known").with_body(body)
    })
}

/// An event could not be read into its type.
pub(super) fn unreadable(number: u64, name: &str, data: &str, error: DecodeError, secret: &[u8]) -> Error {
    let name = shown(&String::from_utf8_lossy(&clean(name, secret)), 64);
    let message = format!("event {number} of the stream ({name}) could not be read");
    Error::new(ErrorKind::Decode, message).in_document(error.pointer(), clean(data, secret)).because(error)
}

fn clean(text: &str, secret: &[u8]) -> Bytes {
    redacted(Bytes::copy_from_slice(text.as_bytes()), secret)
}
