//! The HTTP client that the crate builds for itself.

use std::time::Duration;

use reqwest::Url;

use super::proxy;
use crate::error::{Error, Result};

/// The connection options of the builder.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) connect_timeout: Duration,
    pub(super) proxy: bool,
    #[cfg(feature = "http2")]
    pub(super) http2: bool,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            proxy: true,
            #[cfg(feature = "http2")]
            http2: false,
        }
    }
}

/// The server that the client sends to.
pub(super) struct Target<'a> {
    pub(super) url: &'a Url,
    pub(super) is_encrypted: bool,
    pub(super) is_loopback: bool,
}

/// A caller's changes to the HTTP client.
pub(super) type ConfigureHttp = Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>;

/// Idle connections are closed before common servers and gateways close them, after 60 s.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// Builds an HTTP client that doesn't follow redirects, retry, keep cookies or send a referer, and whose only timeout
/// is that for connecting. The transport handles everything else. Returns the client and its proxy, for messages.
pub(super) fn build(
    connections: &Connections,
    target: &Target<'_>,
    configure: Option<ConfigureHttp>,
) -> Result<(reqwest::Client, Option<String>)> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(connections.connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .https_only(target.is_encrypted);
    let mut proxy = None;
    // The loopback interface is not reachable through a proxy, and a proxy would see the credential in cleartext.
    if connections.proxy && !target.is_loopback {
        proxy = proxy::of_environment(target.url, |name| std::env::var_os(name))?;
    } else {
        builder = builder.no_proxy();
    }
    let loads_trust_store = target.is_encrypted || proxy.as_ref().is_some_and(|proxy| proxy.starts_with("https:"));
    builder = tls(versions(builder, connections, target.is_encrypted), loads_trust_store)?;
    if let Some(configure) = configure {
        builder = configure(builder);
        // The closure may have set another proxy.
        proxy = None;
    }
    let client = builder
        .redirect(reqwest::redirect::Policy::none())
        // `never` alone would still copy each request.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .referer(false)
        .build()
        .map_err(|error| Error::configuration("the HTTP client cannot be built").with_source(error))?;
    Ok((client, proxy))
}

#[cfg(feature = "http2")]
fn versions(builder: reqwest::ClientBuilder, connections: &Connections, is_encrypted: bool) -> reqwest::ClientBuilder {
    // Without keep-alive, a connection that died unnoticed holds up all calls on it.
    let builder =
        builder.http2_keep_alive_interval(Duration::from_secs(20)).http2_keep_alive_timeout(Duration::from_secs(10));
    match (connections.http2, is_encrypted) {
        (true, true) => builder,
        // The HTTP version is negotiated in TLS. Without TLS, assume HTTP/2.
        (true, false) => builder.http2_prior_knowledge(),
        (false, _) => builder.http1_only(),
    }
}

#[cfg(not(feature = "http2"))]
fn versions(builder: reqwest::ClientBuilder, _: &Connections, _: bool) -> reqwest::ClientBuilder {
    // Another crate may have enabled reqwest's feature for HTTP/2.
    builder.http1_only()
}

/// Chooses reqwest's TLS. A client that needs no certificates loads none, so it works without a trust store.
#[cfg(any(feature = "rustls", feature = "rustls-no-provider", feature = "native-tls"))]
#[expect(clippy::unnecessary_wraps, reason = "fails without a feature for TLS")]
fn tls(builder: reqwest::ClientBuilder, loads_trust_store: bool) -> Result<reqwest::ClientBuilder> {
    #[cfg(any(feature = "rustls", feature = "rustls-no-provider"))]
    let builder = builder.tls_backend_rustls();
    #[cfg(not(any(feature = "rustls", feature = "rustls-no-provider")))]
    let builder = builder.tls_backend_native();
    Ok(if loads_trust_store { builder } else { builder.tls_certs_only([]) })
}

#[cfg(not(any(feature = "rustls", feature = "rustls-no-provider", feature = "native-tls")))]
fn tls(builder: reqwest::ClientBuilder, loads_trust_store: bool) -> Result<reqwest::ClientBuilder> {
    if loads_trust_store {
        return Err(Error::configuration("https requires the feature `rustls`, `rustls-no-provider` or `native-tls`"));
    }
    Ok(builder)
}
