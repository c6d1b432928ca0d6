//! Tests of configuring a client: credentials, the environment, the base URL.

use std::{collections::BTreeMap, ffi::OsString};

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{AuthScheme, Client, ClientBuilder};

use crate::{
    builder, child, count, refusal, seen,
    support::answers::{answering_all, message},
};

mod credentials {
    use super::*;

    #[tokio::test]
    async fn are_sent_as_one_header() {
        type Set = fn(ClientBuilder) -> ClientBuilder;
        let cases: [(Set, &str, &str); 9] = [
            (|b| b.api_key("k"), "authorization", "Bearer k"),
            (|b| b.api_key("k\r\n"), "authorization", "Bearer k"),
            (|b| b.api_key(String::from("k\n\n")), "authorization", "Bearer k"),
            (|b| b.api_key("k").auth_scheme(AuthScheme::XApiKey), "x-api-key", "k"),
            (|b| b.auth_token("t"), "authorization", "Bearer t"),
            (|b| b.auth_token("t").auth_scheme(AuthScheme::XApiKey), "authorization", "Bearer t"),
            (|b| b.default_header("Authorization", "Basic eA=="), "authorization", "Basic eA=="),
            (|b| b.default_header("X-Api-Key", "h"), "x-api-key", "h"),
            (|b| b.default_header("x-api-key", "a").default_header("authorization", "b"), "authorization", "b"),
        ];
        for (set, name, value) in cases {
            let server = answering_all([message("Hi")]);
            let seen = seen(&set(builder(&server)).build().unwrap(), &server).await;
            assert!(seen.has_header(name, value), "{name}: {value}");
            assert_eq!(count(&seen, "authorization") + count(&seen, "x-api-key"), 1, "{name}: {value}");
        }
    }

    #[test]
    fn are_refused_when_malformed_and_not_shown() {
        let cases = [
            ("", "is empty"),
            ("\n", "is empty"),
            ("sk canary", "contains white space"),
            (" sk-canary", "contains white space"),
            ("sk-canary ", "contains white space"),
            ("sk\tcanary", "contains white space"),
            ("sk-\ncanary", "contains white space"),
            ("sk-\u{0}canary", "contains a control character"),
            ("sk-\u{7f}canary", "contains a control character"),
            ("sk-canaré", "contains a non-ASCII character"),
            ("“sk-canary”", "contains a non-ASCII character"),
        ];
        for (key, defect) in cases {
            for builder in [Client::builder().api_key(key), Client::builder().auth_token(key)] {
                let error = refusal(builder);
                assert_eq!(error, format!("the credential {defect}"));
            }
        }
    }

    #[test]
    fn are_refused_when_there_are_two() {
        let two = "more than one credential: set only one of api_key, auth_token, credentials and a header";
        assert_eq!(refusal(Client::builder().api_key("a").auth_token("b")), two);
        assert_eq!(refusal(Client::builder().api_key("a").default_header("authorization", "b")), two);
        assert_eq!(refusal(Client::builder().auth_token("a").default_header("X-API-KEY", "b")), two);
    }

    #[test]
    fn that_are_missing_are_told_with_what_was_looked_for() {
        let builder = "no credential: set api_key, auth_token, credentials or a header that carries one on the builder";
        assert_eq!(refusal(Client::builder()), format!("{builder}, or call from_env to read the environment"));
        assert_eq!(
            refusal(Client::builder().from_env_with(|_| None)),
            format!("{builder}, or set the environment variable ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN")
        );
        let profile = |name: &str| (name == "ANTHROPIC_PROFILE").then(|| "work".into());
        assert!(refusal(Client::builder().from_env_with(profile)).contains("(ANTHROPIC_PROFILE is set, but that way"));
    }
}

mod environment {
    use super::*;

    fn surroundings(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + use<> {
        let map: BTreeMap<String, OsString> =
            pairs.iter().map(|(name, value)| (format!("ANTHROPIC_{name}"), OsString::from(value))).collect();
        move |name| map.get(name).cloned()
    }

    #[tokio::test]
    async fn stands_below_the_builder() {
        type Set = fn(ClientBuilder) -> ClientBuilder;
        let same: Set = |b| b;
        type Row = (&'static [(&'static str, &'static str)], Set, &'static str, &'static str);
        let cases: [Row; 14] = [
            (&[("API_KEY", "k")], same, "authorization", "Bearer k"),
            (&[("API_KEY", "k\n")], same, "authorization", "Bearer k"),
            (&[("AUTH_TOKEN", "t")], same, "authorization", "Bearer t"),
            (&[("API_KEY", "k"), ("AUTH_TOKEN", "t")], same, "authorization", "Bearer k"),
            (&[("API_KEY", ""), ("AUTH_TOKEN", "t")], same, "authorization", "Bearer t"),
            (&[("API_KEY", "k")], |b| b.auth_scheme(AuthScheme::XApiKey), "x-api-key", "k"),
            (&[("API_KEY", "k")], |b| b.api_key("own"), "authorization", "Bearer own"),
            (&[("API_KEY", "k")], |b| b.auth_token("own"), "authorization", "Bearer own"),
            (&[("API_KEY", "k")], |b| b.default_header("x-api-key", "own"), "x-api-key", "own"),
            (&[("CUSTOM_HEADERS", "x-api-key: c")], same, "x-api-key", "c"),
            (&[("CUSTOM_HEADERS", "Authorization: c d"), ("API_KEY", "k")], same, "authorization", "c d"),
            (&[("CUSTOM_HEADERS", "x-api-key: c")], |b| b.api_key("own"), "authorization", "Bearer own"),
            (&[("API_KEY", "k"), ("CUSTOM_HEADERS", "a: 1\n\nb:2: 3\n")], same, "b", "2: 3"),
            (&[("API_KEY", "k"), ("CUSTOM_HEADERS", "a: 1")], |b| b.default_header("A", "2"), "a", "2"),
        ];
        for (pairs, set, name, value) in cases {
            let server = answering_all([message("Hi")]);
            let client = set(builder(&server)).from_env_with(surroundings(pairs)).build().unwrap();
            let seen = seen(&client, &server).await;
            assert!(seen.has_header(name, value), "{pairs:?}");
            assert_eq!(count(&seen, "authorization") + count(&seen, "x-api-key"), 1, "{pairs:?}");
        }
    }

    #[test]
    fn names_the_address_without_v1() {
        let cases = [
            (None, "https://api.anthropic.com/v1"),
            (Some(""), "https://api.anthropic.com/v1"),
            (Some("https://gate.example"), "https://gate.example/v1"),
            (Some("https://gate.example/"), "https://gate.example/v1"),
            (Some("https://gate.example/v1"), "https://gate.example/v1"),
            (Some("https://gate.example/v1/"), "https://gate.example/v1"),
            (Some("https://gate.example/anthropic"), "https://gate.example/anthropic/v1"),
            (Some("https://gate.example/v1/x"), "https://gate.example/v1/x/v1"),
            (Some("http://127.0.0.1:8080"), "http://127.0.0.1:8080/v1"),
        ];
        for (variable, base) in cases {
            let pairs: Vec<_> = variable.map(|url| ("BASE_URL", url)).into_iter().chain([("API_KEY", "k")]).collect();
            let client = Client::builder().from_env_with(surroundings(&pairs)).build().unwrap();
            assert_eq!(client.base_url(), base);
            let own = Client::builder().from_env_with(surroundings(&pairs)).base_url("https://own.example/x").build();
            assert_eq!(own.unwrap().base_url(), "https://own.example/x");
        }
    }

    #[test]
    fn that_is_malformed_is_told_without_its_values() {
        let line = refusal(Client::builder().from_env_with(surroundings(&[("CUSTOM_HEADERS", "a: 1\ncanary")])));
        assert_eq!(line, "line 2 of the environment variable ANTHROPIC_CUSTOM_HEADERS is not `name: value`");
        let key = refusal(Client::builder().from_env_with(surroundings(&[("API_KEY", "can ary")])));
        assert_eq!(key, "the credential contains white space");
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            let bytes = |name: &str| (name == "ANTHROPIC_API_KEY").then(|| OsString::from_vec(vec![0xff, b'c']));
            assert_eq!(
                refusal(Client::builder().from_env_with(bytes)),
                "the environment variable ANTHROPIC_API_KEY is not UTF-8"
            );
        }
    }

    #[test]
    fn of_the_process_is_read() {
        let output = child("children::key_from_env", &[("ANTHROPIC_API_KEY", "sk-child")]);
        assert!(output.contains("credential: Credential(authorization: [redacted])"), "{output}");
        let output = child("children::key_from_env", &[]);
        assert!(output.contains("or set the environment variable ANTHROPIC_API_KEY"), "{output}");
    }
}

mod addresses {
    use super::*;

    #[test]
    fn are_read_as_the_table_says() {
        let fine = [
            ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1"),
            ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"),
            ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
            ("https://api.anthropic.com/", "https://api.anthropic.com/v1"),
            ("https://h.example//", "https://h.example/v1"),
            ("https://h.example/a/b/", "https://h.example/a/b"),
            ("https://h.example/a%2Fb", "https://h.example/a%2Fb"),
            ("https://h.example:8443/v1", "https://h.example:8443/v1"),
            ("https://h.example:443/v1", "https://h.example/v1"),
            ("HTTPS://H.Example/V1", "https://h.example/V1"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example/v1"),
            ("https://10.0.0.1/v1", "https://10.0.0.1/v1"),
            ("https://[2001:db8::1]/v1", "https://[2001:db8::1]/v1"),
            ("http://localhost:1234", "http://localhost:1234/v1"),
            ("http://api.localhost:1234", "http://api.localhost:1234/v1"),
            ("http://LOCALHOST./x", "http://localhost./x"),
            ("http://127.0.0.1", "http://127.0.0.1/v1"),
            ("http://127.8.9.1:80/v1", "http://127.8.9.1/v1"),
            ("http://2130706433/", "http://127.0.0.1/v1"),
            ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
            ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/v1"),
        ];
        for (url, base) in fine {
            let client = Client::builder().api_key("k").base_url(url).build().unwrap();
            assert_eq!(client.base_url(), base, "{url}");
        }
        let cleartext =
            ": http to another host exposes the credential and all content; use https, or allow_cleartext(true)";
        let white = ": it contains white space, a control character or a backslash";
        let user = ": it contains a user name or a password";
        let refused = [
            ("", ""),
            ("api.anthropic.com", ""),
            ("//api.anthropic.com", ""),
            ("https://", ""),
            ("https://h.example:99999", ""),
            ("https://[::1", ""),
            ("localhost:8080", ": its scheme is neither https nor http"),
            ("ftp://h.example", ": its scheme is neither https nor http"),
            ("file:///etc/passwd", ": its scheme is neither https nor http"),
            ("unix:/run/x", ": its scheme is neither https nor http"),
            (" https://h.example", white),
            ("https://h.example\n", white),
            ("https://h.ex\tample", white),
            ("https://h.example/a b", white),
            ("https:\\\\h.example", white),
            ("https://user@h.example", user),
            ("https://user:password@h.example", user),
            ("https://:password@h.example", user),
            ("https://@h.example", user),
            ("https://h.example?x=1", ": it contains a query or a fragment"),
            ("https://h.example?", ": it contains a query or a fragment"),
            ("https://h.example/#x", ": it contains a query or a fragment"),
            ("http://h.example", cleartext),
            ("http://10.0.0.1", cleartext),
            ("http://localhost.example", cleartext),
            ("http://128.0.0.1", cleartext),
            ("http://[2001:db8::1]", cleartext),
            ("http://0.0.0.0", cleartext),
        ];
        for (url, defect) in refused {
            let error = refusal(Client::builder().api_key("k").base_url(url));
            assert_eq!(error, format!("invalid base URL{defect}"), "{url}");
        }
    }

    #[test]
    fn in_clear_text_are_taken_when_that_is_allowed() {
        let client = Client::builder().api_key("k").base_url("http://10.0.0.1/x").allow_cleartext(true).build();
        assert_eq!(client.unwrap().base_url(), "http://10.0.0.1/x");
    }

    #[test]
    fn default_to_the_apis_own() {
        assert_eq!(Client::new("k").unwrap().base_url(), "https://api.anthropic.com/v1");
    }

    #[tokio::test]
    async fn keep_their_path() {
        let server = answering_all([message("Hi")]);
        let bare = builder(&server).api_key("k").base_url(format!("http://{}", server.address()));
        assert_eq!(seen(&bare.default_base_path(false).build().unwrap(), &server).await.uri(), "/messages");
        for (path, uri) in [
            ("", "/v1/messages"),
            ("/", "/v1/messages"),
            ("/proxy/anthropic//", "/proxy/anthropic/messages"),
            ("/a%2Fb%20c/ü/v1", "/a%2Fb%20c/%C3%BC/v1/messages"),
        ] {
            let base = format!("http://{}{path}", server.address());
            let client = builder(&server).api_key("k").base_url(base).build().unwrap();
            assert_eq!(seen(&client, &server).await.uri(), uri);
        }
    }
}
