//! The proxy that the environment names for a server, read as the HTTP client reads it.
//!
//! The HTTP client silently connects directly if it can't use the proxy that a variable names. That would be a
//! surprise, so it is an error here.

use std::ffi::OsString;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use crate::error::{Error, Result};

/// Returns scheme, host and port of the proxy for a server, or `None` for a direct connection.
///
/// # Errors
/// Fails if a variable names a proxy for the server that the client cannot use.
pub(super) fn of_environment(server: &Url, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Option<String>> {
    let variable = |names: [&'static str; 2]| {
        // Use the first that is set, even if it is empty.
        names.into_iter().find_map(|name| Some((name, lookup(name)?.into_string().unwrap_or_default())))
    };
    // A CGI program gets HTTP_PROXY from the header `proxy` of a request.
    if lookup("REQUEST_METHOD").is_some() {
        return Ok(None);
    }
    let own = if server.scheme() == "https" { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let set = |(_, value): &(&str, String)| !value.is_empty();
    let Some((name, value)) = variable(own).filter(set).or_else(|| variable(["ALL_PROXY", "all_proxy"]).filter(set))
    else {
        return Ok(None);
    };
    let (_, excluded) = variable(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    let any = Matcher::builder().all("http://proxy.invalid").no(excluded).build();
    let is_excluded = server.as_str().parse().is_ok_and(|server: http::Uri| any.intercept(&server).is_none());
    if is_excluded {
        return Ok(None);
    }
    // Don't show the value: it may contain a password.
    let refuse = |problem: String| {
        Err(Error::configuration(format!("invalid proxy in the environment variable {name}: {problem}")))
    };
    let Ok(proxy) = value.parse::<http::Uri>() else { return refuse("it is not a URL".to_owned()) };
    let scheme = proxy.scheme_str().unwrap_or("http");
    match scheme {
        "http" | "https" => {}
        "socks4" | "socks4a" | "socks5" | "socks5h" if cfg!(feature = "socks") => {}
        "socks4" | "socks4a" | "socks5" | "socks5h" => {
            return refuse(format!("the scheme `{scheme}` requires the feature `socks`"));
        }
        _ => return refuse("its scheme is none of http, https, socks4, socks4a, socks5 and socks5h".to_owned()),
    }
    let host = proxy.host().unwrap_or_default();
    if host.is_empty() {
        return refuse("it has no host".to_owned());
    }
    let port = proxy.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    let authority = proxy.authority().map_or("", |authority| authority.as_str());
    if !authority.ends_with(&format!("{host}{port}")) {
        return refuse("its port is not a number".to_owned());
    }
    Ok(Some(format!("{scheme}://{host}{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(server: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let lookup =
            |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value));
        of_environment(&Url::parse(server).unwrap(), lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_is_read_as_the_http_client_reads_it() {
        const HTTPS: &str = "https://api.example/v1";
        const HTTP: &str = "http://api.example/v1";
        type Row = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);
        let table: [Row; 18] = [
            (HTTPS, &[], None),
            (HTTPS, &[("HTTPS_PROXY", "http://p:1")], Some("http://p:1")),
            (HTTPS, &[("https_proxy", "http://p:1")], Some("http://p:1")),
            (HTTPS, &[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "http://q:2")], Some("http://p:1")),
            (HTTPS, &[("HTTPS_PROXY", ""), ("https_proxy", "http://q:2")], None),
            (HTTPS, &[("HTTPS_PROXY", ""), ("ALL_PROXY", "http://q:2")], Some("http://q:2")),
            (HTTPS, &[("HTTPS_PROXY", "p:1")], Some("http://p:1")),
            (HTTPS, &[("HTTPS_PROXY", "https://p")], Some("https://p")),
            (HTTPS, &[("HTTPS_PROXY", "http://user:password@p:1")], Some("http://p:1")),
            (HTTPS, &[("HTTP_PROXY", "http://p:1")], None),
            (HTTP, &[("HTTP_PROXY", "http://p:1")], Some("http://p:1")),
            (HTTP, &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")], None),
            (HTTP, &[("HTTPS_PROXY", "http://p:1")], None),
            (HTTPS, &[("ALL_PROXY", "http://p:1"), ("NO_PROXY", "api.example")], None),
            (HTTPS, &[("ALL_PROXY", "http://p:1"), ("no_proxy", "*")], None),
            (HTTPS, &[("ALL_PROXY", "socks5://p:1"), ("NO_PROXY", ".example")], None),
            (HTTPS, &[("ALL_PROXY", "ftp://p:1"), ("NO_PROXY", "example, other")], None),
            (HTTPS, &[("ALL_PROXY", "http://p:1"), ("NO_PROXY", "other.example")], Some("http://p:1")),
        ];
        for (server, variables, proxy) in table {
            assert_eq!(of(server, variables), Ok(proxy.map(str::to_owned)), "{server} {variables:?}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_that_names_the_variable() {
        for (name, value) in [
            ("ALL_PROXY", "ftp://p:1"),
            ("all_proxy", "quic://p:1"),
            ("HTTPS_PROXY", "http://"),
            ("HTTPS_PROXY", "http://user:hunter2@p:port"),
            ("https_proxy", "not a url"),
        ] {
            let problem = of("https://api.example", &[(name, value)]).unwrap_err();
            assert!(problem.contains(name) && !problem.contains("hunter2"), "{problem}");
        }
        let socks = of("https://api.example", &[("ALL_PROXY", "socks5://p:1080")]);
        match socks {
            Ok(proxy) => assert!(cfg!(feature = "socks") && proxy.as_deref() == Some("socks5://p:1080")),
            Err(problem) => {
                assert!(!cfg!(feature = "socks") && problem.contains("ALL_PROXY") && problem.contains("socks"))
            }
        }
    }
}
