//! Tests of the request that a server receives, and of the parts the caller can change.

use std::{collections::BTreeMap, time::Duration};

use anthropic_messages::{Client, ErrorKind, retry::RetryAmbiguous};
use anthropic_messages_testing::{At, Fault};
use http::Version;

use crate::{
    builder, count, refusal, request, seen,
    support::answers::{answer, answering, json, message, silent},
};

mod request_on_the_wire {
    use super::*;

    #[tokio::test]
    async fn holds_the_contracts_body_and_nothing_that_no_one_asked_for() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("sk-1").build().unwrap();
        let seen = seen(&client, &server).await;
        assert_eq!((seen.method().as_str(), seen.uri().to_string().as_str()), ("POST", "/v1/messages"));
        assert_eq!(seen.version(), Version::HTTP_11);
        let headers: BTreeMap<_, _> =
            seen.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let length = seen.body().len().to_string();
        let host = server.address().to_string();
        let expected = BTreeMap::from([
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
            ("anthropic-version", "2026-10-21"),
            ("authorization", "Bearer [redacted]"),
            ("content-length", length.as_str()),
            ("content-type", "application/json"),
            ("host", host.as_str()),
            ("user-agent", concat!("anthropic-messages/", env!("CARGO_PKG_VERSION"))),
        ]);
        assert_eq!((headers, seen.headers().len()), (expected, 8));
        assert!(seen.has_header("authorization", "Bearer sk-1"));
        let body: serde_json::Value = seen.json().unwrap();
        let content = serde_json::json!([{"type": "text", "text": "Hello"}]);
        let messages = serde_json::json!([{"role": "user", "content": content}]);
        assert_eq!(body, serde_json::json!({"model": "claude-sonnet-5", "messages": messages, "max_tokens": 1024}));
    }

    #[tokio::test]
    async fn goes_over_one_connection() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("sk-1").build().unwrap();
        for _ in 0..5 {
            seen(&client, &server).await;
        }
        let other = client.with_options(|o| o.header("a", "b"));
        seen(&other, &server).await;
        assert_eq!((server.requests().len(), server.counts().connections), (6, 1));
    }
}

mod headers {
    use super::*;

    #[tokio::test]
    async fn replace_each_other_without_regard_to_case() {
        let server = answering([message("Hi")]);
        let client = builder(&server)
            .api_key("k")
            .default_header("X-Team", "a")
            .default_header("x-team", "b")
            .default_header("User-Agent", "mine/1")
            .default_header("accept", "application/json, */*")
            .anthropic_version("2023-06-01")
            .workspace_id("wrkspc_1")
            .user_profile_id("uprof_1")
            .build()
            .unwrap();
        let seen = seen(&client, &server).await;
        let expected = [
            ("x-team", "b"),
            ("user-agent", "mine/1"),
            ("accept", "application/json, */*"),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-workspace-id", "wrkspc_1"),
            ("anthropic-user-profile-id", "uprof_1"),
        ];
        for (name, value) in expected {
            assert_eq!((seen.header(name), count(&seen, name)), (Some(value), 1));
        }
    }

    #[tokio::test]
    async fn of_beta_features_are_joined() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("k").beta("a-1").beta("b-2").beta("a-1").build().unwrap();
        assert_eq!(seen(&client, &server).await.header("anthropic-beta"), Some("a-1,b-2"));
        let more = client.with_options(|o| o.beta("c-3").beta("b-2"));
        assert_eq!(seen(&more, &server).await.header("anthropic-beta"), Some("a-1,b-2,c-3"));
        let replaced = client.with_options(|o| o.header("Anthropic-Beta", "x, y").beta("z"));
        assert_eq!(seen(&replaced, &server).await.header("anthropic-beta"), Some("x,y,z"));
        assert_eq!(seen(&client, &server).await.header("anthropic-beta"), Some("a-1,b-2"));
    }

    #[test]
    fn that_would_break_a_request_are_refused() {
        let framing = [
            "Connection",
            "Content-Encoding",
            "Content-Length",
            "Expect",
            "HOST",
            "HTTP2-Settings",
            "Keep-Alive",
            "Proxy-Connection",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
        ];
        for name in framing {
            let error = refusal(Client::builder().api_key("k").default_header(name, "canary"));
            let name = name.to_ascii_lowercase();
            let said = format!("header {name} frames or routes the request and cannot be set");
            assert_eq!(error, said);
        }
        for (name, start) in [("", ""), ("a b", "a"), ("ab: canary", "ab"), ("a\r\nb", "a"), ("é", "")] {
            let error = refusal(Client::builder().api_key("k").default_header(name, "canary"));
            assert_eq!(
                error,
                format!("invalid header name: unexpected character at byte {}, after {start:?}", start.len())
            );
        }
        for value in ["canary\r\nx: y", "canary\n", "canary\0"] {
            let error = refusal(Client::builder().api_key("k").default_header("a", value));
            assert_eq!(error, "invalid value of header a: it contains a character that is not allowed in a header");
        }
        let empty = refusal(Client::builder().default_header("authorization", " "));
        assert_eq!(empty, "header authorization carries the credential and cannot be empty");
        assert_eq!(refusal(Client::builder().api_key("k").beta("a,b")), "invalid beta feature: expected one name");
    }

    #[tokio::test]
    async fn never_make_a_second_request() {
        let server = answering([message("Hi")]);
        for value in ["a\r\n\r\nGET / HTTP/1.1", "a\nb", "a\rb"] {
            let client = builder(&server).api_key("k").build().unwrap().with_options(|o| o.header("x", value));
            let error = client.create_message(&request()).await.unwrap_err();
            assert_eq!((error.kind(), error.attempts()), (ErrorKind::Configuration, 0));
            assert!(builder(&server).api_key("k").default_header("x", value).build().is_err());
        }
        assert_eq!(server.counts().connections, 0);
    }
}

mod options {
    use super::*;

    #[tokio::test]
    async fn hold_for_the_new_client_only() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("k").default_header("x-a", "1").build().unwrap();
        let other = client.with_options(|o| o.header("X-A", "2").header("x-b", "3").workspace_id("w"));
        let seen_by_other = seen(&other, &server).await;
        assert_eq!(seen_by_other.header("x-a"), Some("2"));
        assert_eq!(seen_by_other.header("x-b"), Some("3"));
        assert_eq!(seen_by_other.header("anthropic-workspace-id"), Some("w"));
        let seen = seen(&client, &server).await;
        assert_eq!((seen.header("x-a"), seen.header("x-b")), (Some("1"), None));
    }

    #[tokio::test]
    async fn add_up() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("k").build().unwrap();
        let twice = client.with_options(|o| o.header("x-a", "1")).with_options(|o| o.header("x-b", "2"));
        let seen = seen(&twice, &server).await;
        assert_eq!((seen.header("x-a"), seen.header("x-b")), (Some("1"), Some("2")));
    }

    #[tokio::test]
    async fn replace_the_credential_with_one() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("k").build().unwrap();
        let other = client.with_options(|o| o.header("x-api-key", "h"));
        let seen_by_other = seen(&other, &server).await;
        assert!(seen_by_other.has_header("x-api-key", "h") && seen_by_other.header("authorization").is_none());
        let back = other.with_options(|o| o.header("Authorization", "Bearer b"));
        let seen = seen(&back, &server).await;
        assert!(seen.has_header("authorization", "Bearer b") && seen.header("x-api-key").is_none());
    }

    #[tokio::test]
    async fn that_are_malformed_are_told_by_the_call() {
        let server = answering([message("Hi")]);
        let client = builder(&server).api_key("k").build().unwrap();
        let broken = client.with_options(|o| o.header("host", "evil.example").header("a b", "c"));
        let error = broken.create_message(&request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(error.to_string(), "header host frames or routes the request and cannot be set");
        assert_eq!(server.counts().connections, 0);
    }

    #[tokio::test]
    async fn set_the_limits() {
        let server = silent();
        let client = builder(&server).api_key("k").build().unwrap();
        let total = client.with_options(|o| o.timeout(Duration::from_millis(50)));
        let error = total.create_message(&request()).await.unwrap_err();
        assert_eq!(error.to_string(), "call exceeded its timeout of 50ms");
        let start = client.with_options(|o| o.response_timeout(Duration::from_millis(50)));
        let error = start.create_message(&request()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no response from {} within 50ms", server.address()));
        let resent = start.with_options(|o| o.retry_ambiguous(RetryAmbiguous::Always).max_retries(1));
        assert_eq!(resent.create_message(&request()).await.unwrap_err().attempts(), 2);
    }
}

mod defaults {
    use super::*;

    #[tokio::test]
    async fn a_call_may_take_ten_minutes() {
        let server = answering([message("Hi"), message("Hi").fault(Fault::stall(At::BeforeHeaders))]);
        let client = Client::builder().api_key("k").base_url(server.base_url()).no_proxy().build().unwrap();
        client.create_message(&request()).await.unwrap();
        // The connection is open. From now on, delays pass once the runtime is idle.
        tokio::time::pause();
        let error = client.create_message(&request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.elapsed().as_secs(), 600);
    }

    #[tokio::test]
    async fn an_answer_may_have_64_mebibytes() {
        let limit = 64 * 1024 * 1024;
        for (declared, kind) in [(limit, ErrorKind::Truncated), (limit + 1, ErrorKind::BodyTooLarge)] {
            let headers_only = Fault::close(At::AfterByte(0));
            let server = answering([json(200, vec![b' '; declared]).fault(headers_only)]);
            let client = builder(&server).api_key("k").build().unwrap();
            assert_eq!(client.create_message(&request()).await.unwrap_err().kind(), kind);
        }
    }

    #[tokio::test]
    async fn an_error_may_have_one_mebibyte() {
        let limit = 1024 * 1024;
        for (length, kept) in [(limit, limit), (limit + 1, limit)] {
            let server = answering([answer(400, &[], "x".repeat(length))]);
            let client = builder(&server).api_key("k").build().unwrap();
            let error = client.create_message(&request()).await.unwrap_err();
            assert_eq!((error.status().map(|status| status.as_u16()), error.body().len()), (Some(400), kept));
        }
    }
}
