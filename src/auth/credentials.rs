//! Credentials that change while a client lives.

use std::{
    error, fmt,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use tokio::sync::Mutex;

use super::{ApiKey, AuthScheme, Credential};
use crate::error::{Error, ErrorKind, Result};

type BoxError = Box<dyn error::Error + Send + Sync>;

/// Supplies the API key or access token of a client, for keys that rotate or expire.
///
/// Set with [`ClientBuilder::credentials`](crate::ClientBuilder::credentials). The client asks before each attempt, unless it
/// has a key whose [expiry](ApiKey::expires_at) is in the future. While one call waits for a new key, the others wait for the
/// same answer instead of asking as well.
///
/// If the API rejects a key with 401, the client asks once more and passes the error. If the answer is a different key, it
/// makes one further attempt, which doesn't count towards [`max_retries`](crate::RetryPolicy::max_retries). A second 401 ends
/// the call.
///
/// An error ends the call with [`ErrorKind::Credentials`]; nothing is sent. The timeout of the call includes the time that
/// this takes. If the future panics, the panic reaches the caller who waited for it, and the next call asks again.
///
/// The official SDKs also read profiles on disk and exchange tokens of a workload identity. Implement this trait for such a
/// source.
///
/// ```
/// use anthropic_messages::{ApiKey, Client, Credentials, Error};
/// use std::time::{Duration, SystemTime};
///
/// struct Vault;
///
/// impl Credentials for Vault {
///     async fn credential(
///         &self,
///         _refused: Option<&Error>,
///     ) -> Result<ApiKey, Box<dyn std::error::Error + Send + Sync>> {
///         let (key, lifetime) = read_from_vault().await?;
///         Ok(ApiKey::from(key).expires_at(SystemTime::now() + lifetime - Duration::from_secs(30)))
///     }
/// }
/// # async fn read_from_vault() -> std::io::Result<(String, Duration)> {
/// #     Ok(("sk-ant-example".to_owned(), Duration::from_secs(3600)))
/// # }
///
/// let client = Client::builder().credentials(Vault).build()?;
/// # let _ = client;
/// # Ok::<(), anthropic_messages::Error>(())
/// ```
pub trait Credentials: Send + Sync + 'static {
    /// Returns the key for the next attempt. `refused` is the error of the attempt whose key was rejected with 401.
    ///
    /// # Errors
    /// An error ends the call with [`ErrorKind::Credentials`]. It is the source of the call's error, so it must not contain
    /// a secret.
    fn credential(&self, refused: Option<&Error>) -> impl Future<Output = Result<ApiKey, BoxError>> + Send;
}

impl<C: Credentials> Credentials for Arc<C> {
    fn credential(&self, refused: Option<&Error>) -> impl Future<Output = Result<ApiKey, BoxError>> + Send {
        (**self).credential(refused)
    }
}

/// The source of a client's credential.
#[derive(Clone)]
pub(crate) enum CredentialSource {
    Fixed(Credential),
    Provided(Arc<CachedCredentials>),
}

impl CredentialSource {
    /// Returns the bytes to redact in a response. Empty if the credential is provided, since it belongs to the attempt then.
    pub(crate) fn secret(&self) -> &[u8] {
        match self {
            Self::Fixed(credential) => credential.secret(),
            Self::Provided(_) => &[],
        }
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(credential) => credential.fmt(f),
            Self::Provided(credentials) => credentials.fmt(f),
        }
    }
}

/// A provider of credentials, and its last answer.
pub(crate) struct CachedCredentials {
    provider: Box<dyn ErasedCredentials>,
    scheme: AuthScheme,
    last: RwLock<Answer>,
    /// Held while the provider is asked, so that it is asked once for all calls that wait.
    asking: Mutex<()>,
}

/// The last answer of a provider.
#[derive(Clone, Default)]
struct Answer {
    /// The number of answers so far.
    number: u64,
    outcome: Option<Result<Credential>>,
    expires_at: Option<SystemTime>,
}

impl Answer {
    /// Returns the credential if it may be used again.
    fn unexpired(&self, now: SystemTime) -> Option<Credential> {
        let credential = self.outcome.clone()?.ok()?;
        self.expires_at.is_some_and(|expires_at| now < expires_at).then_some(credential)
    }
}

impl CachedCredentials {
    pub(crate) fn new(provider: impl Credentials) -> Self {
        let provider = Box::new(provider);
        Self { provider, scheme: AuthScheme::default(), last: RwLock::default(), asking: Mutex::default() }
    }

    #[must_use]
    pub(crate) fn with_scheme(mut self, scheme: AuthScheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Returns the credential for an attempt.
    pub(crate) async fn get(&self, now: SystemTime) -> Result<Credential> {
        let before = self.last();
        if let Some(credential) = before.unexpired(now) {
            return Ok(credential);
        }
        let _guard = self.asking.lock().await;
        let last = self.last();
        match last.outcome {
            // The answer that another call waited for is as good.
            Some(outcome) if last.number != before.number => outcome,
            _ => self.ask(None).await,
        }
    }

    /// Returns a credential to use in place of one that was rejected, or `None` if the provider returns the same one.
    pub(crate) async fn replace(&self, rejected: &Credential, error: &Error) -> Result<Option<Credential>> {
        let is_other = |credential: &Credential| credential.value != rejected.value;
        let before = self.last();
        let _guard = self.asking.lock().await;
        let last = self.last();
        match last.outcome {
            // Another call has replaced it already.
            Some(Ok(credential)) if is_other(&credential) => return Ok(Some(credential)),
            Some(outcome) if last.number != before.number => outcome,
            _ => self.ask(Some(error)).await,
        }
        .map(|credential| Some(credential).filter(is_other))
    }

    fn last(&self) -> Answer {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, refused: Option<&Error>) -> Result<Credential> {
        let failed =
            |source: BoxError| Error::new(ErrorKind::Credentials, "failed to obtain a credential").with_source(source);
        let (outcome, expires_at) = match self.provider.credential(refused).await {
            Ok(key) => (Credential::new(&key, self.scheme).map_err(|problem| failed(problem.into())), key.expires_at),
            Err(error) => (Err(failed(error)), None),
        };
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        *last = Answer { number: last.number.wrapping_add(1), outcome: Some(outcome.clone()), expires_at };
        outcome
    }
}

impl fmt::Debug for CachedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([provided])")
    }
}

/// [`Credentials`] as a trait object.
trait ErasedCredentials: Send + Sync {
    fn credential<'a>(
        &'a self,
        refused: Option<&'a Error>,
    ) -> Pin<Box<dyn Future<Output = Result<ApiKey, BoxError>> + Send + 'a>>;
}

impl<C: Credentials> ErasedCredentials for C {
    fn credential<'a>(
        &'a self,
        refused: Option<&'a Error>,
    ) -> Pin<Box<dyn Future<Output = Result<ApiKey, BoxError>> + Send + 'a>> {
        Box::pin(Credentials::credential(self, refused))
    }
}
