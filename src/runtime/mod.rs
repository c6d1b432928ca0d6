//! What generated code calls at run time.
//!
//! The first layer of the crate: nothing here knows the generated types, the client or the
//! transport. progenitor's own support crate is not used; see `ARCHITECTURE.md` for the reasons.
#![allow(dead_code, reason = "how much of it is called depends on the contract that the crate is built from")]

mod blank;
pub(crate) mod check;
pub(crate) mod decode;
mod decode_error;
pub(crate) mod extra;
mod json;
mod macros;
mod noted;
mod tagged;
mod text;

pub(crate) use self::{
    blank::Blank,
    check::Check,
    decode_error::from_slice,
    noted::{Noted, note_variant, noting},
};
pub use self::{
    check::Violation,
    decode_error::DecodeError,
    extra::Extra,
    json::{Json, JsonType},
};

/// A map whose keys keep their order.
pub type Map<T> = indexmap::IndexMap<String, T>;
