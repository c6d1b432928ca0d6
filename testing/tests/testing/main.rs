//! Tests of the server with clients that aren't ours.

#![cfg(test)]

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
