//! Validates the settings of a builder and creates the client.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, header::USER_AGENT};

use super::{ANTHROPIC_VERSION, ClientBuilder};
use crate::{
    auth::{AuthScheme, Credential, CredentialSource, EnvConfig},
    client::{
        address::{self, Address, AppendPath},
        http_client,
        options::{self, BETA},
    },
    error::{Error, Result},
    generated::Client,
    retry::Budget,
    transport::{Settings, Shared, TokioTiming, Transport},
};

/// The API version this crate is written for.
const VERSION: &str = "2026-10-21";

impl ClientBuilder {
    /// Builds the client. Nothing is sent.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if there is no credential or more than one, if
    /// a credential, the base URL, a header, a proxy or an environment variable is malformed, and if TLS can't be set up.
    ///
    /// # Panics
    /// Panics in reqwest with the feature `rustls-no-provider` and without `rustls`, if the program hasn't installed a crypto
    /// provider for rustls.
    pub fn build(mut self) -> Result<Client> {
        let env = self.env.take().transpose().map_err(Error::configuration)?;
        let address = self.address(env.as_ref())?;
        let mut headers = default_headers();
        let own = self.own_headers(&mut headers, env.as_ref())?;
        let credential = self.credential(own, env).map_err(Error::configuration)?;
        let auth_scheme = self.scheme;
        let target = http_client::Target {
            url: address.base.url(),
            is_encrypted: address.is_encrypted,
            is_loopback: address.is_loopback,
        };
        let (http, proxy) = match self.http_client {
            Some(client) => (client, None),
            None => http_client::build(&self.connections, &target, self.configure_http)?,
        };
        let shared = Shared {
            http,
            timing: self.timing.unwrap_or_else(|| Arc::new(TokioTiming::new())),
            observers: self.observers.into(),
            budget: Mutex::new(Budget::default()),
            base: address.base,
            host: address.host.into(),
            proxy,
        };
        let settings = Settings {
            credential,
            auth_scheme,
            headers,
            call_headers: HeaderMap::new(),
            timeout: self.timeout,
            response_timeout: self.response_timeout,
            idle_timeout: self.idle_timeout,
            event_timeout: self.event_timeout,
            stream_timeout: None,
            retry: self.retry,
            max_response_bytes: self.max_response_bytes,
            max_error_bytes: self.max_error_bytes,
            max_event_bytes: self.max_event_bytes,
            checks_first_event: false,
            check_requests: self.check_requests,
            invalid_option: None,
        };
        Ok(Client { transport: Transport::new(shared, settings) })
    }

    fn address(&self, env: Option<&EnvConfig>) -> Result<Address> {
        let variable = || env?.base_url.as_deref();
        let default_path = |append| if self.default_base_path { append } else { AppendPath::Never };
        match (&self.base_url, variable()) {
            (Some(url), _) => Address::parse(url, default_path(AppendPath::ToBareHost), self.allow_cleartext),
            (None, Some(url)) => Address::parse(url, default_path(AppendPath::UnlessPresent), self.allow_cleartext),
            (None, None) => Address::parse(address::DEFAULT, AppendPath::Never, false),
        }
    }

    /// Sets the headers of the environment and the builder. Returns the credentials among them.
    fn own_headers(&self, headers: &mut HeaderMap, env: Option<&EnvConfig>) -> Result<HeaderCredentials> {
        let mut own = HeaderCredentials::default();
        for (name, value) in env.map(|env| &env.headers).into_iter().flatten() {
            let (name, value) = options::header(name, value).map_err(Error::configuration)?;
            match options::credential(&name, &value) {
                Some(credential) => own.env = Some(credential),
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

    /// Chooses the credential. Fails with a message if there is none, or more than one.
    fn credential(&mut self, own: HeaderCredentials, env: Option<EnvConfig>) -> Result<CredentialSource, String> {
        let provider = self.credentials.take();
        match (&self.api_key, &self.auth_token, own.builder, provider) {
            (Some(key), None, None, None) => Credential::new(key, self.scheme),
            (None, Some(token), None, None) => Credential::new(token, AuthScheme::Bearer),
            (None, None, Some(credential), None) => Ok(credential),
            (None, None, None, Some(provider)) => {
                return Ok(CredentialSource::Provided(Arc::new(provider.with_scheme(self.scheme))));
            }
            (None, None, None, None) => self.env_credential(own.env, env),
            _ => {
                Err("more than one credential: set only one of api_key, auth_token, credentials and a header"
                    .to_owned())
            }
        }
        .map(CredentialSource::Fixed)
    }

    fn env_credential(&self, header: Option<Credential>, env: Option<EnvConfig>) -> Result<Credential, String> {
        let is_read = env.is_some();
        let EnvConfig { api_key, auth_token, unsupported, .. } = env.unwrap_or_default();
        match (header, api_key, auth_token) {
            (Some(credential), ..) => Ok(credential),
            (None, Some(key), token) => {
                if token.is_some() {
                    warn_ignored_token();
                }
                Credential::new(&key, self.scheme)
            }
            (None, None, Some(token)) => Credential::new(&token, AuthScheme::Bearer),
            (None, None, None) => Err(missing(is_read, unsupported)),
        }
    }
}

/// The credentials among custom headers.
#[derive(Default)]
struct HeaderCredentials {
    builder: Option<Credential>,
    env: Option<Credential>,
}

/// Returns the headers that are sent unless the caller replaces them.
fn default_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("anthropic-messages/", env!("CARGO_PKG_VERSION"))));
    headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static(VERSION));
    headers
}

fn missing(is_read: bool, unsupported: Option<&str>) -> String {
    let builder = "no credential: set api_key, auth_token, credentials or a header that carries one on the builder";
    match (is_read, unsupported) {
        (false, _) => format!("{builder}, or call from_env to read the environment"),
        (true, None) => format!("{builder}, or set the environment variable ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN"),
        (true, Some(name)) => format!(
            "{builder}, or set the environment variable ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN ({name} is set, but that \
             way of signing in is not supported)"
        ),
    }
}

fn warn_ignored_token() {
    #[cfg(feature = "tracing")]
    tracing::warn!("ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN are both set: the key is used, the token is ignored");
}
