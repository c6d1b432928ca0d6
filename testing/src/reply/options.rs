//! The way a reply is sent.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

use super::{Reply, ReplyFormat};
use crate::fault::{Fault, FaultKind};
use crate::wire::{Chunking, Framing};

impl Reply {
    /// Adds a header, which replaces the server's own of this name. The value doesn't need to be text.
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

    /// Removes a header that the server adds: `content-type`, `cache-control` or `request-id`.
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

    /// Sets `retry-after`, in whole seconds rounded up, and `retry-after-ms` if that isn't exact.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        let exact = delay.subsec_nanos() == 0;
        let seconds = delay.as_secs() + u64::from(!exact);
        let reply = self.header("retry-after", seconds.to_string());
        if exact { reply } else { reply.header("retry-after-ms", delay.as_millis().to_string()) }
    }

    /// Sets `x-should-retry`.
    #[must_use]
    pub fn should_retry(self, retry: bool) -> Self {
        self.header("x-should-retry", if retry { "true" } else { "false" })
    }

    /// Sends a message as a stream, whatever the request asks for.
    #[must_use]
    pub fn as_stream(mut self) -> Self {
        self.form = ReplyFormat::Stream;
        self
    }

    /// Sends a message as JSON, whatever the request asks for.
    #[must_use]
    pub fn as_json(mut self) -> Self {
        self.form = ReplyFormat::Json;
        self
    }

    /// Sets the maximum length of a delta, in characters, when a message is sent as a stream. Defaults to 16.
    #[must_use]
    pub fn delta_length(mut self, characters: usize) -> Self {
        self.delta_length = characters;
        self
    }

    /// Sets the chunking of the body. Defaults to [`Chunking::ByEvent`].
    #[must_use]
    pub fn chunked(mut self, chunking: Chunking) -> Self {
        self.chunking = chunking;
        self
    }

    /// Sets the framing of the body. Defaults to [`Framing::Chunked`] for a stream, and otherwise to [`Framing::Length`].
    #[must_use]
    pub fn framed(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// Sets the pause between two chunks, on the server's clock. Defaults to none.
    #[must_use]
    pub fn paced(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Sets the pause before the headers, on the server's clock. Defaults to none.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds a fault.
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
