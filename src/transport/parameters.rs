//! The parts of a request that generated operations encode: path parameters, query parameters, bodies.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::{RequestBuilder, header::InvalidHeaderValue};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// The characters that a path segment must encode (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Encodes a path parameter so that it stays one segment of the path.
///
/// # Errors
/// Fails if it is empty, `.` or `..`, also with percent-encoded dots: such a segment would address another resource.
pub(crate) fn encode_path(parameter: &str) -> Result<String, InvalidRequest> {
    let dots = parameter.to_ascii_lowercase().replace("%2e", ".");
    if matches!(dots.as_str(), "" | "." | "..") {
        return Err(InvalidRequest::new("invalid request: a path parameter is empty, `.` or `..`"));
    }
    Ok(utf8_percent_encode(parameter, SEGMENT).to_string())
}

/// A query parameter in OpenAPI's default style (`style: form`, `explode: true`): absent if `None`, once for each item of a
/// list, and an object's members under their own names.
#[derive(Debug)]
pub(crate) struct QueryParam<'a, T> {
    name: &'a str,
    value: &'a T,
}

impl<'a, T: Serialize> QueryParam<'a, T> {
    /// Pairs a name and a value.
    #[must_use]
    pub(crate) fn new(name: &'a str, value: &'a T) -> Self {
        Self { name, value }
    }
}

impl<T: Serialize> Serialize for QueryParam<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = serde_json::to_value(self.value).map_err(serde::ser::Error::custom)?;
        let mut pairs = serializer.serialize_seq(None)?;
        match &value {
            Value::Array(items) => {
                for text in items.iter().filter_map(plain) {
                    pairs.serialize_element(&(self.name, text))?;
                }
            }
            Value::Object(members) => {
                for (name, text) in members.iter().filter_map(|(name, value)| Some((name, plain(value)?))) {
                    pairs.serialize_element(&(name, text))?;
                }
            }
            scalar => {
                if let Some(text) = plain(scalar) {
                    pairs.serialize_element(&(self.name, text))?;
                }
            }
        }
        pairs.end()
    }
}

/// A value as a query spells it; `None` for `null`.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The request builder's methods that generated operations call beside reqwest's own.
pub(crate) trait RequestBuilderExt: Sized {
    /// Sets a form as the body (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// None. A form that cannot be encoded fails when the request is built.
    fn form_urlencoded<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, InvalidRequest>;
}

impl RequestBuilderExt for RequestBuilder {
    fn form_urlencoded<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, InvalidRequest> {
        Ok(self.form(body))
    }
}

/// A body with `stream` set. It is copied only if it says the opposite, because prompts are large.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Streamed<'a, T> {
    /// The body asks for a stream already.
    Asks(&'a T),
    /// The body does not mention a stream.
    Added {
        #[serde(flatten)]
        body: &'a T,
        stream: bool,
    },
    /// A copy of a body that declined a stream.
    Changed(T),
}

/// The parameters of a call could not be written as a request.
#[derive(Debug)]
pub(crate) struct InvalidRequest(Error);

impl InvalidRequest {
    fn new(sentence: &'static str) -> Self {
        Self(Error::new(ErrorKind::Contract, sentence))
    }

    /// A value cannot be written as JSON.
    pub(super) fn not_encoded(error: serde_json::Error) -> Self {
        Self(Self::new("invalid request: a part of the form cannot be encoded").0.with_source(error))
    }
}

impl From<InvalidRequest> for Error {
    fn from(invalid: InvalidRequest) -> Self {
        invalid.0
    }
}

impl From<reqwest::Error> for InvalidRequest {
    fn from(error: reqwest::Error) -> Self {
        // The address may hold what the caller put into the query.
        Self(Self::new("invalid request: its parameters cannot be encoded").0.with_source(error.without_url()))
    }
}

impl From<InvalidHeaderValue> for InvalidRequest {
    fn from(error: InvalidHeaderValue) -> Self {
        Self(
            Self::new("invalid request: a header parameter contains a character that headers cannot carry")
                .0
                .with_source(error),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_parameter_stays_one_segment() {
        let cases = [
            ("msgbatch_01", "msgbatch_01"),
            ("a/b", "a%2Fb"),
            ("a?x", "a%3Fx"),
            ("a#f", "a%23f"),
            ("a b", "a%20b"),
            ("%2e%2e/x", "%252e%252e%2Fx"),
            ("…", "%E2%80%A6"),
            ("...", "..."),
            ("a\\b", "a%5Cb"),
            ("a\r\nb", "a%0D%0Ab"),
        ];
        for (parameter, encoded) in cases {
            assert_eq!(encode_path(parameter).unwrap(), encoded);
        }
        for parameter in ["", ".", "..", "%2e", "%2E%2e", ".%2e", "%2E."] {
            assert!(encode_path(parameter).is_err(), "{parameter} was taken");
        }
    }

    #[test]
    fn a_query_parameter_is_written_as_the_contract_says() {
        fn pairs<T: Serialize>(value: &T) -> String {
            serde_json::to_string(&QueryParam::new("a", value)).unwrap()
        }
        assert_eq!(pairs(&None::<u8>), "[]");
        assert_eq!(pairs(&Some("x y&z")), r#"[["a","x y&z"]]"#);
        assert_eq!(pairs(&vec![1, 2]), r#"[["a","1"],["a","2"]]"#);
        assert_eq!(pairs(&true), r#"[["a","true"]]"#);
        assert_eq!(pairs(&serde_json::json!({"b": 1, "c": null, "d": "e"})), r#"[["b","1"],["d","e"]]"#);
    }
}
