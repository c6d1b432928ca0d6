//! JSON: the reader for everything a server sends, free-form values, and the parts of generated types.
//!
//! This is the first layer of the crate. Nothing in it depends on the generated types, the client or the transport.
#![allow(dead_code, reason = "how much of it is used depends on the contract that the crate is built from")]

pub(crate) mod check;
mod deserialize;
pub(crate) mod deserializer;
mod empty;
mod equality;
mod error;
pub(crate) mod extra;
mod macros;
mod number;
mod object;
mod read;
mod reader;
mod serialize;
mod union;
mod unknown;
mod value;

pub(crate) use self::{
    check::Check,
    deserialize::deserialize,
    empty::Empty,
    extra::{Source, keep_source},
    macros::{deserialize_from_json, serialize_to_json, string_enum, union},
    object::{ObjectReader, with_field},
    read::{FromJson, find_members, read_recording, read_slice, read_str, string_or_list},
    reader::{Reader, StringPiece, missing},
    serialize::{JsonRef, ObjectRef, ToJson, serialize},
    union::{Variant, untagged},
    unknown::{UnknownPart, UnknownParts},
    value::FreeObject,
};
pub use self::{check::ValidationError, error::DecodeError, extra::Extra, reader::JsonType, value::Json};

/// A map whose keys keep their order.
pub type Map<T> = indexmap::IndexMap<String, T>;
