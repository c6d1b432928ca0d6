//! The testing kit: its server, spoken to by clients that are not ours.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that can't go on fails"
)]

mod contract;
mod defaults;
mod expectations;
mod faults;
#[cfg(feature = "http2")]
mod http2;
mod matchers;
mod observations;
mod replies;
mod streams;
mod support;
