//! The HTTP client that the crate makes for itself.

use std::time::Duration;

use crate::error::{Error, Result};

/// What a caller may choose about connections.
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

/// Below the 60 s after which common servers and gateways close an idle connection.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// Makes an HTTP client that neither follows redirects nor retries, has no cookies, sends no
/// referer and has no time limit but the one on connecting: all of that is the transport's.
pub(super) fn build(connections: &Connections, encrypted: bool) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // `never` alone would still copy each request.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .referer(false)
        .connect_timeout(connections.connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .https_only(encrypted);
    if !connections.proxy {
        builder = builder.no_proxy();
    }
    builder = tls(versions(builder, connections, encrypted), connections, encrypted)?;
    builder.build().map_err(|error| Error::configuration("the HTTP client can't be set up").because(error))
}

#[cfg(feature = "http2")]
fn versions(builder: reqwest::ClientBuilder, connections: &Connections, encrypted: bool) -> reqwest::ClientBuilder {
    // A connection that died unnoticed would hold up all calls on it.
    let builder =
        builder.http2_keep_alive_interval(Duration::from_secs(20)).http2_keep_alive_timeout(Duration::from_secs(10));
    match (connections.http2, encrypted) {
        (true, true) => builder,
        // In clear text there is no negotiation.
        (true, false) => builder.http2_prior_knowledge(),
        (false, _) => builder.http1_only(),
    }
}

#[cfg(not(feature = "http2"))]
fn versions(builder: reqwest::ClientBuilder, _: &Connections, _: bool) -> reqwest::ClientBuilder {
    // Another crate may have turned HTTP/2 on for everyone.
    builder.http1_only()
}

/// rustls with the platform's trust store, and the process's cryptography provider if one is
/// installed, else ring. Nothing is installed for others.
#[cfg(feature = "rustls")]
fn tls(
    builder: reqwest::ClientBuilder,
    #[cfg_attr(not(feature = "http2"), expect(unused_variables, reason = "the protocol is not negotiated"))]
    connections: &Connections,
    _encrypted: bool,
) -> Result<reqwest::ClientBuilder> {
    use std::sync::Arc;

    use rustls::crypto::{CryptoProvider, ring};
    use rustls_platform_verifier::BuilderVerifierExt;

    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| Error::configuration("TLS can't be set up").because(error))?;
    #[cfg_attr(not(feature = "http2"), expect(unused_mut, reason = "the protocol is not negotiated"))]
    let mut config = config.with_no_client_auth();
    #[cfg(feature = "http2")]
    if connections.http2 {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(builder.tls_backend_preconfigured(config))
}

/// The platform's own TLS.
#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
#[expect(clippy::unnecessary_wraps, reason = "the other backends can fail")]
fn tls(builder: reqwest::ClientBuilder, _: &Connections, _encrypted: bool) -> Result<reqwest::ClientBuilder> {
    Ok(builder.tls_backend_native())
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn tls(builder: reqwest::ClientBuilder, _: &Connections, encrypted: bool) -> Result<reqwest::ClientBuilder> {
    if encrypted {
        return Err(Error::configuration("https needs the crate's feature `rustls` or `native-tls`"));
    }
    Ok(builder)
}
