//! Builds a client: its settings and their defaults.

mod build;

use std::{ffi::OsString, fmt, sync::Arc, time::Duration};

use http::HeaderName;

use super::{
    http_client::{ConfigureHttp, Connections},
    options::{USER_PROFILE, WORKSPACE},
};
use crate::{
    auth::{ApiKey, AuthScheme, CachedCredentials, Credentials, EnvConfig},
    observe::Observer,
    retry::{RetryAmbiguous, RetryPolicy},
    transport::Timing,
};

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Builds a [`Client`](crate::Client).
///
/// Only a credential is required. Setters never fail: [`build`](Self::build) reports invalid values.
///
/// ```
/// use anthropic_messages::Client;
/// use std::time::Duration;
///
/// let client = Client::builder()
///     .api_key("sk-ant-example")
///     .timeout(Duration::from_secs(120))
///     .max_retries(4)
///     .default_header("x-team", "search")
///     .build()?;
/// # let _ = client;
/// # Ok::<(), anthropic_messages::Error>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    api_key: Option<ApiKey>,
    auth_token: Option<ApiKey>,
    credentials: Option<CachedCredentials>,
    scheme: AuthScheme,
    base_url: Option<String>,
    default_base_path: bool,
    allow_cleartext: bool,
    headers: Vec<(String, String)>,
    betas: Vec<String>,
    env: Option<Result<EnvConfig, String>>,
    connections: Connections,
    http_client: Option<reqwest::Client>,
    configure_http: Option<ConfigureHttp>,
    timeout: Option<Duration>,
    response_timeout: Option<Duration>,
    idle_timeout: Duration,
    event_timeout: Option<Duration>,
    check_requests: bool,
    retry: RetryPolicy,
    max_response_bytes: u64,
    max_error_bytes: u64,
    max_event_bytes: Option<usize>,
    observers: Vec<Arc<dyn Observer>>,
    timing: Option<Arc<dyn Timing>>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            api_key: None,
            auth_token: None,
            credentials: None,
            scheme: AuthScheme::default(),
            base_url: None,
            default_base_path: true,
            allow_cleartext: false,
            headers: Vec::new(),
            betas: Vec::new(),
            env: None,
            connections: Connections::default(),
            http_client: None,
            configure_http: None,
            timeout: None,
            response_timeout: None,
            idle_timeout: Duration::from_secs(90),
            event_timeout: None,
            check_requests: true,
            retry: RetryPolicy::default(),
            max_response_bytes: 64 * 1024 * 1024,
            max_error_bytes: 1024 * 1024,
            max_event_bytes: None,
            observers: Vec::new(),
            timing: None,
        }
    }
}

/// Credential and base URL.
impl ClientBuilder {
    /// Sets the API key. Only one of `api_key`, [`auth_token`](Self::auth_token), [`credentials`](Self::credentials) and a
    /// header that carries a credential can be set.
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets an access token in place of an API key. It is sent as `Authorization: Bearer`.
    pub fn auth_token(mut self, token: impl Into<ApiKey>) -> Self {
        self.auth_token = Some(token.into());
        self
    }

    /// Sets a source of API keys or access tokens, for keys that rotate or expire. The keys are sent in the header that
    /// [`auth_scheme`](Self::auth_scheme) names.
    pub fn credentials(mut self, credentials: impl Credentials) -> Self {
        self.credentials = Some(CachedCredentials::new(credentials));
        self
    }

    /// Sets the header for the API key. Defaults to [`AuthScheme::Bearer`].
    pub fn auth_scheme(mut self, scheme: AuthScheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Reads settings from the environment, with the precedence of the official SDKs. Settings of the builder win.
    ///
    /// | variable | setting |
    /// |---|---|
    /// | `ANTHROPIC_API_KEY` | the API key |
    /// | `ANTHROPIC_AUTH_TOKEN` | an access token, used if there is no API key |
    /// | `ANTHROPIC_BASE_URL` | the base URL; `/v1` is appended unless the URL ends in it, see [`default_base_path`](Self::default_base_path) |
    /// | `ANTHROPIC_CUSTOM_HEADERS` | headers, one `name: value` per line |
    ///
    /// A custom header that carries a credential takes precedence over the other variables. Empty variables count as unset.
    /// The variables are read once, by this method.
    pub fn from_env(mut self) -> Self {
        self.env = Some(EnvConfig::from_env());
        self
    }

    /// Reads variables as [`from_env`](Self::from_env) does, from another source.
    pub(crate) fn set_env(mut self, lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        self.env = Some(EnvConfig::read(lookup));
        self
    }

    /// Sets the address that the paths of operations (`/messages`) are appended to. Defaults to
    /// `https://api.anthropic.com/v1`.
    ///
    /// A base URL without a path gets `/v1`, because the API and compatible servers have their operations there; see
    /// [`default_base_path`](Self::default_base_path). Any other path is used as written, without a slash at its end.
    ///
    /// [`build`](Self::build) refuses a URL that names an operation, such as `/v1/messages`, one with a user name, a password, a query or a
    /// fragment, and `http` to another host than this one (see [`allow_cleartext`](Self::allow_cleartext)).
    ///
    /// Requests to this host never go through a proxy of the environment.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets whether the client appends `/v1` to a base URL without a path, and to an `ANTHROPIC_BASE_URL` that doesn't end in it.
    /// Defaults to `true`. With `false`, `https://host` sends to `https://host/messages`.
    pub fn default_base_path(mut self, append: bool) -> Self {
        self.default_base_path = append;
        self
    }

    /// Allows `http` to other hosts than this one. It exposes the credential, the prompts and the replies to everybody on
    /// the network path, proxies included. Defaults to `false`.
    pub fn allow_cleartext(mut self, allow: bool) -> Self {
        self.allow_cleartext = allow;
        self
    }
}

/// Headers.
impl ClientBuilder {
    /// Sets a header of every call, replacing the crate's own header of that name. If a name is set twice, the last value
    /// wins.
    ///
    /// A header `authorization` or `x-api-key` is the credential. [`build`](Self::build) refuses headers that frame or route a
    /// request, such as `content-length` and `host`.
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the version of the API, in the header `anthropic-version`. Defaults to `2026-10-21`.
    pub fn anthropic_version(self, version: impl Into<String>) -> Self {
        self.default_header(ANTHROPIC_VERSION.as_str(), version)
    }

    /// Adds a value to the header `anthropic-beta`, which enables a feature that isn't part of the stable API. Defaults to
    /// none.
    pub fn beta(mut self, feature: impl Into<String>) -> Self {
        self.betas.push(feature.into());
        self
    }

    /// Sets the workspace of the calls, in the header `anthropic-workspace-id`, for credentials with access to several
    /// workspaces. Not sent by default.
    pub fn workspace_id(self, id: impl Into<String>) -> Self {
        self.default_header(WORKSPACE.as_str(), id)
    }

    /// Sets the user profile of the calls, in the header `anthropic-user-profile-id`. Not sent by default.
    pub fn user_profile_id(self, id: impl Into<String>) -> Self {
        self.default_header(USER_PROFILE.as_str(), id)
    }
}

/// Retries and limits.
impl ClientBuilder {
    /// Sets the maximum number of retries after the first attempt. 0 disables retries. Defaults to 2, as in the official SDKs.
    /// [`retry`](crate::retry) describes which failures are retried.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.retry.max_retries = retries;
        self
    }

    /// Sets when a request that may have been processed is sent again. Defaults to [`RetryAmbiguous::AfterClose`].
    pub fn retry_ambiguous(mut self, retry_ambiguous: RetryAmbiguous) -> Self {
        self.retry.retry_ambiguous = retry_ambiguous;
        self
    }

    /// Sets all limits on retries. Defaults to [`RetryPolicy::default`].
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Limits the duration of a call, including all attempts and the delays between them; for a stream, up to its start. A
    /// call that takes longer fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout). Defaults to 600 s.
    ///
    /// Unless a timeout is set here, a `create_message` whose reply may take longer (`max_tokens` above 21,333) is sent as a
    /// stream and read to its end, because a connection that is silent for so long is likely to be lost. The default timeout
    /// then covers the time up to the start of the stream. The rest may take as long as it needs, within
    /// [`idle_timeout`](Self::idle_timeout) between two reads, [`max_event_bytes`](Self::max_event_bytes) for each event and
    /// [`max_response_bytes`](Self::max_response_bytes) in all. With a timeout set here, even 600 s, the call is not
    /// converted to a stream and the timeout covers all of it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Limits the time an attempt waits for the status and headers of its response. The API sends them when a reply that isn't
    /// streamed is complete. An attempt that takes longer fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), and is
    /// retried only if [`retry_ambiguous`](Self::retry_ambiguous) allows it. Defaults to no limit other than
    /// [`timeout`](Self::timeout).
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// Limits the time between two reads of a stream. Any byte resets it, including pings. Time the consumer spends between
    /// polls doesn't count. A stream that is silent for longer fails with [`ErrorKind::Stalled`](crate::ErrorKind::Stalled).
    /// Defaults to 90 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Limits the time that a stream may take between two events of its message. Unlike
    /// [`idle_timeout`](Self::idle_timeout), pings and comments don't reset it: a server that only keeps the connection
    /// open fails with [`ErrorKind::Stalled`](crate::ErrorKind::Stalled). Time the consumer spends between polls doesn't
    /// count.
    ///
    /// Defaults to no limit for [`stream_message`](crate::Client::stream_message), since a model may think for long
    /// without showing it, and to 600 s for a [`create_message`](crate::Client::create_message) that is sent as a stream.
    pub fn event_timeout(mut self, timeout: Duration) -> Self {
        self.event_timeout = Some(timeout);
        self
    }

    /// Checks messages against the [rules](crate::rules) that the API enforces beyond its contract, before they are sent. A
    /// violation fails with [`ErrorKind::Contract`](crate::ErrorKind::Contract) instead of a 400. Defaults to `true`.
    pub fn check_requests(mut self, check: bool) -> Self {
        self.check_requests = check;
        self
    }

    /// Limits the time for making a connection, including name resolution and TLS. An attempt that takes longer fails with
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) and is retried. Defaults to 5 s.
    ///
    /// If [`timeout`](Self::timeout) or [`response_timeout`](Self::response_timeout) is shorter and expires while the
    /// connection is being made, the error also says that nothing was processed.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connections.connect_timeout = timeout;
        self
    }

    /// Limits the size of a response body, in bytes. A larger one fails with
    /// [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge). Defaults to 64 MiB.
    ///
    /// Doesn't apply to a stream the caller reads, whose events [`max_event_bytes`](Self::max_event_bytes) limits. Applies to
    /// the sum of all events of a stream that `create_message` reads to its end, see [`timeout`](Self::timeout).
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Limits how much of the body of an error response is read and kept, in bytes. Defaults to 1 MiB.
    pub fn max_error_bytes(mut self, bytes: u64) -> Self {
        self.max_error_bytes = bytes;
        self
    }

    /// Limits the size of one event of a stream, in bytes. A larger one ends the stream with
    /// [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge). Defaults to 32 MiB.
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = Some(bytes);
        self
    }
}

/// Connections and observers.
impl ClientBuilder {
    /// Ignores the proxies that `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` name. By default they are used, except for servers
    /// on this host and those in `NO_PROXY`. A SOCKS proxy needs the feature `socks`.
    pub fn no_proxy(mut self) -> Self {
        self.connections.proxy = false;
        self
    }

    /// Enables HTTP/2 if the server offers it, and in any case for `http`. Defaults to `false`.
    ///
    /// With HTTP/2 all calls share one connection, and a stream that is read slowly can slow down the others.
    #[cfg(feature = "http2")]
    pub fn http2(mut self, allow: bool) -> Self {
        self.connections.http2 = allow;
        self
    }

    /// Configures the crate's own HTTP client: proxies, root certificates, connection pools, name resolution. The closure
    /// runs in [`build`](Self::build), after the crate's settings. Redirects and the retries of reqwest stay disabled, because
    /// the client makes those decisions itself.
    ///
    /// A proxy set here replaces those of the environment, and is used for servers on this host as well. A proxy of the
    /// environment that cannot be used is still an error, unless [`no_proxy`](Self::no_proxy) is called. With an `http`
    /// base URL the client loads no trust store, so certificates for a proxy have to be added here.
    ///
    /// ```
    /// use anthropic_messages::{Client, reqwest};
    ///
    /// let proxy = reqwest::Proxy::https("http://proxy.example:8080")?;
    /// let client = Client::builder()
    ///     .api_key("sk-ant-example")
    ///     .configure_http(move |http| http.proxy(proxy).pool_max_idle_per_host(4))
    ///     .build()?;
    /// # let _ = client;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn configure_http(
        mut self,
        configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure_http = Some(Box::new(configure));
        self
    }

    /// Uses an existing HTTP client, for example to share its connections. To configure proxies or certificates, prefer
    /// [`configure_http`](Self::configure_http).
    ///
    /// [`connect_timeout`](Self::connect_timeout), [`no_proxy`](Self::no_proxy) and the HTTP version are those of the given
    /// client. It should be built with `redirect::Policy::none()`: a client that follows redirects sends an `x-api-key` to
    /// the new location. It never sends the body there. A response from elsewhere is discarded with
    /// [`ErrorKind::Redirect`](crate::ErrorKind::Redirect). A total timeout of its own also ends streams.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Adds an observer, which is called for every attempt and can add headers. Observers are called in the order they were
    /// added. Defaults to none. An `Arc` of an observer is an observer as well.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Sets the clocks, the randomness and the delays between attempts, for tests.
    pub(crate) fn set_timing(mut self, timing: impl Timing) -> Self {
        self.timing = Some(Arc::new(timing));
        self
    }
}

/// Omits header values, which may be secrets.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("api_key", &self.api_key)
            .field("auth_token", &self.auth_token)
            .field("credentials", &self.credentials)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
