//! From what was set to a client: what is taken from where, and what is refused.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, header::USER_AGENT};

use super::{ANTHROPIC_VERSION, ClientBuilder};
use crate::{
    auth::{AuthScheme, Credential, EnvConfig},
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

/// The version of the API that this crate is written for.
const VERSION: &str = "2026-10-21";

impl ClientBuilder {
    /// Builds the client. Nothing is sent.
    ///
    /// # Errors
    /// Of the kind [`ErrorKind::Configuration`](crate::ErrorKind::Configuration): no credential or
    /// two of them, a malformed credential, address, header or environment variable, and TLS that
    /// can't be set up.
    ///
    /// # Panics
    /// In reqwest, with the feature `rustls-no-provider` and without `rustls`, if the program has not
    /// installed a provider of cryptography for rustls.
    pub fn build(mut self) -> Result<Client> {
        let surroundings = self.surroundings.take().transpose().map_err(Error::configuration)?;
        let address = self.address(surroundings.as_ref())?;
        let mut headers = default_headers();
        let own = self.own_headers(&mut headers, surroundings.as_ref())?;
        let credential = self.credential(own, surroundings).map_err(Error::configuration)?;
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
            observer: self.observer,
            budget: Mutex::new(Budget::default()),
            base: address.base,
            host: address.host.into(),
            proxy,
        };
        let settings = Settings {
            credential,
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

    fn address(&self, surroundings: Option<&EnvConfig>) -> Result<Address> {
        let variable = || surroundings?.base_url.as_deref();
        let default_path = |append| if self.default_base_path { append } else { AppendPath::Never };
        match (&self.base_url, variable()) {
            (Some(url), _) => Address::parse(url, default_path(AppendPath::ToBareHost), self.allow_cleartext),
            (None, Some(url)) => Address::parse(url, default_path(AppendPath::UnlessPresent), self.allow_cleartext),
            (None, None) => Address::parse(address::DEFAULT, AppendPath::Never, false),
        }
    }

    /// Sets the headers of environment and builder, and gives the credentials among them.
    fn own_headers(&self, headers: &mut HeaderMap, surroundings: Option<&EnvConfig>) -> Result<OwnCredentials> {
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
    fn credential(&self, own: OwnCredentials, surroundings: Option<EnvConfig>) -> Result<Credential, String> {
        let asked = surroundings.is_some();
        let EnvConfig { api_key, auth_token, unsupported, .. } = surroundings.unwrap_or_default();
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
        (true, None) => ", and the environment has neither ANTHROPIC_API_KEY nor ANTHROPIC_AUTH_TOKEN".to_owned(),
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
