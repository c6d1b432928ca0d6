//! The base URL: read once, checked once.

use std::net::IpAddr;

use reqwest::Url;
use url::Host;

use crate::{
    error::{Error, Result},
    transport::BaseUrl,
};

/// Address of the API.
pub(super) const DEFAULT: &str = "https://api.anthropic.com/v1";

/// A base URL that passed all checks.
pub(super) struct Address {
    pub(super) base: BaseUrl,
    /// Host and port, for messages.
    pub(super) host: String,
    pub(super) is_encrypted: bool,
    /// `true` if the host is this one.
    pub(super) is_loopback: bool,
}

/// The path that a base URL without one gets.
const DEFAULT_PATH: &str = "/v1";

impl Address {
    /// Checks a base URL, and adds the default path to one without a path if `default_path` is set.
    pub(super) fn parse(text: &str, default_path: bool, allow_cleartext: bool) -> Result<Self> {
        let refuse = |problem: &str| Err(Error::configuration(format!("invalid base URL: {problem}")));
        // The parser drops some of these silently, and reads others as a slash.
        if text.chars().any(|character| character.is_whitespace() || character.is_control() || character == '\\') {
            return refuse("it contains white space, a control character or a backslash");
        }
        let mut url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => return Err(Error::configuration("invalid base URL").with_source(error)),
        };
        let is_encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return refuse("its scheme is neither https nor http"),
        };
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return refuse("it contains a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("it contains a query or a fragment");
        }
        let Some(host) = url.host() else { return refuse("it has no host") };
        let is_loopback = is_loopback(&host);
        if !is_encrypted && !allow_cleartext && !is_loopback {
            return refuse(
                "http to another host exposes the credential and all content; use https, or allow_cleartext(true)",
            );
        }
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        if let Some(base) = before_operation(url.path()) {
            let right = format!("{}://{host}{base}", url.scheme());
            return refuse(&format!("it names an operation, whose path the client appends itself; use {right}"));
        }
        if default_path && url.path().trim_end_matches('/').is_empty() {
            url.set_path(DEFAULT_PATH);
        }
        Ok(Self { host, base: BaseUrl::new(url), is_encrypted, is_loopback })
    }
}

/// The base URL for an `ANTHROPIC_BASE_URL`, which by the convention of the official SDKs does not contain `/v1`.
pub(super) fn from_variable(text: &str) -> String {
    let trimmed = text.trim_end_matches('/');
    let path_ends = |end: &str| trimmed.ends_with(end) || trimmed.contains(&format!("{end}/"));
    if trimmed.ends_with(DEFAULT_PATH) || path_ends("/v1/messages") {
        trimmed.to_owned()
    } else {
        format!("{trimmed}{DEFAULT_PATH}")
    }
}

/// The part of a path before the operation that it names, as in `/v1/messages`.
fn before_operation(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    let (before, after) = path.split_once("/v1/messages")?;
    (after.is_empty() || after.starts_with('/')).then(|| path.get(..before.len() + DEFAULT_PATH.len()))?
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).to_canonical().is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str, default_path: bool) -> String {
        Address::parse(text, default_path, true)
            .map_or_else(|error| error.to_string(), |address| address.base.as_str().to_owned())
    }

    #[test]
    fn a_base_url_without_a_path_gets_the_default_one() {
        for (text, with, without) in [
            ("https://h.example", "https://h.example/v1", "https://h.example"),
            ("https://h.example/", "https://h.example/v1", "https://h.example"),
            ("https://h.example:8443", "https://h.example:8443/v1", "https://h.example:8443"),
            ("https://h.example/v1", "https://h.example/v1", "https://h.example/v1"),
            ("https://h.example/v1/", "https://h.example/v1", "https://h.example/v1"),
            ("https://h.example/anthropic", "https://h.example/anthropic", "https://h.example/anthropic"),
            ("https://h.example/messages", "https://h.example/messages", "https://h.example/messages"),
        ] {
            assert_eq!((base(text, true), base(text, false)), (with.to_owned(), without.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_variable_gains_the_default_path_unless_it_ends_in_it() {
        for (text, expected) in [
            ("https://h.example", "https://h.example/v1"),
            ("https://h.example/", "https://h.example/v1"),
            ("https://h.example/v1/", "https://h.example/v1"),
            ("https://h.example/anthropic", "https://h.example/anthropic/v1"),
            ("https://h.example/anthropic/v1", "https://h.example/anthropic/v1"),
        ] {
            assert_eq!(base(&from_variable(text), false), expected, "{text}");
        }
    }

    #[test]
    fn a_base_url_that_names_an_operation_is_refused_with_the_right_one() {
        for (text, right) in [
            ("https://h.example/v1/messages", "https://h.example/v1"),
            ("https://h.example/v1/messages/", "https://h.example/v1"),
            ("https://h.example/v1/messages/count_tokens", "https://h.example/v1"),
            ("https://h.example:8443/anthropic/v1/messages", "https://h.example:8443/anthropic/v1"),
        ] {
            for text in [text.to_owned(), from_variable(text)] {
                let problem = base(&text, true);
                assert!(problem.ends_with(&format!("use {right}")), "{text}: {problem}");
            }
        }
        assert_eq!(base("https://h.example/v1/messages-gateway", true), "https://h.example/v1/messages-gateway");
    }
}
