//! An answer, and the value read from it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{StatusCode, header::CONTENT_TYPE};

use super::{ByteStream, Companion, Error, PackedHeaders, Unusable};
use crate::json::{FromJson, UnknownPart, read_recording, read_slice};

/// A success, as the transport hands it to a generated operation.
pub(crate) struct Reply(Box<Parts>);

struct Parts {
    status: StatusCode,
    headers: PackedHeaders,
    attempts: u32,
    elapsed: Duration,
    body: Body,
    companion: Option<Box<dyn Companion>>,
    tell: Option<Tell>,
}

/// Who wants to know what an answer held that there is no type for.
pub(crate) type Tell = Arc<dyn Fn(&UnknownPart) + Send + Sync>;

/// The body of a success.
#[derive(Debug)]
pub(crate) enum Body {
    /// Read whole.
    Whole(Bytes),
    /// Still arriving.
    Stream(ByteStream),
}

impl Reply {
    pub(crate) fn new(
        status: StatusCode,
        headers: PackedHeaders,
        body: Body,
        attempts: u32,
        elapsed: Duration,
    ) -> Self {
        Self(Box::new(Parts { status, headers, attempts, elapsed, body, companion: None, tell: None }))
    }

    /// Keeps a value with the answer; a stream takes it along.
    pub(crate) fn set_companion(&mut self, companion: Box<dyn Companion>) {
        self.0.companion = Some(companion);
    }

    /// Tells of what the answer holds that there is no type for, when it is read.
    pub(crate) fn set_tell(&mut self, tell: Tell) {
        self.0.tell = Some(tell);
    }

    /// The status.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The headers.
    #[must_use]
    pub(crate) fn headers(&self) -> &PackedHeaders {
        &self.0.headers
    }

    /// How often the request was sent.
    #[must_use]
    pub(crate) fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// From the start of the call to this answer.
    #[must_use]
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// The body, where it was read whole.
    #[must_use]
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match &self.0.body {
            Body::Whole(bytes) => Some(bytes),
            Body::Stream(_) => None,
        }
    }

    /// Tells the companion that no value could be had from the answer.
    pub(crate) fn tell_unusable(&self, why: Unusable) {
        if let Some(companion) = &self.0.companion {
            companion.unusable(why);
        }
    }

    /// Whether the content type is JSON, or there is none.
    fn may_be_json(&self) -> bool {
        self.0.headers.get(CONTENT_TYPE.as_str()).is_none_or(is_json)
    }

    /// Takes the status and headers out.
    pub(crate) fn into_head(self) -> (StatusCode, PackedHeaders) {
        (self.0.status, self.0.headers)
    }
}

/// Headers and body are left out: they may hold what was said.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.0.status)
            .field("attempts", &self.0.attempts)
            .field("elapsed", &self.0.elapsed)
            .finish_non_exhaustive()
    }
}

/// Whether a content type is JSON: `application/json`, `text/json`, anything that ends in `+json`.
pub(crate) fn is_json(content_type: &[u8]) -> bool {
    let essence = essence(content_type);
    let ends_in_json =
        || essence.len() > 5 && essence.rchunks(5).next().is_some_and(|end| end.eq_ignore_ascii_case(b"+json"));
    essence.eq_ignore_ascii_case(b"application/json") || essence.eq_ignore_ascii_case(b"text/json") || ends_in_json()
}

/// Whether a content type is that of server-sent events.
pub(crate) fn is_event_stream(content_type: &[u8]) -> bool {
    essence(content_type).eq_ignore_ascii_case(b"text/event-stream")
}

/// A media type without its parameters.
fn essence(content_type: &[u8]) -> &[u8] {
    content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// A value that an answer was read into, with what else the answer said.
pub(crate) struct ResponseValue<T> {
    /// In a box, since it is handed on by function after function, and large.
    value: Box<T>,
    reply: Reply,
}

impl<T: FromJson> ResponseValue<T> {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// When the content type is another than JSON, or the body does not fit the type.
    #[expect(clippy::unused_async, reason = "generated code awaits it")]
    pub(crate) async fn from_response<E>(reply: Reply) -> Result<Self, Error<E>> {
        let Some(bytes) = reply.bytes() else {
            return Err(Error::UnexpectedResponse(reply));
        };
        // An empty body has no content to be of another type.
        if !bytes.is_empty() && !reply.may_be_json() {
            return Err(Error::UnexpectedContentType(reply));
        }
        let read = match &reply.0.tell {
            None => read_slice(bytes),
            Some(tell) => read_recording(bytes).map(|(value, unknown)| {
                unknown.into_iter().for_each(|part| tell(&part));
                value
            }),
        };
        match read {
            Ok(value) => Ok(Self { value: Box::new(value), reply: reply.without_body() }),
            Err(error) => Err(Error::Undecodable(reply, error)),
        }
    }
}

impl ResponseValue<ByteStream> {
    /// Hands the body on as it arrives.
    #[must_use]
    pub(crate) fn stream(mut reply: Reply) -> Self {
        let stream = match std::mem::replace(&mut reply.0.body, Body::Whole(Bytes::new())) {
            Body::Stream(stream) => stream,
            Body::Whole(bytes) => ByteStream::whole(bytes),
        };
        let stream = stream.with_companion(reply.0.companion.take()).with_tell(reply.0.tell.take());
        Self { value: Box::new(stream), reply }
    }
}

impl ResponseValue<()> {
    /// Passes the body over.
    #[must_use]
    pub(crate) fn empty(reply: Reply) -> Self {
        Self { value: Box::new(()), reply: reply.without_body() }
    }
}

impl<T> ResponseValue<T> {
    /// The value and the answer it was read from, without its body.
    pub(crate) fn into_parts(self) -> (T, Reply) {
        (*self.value, self.reply)
    }
}

impl Reply {
    /// Lets go of a body that has been read.
    fn without_body(mut self) -> Self {
        self.0.body = Body::Whole(Bytes::new());
        self
    }
}

impl<T> fmt::Debug for ResponseValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseValue").field("reply", &self.reply).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_other_content() {
        for json in
            ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/problem+json ;a=b"]
        {
            assert!(is_json(json.as_bytes()), "{json}");
        }
        for other in ["", "text/html", "application/jsonl", "+json", "text/event-stream", "application/json-seq"] {
            assert!(!is_json(other.as_bytes()), "{other}");
        }
    }
}
