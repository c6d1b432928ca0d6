//! The testing kit: its server, spoken to by clients that are not ours.

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
