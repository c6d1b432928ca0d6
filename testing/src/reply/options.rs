//! How a reply goes over the wire.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

use super::super::delivery::{Chunking, Framing};
use super::super::fault::{Fault, FaultKind};
use super::{Form, Reply};

impl Reply {
    /// Adds a header, in the place of the server's own of this name. Its value may be bytes that are
    /// not text.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
                self
            }
            _ => {
                let value = String::from_utf8_lossy(value);
                self.with_mistake(format!("{name:?} can't be a header with the value {value:?}"))
            }
        }
    }

    /// Leaves out a header that the server adds by itself: `content-type`, `cache-control` or
    /// `request-id`, which a gateway in front of the API does not send.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => {
                self.left_out.push(name);
                self
            }
            Err(_) => self.with_mistake(format!("{name:?} can't be a header")),
        }
    }

    /// Asks for a retry after this time: `retry-after` in whole seconds, rounded up, and
    /// `retry-after-ms` as well if that loses something.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        let exact = delay.subsec_nanos() == 0;
        let seconds = delay.as_secs() + u64::from(!exact);
        let reply = self.header("retry-after", seconds.to_string());
        if exact { reply } else { reply.header("retry-after-ms", delay.as_millis().to_string()) }
    }

    /// Says by `x-should-retry` whether the client shall try again.
    #[must_use]
    pub fn should_retry(self, retry: bool) -> Self {
        self.header("x-should-retry", if retry { "true" } else { "false" })
    }

    /// Sends a message as a stream even where none is asked for.
    #[must_use]
    pub fn as_stream(mut self) -> Self {
        self.form = Form::Stream;
        self
    }

    /// Sends a message as JSON even where a stream is asked for.
    #[must_use]
    pub fn as_json(mut self) -> Self {
        self.form = Form::Json;
        self
    }

    /// The most characters in one delta of a stream that is told from a message. Default: 16.
    #[must_use]
    pub fn delta_length(mut self, characters: usize) -> Self {
        self.delta_length = characters;
        self
    }

    /// How the body is cut into chunks. Default: by event.
    #[must_use]
    pub fn chunked(mut self, chunking: Chunking) -> Self {
        self.chunking = chunking;
        self
    }

    /// How the end of the body is told. Default: by length, and for a stream by chunked encoding.
    #[must_use]
    pub fn framed(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// The pause between one chunk and the next, on the server's clock. Default: none.
    #[must_use]
    pub fn paced(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The pause before the headers, on the server's clock. Default: none.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds something that goes wrong.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        if let FaultKind::ContentType(content_type) = &fault.kind
            && HeaderValue::from_str(content_type).is_err()
        {
            self.mistake("a content type can't be a header value");
        }
        self.faults.push(fault);
        self
    }
}
