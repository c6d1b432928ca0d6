//! Building a client.

use std::{
    ffi::OsString,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, header::USER_AGENT};

use super::{
    Client,
    address::{self, Address},
    http_client::{self, Connections},
    options::{self, BETA, USER_PROFILE, WORKSPACE},
};
use crate::{
    auth::{ApiKey, AuthScheme, Credential, Surroundings},
    error::{Error, Result},
    observe::Observer,
    retry::{Budget, Resend, RetryPolicy},
    transport::{Inner, Settings, Shared, Timing, TokioTiming},
};

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The version of the API that this crate is written for.
const VERSION: &str = "2026-10-21";

/// Builds a [`Client`].
///
/// Only a credential must be given. Whatever is wrong is reported by [`build`](Self::build), not
/// by the setters.
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
    scheme: AuthScheme,
    base_url: Option<String>,
    allow_cleartext: bool,
    headers: Vec<(String, String)>,
    betas: Vec<String>,
    surroundings: Option<Result<Surroundings, String>>,
    connections: Connections,
    http_client: Option<reqwest::Client>,
    timeout: Duration,
    response_timeout: Duration,
    idle_timeout: Duration,
    retry: RetryPolicy,
    max_response_bytes: u64,
    max_error_bytes: u64,
    max_event_bytes: usize,
    observer: Option<Arc<dyn Observer>>,
    timing: Option<Arc<dyn Timing>>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            api_key: None,
            auth_token: None,
            scheme: AuthScheme::default(),
            base_url: None,
            allow_cleartext: false,
            headers: Vec::new(),
            betas: Vec::new(),
            surroundings: None,
            connections: Connections::default(),
            http_client: None,
            timeout: Duration::from_secs(600),
            response_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(90),
            retry: RetryPolicy::default(),
            max_response_bytes: 64 * 1024 * 1024,
            max_error_bytes: 1024 * 1024,
            max_event_bytes: 32 * 1024 * 1024,
            observer: None,
            timing: None,
        }
    }
}

/// Credential and address.
impl ClientBuilder {
    /// The API key. Together with [`auth_token`](Self::auth_token) it is an error: one credential
    /// is sent.
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// An access token instead of an API key, always sent as `Authorization: Bearer`.
    pub fn auth_token(mut self, token: impl Into<ApiKey>) -> Self {
        self.auth_token = Some(token.into());
        self
    }

    /// The header that the API key is sent in. Defaults to [`AuthScheme::Bearer`].
    pub fn auth_scheme(mut self, scheme: AuthScheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Takes what has not been set from the environment, with the precedence of the official SDKs:
    ///
    /// | variable | use |
    /// |---|---|
    /// | `ANTHROPIC_API_KEY` | the API key, unless a credential is set on the builder |
    /// | `ANTHROPIC_AUTH_TOKEN` | an access token, when there is no API key either |
    /// | `ANTHROPIC_BASE_URL` | the base URL, unless set on the builder; without `/v1`, which is added unless it is there |
    /// | `ANTHROPIC_CUSTOM_HEADERS` | headers, one `name: value` a line; those of the builder stand above them |
    ///
    /// A custom header that carries a credential is the credential, unless one is set on the
    /// builder. Empty variables count as unset. They are read now, once.
    pub fn from_env(mut self) -> Self {
        self.surroundings = Some(Surroundings::of_process());
        self
    }

    /// As [`from_env`](Self::from_env), with another source of variables.
    #[doc(hidden)]
    pub fn from_env_with(mut self, lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        self.surroundings = Some(Surroundings::read(lookup));
        self
    }

    /// The address that the contract's paths (`/messages`) are appended to. Defaults to
    /// `https://api.anthropic.com/v1`.
    ///
    /// A path is kept, a slash at the end is dropped. User name, password, query and fragment are
    /// refused, and so is `http` to another host than this one; see
    /// [`allow_cleartext`](Self::allow_cleartext).
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Whether `http` to other hosts than this one is allowed, which shows the credential and
    /// everything that is said to whoever is on the way. Defaults to `false`.
    pub fn allow_cleartext(mut self, allow: bool) -> Self {
        self.allow_cleartext = allow;
        self
    }
}

/// Headers.
impl ClientBuilder {
    /// Sets a header of every call, in place of what the crate would send under that name. Names
    /// are compared without regard to case, and the last value counts.
    ///
    /// A header `authorization` or `x-api-key` is the credential. Refused are the headers that say
    /// how a request is framed or routed, such as `content-length` and `host`.
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The version of the API: the header `anthropic-version`. Defaults to `2026-10-21`.
    pub fn anthropic_version(self, version: impl Into<String>) -> Self {
        self.default_header(ANTHROPIC_VERSION.as_str(), version)
    }

    /// Adds a value to the header `anthropic-beta`, which turns a feature on that is not part of
    /// the stable API. Not sent by default.
    pub fn beta(mut self, feature: impl Into<String>) -> Self {
        self.betas.push(feature.into());
        self
    }

    /// The workspace that calls are made in: the header `anthropic-workspace-id`, for credentials
    /// that reach several. Not sent by default.
    pub fn workspace_id(self, id: impl Into<String>) -> Self {
        self.default_header(WORKSPACE.as_str(), id)
    }

    /// The user profile that calls are made for: the header `anthropic-user-profile-id`. Not sent
    /// by default.
    pub fn user_profile_id(self, id: impl Into<String>) -> Self {
        self.default_header(USER_PROFILE.as_str(), id)
    }
}

/// Retries and limits.
impl ClientBuilder {
    /// How often a call is tried again. Defaults to 2.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.retry.max_retries = retries;
        self
    }

    /// Whether a request is sent again that may have been processed. Defaults to
    /// [`Resend::AfterClose`].
    pub fn resend(mut self, resend: Resend) -> Self {
        self.retry.resend = resend;
        self
    }

    /// How, how often and after what a call is tried again. Defaults to [`RetryPolicy::default`].
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How long a call may take as a whole, all attempts and the waits between them included; for
    /// a stream, up to its start. Defaults to 600 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an attempt may wait for the start of its answer. Defaults to 600 s.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// How long a stream may be silent. Defaults to 90 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long making a connection may take, name resolution and TLS included. Defaults to 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connections.connect_timeout = timeout;
        self
    }

    /// The longest answer that is read, in bytes. Defaults to 64 MiB.
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// How much of the body of an error is read, in bytes. Defaults to 1 MiB.
    pub fn max_error_bytes(mut self, bytes: u64) -> Self {
        self.max_error_bytes = bytes;
        self
    }

    /// The longest event of a stream, in bytes. Defaults to 32 MiB.
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }
}

/// Connections and what watches them.
impl ClientBuilder {
    /// Passes over the proxies that `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name.
    /// By default they are used.
    pub fn no_proxy(mut self) -> Self {
        self.connections.proxy = false;
        self
    }

    /// Whether HTTP/2 is used where the server offers it, and always for `http`. Defaults to
    /// `false`.
    ///
    /// All calls to a server then share one connection, and a stream that is read slowly holds the
    /// others up.
    #[cfg(feature = "http2")]
    pub fn http2(mut self, allow: bool) -> Self {
        self.connections.http2 = allow;
        self
    }

    /// An HTTP client of the caller's, for certificates, proxies or name resolution of one's own.
    ///
    /// Its own settings hold for [`connect_timeout`](Self::connect_timeout),
    /// [`no_proxy`](Self::no_proxy) and the version of HTTP, which are not used then. It should be
    /// built with `redirect::Policy::none()` and `retry::never()`: a client that follows redirects
    /// sends the request, and an `x-api-key`, to wherever it is led. Such an answer is refused as
    /// [`ErrorKind::Redirect`](crate::ErrorKind::Redirect), but it has been sent by then. A total
    /// timeout of its own also ends streams.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// What is told of every attempt, and may add headers. By default nothing is.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Other clocks, randomness and waits between attempts, for tests.
    #[doc(hidden)]
    pub fn timing(mut self, timing: impl Timing) -> Self {
        self.timing = Some(Arc::new(timing));
        self
    }
}

impl ClientBuilder {
    /// Builds the client. Nothing is sent.
    ///
    /// # Errors
    /// Of the kind [`ErrorKind::Configuration`](crate::ErrorKind::Configuration): no credential or
    /// two of them, a malformed credential, address, header or environment variable, and TLS that
    /// can't be set up.
    pub fn build(mut self) -> Result<Client> {
        let surroundings = self.surroundings.take().transpose().map_err(Error::configuration)?;
        let address = self.address(surroundings.as_ref())?;
        let mut headers = default_headers();
        let own = self.own_headers(&mut headers, surroundings.as_ref())?;
        let credential = self.credential(own, surroundings).map_err(Error::configuration)?;
        let foreign = self.http_client.is_some();
        let client = match self.http_client {
            Some(client) => client,
            None => http_client::build(&self.connections, address.encrypted)?,
        };
        let shared = Shared {
            timing: self.timing.unwrap_or_else(|| Arc::new(TokioTiming::new())),
            observer: self.observer,
            budget: Mutex::new(Budget::default()),
            host: address.host,
            foreign,
        };
        let settings = Settings {
            credential,
            headers,
            call_headers: HeaderMap::new(),
            timeout: self.timeout,
            response_timeout: self.response_timeout,
            idle_timeout: self.idle_timeout,
            retry: self.retry,
            max_response_bytes: self.max_response_bytes,
            max_error_bytes: self.max_error_bytes,
            max_event_bytes: self.max_event_bytes,
            defect: None,
        };
        Ok(Client { baseurl: address.base, client, inner: Inner::new(shared, settings) })
    }

    fn address(&self, surroundings: Option<&Surroundings>) -> Result<Address> {
        let variable = || surroundings?.base_url.as_deref().map(Address::from_variable);
        let url = self.base_url.clone().or_else(variable);
        Address::parse(url.as_deref().unwrap_or(address::DEFAULT), self.allow_cleartext)
    }

    /// Sets the headers of environment and builder, and gives the credentials among them.
    fn own_headers(&self, headers: &mut HeaderMap, surroundings: Option<&Surroundings>) -> Result<OwnCredentials> {
        let mut own = OwnCredentials::default();
        for (name, value) in surroundings.map(|surroundings| &surroundings.headers).into_iter().flatten() {
            let (name, value) = options::header(name, value).map_err(Error::configuration)?;
            match options::credential(&name, &value) {
                Some(credential) => own.surroundings = Some(credential),
                None => drop(headers.insert(name, value)),
            }
        }
        for (name, value) in &self.headers {
            let (name, value) = options::header(name, value).map_err(Error::configuration)?;
            match options::credential(&name, &value) {
                Some(credential) => own.builder = Some(credential),
                None => drop(headers.insert(name, value)),
            }
        }
        for feature in &self.betas {
            let value = options::joined(headers.get(BETA), feature).map_err(Error::configuration)?;
            headers.insert(BETA, value);
        }
        Ok(own)
    }

    /// Chooses the credential, or says why there is none.
    fn credential(&self, own: OwnCredentials, surroundings: Option<Surroundings>) -> Result<Credential, String> {
        let asked = surroundings.is_some();
        let Surroundings { api_key, auth_token, unsupported, .. } = surroundings.unwrap_or_default();
        match (&self.api_key, &self.auth_token, own.builder) {
            (Some(key), None, None) => return Credential::new(key, self.scheme),
            (None, Some(token), None) => return Credential::new(token, AuthScheme::Bearer),
            (None, None, Some(credential)) => return Ok(credential),
            (None, None, None) => {}
            _ => {
                let two = "two credentials were given, and one is sent: choose among api_key, auth_token and a header";
                return Err(two.to_owned());
            }
        }
        match (own.surroundings, api_key, auth_token) {
            (Some(credential), ..) => Ok(credential),
            (None, Some(key), token) => {
                if token.is_some() {
                    token_is_ignored();
                }
                Credential::new(&key, self.scheme)
            }
            (None, None, Some(token)) => Credential::new(&token, AuthScheme::Bearer),
            (None, None, None) => Err(missing(asked, unsupported)),
        }
    }
}

/// The credentials among custom headers.
#[derive(Default)]
struct OwnCredentials {
    builder: Option<Credential>,
    surroundings: Option<Credential>,
}

/// What is sent unless it is replaced.
fn default_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("anthropic-messages/", env!("CARGO_PKG_VERSION"))));
    headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static(VERSION));
    headers
}

fn missing(asked: bool, unsupported: Option<&str>) -> String {
    let builder = "no credential: none of api_key, auth_token and a header that carries one was set on the builder";
    let environment = match (asked, unsupported) {
        (false, _) => ", and the environment was not asked (from_env)".to_owned(),
        (true, None) => {
            ", and the environment has neither ANTHROPIC_API_KEY nor ANTHROPIC_AUTH_TOKEN".to_owned()
        }
        (true, Some(name)) => format!(
            ", and the environment has neither ANTHROPIC_API_KEY nor ANTHROPIC_AUTH_TOKEN ({name} is set, and this \
             way of signing in is not supported)"
        ),
    };
    format!("{builder}{environment}")
}

fn token_is_ignored() {
    #[cfg(feature = "tracing")]
    tracing::warn!("ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN are both set: the key is used, the token is ignored");
}

/// Header values are left out: they may be secrets.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("api_key", &self.api_key)
            .field("auth_token", &self.auth_token)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
