//! The base URL: read once, checked once.

use std::net::IpAddr;

use reqwest::Url;
use url::Host;

use crate::{
    error::{Error, Result},
    transport::BaseUrl,
};

/// Where the API is, unless someone says otherwise.
pub(super) const DEFAULT: &str = "https://api.anthropic.com/v1";

/// An address that requests may be sent to.
pub(super) struct Address {
    pub(super) base: BaseUrl,
    /// Host and port, as messages show it.
    pub(super) host: String,
    pub(super) encrypted: bool,
}

impl Address {
    /// Checks a base URL.
    pub(super) fn parse(text: &str, allow_cleartext: bool) -> Result<Self> {
        let refuse = |defect: &str| Err(Error::configuration(format!("the base URL {defect}")));
        // The parser drops some of these silently, and reads others as a slash.
        if text.chars().any(|character| character.is_whitespace() || character.is_control() || character == '\\') {
            return refuse("has white space, a control character or a backslash in it");
        }
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => return Err(Error::configuration("the base URL is not a URL").because(error)),
        };
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return refuse("is neither https nor http"),
        };
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return refuse("has a user name or a password in it");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("has a query or a fragment");
        }
        let Some(host) = url.host() else { return refuse("has no host") };
        if !encrypted && !allow_cleartext && !is_loopback(&host) {
            return refuse("is http, which would send the credential in clear text; use https or allow_cleartext");
        }
        Ok(Self {
            host: match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_string(),
            },
            base: BaseUrl::new(url),
            encrypted,
        })
    }

    /// The base URL for an `ANTHROPIC_BASE_URL`, which by the convention of the official SDKs has
    /// no `/v1` at its end.
    pub(super) fn from_variable(text: &str) -> String {
        let trimmed = text.trim_end_matches('/');
        if trimmed.ends_with("/v1") { trimmed.to_owned() } else { format!("{trimmed}/v1") }
    }
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
