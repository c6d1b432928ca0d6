//! Options of single calls.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::{
    auth::{ApiKey, AuthScheme, Credential, CredentialSource},
    observe::{is_credential, is_reserved},
    retry::{RetryAmbiguous, RetryPolicy},
    transport::Settings,
};

pub(super) const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
pub(super) const WORKSPACE: HeaderName = HeaderName::from_static("anthropic-workspace-id");
pub(super) const USER_PROFILE: HeaderName = HeaderName::from_static("anthropic-user-profile-id");

/// Options of single calls, set with [`Client::with_options`](crate::Client::with_options).
///
/// Options that aren't set keep the values of the client.
#[derive(Debug)]
#[must_use]
pub struct RequestOptions {
    settings: Settings,
}

impl RequestOptions {
    pub(super) fn from_settings(settings: Settings) -> Self {
        Self { settings }
    }

    pub(super) fn into_settings(self) -> Settings {
        self.settings
    }

    /// Sets the API key, for programs that call for many accounts over one pool of connections. It is sent in the header that
    /// [`auth_scheme`](crate::ClientBuilder::auth_scheme) of the client names, and replaces any other credential.
    pub fn api_key(self, key: impl Into<ApiKey>) -> Self {
        let scheme = self.settings.auth_scheme;
        self.credential(&key.into(), scheme)
    }

    /// Sets an access token in place of an API key. It is sent as `Authorization: Bearer`, and replaces any other credential.
    pub fn auth_token(self, token: impl Into<ApiKey>) -> Self {
        self.credential(&token.into(), AuthScheme::Bearer)
    }

    fn credential(mut self, key: &ApiKey, scheme: AuthScheme) -> Self {
        match Credential::new(key, scheme) {
            Ok(credential) => self.settings.credential = CredentialSource::Fixed(credential),
            Err(problem) => self.refuse(problem),
        }
        self
    }

    /// Limits the duration of a call, see [`ClientBuilder::timeout`](crate::ClientBuilder::timeout).
    ///
    /// Unlike the client's timeout, this one covers a stream to its end, including the time the consumer takes. A stream that
    /// exceeds it fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) and the partial message.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self.settings.stream_timeout = Some(timeout);
        self
    }

    /// Limits the time an attempt waits for the start of its response, see
    /// [`ClientBuilder::response_timeout`](crate::ClientBuilder::response_timeout).
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.settings.response_timeout = Some(timeout);
        self
    }

    /// Limits the time between two reads of a stream, see
    /// [`ClientBuilder::idle_timeout`](crate::ClientBuilder::idle_timeout).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// Limits the time between two events of a streamed message, see
    /// [`ClientBuilder::event_timeout`](crate::ClientBuilder::event_timeout).
    pub fn event_timeout(mut self, timeout: Duration) -> Self {
        self.settings.event_timeout = Some(timeout);
        self
    }

    /// Sets the maximum number of retries, see
    /// [`ClientBuilder::max_retries`](crate::ClientBuilder::max_retries).
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.settings.retry.max_retries = retries;
        self
    }

    /// Sets when a request that may have been processed is sent again, see
    /// [`ClientBuilder::retry_ambiguous`](crate::ClientBuilder::retry_ambiguous).
    pub fn retry_ambiguous(mut self, retry_ambiguous: RetryAmbiguous) -> Self {
        self.settings.retry.retry_ambiguous = retry_ambiguous;
        self
    }

    /// Sets all limits on retries.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Checks messages against the rules of the API, see
    /// [`ClientBuilder::check_requests`](crate::ClientBuilder::check_requests).
    pub fn check_requests(mut self, check: bool) -> Self {
        self.settings.check_requests = check;
        self
    }

    /// Sets a header, replacing any header of that name. A header `authorization` or `x-api-key` replaces the credential.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => match credential(&name, &value) {
                Some(credential) => self.settings.credential = CredentialSource::Fixed(credential),
                None => {
                    self.settings.call_headers.insert(name, value);
                }
            },
            Err(defect) => self.refuse(defect),
        }
        self
    }

    /// Adds a value to the header `anthropic-beta`, which enables a feature that isn't part of the stable API. The values of
    /// the client are kept.
    pub fn beta(mut self, feature: impl AsRef<str>) -> Self {
        let settings = &self.settings;
        let present = settings.call_headers.get(BETA).or_else(|| settings.headers.get(BETA));
        match joined(present, feature.as_ref()) {
            Ok(value) => {
                self.settings.call_headers.insert(BETA, value);
            }
            Err(defect) => self.refuse(defect),
        }
        self
    }

    /// Sets the workspace of the call, in the header `anthropic-workspace-id`, for credentials with access to several
    /// workspaces.
    pub fn workspace_id(self, id: impl AsRef<str>) -> Self {
        self.header(WORKSPACE.as_str(), id)
    }

    /// Sets the user profile of the call, in the header `anthropic-user-profile-id`.
    pub fn user_profile_id(self, id: impl AsRef<str>) -> Self {
        self.header(USER_PROFILE.as_str(), id)
    }

    /// Sets the version of the API, in the header `anthropic-version`.
    pub fn anthropic_version(self, version: impl AsRef<str>) -> Self {
        self.header("anthropic-version", version)
    }

    /// Keeps the first invalid option. Calls fail with it.
    fn refuse(&mut self, defect: String) {
        self.settings.invalid_option.get_or_insert(defect);
    }
}

/// Checks a caller-supplied header. Errors don't show the value, which may be a secret.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let Ok(parsed) = HeaderName::try_from(name) else {
        // The rest may be a value passed as the wrong argument.
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let start = name.split(|c| !is_allowed(c)).next().unwrap_or_default();
        return Err(format!("invalid header name: unexpected character at byte {}, after {start:?}", start.len()));
    };
    if is_reserved(&parsed) {
        return Err(format!("header {parsed} frames or routes the request and cannot be set"));
    }
    if is_credential(&parsed) && value.trim().is_empty() {
        return Err(format!("header {parsed} carries the credential and cannot be empty"));
    }
    let Ok(mut value) = HeaderValue::try_from(value) else {
        return Err(format!(
            "invalid value of header {parsed}: it contains a character that is not allowed in a header"
        ));
    };
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// Returns the credential in a caller-supplied header, if it carries one.
pub(super) fn credential(name: &HeaderName, value: &HeaderValue) -> Option<Credential> {
    is_credential(name).then(|| Credential::from_header(name.clone(), value.clone()))
}

/// Adds a value to `anthropic-beta`, joined by a comma without a space.
pub(super) fn joined(present: Option<&HeaderValue>, feature: &str) -> Result<HeaderValue, String> {
    let feature = feature.trim();
    if feature.is_empty() || feature.contains(',') {
        return Err("invalid beta feature: expected one name".to_owned());
    }
    let present = present.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut features: Vec<&str> = present.split(',').map(str::trim).filter(|feature| !feature.is_empty()).collect();
    if !features.contains(&feature) {
        features.push(feature);
    }
    let mut joined = HeaderValue::try_from(features.join(","))
        .map_err(|_| "invalid beta feature: it contains a character that is not allowed in a header".to_owned())?;
    // Sensitive like every caller-supplied header.
    joined.set_sensitive(true);
    Ok(joined)
}
