//! Events in an order that makes no message.

use std::{error, fmt};

use crate::json::DecodeError;

/// Events came in an order, or with a content, that makes no message.
#[derive(Clone, Debug)]
pub struct ProtocolError {
    kind: ProtocolErrorKind,
    source: Option<DecodeError>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProtocolErrorKind {
    BeforeTheStart(&'static str),
    StartedTwice,
    AfterTheEnd(&'static str),
    NegativeIndex(i64),
    BlockBeganTwice(i64),
    BlockNotOpen(i64),
    BlockNotClosed(i64),
    NoBlock(i64),
    WrongDelta { index: i64, delta: &'static str },
    Block(i64),
    Change,
}

impl ProtocolErrorKind {
    /// Adds the cause.
    pub(super) fn with_source(self, source: DecodeError) -> ProtocolError {
        ProtocolError { kind: self, source: Some(source) }
    }
}

impl From<ProtocolErrorKind> for ProtocolError {
    fn from(kind: ProtocolErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ProtocolErrorKind::BeforeTheStart(event) => write!(f, "{event} came before message_start"),
            ProtocolErrorKind::StartedTwice => f.write_str("message_start came twice"),
            ProtocolErrorKind::AfterTheEnd(event) => write!(f, "{event} came after the end of the message"),
            ProtocolErrorKind::NegativeIndex(index) => write!(f, "a block has the index {index}"),
            ProtocolErrorKind::BlockBeganTwice(index) => write!(f, "block {index} began twice"),
            ProtocolErrorKind::BlockNotOpen(index) => write!(f, "an event belongs to block {index}, which is not open"),
            ProtocolErrorKind::BlockNotClosed(index) => write!(f, "the message ended while block {index} was open"),
            ProtocolErrorKind::NoBlock(index) => write!(f, "the message ended and block {index} never came"),
            ProtocolErrorKind::WrongDelta { index, delta } => {
                write!(f, "block {index} is of a kind that takes no {delta}")
            }
            ProtocolErrorKind::Block(index) => write!(f, "what came for block {index} makes no block"),
            ProtocolErrorKind::Change => f.write_str("what message_delta changes makes no message"),
        }
    }
}

impl error::Error for ProtocolError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
