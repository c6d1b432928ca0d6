//! What the calls of generated operations run on.
//!
//! progenitor's own support crate is not used; see `ARCHITECTURE.md` for the reasons.
#![allow(dead_code, reason = "how much of it is called depends on the contract that the crate is built from")]

mod call;

pub(crate) use self::call::*;
pub use self::call::{ByteStream, Failure, RetryStop};
#[cfg(feature = "tracing")]
pub(crate) use crate::json::from_slice;
pub(crate) use crate::json::{Blank, DecodeError, Json, JsonType, UnknownPart, Violation, read_slice, read_str};
