//! The settings of a client's calls, which options can change for some of them.

use std::time::Duration;

use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, Entry},
};

use crate::{
    auth::{AuthScheme, Credential, CredentialSource},
    retry::RetryPolicy,
    stream::sse::Decoder,
};

/// Timeout of a call unless the caller sets one.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// The settings of calls.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) credential: CredentialSource,
    /// The header for keys that options set.
    pub(crate) auth_scheme: AuthScheme,
    /// Headers of every call, unless the operation sets them itself.
    pub(crate) headers: HeaderMap,
    /// Headers that replace all others.
    pub(crate) call_headers: HeaderMap,
    /// `None` if the caller did not set one: then the default applies, and a call that may take longer is sent as a stream.
    pub(crate) timeout: Option<Duration>,
    /// `None` if only the timeout of the whole call applies.
    pub(crate) response_timeout: Option<Duration>,
    pub(crate) idle_timeout: Duration,
    /// Limit on the time between two events of a streamed message.
    pub(crate) event_timeout: Option<Duration>,
    /// Limit on a streamed call as a whole.
    pub(crate) stream_timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) max_response_bytes: u64,
    pub(crate) max_error_bytes: u64,
    /// `None` for the limit of the decoder.
    pub(crate) max_event_bytes: Option<usize>,
    /// `true` if an attempt includes the first event of a stream, so that an error there is retried.
    pub(crate) checks_first_event: bool,
    /// Checks requests against the rules that the API enforces beyond its contract.
    pub(crate) check_requests: bool,
    /// The first option that cannot be used. Calls fail with it.
    pub(crate) invalid_option: Option<String>,
}

impl Settings {
    /// The timeout of a call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// A decoder with the limit of the settings.
    pub(crate) fn decoder(&self) -> Decoder {
        self.max_event_bytes.map_or_else(Decoder::default, Decoder::new)
    }

    /// Puts credential and headers into a request. Later ones replace earlier ones: what the operation sets, the credential,
    /// the client's headers (except an operation's own header parameters), the call's headers.
    pub(super) fn apply(&self, credential: &Credential, request: &mut HeaderMap) {
        // Room for all of them, including the credential and those of the HTTP client.
        request.reserve(self.headers.len() + self.call_headers.len() + 5);
        credential.apply(request);
        request.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        for (name, value) in &self.headers {
            match request.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(value.clone())),
                Entry::Occupied(mut entry) if name == ACCEPT || name == ACCEPT_ENCODING || name == CONTENT_TYPE => {
                    entry.insert(value.clone());
                }
                Entry::Occupied(_) => {}
            }
        }
        for (name, value) in &self.call_headers {
            request.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::ApiKey;

    fn map<const N: usize>(headers: [(&'static str, &'static str); N]) -> HeaderMap {
        headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn headers_replace_each_other_in_their_order() {
        let credential = Credential::new(&ApiKey::from("sk-test-1"), AuthScheme::XApiKey).unwrap();
        let settings = Settings {
            credential: CredentialSource::Fixed(credential.clone()),
            auth_scheme: AuthScheme::Bearer,
            headers: map([
                ("accept", "client"),
                ("x-operation", "client"),
                ("x-client", "client"),
                ("x-call", "client"),
            ]),
            call_headers: map([("x-call", "call"), ("content-type", "call")]),
            timeout: None,
            response_timeout: None,
            idle_timeout: Duration::ZERO,
            event_timeout: None,
            stream_timeout: None,
            retry: RetryPolicy::default(),
            max_response_bytes: 0,
            max_error_bytes: 0,
            max_event_bytes: None,
            checks_first_event: false,
            check_requests: true,
            invalid_option: None,
        };
        let names = ["accept", "authorization", "content-type", "x-api-key", "x-operation", "x-call"];
        let mut headers = map(names.map(|name| (name, "operation")));
        settings.apply(&credential, &mut headers);
        let expected = map([
            ("accept", "client"),
            ("content-type", "call"),
            ("x-api-key", "sk-test-1"),
            ("x-operation", "operation"),
            ("x-call", "call"),
            ("x-client", "client"),
            ("accept-encoding", "identity"),
        ]);
        assert_eq!(headers, expected);
        assert!(headers["x-api-key"].is_sensitive());
    }
}
