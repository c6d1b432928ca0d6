//! Credentials that rotate, and credentials of single calls.

#![cfg(test)]

mod support;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use anthropic_messages::{
    AnthropicMessage, ApiKey, AuthScheme, Client, Credentials, Error, ErrorKind, MessageCreateRequest,
    internal_for_tests::TestClientBuilder as _,
};
use anthropic_messages_testing::{Reply, Server};
use support::answers::{answer, answering, answering_all, message};
use support::bodies::{error_body, message_body};
use support::raw::{RawServer, json};
use support::timing::NoWaiting;
use tokio::task::JoinSet;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

/// Keys with a number in the order of the answers.
#[derive(Default)]
struct Numbered {
    answers: AtomicUsize,
    expires_at: Option<SystemTime>,
    refusals: Mutex<Vec<Option<ErrorKind>>>,
}

impl Credentials for Numbered {
    async fn credential(&self, refused: Option<&Error>) -> Result<ApiKey, BoxError> {
        let number = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        self.refusals.lock().unwrap().push(refused.map(Error::kind));
        // Others arrive meanwhile.
        tokio::task::yield_now().await;
        let key = ApiKey::from(format!("sk-ant-number-{number}"));
        Ok(match self.expires_at {
            Some(time) => key.expires_at(time),
            None => key,
        })
    }
}

fn later() -> Option<SystemTime> {
    Some(SystemTime::now() + Duration::from_secs(3600))
}

fn client(base_url: String, credentials: impl Credentials) -> Client {
    let builder = Client::builder().credentials(credentials).base_url(base_url).no_proxy();
    builder.timing(NoWaiting::default()).build().unwrap()
}

fn unauthorized() -> Reply {
    answer(401, &[("content-type", "application/json")], error_body("authentication_error", "invalid x-api-key"))
}

/// Asserts that the requests had the keys of these numbers.
#[track_caller]
fn assert_keys(server: &Server, numbers: &[usize]) {
    let requests = server.requests();
    assert_eq!(requests.len(), numbers.len());
    for (request, number) in requests.iter().zip(numbers) {
        assert!(request.has_header("authorization", format!("Bearer sk-ant-number-{number}")), "{number}");
    }
}

#[tokio::test]
async fn a_thousand_callers_wait_for_one_refresh() {
    let server = RawServer::start(|connection| {
        while connection.request().is_some() {
            connection.send(json(&message_body("Hi")));
        }
    });
    let credentials = Arc::new(Numbered { expires_at: later(), ..Numbered::default() });
    let client = client(server.base_url(), Arc::clone(&credentials));
    let mut callers = JoinSet::new();
    for _ in 0..1000 {
        let client = client.clone();
        callers.spawn(async move { client.create_message(&request()).await.map(|reply| reply.text()) });
    }
    let replies = callers.join_all().await;
    assert!(replies.iter().all(|reply| reply.as_deref().is_ok_and(|text| text == "Hi")), "{:?}", replies.first());
    assert_eq!(credentials.answers.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_key_without_an_expiry_is_asked_for_each_attempt() {
    let server = answering([answer(500, &[], ""), message("Hi"), message("Hi")]);
    let credentials = Arc::new(Numbered::default());
    let client = client(server.base_url(), Arc::clone(&credentials));
    client.create_message(&request()).await.unwrap();
    client.create_message(&request()).await.unwrap();
    assert_keys(&server, &[1, 2, 3]);
}

#[tokio::test]
async fn an_expired_key_is_replaced() {
    let server = answering([message("Hi"), message("Hi")]);
    let credentials = Numbered { expires_at: Some(SystemTime::UNIX_EPOCH), ..Numbered::default() };
    let client = client(server.base_url(), credentials);
    client.create_message(&request()).await.unwrap();
    client.create_message(&request()).await.unwrap();
    assert_keys(&server, &[1, 2]);
}

#[tokio::test]
async fn a_rejected_key_is_replaced_once() {
    for max_retries in [0, 2] {
        let server = answering([unauthorized(), message("Hi"), message("Hi")]);
        let credentials = Arc::new(Numbered { expires_at: later(), ..Numbered::default() });
        let client = client(server.base_url(), Arc::clone(&credentials));
        let client = client.with_options(|o| o.max_retries(max_retries));
        let reply = client.create_message(&request()).await.unwrap();
        assert_eq!((reply.text().as_str(), reply.attempts()), ("Hi", 2));
        client.create_message(&request()).await.unwrap();
        assert_keys(&server, &[1, 2, 2]);
        assert_eq!(*credentials.refusals.lock().unwrap(), [None, Some(ErrorKind::Authentication)]);
    }

    let server = answering_all([unauthorized()]);
    let credentials = Arc::new(Numbered { expires_at: later(), ..Numbered::default() });
    let error = client(server.base_url(), Arc::clone(&credentials)).create_message(&request()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Authentication, 2));
    assert_eq!((server.requests().len(), credentials.answers.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test]
async fn the_same_key_is_not_sent_again_after_a_rejection() {
    struct Fixed;
    impl Credentials for Fixed {
        async fn credential(&self, _: Option<&Error>) -> Result<ApiKey, BoxError> {
            Ok("sk-ant-the-same".into())
        }
    }
    let server = answering_all([unauthorized()]);
    let error = client(server.base_url(), Fixed).create_message(&request()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), server.requests().len()), (ErrorKind::Authentication, 1, 1));
    // A fixed key has nothing to replace it either.
    let fixed = Client::builder().api_key("k").base_url(server.base_url()).build().unwrap();
    assert_eq!(fixed.create_message(&request()).await.unwrap_err().attempts(), 1);
}

/// Fails, hangs, panics or answers with a malformed key, and then with a key.
struct Faulty(Fault, AtomicUsize);

#[derive(Clone, Copy, Debug)]
enum Fault {
    Fails,
    Hangs,
    Panics,
    Malformed,
}

impl Credentials for Faulty {
    async fn credential(&self, _: Option<&Error>) -> Result<ApiKey, BoxError> {
        if self.1.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok("sk-ant-good".into());
        }
        match self.0 {
            Fault::Fails => Err("the vault is sealed".into()),
            Fault::Hangs => std::future::pending().await,
            Fault::Panics => panic!("the vault is gone"),
            Fault::Malformed => Ok("sk ant with spaces".into()),
        }
    }
}

#[tokio::test]
async fn credentials_that_fail_end_their_call_and_no_other() {
    for (fault, kind) in [
        (Fault::Fails, Some(ErrorKind::Credentials)),
        (Fault::Malformed, Some(ErrorKind::Credentials)),
        (Fault::Hangs, Some(ErrorKind::Timeout)),
        (Fault::Panics, None),
    ] {
        let server = answering_all([message("Hi")]);
        let client = client(server.base_url(), Faulty(fault, AtomicUsize::new(0)));
        let first = client.with_options(|o| o.timeout(Duration::from_millis(50)));
        let outcome = tokio::spawn(async move { first.create_message(&request()).await.map(drop) }).await;
        match (outcome, kind) {
            (Ok(Err(error)), Some(kind)) => {
                assert_eq!((error.kind(), error.attempts()), (kind, 0), "{fault:?}");
                assert!(!error.may_have_been_processed(), "{fault:?}");
                let said = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
                assert!(!said.contains("with spaces"), "{said}");
            }
            (Err(panic), None) => assert!(panic.is_panic()),
            (outcome, _) => panic!("{fault:?}: {outcome:?}"),
        }
        assert_eq!(server.requests().len(), 0, "{fault:?}");
        assert_eq!(client.create_message(&request()).await.unwrap().text(), "Hi", "{fault:?}");
    }
}

/// A failed refresh says so, and what the server said before.
#[tokio::test]
async fn a_refresh_that_fails_keeps_the_rejection() {
    struct Once(AtomicUsize);
    impl Credentials for Once {
        async fn credential(&self, _: Option<&Error>) -> Result<ApiKey, BoxError> {
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 { Ok("sk-ant-first".into()) } else { Err("sealed".into()) }
        }
    }
    let server = answering_all([unauthorized()]);
    let error = client(server.base_url(), Once(AtomicUsize::new(0))).create_message(&request()).await.unwrap_err();
    let found = (error.kind(), error.status().map(|status| status.as_u16()), error.attempts());
    assert_eq!(found, (ErrorKind::Credentials, Some(401), 1));
}

#[tokio::test]
async fn keys_of_single_calls_never_mix() {
    let server = answering_all([message("Hi")]);
    let builder = Client::builder().api_key("sk-ant-own").auth_scheme(AuthScheme::XApiKey);
    let client = builder.base_url(server.base_url()).build().unwrap();
    let mut callers = JoinSet::new();
    for tenant in 0..50 {
        let client = client.clone();
        callers.spawn(async move {
            let own = client
                .with_options(|o| o.api_key(format!("sk-ant-key-{tenant}")).header("x-tenant", tenant.to_string()));
            own.create_message(&request()).await.unwrap();
            let token =
                client.with_options(|o| o.auth_token(format!("token-{tenant}")).header("x-tenant", tenant.to_string()));
            token.create_message(&request()).await.unwrap();
        });
    }
    callers.join_all().await;
    let mut seen = BTreeSet::new();
    for request in server.requests() {
        let tenant = request.header("x-tenant").unwrap().to_owned();
        let is_key = request.has_header("x-api-key", format!("sk-ant-key-{tenant}"));
        let is_token = request.has_header("authorization", format!("Bearer token-{tenant}"));
        assert_eq!((is_key, is_token), (request.header("x-api-key").is_some(), !is_key), "{request:?}");
        seen.insert((tenant, is_key));
    }
    assert_eq!(seen.len(), 100);
    client.create_message(&request()).await.unwrap();
    assert!(server.requests().last().unwrap().has_header("x-api-key", "sk-ant-own"));
    let malformed = client.with_options(|o| o.api_key("two words"));
    let error = malformed.create_message(&request()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Configuration, 0));
}

#[tokio::test]
async fn a_credential_that_a_server_repeats_is_redacted() {
    let body = error_body("invalid_request_error", "unknown key sk-ant-number-1");
    let server = answering_all([answer(400, &[("x-echo", "sk-ant-number-1")], &body)]);
    let error = client(server.base_url(), Numbered::default()).create_message(&request()).await.unwrap_err();
    let body = String::from_utf8_lossy(error.body()).into_owned();
    for said in [error.to_string(), format!("{error:?}"), body, format!("{:?}", error.headers())] {
        assert!(!said.contains("sk-ant-number"), "{said}");
    }
}

#[test]
fn only_one_credential_can_be_set() {
    let builder = || Client::builder().credentials(Numbered::default());
    assert_eq!(builder().api_key("k").build().unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(builder().auth_token("k").build().unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(builder().default_header("x-api-key", "k").build().unwrap_err().kind(), ErrorKind::Configuration);
    assert!(builder().from_env_with(|name| (name == "ANTHROPIC_API_KEY").then(|| "k".into())).build().is_ok());
}
