//! The client: how it is made, and how some of its calls get other options.

mod address;
mod builder;
mod http_client;
mod options;
mod proxy;

use std::fmt;

pub use self::{builder::ClientBuilder, options::RequestOptions};
use crate::{auth::ApiKey, error::Result, generated::Client, transport::Settings};

impl Client {
    /// A client for `https://api.anthropic.com/v1` with this key and the defaults of
    /// [`ClientBuilder`].
    ///
    /// ```
    /// use anthropic_messages::Client;
    ///
    /// let client = Client::new("sk-ant-example")?;
    /// # let _ = client;
    /// # Ok::<(), anthropic_messages::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the key is malformed, or
    /// TLS can't be set up.
    pub fn new(api_key: impl Into<ApiKey>) -> Result<Self> {
        Self::builder().api_key(api_key).build()
    }

    /// A client with what the environment says, see [`ClientBuilder::from_env`].
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when neither
    /// `ANTHROPIC_API_KEY` nor `ANTHROPIC_AUTH_TOKEN` is set, which the message says, or a variable
    /// is malformed.
    pub fn from_env() -> Result<Self> {
        Self::builder().from_env().build()
    }

    /// Starts to build a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The same client with other options for some of its calls. It shares the connections and the
    /// retry budget, and making one costs no more than a few copies.
    ///
    /// ```
    /// use anthropic_messages::Client;
    /// use std::time::Duration;
    ///
    /// let client = Client::new("sk-ant-example")?;
    /// let patient = client.with_options(|o| o.timeout(Duration::from_secs(1200)).max_retries(5));
    /// let traced = client.with_options(|o| o.header("x-trace", "42").beta("files-2026-01-01"));
    /// # let _ = (patient, traced);
    /// # Ok::<(), anthropic_messages::Error>(())
    /// ```
    ///
    /// A header that can't be sent is reported by the calls, as an error of the kind
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration).
    #[must_use]
    pub fn with_options(&self, change: impl FnOnce(RequestOptions) -> RequestOptions) -> Self {
        let options = change(RequestOptions::from_settings(Settings::clone(self.transport.settings())));
        Self { transport: self.transport.with_settings(options.into_settings()) }
    }

    /// The address that the contract's paths are appended to, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.transport.base_url()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url())
            .field("credential", &self.transport.settings().credential)
            .field("timeout", &self.transport.settings().timeout())
            .field("retry", &self.transport.settings().retry)
            .finish_non_exhaustive()
    }
}
