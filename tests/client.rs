//! Making a client, and what a server sees of its calls.

#![cfg(test)]

mod support;
mod client {
    mod outcome;
    mod sending;
    mod setup;
}

use std::process::Command;

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{AnthropicMessage, Client, ClientBuilder, Error, ErrorKind, MessageCreateRequest, Response};
use anthropic_messages_testing::{ReceivedRequest, Server};
use support::timing::NoWaiting;

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

fn builder(server: &Server) -> ClientBuilder {
    Client::builder().base_url(server.base_url()).no_proxy().timing(NoWaiting::default())
}

/// Makes one call, and returns the request the server received.
async fn seen(client: &Client, server: &Server) -> ReceivedRequest {
    client.create_message(&request()).await.unwrap();
    server.last_request().unwrap()
}

/// Returns the number of times a header was sent.
fn count(request: &ReceivedRequest, name: &str) -> usize {
    request.headers().get_all(name).iter().count()
}

#[track_caller]
fn refusal(builder: ClientBuilder) -> String {
    let error = builder.build().unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Configuration, 0));
    assert!(!error.may_have_been_processed());
    error.to_string()
}

/// A client as a caller may build one. The rustls backend needs a provider, whichever is compiled in.
fn plain_http_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    #[cfg(feature = "rustls")]
    let builder = {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let roots = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        builder.tls_backend_preconfigured(config.unwrap().with_root_certificates(roots).with_no_client_auth())
    };
    builder.build().unwrap()
}

fn chain(error: &Error) -> Vec<String> {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source()).map(ToString::to_string).collect()
}

#[test]
fn the_public_types_are_send_and_sync() {
    fn both<T: Send + Sync + 'static>() {}
    both::<Client>();
    both::<ClientBuilder>();
    both::<Error>();
    both::<Response<MessageCreateRequest>>();
    fn sent<T: Send>(_: &T) {}
    let client = Client::new("k").unwrap();
    sent(&client.create_message(&request()));
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}

/// Runs one of the `children` with the given environment, and returns its output.
fn child(name: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Code that runs in a separate process, started by [`child`].
mod children {
    use super::*;

    #[test]
    #[ignore = "started by other tests, with an environment of its own"]
    fn key_from_env() {
        match Client::from_env() {
            Ok(client) => println!("{client:?}"),
            Err(error) => println!("{error}"),
        }
    }

    #[tokio::test]
    #[ignore = "started by other tests, with an environment of its own"]
    async fn call() {
        let variable = |name| std::env::var(name).ok();
        let builder = Client::builder().api_key("sk-child").base_url(variable("BASE").unwrap());
        let builder = if variable("OFF").is_some() { builder.no_proxy() } else { builder };
        let builder = match variable("POOL") {
            Some(size) => builder.configure_http(move |http| http.pool_max_idle_per_host(size.parse().unwrap())),
            None => builder,
        };
        let builder = builder.allow_cleartext(variable("CLEAR").is_some());
        let client = match builder.timing(NoWaiting::default()).build() {
            Ok(client) => client,
            Err(error) => return println!("{:?} {error}", error.kind()),
        };
        match client.create_message(&request()).await {
            Ok(reply) => println!("said {}", reply.text()),
            Err(error) => println!("{:?} attempts {} {error:?} {error}", error.kind(), error.attempts()),
        }
    }
}
