//! The answer of an operation, and its conversion into a value.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    body::ByteStream,
    json_lines::JsonLines,
    operation::{AnswerType, Operation},
    settings::Settings,
};
use crate::{
    error::{Error, ErrorKind, Result},
    json::{FromJson, read_recording, read_slice},
    observe::CallRecorder,
    redact::redacted,
    response::{Head, Response},
};

/// A response that passed the [gate](super::gate).
pub(crate) struct Answer {
    pub(super) operation: &'static Operation,
    pub(super) head: Head,
    pub(super) body: Body,
    pub(super) recorder: CallRecorder,
    pub(super) settings: Arc<Settings>,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// A document, read whole.
    Whole(Bytes),
    /// Bytes that are still arriving.
    Stream(ByteStream),
}

impl Answer {
    /// Decodes a JSON document.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the document does not fit the type or lacks a member that the operation requires.
    pub(crate) fn json<T: FromJson + AnswerType>(mut self) -> Result<Response<T>> {
        let bytes = match self.body {
            Body::Whole(bytes) => bytes,
            Body::Stream(_) => {
                return Err(Error::new(ErrorKind::Decode, "failed to decode the response: it is a stream"));
            }
        };
        let read = if self.recorder.is_enabled() {
            self.recorder.document(&bytes);
            read_recording::<T>(&bytes).map(|(value, unknown)| {
                self.recorder.unknown(unknown);
                value
            })
        } else {
            read_slice::<T>(&bytes)
        };
        let clean = |bytes| redacted(bytes, self.settings.credential.secret());
        let missing = |value: &T| self.operation.requires.iter().find(|member| !value.has(member));
        let error = match read {
            Ok(value) => match missing(&value) {
                None => {
                    self.recorder.completed(&self.head);
                    return Ok(Response::new(value, self.head));
                }
                Some(member) => {
                    let sentence = format!("failed to decode the response: it has no `{member}`");
                    Error::new(ErrorKind::Decode, sentence).with_pointer("").with_body(clean(bytes))
                }
            },
            Err(error) => Error::undecodable("the response", error.pointer(), clean(bytes)).with_source(error),
        };
        let error = error.with_head(self.head);
        self.recorder.failed(&error);
        Err(error)
    }

    /// Hands the body on as bytes. The call ends with them.
    pub(crate) fn bytes(self) -> Response<ByteStream> {
        let stream = match self.body {
            Body::Stream(stream) => stream,
            Body::Whole(bytes) => ByteStream::whole(bytes),
        };
        Response::new(stream.with_call(self.head.clone(), self.recorder), self.head)
    }

    /// Hands the values of the lines on. The call ends with them.
    #[allow(dead_code, reason = "generated code uses what its contract needs")]
    pub(crate) fn json_lines<T: FromJson>(self) -> Response<JsonLines<T>> {
        let bytes = match self.body {
            Body::Stream(stream) => stream,
            Body::Whole(bytes) => ByteStream::whole(bytes),
        };
        Response::new(JsonLines::new(bytes, self.head.clone(), self.recorder, self.settings), self.head)
    }

    /// Drops the body of an operation that has none.
    #[allow(dead_code, reason = "generated code uses what its contract needs")]
    pub(crate) fn nothing(self) -> Response<()> {
        self.recorder.completed(&self.head);
        Response::new((), self.head)
    }

    /// The status of the response.
    #[allow(dead_code, reason = "generated code uses what its contract needs")]
    pub(crate) fn status(&self) -> u16 {
        self.head.status.unwrap_or_default().as_u16()
    }

    /// The settings of the call.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Returns `true` if the body is a stream, and `false` if the server answered with a document.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.body, Body::Stream(_))
    }
}
