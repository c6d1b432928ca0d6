//! Rows 1 to 5: connecting.

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
    support::answers::{answering, message},
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
async fn row_01_a_name_that_is_not_found_is_looked_up_again() {
    let server = answering([message("Hi")]);
    let reply = named(server.address().port(), 2, &[server.address()]).create_message(&request()).await.unwrap();
    assert_eq!((reply.attempts(), server.requests().len()), (3, 1));
}

#[tokio::test]
async fn row_01_a_name_that_is_never_found_is_told_with_its_host() {
    let error = failing(&named(4711, usize::MAX, &[])).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 3));
    assert!(!error.may_have_been_processed());
    assert_eq!(error.to_string(), "failed to connect to api.test:4711 (3 attempts in 1.3 s)");
}

#[tokio::test]
async fn row_02_a_refused_connection_is_tried_again_and_was_not_processed() {
    let error = failing(&plain(unused_port()).build().unwrap()).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 3));
    assert_eq!((error.retry_stop(), error.may_have_been_processed()), (Some(RetryStop::Attempts), false));
}

#[tokio::test]
async fn row_03_a_connection_that_takes_too_long_is_a_timeout_and_was_not_processed() {
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

#[tokio::test]
async fn row_05_a_dead_address_of_a_host_does_not_hide_a_live_one() {
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

    /// An authority, and a server with a certificate of it.
    fn serve(name: &str, expired: bool) -> (RawServer, RootCertStore) {
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
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        (server, roots)
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
        assert_eq!((server.connections(), server.requests().len()), (1, 0));
    }

    #[tokio::test]
    async fn row_04_a_certificate_that_is_trusted_is_taken() {
        let (server, roots) = serve("localhost", false);
        assert_eq!(said(&over(server.address, roots)).await, "Hi");
    }

    #[tokio::test]
    async fn row_04_a_certificate_that_no_one_vouches_for_is_refused_once() {
        let (server, _) = serve("localhost", false);
        let base = format!("https://localhost:{}/v1", server.address.port());
        let client = Client::builder().api_key("k").base_url(base).no_proxy().timing(NoWaiting::default());
        refused(&server, &client.build().unwrap()).await;
    }

    #[tokio::test]
    async fn row_04_a_certificate_for_another_host_is_refused_once() {
        let (server, roots) = serve("elsewhere.test", false);
        refused(&server, &over(server.address, roots)).await;
    }

    #[tokio::test]
    async fn row_04_a_certificate_that_has_expired_is_refused_once() {
        let (server, roots) = serve("localhost", true);
        refused(&server, &over(server.address, roots)).await;
    }

    #[tokio::test]
    async fn row_04_a_server_without_tls_is_refused_once() {
        let server = RawServer::start(|connection| {
            connection.send("HTTP/1.1 400 Bad\r\ncontent-length: 13\r\n\r\nthis is plain");
            connection.wait_for_close();
        });
        refused(&server, &over(server.address, RootCertStore::empty())).await;
    }

    #[tokio::test]
    async fn row_04_an_address_with_tls_is_never_called_without() {
        let server = answering([message("Hi")]);
        let client =
            over(server.address(), RootCertStore::empty()).with_options(|o| o.timeout(Duration::from_millis(100)));
        assert!(client.create_message(&request()).await.is_err());
        assert_eq!(server.requests().len(), 0);
    }
}
