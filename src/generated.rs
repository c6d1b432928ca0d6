//! The client and the types, generated from `openapi.json` and `overlay.json` by `build.rs`.
//!
//! To read the source, look for `generated.rs` in the build's output directory; its reviewable face is
//! `tests/surface.txt`.
#![allow(
    clippy::all,
    clippy::pedantic,
    dead_code,
    deprecated,
    reason = "whatever the contract, its code is not written for this project's lints"
)]

/// Clients that are generated from other documents, for tests of the generator.
#[cfg(anthropic_messages_harness)]
pub mod harness {
    include!(env!("ANTHROPIC_MESSAGES_HARNESS"));
}

include!(concat!(env!("OUT_DIR"), "/constants.rs"));
include!(concat!(env!("OUT_DIR"), "/generated.rs"));

/// The contract with the overlay applied: OpenAPI 3.1 as JSON.
pub(crate) const CONTRACT_DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/contract.json"));
