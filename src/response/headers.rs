//! Response headers, kept compactly.

use std::{iter, str, sync::OnceLock};

use bytes::Bytes;
use memchr::{memchr, memchr2};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Response headers in one allocation of their own.
///
/// The [`HeaderMap`] of the HTTP client is several times as large, and its values keep the connection's read buffer alive.
/// A map is built only when it is asked for.
#[derive(Clone, Default)]
pub(crate) struct PackedHeaders {
    /// A line for each value: the name, [`PLAIN`] or [`SENSITIVE`], the value, a line feed. A name contains none of these,
    /// and a value contains no line feed.
    lines: Bytes,
    map: OnceLock<Box<HeaderMap>>,
}

const PLAIN: u8 = b':';
const SENSITIVE: u8 = b';';

impl PackedHeaders {
    pub(crate) fn pack(headers: &HeaderMap) -> Self {
        let length = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
        let mut lines = Vec::with_capacity(length);
        for (name, value) in headers {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.push(if value.is_sensitive() { SENSITIVE } else { PLAIN });
            lines.extend_from_slice(value.as_bytes());
            lines.push(b'\n');
        }
        Self { lines: lines.into(), map: OnceLock::new() }
    }

    /// All names and values, one after the other.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// The values of a header in the order received. `name` is lower case.
    pub(crate) fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.lines().filter(move |line| line.name == name.as_bytes()).map(|line| line.value)
    }

    /// The first value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The first value of a header, if it is ASCII.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.get(name)?).ok().filter(|text| text.is_ascii())
    }

    /// The value of a header that was received exactly once, without surrounding white space, if it is ASCII.
    pub(crate) fn single(&self, name: &str) -> Option<&str> {
        let mut values = self.get_all(name);
        let value = values.next().filter(|_| values.next().is_none())?;
        str::from_utf8(value).ok().filter(|text| text.is_ascii()).map(str::trim)
    }

    /// The headers as a map, built on first use.
    pub(crate) fn map(&self) -> &HeaderMap {
        self.map.get_or_init(|| Box::new(self.unpacked()))
    }

    fn unpacked(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in self.lines() {
            let value = HeaderValue::from_maybe_shared(self.lines.slice_ref(line.value));
            if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(line.name), value) {
                value.set_sensitive(line.is_sensitive);
                map.append(name, value);
            }
        }
        map
    }

    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut rest: &[u8] = &self.lines;
        iter::from_fn(move || {
            let (line, tail) = rest.split_at_checked(memchr(b'\n', rest)?)?;
            rest = tail.get(1..)?;
            let (name, value) = line.split_at_checked(memchr2(PLAIN, SENSITIVE, line)?)?;
            let (mark, value) = value.split_first()?;
            Some(Line { name, is_sensitive: *mark == SENSITIVE, value })
        })
    }
}

struct Line<'a> {
    name: &'a [u8],
    is_sensitive: bool,
    value: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_headers_unpack_to_the_same_map() {
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &[u8], is_sensitive: bool| {
            let mut value = HeaderValue::from_bytes(value).unwrap();
            value.set_sensitive(is_sensitive);
            headers.append(name, value);
        };
        add("content-type", b"text/event-stream; charset=utf-8", false);
        add("x-repeated", b"a: b;c", false);
        add("x-empty", b"", false);
        add("x-secret", b"\t; :", true);
        add("x-repeated", b"\xff\xe2\x80\xa6", false);
        add("request-id", b"req_1", false);
        add("x-wide", "\u{fc}".as_bytes(), false);
        let packed = PackedHeaders::pack(&headers);
        assert_eq!(packed.get("content-type"), Some(&b"text/event-stream; charset=utf-8"[..]));
        assert_eq!((packed.get("x-absent"), packed.get("x")), (None, None));
        assert_eq!(packed.get_all("x-repeated").collect::<Vec<_>>(), [&b"a: b;c"[..], b"\xff\xe2\x80\xa6"]);
        assert_eq!((packed.text("request-id"), packed.text("x-wide")), (Some("req_1"), None));
        assert_eq!((packed.single("request-id"), packed.single("x-repeated")), (Some("req_1"), None));
        assert_eq!(packed.map(), &headers);
        assert!(packed.map()["x-secret"].is_sensitive() && !packed.map()["x-empty"].is_sensitive());
        assert_eq!(packed.clone().map(), &headers);
        assert_eq!(PackedHeaders::pack(&HeaderMap::new()).map(), &HeaderMap::new());
    }
}
