//! The bytes of a stream.

use std::{
    error,
    pin::pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;

use crate::transport::ByteStream;

pub(super) type BoxError = Box<dyn error::Error + Send + Sync>;

type Poller = dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> + Send;

/// Where the bytes come from.
pub(super) enum Source {
    /// An answer of the API.
    Answer(ByteStream),
    /// A stream of the caller's.
    Given(Box<Poller>),
    /// There is no more to read: the stream has ended, or its message came whole.
    Closed,
}

impl Source {
    pub(super) fn given<S, B, E>(bytes: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        let mut bytes = Box::pin(bytes);
        Self::Given(Box::new(move |context| {
            bytes.as_mut().poll_next(context).map(|next| next.map(|chunk| chunk.map(Into::into).map_err(Into::into)))
        }))
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        match self {
            Self::Answer(bytes) => {
                pin!(bytes).poll_next(context).map(|next| next.map(|chunk| chunk.map_err(Into::into)))
            }
            Self::Given(poll) => poll(context),
            Self::Closed => Poll::Ready(None),
        }
    }
}
