//! Code that several test files share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod answers;
pub mod bodies;
pub mod capture;
pub mod contract;
pub mod instances;
pub mod raw;
pub mod reference;
pub mod timing;
pub mod types;
