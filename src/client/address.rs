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

/// The path of the API's operations.
const DEFAULT_PATH: &str = "/v1";

/// The first segments of operations' paths.
const RESOURCES: [&str; 4] = ["messages", "models", "files", "complete"];

/// The base URLs that the default path is appended to.
#[derive(Clone, Copy, Debug)]
pub(super) enum AppendPath {
    /// Those without a path.
    ToBareHost,
    /// All but those that end in it, as the convention of the official SDKs for `ANTHROPIC_BASE_URL` is.
    UnlessPresent,
    /// None.
    Never,
}

impl Address {
    /// Checks a base URL, and appends the default path.
    pub(super) fn parse(text: &str, append: AppendPath, allow_cleartext: bool) -> Result<Self> {
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
        let path = url.path().trim_end_matches('/');
        let appends = match append {
            AppendPath::ToBareHost => path.is_empty(),
            AppendPath::UnlessPresent => !path.ends_with(DEFAULT_PATH),
            AppendPath::Never => false,
        };
        if appends {
            let path = [path, DEFAULT_PATH].concat();
            url.set_path(&path);
        }
        Ok(Self { host, base: BaseUrl::new(url), is_encrypted, is_loopback })
    }
}

/// Returns the part of a path before an operation that it names, as in `/v1/messages`. Gateways have paths that go on after
/// `/v1`, so that only resources of the API count.
fn before_operation(path: &str) -> Option<String> {
    let mut before = String::new();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        let is_version = segment.eq_ignore_ascii_case("v1");
        before.push('/');
        before.push_str(if is_version { "v1" } else { segment });
        let is_resource = |next: &&str| RESOURCES.iter().any(|resource| next.eq_ignore_ascii_case(resource));
        if is_version && segments.peek().is_some_and(is_resource) {
            return Some(before);
        }
    }
    None
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
    use super::{
        AppendPath::{Never, ToBareHost, UnlessPresent},
        *,
    };

    fn base(text: &str, append: AppendPath) -> String {
        Address::parse(text, append, true)
            .map_or_else(|error| error.to_string(), |address| address.base.as_str().to_owned())
    }

    #[test]
    fn the_default_path_is_appended_where_it_belongs() {
        for (text, to_bare_host, unless_present) in [
            ("https://h.example", "https://h.example/v1", "https://h.example/v1"),
            ("https://h.example/", "https://h.example/v1", "https://h.example/v1"),
            ("https://h.example:8443", "https://h.example:8443/v1", "https://h.example:8443/v1"),
            ("https://h.example/v1", "https://h.example/v1", "https://h.example/v1"),
            ("https://h.example/v1/", "https://h.example/v1", "https://h.example/v1"),
            ("https://h.example/anthropic", "https://h.example/anthropic", "https://h.example/anthropic/v1"),
            ("https://h.example/anthropic/v1", "https://h.example/anthropic/v1", "https://h.example/anthropic/v1"),
            ("https://h.example/messages", "https://h.example/messages", "https://h.example/messages/v1"),
            ("https://v1", "https://v1/v1", "https://v1/v1"),
            ("https://h.example/apiv1", "https://h.example/apiv1", "https://h.example/apiv1/v1"),
        ] {
            let found = (base(text, ToBareHost), base(text, UnlessPresent), base(text, Never));
            let as_written = text.trim_end_matches('/').to_owned();
            assert_eq!(found, (to_bare_host.to_owned(), unless_present.to_owned(), as_written), "{text}");
        }
    }

    #[test]
    fn a_base_url_that_names_an_operation_is_refused_with_the_right_one() {
        for (text, right) in [
            ("https://h.example/v1/messages", "https://h.example/v1"),
            ("https://h.example/v1/messages/", "https://h.example/v1"),
            ("https://h.example/v1/messages/count_tokens", "https://h.example/v1"),
            ("https://h.example:8443/anthropic/v1/messages", "https://h.example:8443/anthropic/v1"),
            ("https://h.example/v1/models", "https://h.example/v1"),
            ("https://h.example/V1/Messages", "https://h.example/v1"),
            ("https://h.example//v1//messages", "https://h.example/v1"),
            ("https://h.example/v1/gateway/v1/messages", "https://h.example/v1/gateway/v1"),
        ] {
            for append in [ToBareHost, UnlessPresent, Never] {
                let problem = base(text, append);
                assert!(problem.ends_with(&format!("use {right}")), "{text}: {problem}");
            }
        }
        for text in
            ["https://h.example/v1/messages-gateway", "https://h.example/v1/account/anthropic", "https://v1/messages"]
        {
            assert_eq!(base(text, ToBareHost), text);
        }
    }
}
