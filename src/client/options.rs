//! The options of some calls.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::{
    auth::Credential,
    observe::{is_credential, is_reserved},
    retry::{RetryAmbiguous, RetryPolicy},
    transport::Settings,
};

pub(super) const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
pub(super) const WORKSPACE: HeaderName = HeaderName::from_static("anthropic-workspace-id");
pub(super) const USER_PROFILE: HeaderName = HeaderName::from_static("anthropic-user-profile-id");

/// The options of some calls of a client, see [`Client::with_options`](crate::Client::with_options).
///
/// Whatever is not set stays as the client has it.
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

    /// How long a call may take as a whole, see [`ClientBuilder::timeout`](crate::ClientBuilder::timeout).
    ///
    /// Unlike the client's own, this limit holds for a stream to its end, consumer included. The stream then fails with
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) and the partial message.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self.settings.stream_timeout = Some(timeout);
        self
    }

    /// How long an attempt may wait for the start of its answer, see
    /// [`ClientBuilder::response_timeout`](crate::ClientBuilder::response_timeout).
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.settings.response_timeout = Some(timeout);
        self
    }

    /// How long a stream may be silent, see
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

    /// How often a call is tried again, see
    /// [`ClientBuilder::max_retries`](crate::ClientBuilder::max_retries).
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.settings.retry.max_retries = retries;
        self
    }

    /// Whether a request is sent again that may have been processed, see
    /// [`ClientBuilder::retry_ambiguous`](crate::ClientBuilder::retry_ambiguous).
    pub fn retry_ambiguous(mut self, retry_ambiguous: RetryAmbiguous) -> Self {
        self.settings.retry.retry_ambiguous = retry_ambiguous;
        self
    }

    /// How, how often and after what a call is tried again.
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

    /// Sets a header, in place of one with the same name, whoever set that. A header
    /// `authorization` or `x-api-key` takes the place of the credential.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => match credential(&name, &value) {
                Some(credential) => self.settings.credential = credential,
                None => {
                    self.settings.call_headers.insert(name, value);
                }
            },
            Err(defect) => self.refuse(defect),
        }
        self
    }

    /// Adds a value to the header `anthropic-beta`, which turns a feature on that is not part of
    /// the stable API. Values that are there already stay.
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

    /// The workspace that the call is made in: the header `anthropic-workspace-id`, for credentials
    /// that reach several.
    pub fn workspace_id(self, id: impl AsRef<str>) -> Self {
        self.header(WORKSPACE.as_str(), id)
    }

    /// The user profile that the call is made for: the header `anthropic-user-profile-id`.
    pub fn user_profile_id(self, id: impl AsRef<str>) -> Self {
        self.header(USER_PROFILE.as_str(), id)
    }

    /// The version of the API: the header `anthropic-version`.
    pub fn anthropic_version(self, version: impl AsRef<str>) -> Self {
        self.header("anthropic-version", version)
    }

    /// Keeps the first invalid option, which the calls fail with.
    fn refuse(&mut self, defect: String) {
        self.settings.invalid_option.get_or_insert(defect);
    }
}

/// Checks a header of the caller's. Its value may be a secret and is not shown.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let Ok(parsed) = HeaderName::try_from(name) else {
        // What follows may be a value that was meant for the other argument.
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let start = name.split(|c| !is_allowed(c)).next().unwrap_or_default();
        return Err(format!("the name of a header is invalid at byte {}, after {start:?}", start.len()));
    };
    if is_reserved(&parsed) {
        return Err(format!("the header {parsed} says how a request is framed or routed, and can't be set"));
    }
    if is_credential(&parsed) && value.trim().is_empty() {
        return Err(format!("the header {parsed} carries the credential, and can't be empty"));
    }
    let Ok(mut value) = HeaderValue::try_from(value) else {
        return Err(format!("the value of the header {parsed} has a character that a header can't carry"));
    };
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// The credential that a header of the caller's is, if it is one.
pub(super) fn credential(name: &HeaderName, value: &HeaderValue) -> Option<Credential> {
    is_credential(name).then(|| Credential::of_header(name.clone(), value.clone()))
}

/// `anthropic-beta` with one more value, joined by a comma without a space.
pub(super) fn joined(present: Option<&HeaderValue>, feature: &str) -> Result<HeaderValue, String> {
    let feature = feature.trim();
    if feature.is_empty() || feature.contains(',') {
        return Err("a beta feature is one name".to_owned());
    }
    let present = present.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut features: Vec<&str> = present.split(',').map(str::trim).filter(|feature| !feature.is_empty()).collect();
    if !features.contains(&feature) {
        features.push(feature);
    }
    let mut joined = HeaderValue::try_from(features.join(","))
        .map_err(|_| "a beta feature has a character that a header can't carry".to_owned())?;
    // As all headers that the caller sets.
    joined.set_sensitive(true);
    Ok(joined)
}
