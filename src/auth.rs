//! Credentials, and the environment variables that hold them.

use std::{ffi::OsString, fmt};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use zeroize::{Zeroize, Zeroizing};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A shorter credential is not taken out of what a server says. In bytes.
const SHORTEST_SECRET: usize = 8;

/// An API key or an access token.
///
/// It can't be printed, written as JSON or shown in an error, and its memory is zeroed when it is
/// dropped. The same holds for the header that is made of it, which lives as long as the client.
/// Out of reach are copies that others make: the string that it was made from if that was
/// borrowed, the operating system's environment, and what the connection has written.
///
/// Where a server repeats it, it is taken out of the messages of errors, of the bodies of error
/// answers and of the headers of every answer. One of fewer than 8 bytes is not: it would be found in
/// ordinary words.
///
/// Line breaks at the end are dropped (files often have one). An empty key, and one with white
/// space, control characters or characters outside of ASCII is refused when the client is built.
///
/// ```
/// use anthropic_messages::ApiKey;
///
/// let key = ApiKey::from("sk-ant-example");
/// assert_eq!(format!("{key:?}"), "ApiKey([redacted])");
/// ```
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl From<&str> for ApiKey {
    fn from(key: &str) -> Self {
        Self::from(key.to_owned())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

/// The header that a credential is sent in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthScheme {
    /// `Authorization: Bearer <key>`, as the contract says and the official SDKs send it.
    #[default]
    Bearer,
    /// `x-api-key: <key>`, for gateways that have not moved to bearer keys. Access tokens are
    /// always sent as bearer tokens.
    XApiKey,
}

/// The one credential that a client sends.
#[derive(Clone)]
pub(crate) struct Credential {
    name: HeaderName,
    value: HeaderValue,
    secret: ApiKey,
}

impl Credential {
    /// Checks a key and makes its header, or says what is wrong with it.
    pub(crate) fn new(key: &ApiKey, scheme: AuthScheme) -> Result<Self, String> {
        let key = key.0.trim_end_matches(['\r', '\n']);
        if let Some(defect) = defect(key) {
            return Err(format!("the credential {defect}"));
        }
        let (name, prefix) = match scheme {
            AuthScheme::Bearer => (AUTHORIZATION, "Bearer "),
            AuthScheme::XApiKey => (X_API_KEY, ""),
        };
        // The header keeps this very memory, so that it is zeroed with the last copy of the header.
        let mut text = Zeroizing::new(Vec::with_capacity(prefix.len() + key.len()));
        text.extend_from_slice(prefix.as_bytes());
        text.extend_from_slice(key.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Secret(text)))
            .map_err(|_| "the credential can't be sent in a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Self { name, value, secret: ApiKey::from(key) })
    }

    /// Takes a header of the caller's as the credential.
    pub(crate) fn of_header(name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        let text = String::from_utf8_lossy(value.as_bytes());
        // What a server may repeat is the key itself, whatever the scheme in front of it.
        let secret = ApiKey::from(text.split_ascii_whitespace().next_back().unwrap_or_default());
        Self { name, value, secret }
    }

    /// Puts the credential into a request, in place of any other.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        headers.remove(AUTHORIZATION);
        headers.remove(X_API_KEY);
        headers.insert(&self.name, self.value.clone());
    }

    /// What must not come back in anything that a server says. Empty for a credential that is too
    /// short to be one: looked for in a text, it would be found in innocent words.
    pub(crate) fn secret(&self) -> &[u8] {
        let secret = self.secret.0.as_bytes();
        if secret.len() < SHORTEST_SECRET { &[] } else { secret }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}: [redacted])", self.name)
    }
}

/// Bytes that a header shares and that are zeroed with it.
struct Secret(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn defect(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        Some("is empty")
    } else if !key.is_ascii() {
        Some("has a character outside of ASCII")
    } else if key.bytes().any(|byte| byte.is_ascii_whitespace()) {
        Some("has white space in it")
    } else if key.bytes().any(|byte| byte.is_ascii_control()) {
        Some("has a control character in it")
    } else {
        None
    }
}

/// What the environment says about the API. Empty variables count as unset.
#[derive(Default)]
pub(crate) struct EnvConfig {
    /// `ANTHROPIC_API_KEY`
    pub(crate) api_key: Option<ApiKey>,
    /// `ANTHROPIC_AUTH_TOKEN`
    pub(crate) auth_token: Option<ApiKey>,
    /// `ANTHROPIC_BASE_URL`
    pub(crate) base_url: Option<String>,
    /// `ANTHROPIC_CUSTOM_HEADERS`, line by line.
    pub(crate) headers: Vec<(String, String)>,
    /// A variable that asks for a way of signing in that this crate has not.
    pub(crate) unsupported: Option<&'static str>,
}

/// Ways of signing in that the official SDKs have and this crate has not.
const UNSUPPORTED: [&str; 2] = ["ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID"];

impl EnvConfig {
    /// Reads the variables of this process, or says what is wrong with one.
    pub(crate) fn from_env() -> Result<Self, String> {
        Self::read(|name| std::env::var_os(name))
    }

    /// Reads the variables that `lookup` finds.
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let variable = |name: &str| match lookup(name).filter(|value| !value.is_empty()) {
            Some(value) => match value.into_string() {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(format!("the environment variable {name} is not UTF-8")),
            },
            None => Ok(None),
        };
        let key = |name: &str| Ok::<_, String>(variable(name)?.map(ApiKey::from));
        Ok(Self {
            api_key: key("ANTHROPIC_API_KEY")?,
            auth_token: key("ANTHROPIC_AUTH_TOKEN")?,
            base_url: variable("ANTHROPIC_BASE_URL")?,
            headers: match variable("ANTHROPIC_CUSTOM_HEADERS")? {
                Some(mut lines) => {
                    let headers = custom_headers(&lines);
                    lines.zeroize();
                    headers?
                }
                None => Vec::new(),
            },
            unsupported: UNSUPPORTED.into_iter().find(|name| lookup(name).is_some_and(|value| !value.is_empty())),
        })
    }
}

/// One `name: value` a line; empty lines are passed over.
fn custom_headers(lines: &str) -> Result<Vec<(String, String)>, String> {
    let header = |(index, line): (usize, &str)| match line.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => {
            Err(format!("line {} of the environment variable ANTHROPIC_CUSTOM_HEADERS is not `name: value`", index + 1))
        }
    };
    lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(header).collect()
}
