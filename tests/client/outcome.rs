//! Tests of responses and redirects, and of the view of observers and proxies.

use std::sync::{Arc, Mutex};

use anthropic_messages::{
    AnthropicMessage, AuthScheme, Client, ClientBuilder, ErrorKind, Observer, observe, types::CountTokensRequest,
};
use anthropic_messages_testing::{At, Fault, Reply, Server};

use crate::{
    builder, chain, child, plain_http_client, request,
    support::answers::{answer, answering, answering_all, api_error, json, message},
    support::bodies::message_body,
};

mod responses {
    use super::*;

    #[tokio::test]
    async fn tell_the_rate_limits() {
        let server = answering([answer(
            200,
            &[
                ("content-type", "application/json"),
                ("anthropic-ratelimit-requests-limit", "50"),
                ("anthropic-ratelimit-requests-remaining", "49"),
                ("anthropic-ratelimit-requests-reset", "2026-11-24T00:00:30Z"),
                ("anthropic-ratelimit-tokens-remaining", "many"),
                ("anthropic-ratelimit-input-tokens-limit", "18446744073709551615"),
                ("anthropic-ratelimit-output-tokens-reset", "tomorrow"),
            ],
            message_body("Hi"),
        )]);
        let client = builder(&server).api_key("k").build().unwrap();
        let limits = client.create_message(&request()).await.unwrap().rate_limits();
        assert_eq!((limits.requests.limit, limits.requests.remaining), (Some(50), Some(49)));
        let reset = limits.requests.reset.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(reset.as_secs(), 1_795_478_430);
        assert_eq!((limits.tokens.remaining, limits.tokens.limit), (None, None));
        assert_eq!(limits.input_tokens.limit, Some(u64::MAX));
        assert_eq!(limits.output_tokens.reset, None);
    }

    #[tokio::test]
    async fn tell_what_else_was_said() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("k").build().unwrap();
        let reply = client.create_message(&request()).await.unwrap();
        assert_eq!((reply.request_id(), reply.attempts(), reply.status().as_u16()), (Some("req_1"), 1, 200));
        assert_eq!(reply.headers()["content-type"], "application/json");
        assert_eq!(
            format!("{reply:?}"),
            r#"Response { status: 200, request_id: Some("req_1"), attempts: 1, elapsed: 0ns, .. }"#
        );
        let length = reply.clone().map(|message| message.text().len());
        assert_eq!((*length, length.request_id()), (2, Some("req_1")));
        assert_eq!(reply.into_inner().text(), "Hi");
    }

    #[tokio::test]
    async fn come_without_an_id_when_the_server_gives_none_that_is_text() {
        let server = answering([answer(200, &[], message_body("Hi")).header("request-id", b"\x80\xff")]);
        let client = builder(&server).api_key("k").build().unwrap();
        assert_eq!(client.create_message(&request()).await.unwrap().request_id(), None);
    }
}

mod redirects {
    use super::*;

    #[tokio::test]
    async fn are_refused_and_lead_nowhere() {
        let elsewhere = answering_all([message("stolen")]);
        type Set = fn(ClientBuilder) -> ClientBuilder;
        let credentials: [Set; 3] = [
            |b| b.api_key("k"),
            |b| b.api_key("k").auth_scheme(AuthScheme::XApiKey),
            |b| b.default_header("x-api-key", "k"),
        ];
        for status in [301, 302, 303, 307, 308] {
            for credential in credentials {
                let to = format!("http://user:pass@{}/v1/messages?canary", elsewhere.address());
                let server = answering([answer(status, &[("location", &to)], "")]);
                let client = credential(builder(&server)).build().unwrap();
                let error = client.create_message(&request()).await.unwrap_err();
                assert_eq!((error.kind(), error.attempts()), (ErrorKind::Redirect, 1), "{status}");
                // A 303 answers a request that was processed.
                assert_eq!(error.may_have_been_processed(), status == 303, "{status}");
                let said = error.to_string();
                assert!(said.ends_with("redirects are not followed: to http://127.0.0.1"), "{said}");
                assert_eq!(server.requests().len(), 1);
            }
        }
        assert_eq!(elsewhere.counts().connections, 0);
    }

    #[tokio::test]
    async fn to_the_same_server_are_refused_too() {
        let server = answering([answer(307, &[("location", "/v2/messages")], "")]);
        let client = builder(&server).api_key("k").build().unwrap();
        let error = client.create_message(&request()).await.unwrap_err();
        let said = error.to_string();
        assert!(said.ends_with("redirects are not followed: to another path"), "{said}");
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn that_a_callers_client_has_followed_are_refused_afterwards() {
        // A 307 would repeat the body elsewhere, so the client can't follow it.
        for (status, followed) in [(303, 1), (307, 0)] {
            let elsewhere = answering_all([message("stolen")]);
            let to = format!("http://{}/v1/messages", elsewhere.address());
            let server = answering([answer(status, &[("location", &to)], "")]);
            let own = plain_http_client();
            let client = builder(&server).api_key("k").http_client(own).build().unwrap();
            let error = client.create_message(&request()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Redirect, "{status}");
            assert_eq!(error.may_have_been_processed(), status == 303, "{status}");
            let requests = elsewhere.requests();
            assert_eq!(requests.len(), followed, "{status}");
            assert!(requests.iter().all(|request| request.body().is_empty()), "{status}");
        }
    }
}

mod observers {
    use super::*;

    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Notes {
        fn add(&self, note: String) {
            self.0.lock().unwrap().push(note);
        }
    }

    impl Observer for Notes {
        fn request(&self, request: &mut observe::Request<'_>) -> Result<(), observe::ObserverError> {
            assert_eq!(request.header("authorization"), None);
            self.add(format!("{} {} {:?}", request.operation(), request.attempt(), request.header("accept")));
            request.set_header("idempotency-key", "one")
        }

        fn response(&self, answer: &observe::ResponseInfo<'_>) {
            self.add(format!("{} {} {:?}", answer.attempt, answer.status.as_u16(), answer.request_id));
        }

        fn error(&self, error: &observe::AttemptError<'_>) {
            self.add(format!("{} {:?}, {} {:?}", error.attempt, error.kind, error.description, error.retry_in));
        }
    }

    #[tokio::test]
    async fn are_told_of_each_attempt_and_add_headers() {
        let server = answering([api_error(529, "overloaded_error"), message("Hi")]);
        let notes = Arc::new(Notes::default());
        let client = builder(&server).api_key("k").observer(notes.clone()).build().unwrap();
        client.create_message(&request()).await.unwrap();
        let told = [
            r#"create_message 1 Some("application/json")"#,
            r#"1 529 Some("req_1")"#,
            &format!("1 Overloaded, 529 Overloaded from {} Some(437.5ms)", server.address()),
            r#"create_message 2 Some("application/json")"#,
            r#"2 200 Some("req_1")"#,
        ];
        assert_eq!(*notes.0.lock().unwrap(), told);
        for request in server.requests() {
            assert_eq!(request.header("idempotency-key"), Some("one"));
        }
    }

    #[tokio::test]
    async fn are_all_told_of_everything() {
        let server = answering([api_error(529, "overloaded_error"), message("Hi")]);
        let [first, second] = [Arc::new(Notes::default()), Arc::new(Notes::default())];
        let client = builder(&server).api_key("k").observer(first.clone()).observer(second.clone()).build().unwrap();
        client.create_message(&request()).await.unwrap();
        assert_eq!(*first.0.lock().unwrap(), *second.0.lock().unwrap());
        assert_eq!(first.0.lock().unwrap().len(), 5);
    }

    #[tokio::test]
    async fn are_told_of_answers_that_can_not_be_used() {
        let html = [("content-type", "text/html")];
        let answers = [
            (json(200, r#"{"content":5}"#), "1 Decode, failed to decode the response None"),
            (json(200, r#"{"detail":"canary"}"#), "1 Decode, failed to decode the response: it has no `content` None"),
            (answer(200, &html, "canary"), "1 ContentType, response is not JSON None"),
            (json(202, message_body("Hi")), "1 UnexpectedStatus, unexpected status 202 Accepted None"),
        ];
        for (reply, told) in answers {
            let server = answering([reply]);
            let notes = Arc::new(Notes::default());
            let client = builder(&server).api_key("k").observer(notes.clone()).build().unwrap();
            client.create_message(&request()).await.unwrap_err();
            let notes = notes.0.lock().unwrap();
            assert_eq!(notes[2..], [told], "{notes:?}");
        }
    }

    #[tokio::test]
    async fn are_told_once_of_a_stream_that_failed() {
        let lacking = Reply::text("Hi").fault(Fault::reset(At::AfterEvent(2)));
        let answers = [
            (lacking, "1 Incomplete, stream ended before the message was complete None"),
            (
                Reply::text("Hi").fault(Fault::error_event(2, "api_error", "canary")),
                "1 Server, error event in the stream None",
            ),
            (
                answer(200, &[("content-type", "text/html")], "canary"),
                "1 ContentType, response is not a stream of events None",
            ),
            (json(200, r#"{"content":5}"#), "1 Decode, failed to decode the response None"),
        ];
        for (reply, told) in answers {
            let server = answering([reply]);
            let notes = Arc::new(Notes::default());
            let client = builder(&server).api_key("k").observer(notes.clone()).build().unwrap();
            if let Ok(mut stream) = client.stream_message(&request()).await {
                stream.final_message().await.unwrap_err();
                stream.final_message().await.unwrap_err();
            }
            let notes = notes.0.lock().unwrap();
            assert_eq!(notes[2..], [told], "{notes:?}");
        }
    }

    #[derive(Default)]
    struct Surprises(Mutex<Vec<String>>);

    impl Observer for Surprises {
        fn unknown(&self, unknown: &observe::Unknown<'_>) {
            let observe::Unknown { operation, item, name, schema, .. } = unknown;
            self.0.lock().unwrap().push(format!("{operation} {item:?} {name} {schema:?}"));
        }
    }

    #[tokio::test]
    async fn are_told_once_of_what_no_type_knows() {
        let block = r#"{"type":"hologram","depth":3}"#;
        let usage = r#"{"input_tokens":1,"output_tokens":2,"joules":3}"#;
        let body = format!(
            r#"{{"id":"m","type":"message","role":"assistant","model":"x","stop_reason":"tired","content":[{block},{block}],"usage":{usage},"mood":"good"}}"#
        );
        let server = answering([json(200, body)]);
        let surprises = Arc::new(Surprises::default());
        let client = builder(&server).api_key("k").observer(surprises.clone()).build().unwrap();
        client.create_message(&request()).await.unwrap();
        let told = [
            r#"create_message Variant tired Some("StopReason")"#,
            r#"create_message Variant hologram Some("ContentBlock")"#,
            "create_message Field joules None",
            "create_message Field mood None",
        ];
        assert_eq!(*surprises.0.lock().unwrap(), told);
    }

    /// Notes the end of each call.
    #[derive(Default)]
    struct Ends(Mutex<Vec<String>>);

    impl Ends {
        fn taken(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl Observer for Ends {
        fn finished(&self, call: &observe::Finished<'_>) {
            let outcome = match call.outcome {
                observe::Outcome::Failed(error) => format!("{:?}", error.kind()),
                outcome => format!("{outcome:?}"),
            };
            let tokens = call.usage.map(|usage| (usage.input_tokens, usage.output_tokens));
            self.0.lock().unwrap().push(format!(
                "{} {:?} {outcome} attempts {} status {:?} {tokens:?} {:?}",
                call.operation,
                call.model.unwrap_or_default(),
                call.attempts,
                call.status.map(|status| status.as_u16()),
                call.stop_reason,
            ));
        }
    }

    #[tokio::test]
    async fn are_called_once_at_the_end_of_each_call() {
        let ends = Arc::new(Ends::default());
        let client = |server: &Server| builder(server).api_key("k").observer(ends.clone()).build().unwrap();
        let usage = r#"(Some(3), Some(5))"#;

        let server = answering([api_error(529, "overloaded_error"), message("Hi")]);
        client(&server).create_message(&request()).await.unwrap();
        let whole =
            r#"create_message "claude-sonnet-5" Completed attempts 2 status Some(200) Some(USAGE) Some("end_turn")"#;
        assert_eq!(ends.taken(), [whole.replace("USAGE", usage)]);

        let failures = [
            (api_error(400, "invalid_request_error"), "BadRequest attempts 1 status Some(400) None None"),
            (json(200, "{}"), "Decode attempts 1 status Some(200) None None"),
            (message("Hi").fault(Fault::close(At::BeforeHeaders)), "Closed attempts 3 status None None None"),
        ];
        for (reply, said) in failures {
            let server = answering([reply]);
            client(&server).create_message(&request()).await.unwrap_err();
            assert_eq!(ends.taken(), [format!(r#"create_message "claude-sonnet-5" {said}"#)]);
        }

        // A call that is given up, on its way and between two attempts.
        let server = answering([message("Hi").fault(Fault::stall(At::BeforeHeaders))]);
        let dropped = client(&server);
        let asked = request();
        tokio::select! {
            _ = dropped.create_message(&asked) => panic!("it was answered"),
            sent = server.until(|counts| counts.requests == 1) => drop(sent.unwrap()),
        }
        assert_eq!(ends.taken(), [r#"create_message "claude-sonnet-5" Dropped attempts 1 status None None None"#]);

        // Streams: read to the end, failed in the middle, and dropped.
        let streamed = Reply::text("one two").delta_length(4);
        let server = Server::start().unwrap();
        server.reply(streamed.clone());
        server.reply(streamed.clone().fault(Fault::reset(At::AfterEvent(3))));
        server.reply(streamed);
        let client = client(&server);
        for (events, said) in [(usize::MAX, "Completed"), (usize::MAX, "Incomplete"), (2, "Dropped")] {
            let mut stream = client.stream_message(&request()).await.unwrap();
            assert_eq!(ends.taken(), [""; 0], "the call goes on");
            for _ in 0..events {
                let Some(Ok(_)) = stream.next().await else { break };
            }
            drop(stream);
            let ended = ends.taken();
            assert_eq!(ended.len(), 1, "{ended:?}");
            let start = format!(r#"create_message_stream "claude-sonnet-5" {said} attempts 1 status Some(200) Some("#);
            assert!(ended[0].starts_with(&start), "{ended:?}");
        }

        // A count has input tokens only, and a call that is refused before it is sent ends as well.
        let server = answering([json(200, r#"{"input_tokens":7}"#)]);
        let count = CountTokensRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")]);
        let client = builder(&server).api_key("k").observer(ends.clone()).build().unwrap();
        client.count_tokens(&count).await.unwrap();
        let counted =
            r#"count_tokens "claude-sonnet-5" Completed attempts 1 status Some(200) Some((Some(7), None)) None"#;
        assert_eq!(ends.taken(), [counted]);
        let broken = client.with_options(|options| options.header("bad name", "x"));
        broken.count_tokens(&count).await.unwrap_err();
        let refused = r#"count_tokens "claude-sonnet-5" Configuration attempts 0 status None None None"#;
        assert_eq!(ends.taken(), [refused]);
    }

    struct Strict(&'static str);

    impl Observer for Strict {
        fn request(&self, request: &mut observe::Request<'_>) -> Result<(), observe::ObserverError> {
            match self.0 {
                "refuse" => Err(observe::ObserverError::new("not today")),
                name => request.set_header(name, "x"),
            }
        }
    }

    #[tokio::test]
    async fn may_refuse_a_request() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("k").observer(Strict("refuse")).build().unwrap();
        let error = client.create_message(&request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(chain(&error), ["an observer refused the request", "not today"]);
        assert!(!error.may_have_been_processed());
        assert_eq!(server.counts().connections, 0);
    }

    #[tokio::test]
    async fn may_not_set_what_the_crate_sets() {
        let server = answering([message("Hi")]);
        for name in ["host", "content-length", "authorization", "X-Api-Key"] {
            let client = builder(&server).api_key("k").observer(Strict(name)).build().unwrap();
            let error = client.create_message(&request()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{name}");
        }
        assert_eq!(server.counts().connections, 0);
    }
}

mod proxies {
    use super::*;

    fn proxy(said: Reply) -> (Server, String) {
        let server = answering_all([said]);
        let url = format!("http://{}", server.address());
        (server, url)
    }

    #[test]
    fn see_only_a_connect_of_an_encrypted_call() {
        let (server, url) = proxy(answer(502, &[], ""));
        let output = child("children::call", &[("HTTPS_PROXY", &url), ("BASE", "https://api.example.test/v1")]);
        assert!(output.contains("Connect attempts 3"), "{output}");
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        for request in requests {
            assert_eq!(
                (request.method().as_str(), request.uri().to_string()),
                ("CONNECT", "api.example.test:443".into())
            );
            let names: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
            assert_eq!(names, ["host"], "no credential, and no other header");
        }
    }

    #[test]
    fn that_require_authentication_are_named_and_not_asked_twice() {
        let (server, url) = proxy(answer(407, &[("proxy-authenticate", "Basic")], ""));
        let output = child("children::call", &[("HTTPS_PROXY", &url), ("BASE", "https://api.example.test/v1")]);
        let said = format!("failed to connect to api.example.test: the proxy {url} requires authentication");
        assert!(output.contains("Connect attempts 1") && output.contains(&said), "{output}");
        assert_eq!(server.requests().len(), 1);
        // In cleartext the proxy answers itself.
        let plain = [("HTTP_PROXY", url.as_str()), ("BASE", "http://api.example.test/v1"), ("CLEAR", "1")];
        let output = child("children::call", &plain);
        let said = format!("407 Proxy Authentication Required from the proxy {url}");
        assert!(output.contains("Connect attempts 1") && output.contains(&said), "{output}");
    }

    #[test]
    fn that_are_dead_are_named() {
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://user:canary@{dead}");
        for (variable, base) in [
            ("HTTPS_PROXY", "https://api.example.test/v1"),
            ("ALL_PROXY", "https://api.example.test/v1"),
            ("HTTP_PROXY", "http://api.example.test/v1"),
        ] {
            let output = child("children::call", &[(variable, &url), ("BASE", base), ("CLEAR", "1")]);
            let said = format!("failed to connect to api.example.test through the proxy http://{dead}");
            assert!(output.contains("Connect attempts 3") && output.contains(&said), "{output}");
            assert!(!output.contains("canary"), "{output}");
        }
    }

    #[test]
    fn that_cannot_be_used_are_an_error_of_the_builder_where_they_would_be() {
        let https = ("BASE", "https://api.example.test/v1");
        let unusable = if cfg!(feature = "socks") { "ftp://127.0.0.1:1" } else { "socks5://127.0.0.1:1" };
        for variables in [vec![("ALL_PROXY", unusable), https], vec![("https_proxy", "quic://127.0.0.1:1"), https]] {
            let output = child("children::call", &variables);
            assert!(output.contains("Configuration") && output.contains(variables[0].0), "{output}");
            // A closure that sets something else does not make the client connect directly.
            let output = child("children::call", &[&variables[..], &[("POOL", "4")]].concat());
            assert!(output.contains("Configuration") && output.contains(variables[0].0), "{output}");
        }
        let target = answering_all([message("Hi")]);
        let base = target.base_url();
        for variables in [
            vec![("ALL_PROXY", unusable), ("BASE", base.as_str())],
            vec![("ALL_PROXY", unusable), https, ("NO_PROXY", "example.test")],
            vec![("ALL_PROXY", unusable), https, ("OFF", "1")],
            vec![("ALL_PROXY", unusable), https, ("OFF", "1"), ("POOL", "4")],
        ] {
            let output = child("children::call", &variables);
            assert!(!output.contains("Configuration"), "{output}");
        }
    }

    /// The caller's own proxy takes the place of the environment's, and is used for this host too.
    #[tokio::test]
    async fn of_the_caller_win() {
        let (server, url) = proxy(json(200, message_body("Hi")));
        let proxy = anthropic_messages::reqwest::Proxy::all(&url).unwrap();
        let client = Client::builder().api_key("k").base_url("http://127.0.0.1:1/v1");
        let client = client.configure_http(move |http| http.proxy(proxy)).build().unwrap();
        assert_eq!(client.create_message(&request()).await.unwrap().text(), "Hi");
        assert_eq!(server.requests()[0].uri(), "http://127.0.0.1:1/v1/messages");
    }

    #[test]
    fn are_passed_over_where_the_environment_or_the_builder_says_so() {
        let (server, url) = proxy(answer(502, &[], ""));
        let target = answering([message("Hi")]);
        let base = target.base_url();
        for variables in [
            [("HTTP_PROXY", url.as_str()), ("BASE", &base), ("NO_PROXY", "127.0.0.1")],
            [("http_proxy", url.as_str()), ("BASE", &base), ("OFF", "1")],
        ] {
            let output = child("children::call", &variables);
            assert!(output.contains("said Hi"), "{output}");
        }
        assert_eq!((server.counts().connections, target.requests().len()), (0, 2));
    }

    #[test]
    fn are_used_in_cleartext_where_that_is_allowed() {
        let (server, url) = proxy(json(200, message_body("Hi")));
        let output =
            child("children::call", &[("http_proxy", &url), ("BASE", "http://api.example.test/v1"), ("CLEAR", "1")]);
        assert!(output.contains("said Hi"), "{output}");
        assert_eq!(server.requests()[0].uri(), "http://api.example.test/v1/messages");
    }

    #[test]
    fn are_never_asked_for_a_server_on_this_host() {
        let (server, url) = proxy(json(200, message_body("Hi")));
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
                let base = format!("http://{host}:1/v1");
                let output = child("children::call", &[(variable, &url), ("BASE", &base)]);
                assert!(output.contains("Connect attempts"), "{output}");
            }
        }
        assert_eq!(server.counts().connections, 0, "the key and the prompt went to the proxy");
    }

    #[test]
    fn keep_their_password_out_of_errors() {
        let (_server, url) = proxy(answer(502, &[], ""));
        let url = url.replace("http://", "http://user:canary@");
        let output = child("children::call", &[("HTTPS_PROXY", &url), ("BASE", "https://api.example.test/v1")]);
        assert!(output.contains("Connect attempts 3") && !output.contains("canary"), "{output}");
    }
}

/// An observer whose lock is poisoned by its own panic, and that panics again when the call is dropped.
#[derive(Default)]
struct Poisoned(Mutex<u32>);

impl Observer for Poisoned {
    fn response(&self, _: &observe::ResponseInfo<'_>) {
        let _held = self.0.lock().unwrap();
        panic!("the observer panics");
    }

    fn finished(&self, _: &observe::Finished<'_>) {
        *self.0.lock().unwrap() += 1;
    }
}

#[tokio::test]
async fn an_observer_that_panics_twice_ends_its_task_and_not_the_process() {
    let server = answering([message("Hi")]);
    let client = builder(&server).api_key("k").observer(Poisoned::default()).build().unwrap();
    let outcome = tokio::spawn(async move { client.create_message(&request()).await.map(|_| ()) }).await;
    assert!(outcome.unwrap_err().is_panic());
}
