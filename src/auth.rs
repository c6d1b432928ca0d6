//! Credentials: keys and tokens, where they come from, and the header they are sent in.

mod credentials;
mod env;

use std::{fmt, ops::Range, time::SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use zeroize::Zeroizing;

pub use self::credentials::Credentials;
pub(crate) use self::{
    credentials::{CachedCredentials, CredentialSource},
    env::EnvConfig,
};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The shortest credential that is redacted, in bytes.
const MIN_REDACTED: usize = 8;

/// An API key or an access token.
///
/// It can't be printed, serialized or shown in an error, and its memory is zeroed when it is dropped. So is the memory of the
/// header made from it, which lives as long as the client. Copies made elsewhere are out of reach: a borrowed string it was
/// made from, the environment of the process, and the buffers of the connection.
///
/// If a server repeats the key, it is redacted in error messages, in the bodies of error responses and in response headers.
/// A key of fewer than 8 bytes isn't redacted, because it would match ordinary words.
///
/// Trailing line breaks are removed, because files often end in one. A key that is empty or contains white space, control
/// characters or non-ASCII characters is refused when the client is built.
///
/// ```
/// use anthropic_messages::ApiKey;
///
/// let key = ApiKey::from("sk-ant-example");
/// assert_eq!(format!("{key:?}"), "ApiKey([redacted])");
/// ```
#[derive(Clone)]
pub struct ApiKey {
    text: Zeroizing<String>,
    expires_at: Option<SystemTime>,
}

impl ApiKey {
    /// Sets the time after which [`Credentials`] are asked for another key. Until then the client reuses this one. Set it
    /// some seconds before the key really expires, so that a request on its way is still accepted.
    ///
    /// Has no effect on a key that doesn't come from [`Credentials`]. Defaults to none: `Credentials` are asked for every
    /// attempt.
    #[must_use]
    pub fn expires_at(mut self, time: SystemTime) -> Self {
        self.expires_at = Some(time);
        self
    }
}

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self { text: Zeroizing::new(key), expires_at: None }
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

/// The header an API key is sent in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthScheme {
    /// `Authorization: Bearer <key>`, as the contract defines it. This is the default.
    #[default]
    Bearer,
    /// `x-api-key: <key>`, for gateways that don't accept bearer keys. Access tokens are sent as bearer tokens regardless.
    XApiKey,
}

/// A credential, ready to be sent.
#[derive(Clone)]
pub(crate) struct Credential {
    name: HeaderName,
    value: HeaderValue,
    /// The part of the value that is secret.
    secret: Range<usize>,
}

impl Credential {
    /// Creates the header for a key. Fails with a message if the key is malformed.
    pub(crate) fn new(key: &ApiKey, scheme: AuthScheme) -> Result<Self, String> {
        let key = key.text.trim_end_matches(['\r', '\n']);
        if let Some(defect) = defect(key) {
            return Err(format!("the credential {defect}"));
        }
        let (name, prefix) = match scheme {
            AuthScheme::Bearer => (AUTHORIZATION, "Bearer "),
            AuthScheme::XApiKey => (X_API_KEY, ""),
        };
        // The header shares this memory, so that it is zeroed with the last copy of the header.
        let mut text = Zeroizing::new(Vec::with_capacity(prefix.len() + key.len()));
        text.extend_from_slice(prefix.as_bytes());
        text.extend_from_slice(key.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Secret(text)))
            .map_err(|_| "the credential is not valid in a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Self { name, value, secret: prefix.len()..prefix.len() + key.len() })
    }

    /// Uses a caller-supplied header as the credential.
    pub(crate) fn from_header(name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        // A server may repeat the key without the scheme in front of it.
        let text = value.as_bytes().trim_ascii_end();
        let start = text.iter().rposition(u8::is_ascii_whitespace).map_or(0, |space| space + 1);
        let secret = start..text.len();
        Self { name, value, secret }
    }

    /// Sets the credential of a request, replacing any other.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        headers.remove(AUTHORIZATION);
        headers.remove(X_API_KEY);
        headers.insert(&self.name, self.value.clone());
    }

    /// Returns the bytes to redact in a response. Empty if the credential is so short that it would match ordinary words.
    pub(crate) fn secret(&self) -> &[u8] {
        let secret = self.value.as_bytes().get(self.secret.clone()).unwrap_or_default();
        if secret.len() < MIN_REDACTED { &[] } else { secret }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}: [redacted])", self.name)
    }
}

/// Bytes shared by a header and zeroed with it.
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
        Some("contains a non-ASCII character")
    } else if key.bytes().any(|byte| byte.is_ascii_whitespace()) {
        Some("contains white space")
    } else if key.bytes().any(|byte| byte.is_ascii_control()) {
        Some("contains a control character")
    } else {
        None
    }
}
