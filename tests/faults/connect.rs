//! Connecting.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{Client, ClientBuilder, ErrorKind, RetryStop};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{
    failing, request, said,
    support::answers::{answer, answering, message},
    support::bodies::message_body,
    support::raw::{RawServer, json},
    support::timing::NoWaiting,
};

/// Name resolution that fails a number of times.
struct Names {
    failures: AtomicUsize,
    addresses: Vec<SocketAddr>,
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let failing =
            self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let addresses: Addrs = Box::new(self.addresses.clone().into_iter());
        Box::pin(async move { if failing { Err("no such host".into()) } else { Ok(addresses) } })
    }
}

/// A client that finds `api.test` by these names.
fn named(port: u16, failures: usize, addresses: &[SocketAddr]) -> Client {
    let names = Names { failures: AtomicUsize::new(failures), addresses: addresses.to_vec() };
    let http = http_client(|http| http.dns_resolver(Arc::new(names)));
    let builder = Client::builder().api_key("k").base_url(format!("http://api.test:{port}/v1")).allow_cleartext(true);
    builder.http_client(http).timing(NoWaiting::default()).build().unwrap()
}

fn http_client(set: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    #[cfg(feature = "rustls")]
    let builder = builder.tls_backend_preconfigured(tls::client_config(rustls::RootCertStore::empty()));
    set(builder).build().unwrap()
}

fn unused_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn plain(address: SocketAddr) -> ClientBuilder {
    let base = format!("http://{address}/v1");
    Client::builder().api_key("k").base_url(base).no_proxy().timing(NoWaiting::default())
}

#[tokio::test]
async fn a_name_that_is_not_found_is_looked_up_again() {
    let server = answering([message("Hi")]);
    let reply = named(server.address().port(), 2, &[server.address()]).create_message(&request()).await.unwrap();
    assert_eq!((reply.attempts(), server.requests().len()), (3, 1));
}

#[tokio::test]
async fn a_name_that_is_never_found_is_told_with_its_host() {
    let error = failing(&named(4711, usize::MAX, &[])).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 3));
    assert!(!error.may_have_been_processed());
    assert_eq!(error.to_string(), "failed to connect to api.test:4711 (3 attempts in 1.3 s)");
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_was_not_processed() {
    let error = failing(&plain(unused_port()).build().unwrap()).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 3));
    assert_eq!((error.retry_stop(), error.may_have_been_processed()), (Some(RetryStop::Attempts), false));
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_a_timeout_and_was_not_processed() {
    // With its queue full, the listener lets further connections wait for ever.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(1).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _queue: Vec<_> = (0..2).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let client = plain(address).connect_timeout(Duration::from_millis(60)).max_retries(1).build().unwrap();
    let error = failing(&client).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 2));
    assert!(!error.may_have_been_processed());
    assert!(error.to_string().starts_with(&format!("timed out connecting to {address}")), "{error}");
}

/// A limit of the call that ends while the connection is made says what the limit on connecting says: nothing was sent.
#[tokio::test]
async fn a_call_that_ends_while_it_connects_was_not_processed() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(1).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _queue: Vec<_> = (0..2).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let limit = Duration::from_millis(60);
    let limits: [fn(ClientBuilder, Duration) -> ClientBuilder; 2] =
        [ClientBuilder::timeout, ClientBuilder::response_timeout];
    for (set, limit) in limits.into_iter().flat_map(|set| [(set, limit), (set, Duration::ZERO)]) {
        let client =
            set(plain(address).connect_timeout(Duration::from_secs(60)).max_retries(0), limit).build().unwrap();
        let error = failing(&client).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1), "{error:?}");
        assert!(!error.may_have_been_processed(), "{error:?}");
        assert!(error.to_string().starts_with(&format!("timed out connecting to {address}")), "{error}");
    }
}

/// A server that closes idle connections is healthy, and one that closes new ones is not.
#[tokio::test]
async fn only_a_reused_connection_that_closes_is_replaced_at_once() {
    // Answers the first request of its first connection, and closes on every other request of it.
    let server = RawServer::start(|connection| {
        if connection.request().is_some() {
            connection.send(json(&message_body("Hi")));
        }
        let _ = connection.request();
    });
    let timing = NoWaiting::default();
    let builder = || Client::builder().api_key("k").base_url(server.base_url()).timing(timing.clone());
    let client = builder().build().unwrap();
    assert_eq!(said(&client).await, "Hi");
    assert_eq!(client.create_message(&request()).await.unwrap().attempts(), 2);
    assert!(timing.waits().is_empty(), "the connection had been used before");

    // So it is with the HTTP client of a caller.
    let client = builder().http_client(http_client(|http| http)).build().unwrap();
    assert_eq!(said(&client).await, "Hi");
    assert_eq!(client.create_message(&request()).await.unwrap().attempts(), 2);
    assert!(timing.waits().is_empty());

    let closing = RawServer::start(|connection| drop(connection.request()));
    let timing = NoWaiting::default();
    let client = Client::builder().api_key("k").base_url(closing.base_url()).timing(timing.clone()).build().unwrap();
    let error = failing(&client).await;
    assert_eq!((error.kind(), error.attempts(), closing.connections()), (ErrorKind::Closed, 3, 3));
    assert_eq!(timing.waits().len(), 2);
    assert!(timing.waits().iter().all(|wait| !wait.is_zero()), "{:?}", timing.waits());
}

#[tokio::test]
async fn a_dead_address_of_a_host_does_not_hide_a_live_one() {
    let server = answering([message("Hi")]);
    let dead = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], unused_port().port()));
    assert_eq!(said(&named(server.address().port(), 0, &[dead, server.address()])).await, "Hi");
}

#[cfg(feature = "rustls")]
mod tls {
    //! Row 4. The certificates are made here, and trusted by no platform.

    use std::io::{Read, Write};

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
    use rustls::{
        ClientConfig, RootCertStore, ServerConfig, ServerConnection, Stream,
        pki_types::{CertificateDer, PrivateKeyDer},
    };

    use super::*;

    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    pub(super) fn client_config(roots: RootCertStore) -> ClientConfig {
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        config.with_root_certificates(roots).with_no_client_auth()
    }

    /// A server with a certificate, and the store that trusts it.
    fn serve(name: &str, expired: bool) -> (RawServer, RootCertStore) {
        let (server, authority) = serve_with_authority(name, expired);
        let mut roots = RootCertStore::empty();
        roots.add(authority).unwrap();
        (server, roots)
    }

    /// A server with a certificate, and the certificate of the authority that issued it.
    fn serve_with_authority(name: &str, expired: bool) -> (RawServer, CertificateDer<'static>) {
        let mut authority = CertificateParams::new(vec![]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            leaf.not_before = date_time_ymd(2020, 1, 1);
            leaf.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer<'static> = leaf.signed_by(&key, &authority).unwrap().into();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        let server = RawServer::start(move |connection| {
            let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut session, connection.socket());
            let mut read = Vec::new();
            let mut chunk = [0; 4096];
            while !read.ends_with(b"}") {
                match stream.read(&mut chunk) {
                    Ok(length) if length > 0 => read.extend_from_slice(&chunk[..length]),
                    _ => return,
                }
            }
            let _ = stream.write_all(&json(&message_body("Hi")));
        });
        (server, authority.der().clone())
    }

    /// The HTTP client that the crate builds itself, and a root certificate of the caller. Redirects are refused.
    #[tokio::test]
    async fn a_root_of_the_callers_is_trusted_by_the_http_client_of_the_crate() {
        let (server, authority) = serve_with_authority("localhost", false);
        let root = reqwest::Certificate::from_der(&authority).unwrap();
        let base = format!("https://localhost:{}/v1", server.address.port());
        let client = Client::builder().api_key("k").base_url(base);
        let client = client.configure_http(|http| http.tls_certs_only([root])).build().unwrap();
        assert_eq!(said(&client).await, "Hi");
        let redirecting = answering([answer(307, &[("location", "http://127.0.0.1:1/")], "")]);
        let client = Client::builder().api_key("k").base_url(redirecting.base_url());
        let client =
            client.configure_http(|http| http.redirect(reqwest::redirect::Policy::limited(9))).build().unwrap();
        let error = failing(&client).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Redirect, 1), "{error:?}");
    }

    fn over(address: SocketAddr, roots: RootCertStore) -> Client {
        let http = http_client(|http| http.tls_backend_preconfigured(client_config(roots)));
        let base = format!("https://localhost:{}/v1", address.port());
        Client::builder().api_key("k").base_url(base).http_client(http).timing(NoWaiting::default()).build().unwrap()
    }

    async fn refused(server: &RawServer, client: &Client) {
        let error = failing(client).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 1), "{error:?}");
        assert_eq!((error.retry_stop(), error.may_have_been_processed()), (Some(RetryStop::Permanent), false));
        let problem = [": its certificate was refused", ": the TLS handshake failed"];
        let said = error.to_string();
        assert!(said.starts_with("failed to connect to localhost:"), "{said}");
        assert!(problem.iter().any(|problem| said.ends_with(problem)), "{said}");
        assert_eq!((server.connections(), server.requests().len()), (1, 0));
    }

    #[tokio::test]
    async fn a_certificate_that_is_trusted_is_taken() {
        let (server, roots) = serve("localhost", false);
        assert_eq!(said(&over(server.address, roots)).await, "Hi");
    }

    #[tokio::test]
    async fn a_certificate_that_no_one_vouches_for_is_refused_once() {
        let (server, _) = serve("localhost", false);
        let base = format!("https://localhost:{}/v1", server.address.port());
        let client = Client::builder().api_key("k").base_url(base).no_proxy().timing(NoWaiting::default());
        refused(&server, &client.build().unwrap()).await;
    }

    #[tokio::test]
    async fn a_certificate_for_another_host_is_refused_once() {
        let (server, roots) = serve("elsewhere.test", false);
        refused(&server, &over(server.address, roots)).await;
    }

    #[tokio::test]
    async fn a_certificate_that_has_expired_is_refused_once() {
        let (server, roots) = serve("localhost", true);
        refused(&server, &over(server.address, roots)).await;
    }

    #[tokio::test]
    async fn a_server_without_tls_is_refused_once() {
        let server = RawServer::start(|connection| {
            connection.send("HTTP/1.1 400 Bad\r\ncontent-length: 13\r\n\r\nthis is plain");
            connection.wait_for_close();
        });
        refused(&server, &over(server.address, RootCertStore::empty())).await;
    }

    #[tokio::test]
    async fn an_address_with_tls_is_never_called_without() {
        let server = answering([message("Hi")]);
        let client =
            over(server.address(), RootCertStore::empty()).with_options(|o| o.timeout(Duration::from_millis(100)));
        assert!(client.create_message(&request()).await.is_err());
        assert_eq!(server.requests().len(), 0);
    }
}
