//! A key and a prompt that must appear nowhere: in 300 and more strings that a program may print.
//!
//! Not among them: the request and the message themselves, whose `Debug` shows what the caller
//! holds in the hand; `Error::body` and `Error::headers`, which are asked for by name; and what the
//! API itself says in `error.message`, which an error shows on purpose.

#![cfg(test)]
#![cfg(feature = "tracing")]

mod support;

use std::{
    error, fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{
    AnthropicMessage, ApiKey, AuthScheme, Client, ClientBuilder, Credentials, Error, MessageCreateRequest, Observer,
    observe,
};
use anthropic_messages_testing::{At, Fault, Framing, Reply, Server};
use support::answers::{answer, answering, json, message};
use support::bodies::error_body;
use support::capture::Capture;
use support::raw::RawServer;
use support::timing::NoWaiting;

const KEY: &str = "sk-ant-canary-of-the-key";
const PROMPT: &str = "canary of the prompt";

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(PROMPT)], 1024)
}

/// Strings that were rendered, each with where it is from.
#[derive(Default)]
struct Rendered(Vec<(String, String)>);

impl Rendered {
    fn debug(&mut self, from: &str, value: &dyn fmt::Debug) {
        self.0.push((from.to_owned(), format!("{value:?}")));
        self.0.push((from.to_owned(), format!("{value:#?}")));
    }

    /// An error and all its sources, in every form.
    fn error(&mut self, from: &str, error: &Error) {
        let first: &dyn error::Error = error;
        for error in std::iter::successors(Some(first), |error| error.source()) {
            self.debug(from, &error);
            self.0.push((from.to_owned(), error.to_string()));
        }
        if let Some(api) = error.api_error() {
            self.debug(from, api);
        }
    }

    #[track_caller]
    fn are_clean(&self) {
        for (from, string) in &self.0 {
            for canary in [KEY, PROMPT] {
                assert!(!string.contains(canary), "{from}: {string}");
            }
        }
    }
}

type Set = fn(ClientBuilder) -> ClientBuilder;

/// Returns the key.
struct Provider;

impl Credentials for Provider {
    async fn credential(&self, _: Option<&Error>) -> Result<ApiKey, Box<dyn error::Error + Send + Sync>> {
        Ok(KEY.into())
    }
}

/// The ways to set a credential.
const CREDENTIALS: [(&str, Set); 7] = [
    ("provider", |b| b.credentials(Provider)),
    ("key", |b| b.api_key(KEY)),
    ("token", |b| b.auth_token(KEY)),
    ("x-api-key", |b| b.api_key(KEY).auth_scheme(AuthScheme::XApiKey)),
    ("header", |b| b.default_header("authorization", format!("Bearer {KEY}"))),
    ("header with spaces", |b| b.default_header("authorization", format!("Bearer {KEY} "))),
    ("environment", |b| b.from_env_with(|name| (name == "ANTHROPIC_API_KEY").then(|| KEY.into()))),
];

/// A server that speaks HTTP, or one that does not.
enum Running {
    Well(Server),
    Raw(RawServer),
}

impl Running {
    fn base_url(&self) -> String {
        match self {
            Self::Well(server) => server.base_url(),
            Self::Raw(server) => server.base_url(),
        }
    }
}

/// A server for each answer, by name.
fn servers() -> impl Iterator<Item = (&'static str, Running)> {
    let well = repeating().into_iter().map(|(name, reply)| (name, Running::Well(answering([reply]))));
    let both = format!("{KEY} {PROMPT}");
    let raw =
        [("not http", format!("{both}\r\n\r\n")), ("malformed header", format!("HTTP/1.1 200 OK\r\n{both}\r\n\r\n"))];
    well.chain(raw.map(|(name, bytes)| (name, Running::Raw(RawServer::answering(bytes)))))
}

/// Answers that repeat key and prompt wherever a server can.
fn repeating() -> Vec<(&'static str, Reply)> {
    let both = format!("{KEY} {PROMPT}");
    let page = format!("<html>{both}</html>");
    let headers = [("x-echo", both.as_str()), ("set-cookie", both.as_str()), ("www-authenticate", both.as_str())];
    let html = |status| answer(status, &[&headers[..], &[("content-type", "text/html")]].concat(), &page);
    let details = format!(
        r#"{{"type":"error","error":{{"type":"x","message":"Refused: {KEY}","details":{{"{both}":"{both}"}}}}}}"#
    );
    let other = format!(r#"{{"reason":"{both}","error":{{"reason":"{both}"}}}}"#);
    let wrong = format!(r#"{{"id":"m","content":[{{"type":"text","text":{{"{both}":"{both}"}}}}]}}"#);
    let untagged = format!(r#"{{"id":"m","content":"{both}","usage":"{both}","stop_reason":["{both}"]}}"#);
    vec![
        ("html 200", html(200)),
        ("html 401", html(401)),
        ("html 502", html(502)),
        ("html 529", html(529)),
        ("redirect", answer(307, &[("location", &format!("https://evil.example/{KEY}?canary of the prompt"))], &page)),
        ("details 400", json(400, &details)),
        ("details 200", json(200, &details)),
        ("details 500", json(500, &details)),
        ("other 403", json(403, &other)),
        ("other 413", json(413, &other)),
        ("wrong type", json(200, &wrong)),
        ("wrong types", json(200, &untagged)),
        ("not json", json(200, &both)),
        ("cut", answer(200, &[("content-type", "application/json")], wrong.strip_suffix('}').unwrap())),
        ("encoded", answer(200, &[("content-encoding", "gzip")], &both)),
        ("unnamed status", json(202, &wrong)),
        ("too large", json(200, format!("{both}{}", " ".repeat(100_000)))),
        ("request id", answer(400, &[("request-id", KEY)], "")),
        ("request id of a page", answer(200, &[("request-id", KEY), ("content-type", "text/html")], "")),
        ("content type", answer(200, &[("content-type", KEY)], "canary")),
        ("coding", answer(200, &[("content-encoding", KEY)], "canary")),
        ("host", answer(302, &[("location", &format!("https://{KEY}.example/"))], "")),
        ("silence", message("Hi").fault(Fault::stall(At::BeforeHeaders))),
    ]
}

/// Renders everything it receives.
#[derive(Clone, Default)]
struct Watching(Arc<Mutex<Vec<String>>>);

impl Observer for Watching {
    fn request(&self, request: &mut observe::Request<'_>) -> Result<(), observe::ObserverError> {
        self.0.lock().unwrap().push(format!("{request:?}"));
        Ok(())
    }

    fn response(&self, answer: &observe::ResponseInfo<'_>) {
        self.0.lock().unwrap().push(format!("{answer:?}"));
    }

    fn error(&self, error: &observe::AttemptError<'_>) {
        self.0.lock().unwrap().push(format!("{error:?}"));
    }
}

/// Refuses every request, and repeats nothing.
struct Refusing;

impl Observer for Refusing {
    fn request(&self, request: &mut observe::Request<'_>) -> Result<(), observe::ObserverError> {
        Err(observe::ObserverError::new(format!("{request:?} {:?}", request.header("authorization"))))
    }
}

#[tokio::test]
async fn nothing_that_is_printed_shows_the_key_or_the_prompt() {
    let capture = Capture::begin();
    let mut rendered = Rendered::default();
    rendered.debug("ApiKey", &ApiKey::from(KEY));
    for (credential, set) in CREDENTIALS {
        for (name, server) in servers() {
            let from = format!("{name}, by {credential}");
            let builder = set(Client::builder().base_url(server.base_url())).no_proxy().timing(NoWaiting::default());
            let builder = builder.max_response_bytes(50_000).timeout(Duration::from_millis(500));
            let watching = Watching::default();
            let builder = builder.observer(watching.clone());
            rendered.debug(&from, &builder);
            let client = builder.default_header("x-secret", KEY).build().unwrap();
            rendered.debug(&from, &client);
            let client = client.with_options(|options| {
                rendered.debug(&from, &options);
                if name == "silence" { options.timeout(Duration::from_millis(20)) } else { options }
            });
            let error = client.create_message(&request()).await.unwrap_err();
            rendered.error(&from, &error);
            rendered.0.extend(watching.0.lock().unwrap().drain(..).map(|told| (from.clone(), told)));
            assert!(!format!("{:?}", error.headers()).contains(KEY), "{from}: {:?}", error.headers());
            assert!(!String::from_utf8_lossy(error.body()).contains(KEY) || error.status().unwrap().is_success());
        }
        let server = answering([message(PROMPT)]);
        let builder = set(Client::builder().base_url(server.base_url())).no_proxy();
        let reply = builder.build().unwrap().create_message(&request()).await.unwrap();
        assert_eq!(reply.text(), PROMPT);
        rendered.debug("Response", &reply);
        let refusing =
            set(Client::builder().base_url(server.base_url())).no_proxy().observer(Refusing).build().unwrap();
        rendered.error("observer", &refusing.create_message(&request()).await.unwrap_err());
    }
    rendered.are_clean();
    let strings = rendered.0.len();
    assert!(strings >= 300, "only {strings} strings were rendered");

    let lines = capture.lines();
    for target in ["reqwest", "anthropic_messages", "hyper_util"] {
        assert!(lines.iter().any(|line| line.starts_with(target)), "nothing was logged by {target}");
    }
    let spans = capture.spans("anthropic_messages.call");
    assert!(spans.len() > 100, "only {} spans", spans.len());
    let mut logged = Rendered::default();
    logged.0.extend(lines.into_iter().map(|line| ("log".to_owned(), line)));
    logged.0.extend(spans.iter().map(|span| ("span".to_owned(), format!("{span:?}"))));
    logged.are_clean();
}

#[test]
fn a_client_that_can_not_be_built_does_not_show_why_with_the_key() {
    let broken: [Set; 8] = [
        |b| b.api_key(format!("{KEY} {PROMPT}")),
        |b| b.api_key(format!("{KEY}\u{e9}")),
        |b| b.api_key(format!("{KEY}\n{KEY}")),
        |b| b.api_key(KEY).auth_token(KEY),
        |b| b.api_key(KEY).base_url(format!("https://user:{KEY}@h.example")),
        |b| b.api_key(KEY).base_url(format!("https://h.example/?key={KEY}")),
        |b| b.api_key(KEY).default_header("x-secret", format!("{KEY}\r\n")),
        |b| b.from_env_with(|name| (name == "ANTHROPIC_CUSTOM_HEADERS").then(|| KEY.into())),
    ];
    let mut rendered = Rendered::default();
    for set in broken {
        rendered.error("build", &set(Client::builder()).build().unwrap_err());
    }
    assert!(rendered.0.len() >= 24);
    rendered.are_clean();
}

#[tokio::test]
async fn what_the_api_says_is_shown_without_the_key() {
    for (_, set) in CREDENTIALS {
        let said = error_body("authentication_error", &format!("The key {KEY} is unknown, {KEY}!"));
        let server = answering([json(401, said)]);
        let client = set(Client::builder().base_url(server.base_url())).no_proxy().build().unwrap();
        let error = client.create_message(&request()).await.unwrap_err();
        let message = error.api_error().unwrap().message().unwrap();
        assert_eq!(message, "The key [redacted] is unknown, [redacted]!");
        assert!(error.to_string().contains(message));
    }
}

/// JSON may write a character of a string with an escape, and many writers do so with these.
#[tokio::test]
async fn a_key_that_json_writes_with_escapes_is_not_shown() {
    let key = r#"ab/cd+ef&12345<x>"y\z=="#;
    let spellings = [
        r#"ab\/cd+ef&12345<x>\"y\\z=="#,
        r#"ab/cd\u002Bef\u002612345\u003cx\u003e\u0022y\u005cz=="#,
        r#"\u0061b/cd+ef&12345<x>\"y\\z=="#,
    ];
    for spelling in spellings {
        let body = error_body("authentication_error", &format!("unknown token {spelling}, \\n"));
        let decoded: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(decoded["error"]["message"].as_str().unwrap().contains(key), "{spelling}");
        for status in [200, 401] {
            let server = answering([json(status, &body)]);
            let client = Client::builder().base_url(server.base_url()).auth_token(key).no_proxy().build().unwrap();
            let error = client.create_message(&request()).await.unwrap_err();
            assert_eq!(error.api_error().unwrap().message(), Some("unknown token [redacted], \n"));
            assert!(!error.body_prefix().contains(spelling), "{error:?}");
        }
        let half = spelling.len() - 2;
        let event = format!("event: error\ndata: {body}\n\n");
        let stream = answer(200, &[("content-type", "text/event-stream")], &event);
        let cut = answer(401, &[], &body).fault(Fault::close(At::AfterByte(body.find(spelling).unwrap() + half)));
        for (what, reply) in [("an event", stream), ("a cut body", cut)] {
            let server = answering([reply]);
            let client = Client::builder().base_url(server.base_url()).auth_token(key).no_proxy().build().unwrap();
            let error = match client.stream_message(&request()).await {
                Ok(mut stream) => stream.final_message().await.unwrap_err(),
                Err(error) => error,
            };
            assert!(!format!("{error:?}{}", error.body_prefix()).contains("12345"), "{what}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_does_not_end_in_the_beginning_of_the_key() {
    for framing in [Framing::Length, Framing::Chunked] {
        let server = answering([json(400, format!("{KEY}: {KEY}")).framed(framing)]);
        for (limit, kept) in [
            (1, ""),
            (KEY.len() - 1, ""),
            (KEY.len(), "[redacted]"),
            (KEY.len() + 2, "[redacted]: "),
            (KEY.len() + 10, "[redacted]: "),
            (2 * KEY.len() + 1, "[redacted]: "),
            (2 * KEY.len() + 2, "[redacted]: [redacted]"),
        ] {
            let client = Client::builder().api_key(KEY).base_url(server.base_url()).no_proxy();
            let client = client.max_error_bytes(limit.try_into().unwrap()).build().unwrap();
            let error = client.create_message(&request()).await.unwrap_err();
            assert_eq!(error.body_prefix(), kept, "{limit}");
        }
    }
    // Complete text is kept, whatever it ends in.
    let server = answering([json(400, "tasks")]);
    let client = Client::builder().api_key(KEY).base_url(server.base_url()).no_proxy().build().unwrap();
    assert_eq!(client.create_message(&request()).await.unwrap_err().body_prefix(), "tasks");
}

#[tokio::test]
async fn a_key_that_is_too_short_to_be_one_leaves_texts_alone() {
    for (key, said) in [("any", "not any of many"), ("1234567", "not 1234567"), ("12345678", "not [redacted]")] {
        let text = said.replace("[redacted]", key);
        let server = answering([json(400, error_body("invalid_request_error", &text))]);
        let client = Client::builder().api_key(key).base_url(server.base_url()).no_proxy().build().unwrap();
        let error = client.create_message(&request()).await.unwrap_err();
        assert_eq!(error.api_error().unwrap().message(), Some(said));
    }
}

#[tokio::test]
async fn a_stream_whose_answer_repeats_the_key_does_not_show_it() {
    let sse = [("content-type", "text/event-stream"), ("request-id", KEY)];
    let unreadable = format!("event: {KEY}\ndata: {{\"type\":\"message_start\",\"message\":\"{KEY}\"}}\n\n");
    let answers = [
        answer(200, &sse, unreadable),
        answer(200, &sse, ""),
        answer(200, &[("content-type", KEY)], KEY),
        answer(200, &[("content-type", "text/html"), ("request-id", KEY)], KEY),
    ];
    let mut rendered = Rendered::default();
    for reply in answers {
        let server = answering([reply]);
        let watching = Watching::default();
        let builder = Client::builder().api_key(KEY).base_url(server.base_url()).no_proxy();
        let client = builder.observer(watching.clone()).build().unwrap();
        let error = match client.stream_message(&request()).await {
            Ok(mut stream) => {
                rendered.debug("stream", &stream);
                stream.final_message().await.unwrap_err()
            }
            Err(error) => error,
        };
        rendered.error("stream", &error);
        rendered.debug("body", &error.body_prefix());
        rendered.debug("headers", error.headers());
        rendered.0.extend(watching.0.lock().unwrap().drain(..).map(|told| ("observer".to_owned(), told)));
    }
    rendered.are_clean();
    assert!(rendered.0.iter().any(|(_, string)| string.contains("its name is `[redacted]`")));
}
