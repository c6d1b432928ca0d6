//! The address that the contract's paths are appended to.

use std::sync::OnceLock;

use reqwest::Url;

/// A base URL, read once: to read it for every call would take a twentieth of the call's instructions.
pub(crate) struct BaseUrl {
    url: Url,
    /// Its path, without a slash at the end.
    path: String,
    /// The first path that was asked for, and its address. Most clients ask for one, again and again.
    first: OnceLock<(String, Url)>,
}

impl BaseUrl {
    pub(crate) fn new(url: Url) -> Self {
        let path = url.path().trim_end_matches('/').to_owned();
        Self { url, path, first: OnceLock::new() }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The address as text, without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Returns the port, which is that of the scheme unless the address has one.
    pub(crate) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// The address of a path of the contract, which may have a query.
    pub(crate) fn append(&self, path: &str) -> Url {
        let (first, url) = self.first.get_or_init(|| (path.to_owned(), self.appended(path)));
        if first == path { url.clone() } else { self.appended(path) }
    }

    fn appended(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.url.clone();
        url.set_path(&[&self.path, path].concat());
        if query.is_some() {
            url.set_query(query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_would_be_read_from_base_and_path() {
        for base in ["https://h.example/", "https://h.example:8443/v1", "http://[::1]/a%2Fb/%C3%BC//"] {
            let whole = BaseUrl::new(Url::parse(base).unwrap());
            assert_eq!(whole.as_str(), base.trim_end_matches('/'));
            for path in ["/messages", "/a/b%2Fc%3Fd", "/a?beta=true", "/a/?b=%20&c=d?e", "/%2E%2e/a"] {
                let read = Url::parse(&format!("{}{path}", base.trim_end_matches('/'))).unwrap();
                assert_eq!((whole.append(path), whole.append(path)), (read.clone(), read));
            }
        }
    }
}
