//! The rate-limit headers.

use std::time::SystemTime;

use crate::runtime::PackedHeaders;

/// What an answer says about the account's rate limits, from the headers
/// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// Requests.
    pub requests: RateLimit,
    /// Tokens, input and output together.
    pub tokens: RateLimit,
    /// Input tokens.
    pub input_tokens: RateLimit,
    /// Output tokens.
    pub output_tokens: RateLimit,
}

/// One rate limit. A header that is absent or can't be read is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// How many requests or tokens are allowed in a period.
    pub limit: Option<u64>,
    /// How many of them are left before the limit applies.
    pub remaining: Option<u64>,
    /// When all of the limit is there again, by the clock of the server.
    pub reset: Option<SystemTime>,
}

impl RateLimits {
    pub(super) fn read(headers: &PackedHeaders) -> Self {
        let limit = |name: &str| {
            let value = |part: &str| headers.text(&format!("anthropic-ratelimit-{name}-{part}"));
            RateLimit {
                limit: value("limit").and_then(|limit| limit.parse().ok()),
                remaining: value("remaining").and_then(|remaining| remaining.parse().ok()),
                reset: value("reset").and_then(|reset| humantime::parse_rfc3339(reset).ok()),
            }
        };
        Self {
            requests: limit("requests"),
            tokens: limit("tokens"),
            input_tokens: limit("input-tokens"),
            output_tokens: limit("output-tokens"),
        }
    }
}
