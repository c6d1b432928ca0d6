//! Events in an order that makes no message.

use std::{error, fmt};

use crate::runtime::DecodeError;

/// Events came in an order, or with a content, that makes no message.
#[derive(Clone, Debug)]
pub struct ProtocolError {
    breach: Breach,
    source: Option<DecodeError>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Breach {
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

impl Breach {
    /// With the error of the layer below.
    pub(super) fn because(self, source: DecodeError) -> ProtocolError {
        ProtocolError { breach: self, source: Some(source) }
    }
}

impl From<Breach> for ProtocolError {
    fn from(breach: Breach) -> Self {
        Self { breach, source: None }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.breach {
            Breach::BeforeTheStart(event) => write!(f, "{event} came before message_start"),
            Breach::StartedTwice => f.write_str("message_start came twice"),
            Breach::AfterTheEnd(event) => write!(f, "{event} came after the end of the message"),
            Breach::NegativeIndex(index) => write!(f, "a block has the index {index}"),
            Breach::BlockBeganTwice(index) => write!(f, "block {index} began twice"),
            Breach::BlockNotOpen(index) => write!(f, "an event belongs to block {index}, which is not open"),
            Breach::BlockNotClosed(index) => write!(f, "the message ended while block {index} was open"),
            Breach::NoBlock(index) => write!(f, "the message ended and block {index} never came"),
            Breach::WrongDelta { index, delta } => write!(f, "block {index} is of a kind that takes no {delta}"),
            Breach::Block(index) => write!(f, "what came for block {index} makes no block"),
            Breach::Change => f.write_str("what message_delta changes makes no message"),
        }
    }
}

impl error::Error for ProtocolError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
