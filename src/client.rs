//! The client: its construction, and options for single calls.

mod address;
mod builder;
mod http_client;
mod options;
mod proxy;

use std::fmt;

pub use self::{builder::ClientBuilder, options::RequestOptions};
use crate::{auth::ApiKey, error::Result, generated::Client, transport::Settings};

impl Client {
    /// Creates a client for `https://api.anthropic.com/v1` with an API key and the defaults of [`ClientBuilder`].
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
    /// Fails with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the key is malformed or TLS can't be set
    /// up.
    pub fn new(api_key: impl Into<ApiKey>) -> Result<Self> {
        Self::builder().api_key(api_key).build()
    }

    /// Creates a client from environment variables, see [`ClientBuilder::from_env`].
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if neither `ANTHROPIC_API_KEY` nor
    /// `ANTHROPIC_AUTH_TOKEN` is set, or a variable is malformed.
    pub fn from_env() -> Result<Self> {
        Self::builder().from_env().build()
    }

    /// Returns a builder.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Returns a client with other options that shares the connections and the retry budget of this one. It is cheap to create
    /// for a single call.
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
    /// To use a different API key for each call:
    ///
    /// ```
    /// # use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
    /// # async fn sample(client: Client, key_of_tenant: String) -> anthropic_messages::Result<()> {
    /// # let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    /// let reply = client.with_options(|o| o.api_key(key_of_tenant)).create_message(&request).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// If an option is invalid, every call fails with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration).
    #[must_use]
    pub fn with_options(&self, change: impl FnOnce(RequestOptions) -> RequestOptions) -> Self {
        let options = change(RequestOptions::from_settings(Settings::clone(self.transport.settings())));
        Self { transport: self.transport.with_settings(options.into_settings()) }
    }

    /// Returns the URL that the paths of operations are appended to, without a trailing slash.
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
