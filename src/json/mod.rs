//! JSON: the reader that everything a server sends is read by, free-form values, and what generated
//! types are made of.
//!
//! The first layer of the crate: nothing here knows the generated types, the client or the
//! transport.
#![allow(dead_code, reason = "how much of it is used depends on the contract that the crate is built from")]

pub(crate) mod check;
mod deserialize;
mod empty;
mod equality;
mod error;
pub(crate) mod extra;
pub(crate) mod foreign;
mod macros;
mod number;
mod object;
mod pointer;
mod read;
mod reader;
mod union;
mod unknown;
mod value;

pub(crate) use self::{
    check::Check,
    deserialize::deserialize,
    empty::Empty,
    extra::{Source, keep_source},
    macros::{deserialize_from_json, string_enum, union},
    object::{ObjectReader, with_field},
    read::{FromJson, find_members, read_recording, read_slice, read_str, string_or_list},
    reader::{Reader, SplitString, missing},
    union::{Form, untagged},
    unknown::{UnknownPart, UnknownParts},
    value::FreeObject,
};
pub use self::{check::ValidationError, error::DecodeError, extra::Extra, reader::JsonType, value::Json};

/// A map whose keys keep their order.
pub type Map<T> = indexmap::IndexMap<String, T>;
