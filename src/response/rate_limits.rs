//! Rate limits, read from response headers.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use super::headers::PackedHeaders;

/// The rate limits of the account, from the headers
/// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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

/// One rate limit. A field is `None` if its header is absent or malformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RateLimit {
    /// Number of requests or tokens allowed per period.
    pub limit: Option<u64>,
    /// Number left before the limit applies.
    pub remaining: Option<u64>,
    /// Time at which the full limit is available again, by the clock of the server. Serialized as RFC 3339.
    #[serde(serialize_with = "serialize_time")]
    pub reset: Option<SystemTime>,
}

impl RateLimits {
    /// Returns how long to wait before another request, if `in_flight` requests were sent after the response these limits
    /// come from. Zero if no limit is known to be reached.
    ///
    /// A limit on requests is reached if no more than `in_flight` are left, and a limit on tokens if none are left. The wait
    /// ends when all reached limits are reset, by the clock that `now` is read from.
    ///
    /// ```
    /// # use anthropic_messages::{Client, MessageCreateRequest};
    /// # use std::time::SystemTime;
    /// # use tokio::time::sleep;
    /// # async fn sample(client: Client, request: MessageCreateRequest) -> anthropic_messages::Result<()> {
    /// let reply = client.create_message(&request).await?;
    /// sleep(reply.rate_limits().wait(SystemTime::now(), 0)).await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn wait(&self, now: SystemTime, in_flight: u64) -> Duration {
        let of = |limit: &RateLimit, reserved: u64| {
            let is_reached = limit.remaining.is_some_and(|remaining| remaining <= reserved);
            limit.reset.filter(|_| is_reached).and_then(|reset| reset.duration_since(now).ok()).unwrap_or_default()
        };
        let tokens = [&self.tokens, &self.input_tokens, &self.output_tokens].map(|limit| of(limit, 0));
        tokens.into_iter().fold(of(&self.requests, in_flight), Duration::max)
    }

    pub(super) fn read(headers: &PackedHeaders) -> Self {
        let limit = |name: &str| {
            let value = |part: &str| headers.text(&format!("anthropic-ratelimit-{name}-{part}"));
            RateLimit {
                limit: value("limit").and_then(|limit| limit.parse().ok()),
                remaining: value("remaining").and_then(|remaining| remaining.parse().ok()),
                reset: value("reset").and_then(to_system_time),
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

fn serialize_time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    // Times beyond the year 9999 have no such form.
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    match time.filter(|time| (SystemTime::UNIX_EPOCH..=end).contains(time)) {
        Some(time) => serializer.collect_str(&humantime::format_rfc3339(time)),
        None => serializer.serialize_none(),
    }
}

/// Converts an RFC 3339 time, such as the `created_at` of a batch, a model or a file. Returns `None` if the text isn't one.
///
/// Accepts any offset: `Z`, `+00:00`, `-07:00`.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let time = anthropic_messages::to_system_time("1970-01-02T00:00:00+01:00");
/// assert_eq!(time, Some(UNIX_EPOCH + Duration::from_secs(23 * 60 * 60)));
/// ```
#[must_use]
pub fn to_system_time(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    if text.ends_with(['Z', 'z']) {
        return humantime::parse_rfc3339(&text.to_ascii_uppercase()).ok();
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let local = humantime::parse_rfc3339(&format!("{}Z", local.to_ascii_uppercase())).ok()?;
    let offset_length = Duration::from_secs((hours * 60 + minutes) * 60);
    match offset.as_bytes().first()? {
        b'+' => local.checked_sub(offset_length),
        b'-' => local.checked_add(offset_length),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_ends_when_all_reached_limits_are_reset() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let limit = |remaining, seconds| RateLimit {
            remaining: Some(remaining),
            reset: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
            ..RateLimit::default()
        };
        let limits = RateLimits { requests: limit(2, 1007), tokens: limit(5, 1030), ..RateLimits::default() };
        let waits = [0, 1, 2, 3].map(|in_flight| limits.wait(now, in_flight).as_secs());
        assert_eq!(waits, [0, 0, 7, 7]);
        let limits = RateLimits { output_tokens: limit(0, 1009), ..limits };
        assert_eq!([0, 2].map(|in_flight| limits.wait(now, in_flight).as_secs()), [9, 9]);
        let past = RateLimits { requests: limit(0, 999), tokens: RateLimit::default(), ..RateLimits::default() };
        assert_eq!(past.wait(now, 9), Duration::ZERO);
        let json = serde_json::to_string(&limit(2, 1007)).unwrap();
        assert_eq!(json, r#"{"limit":null,"remaining":2,"reset":"1970-01-01T00:16:47Z"}"#);
    }

    #[test]
    fn a_reset_time_may_have_any_offset() {
        let noon = humantime::parse_rfc3339("2026-11-27T12:00:00Z").unwrap();
        for text in [
            "2026-11-27T12:00:00Z",
            "2026-11-27t12:00:00z",
            "2026-11-27T12:00:00+00:00",
            "2026-11-27T12:00:00-00:00",
            "2026-11-27T12:00:00.000+00:00",
            "2026-11-27T17:30:00+05:30",
            "2026-11-27T05:00:00-07:00",
            " 2026-11-27T12:00:00Z ",
        ] {
            assert_eq!(to_system_time(text), Some(noon), "{text}");
        }
        for text in
            ["", "Z", "+00:00", "2026-11-27T12:00:00", "2026-11-27T12:00:00+0000", "2026-11-27T12:00:00+24:00", "soon"]
        {
            assert_eq!(to_system_time(text), None, "{text}");
        }
    }
}
