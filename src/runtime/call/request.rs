//! What generated operations put into a request: path parameters, query parameters, bodies.

use std::{error, fmt};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::{RequestBuilder, header::InvalidHeaderValue};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::Value;

/// What a path segment may not hold as it is (RFC 3986, section 3.3).
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

/// Encodes a path parameter, so that it stays one segment of the path.
///
/// # Errors
/// When it is empty, `.` or `..`, also with percent-encoded dots: such a segment would address
/// another resource.
pub(crate) fn encode_path(parameter: &str) -> Result<String, InvalidRequest> {
    let dots = parameter.to_ascii_lowercase().replace("%2e", ".");
    if matches!(dots.as_str(), "" | "." | "..") {
        return Err(InvalidRequest::new("a path parameter is empty, `.` or `..`", None));
    }
    Ok(utf8_percent_encode(parameter, SEGMENT).to_string())
}

/// A query parameter as OpenAPI writes it by default (`style: form`, `explode: true`): absent when
/// `None`, once for each item of a list, the members of an object by their own names.
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

/// What generated operations ask of a request builder.
pub(crate) trait RequestBuilderExt: Sized {
    /// Sets a form as the body (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// None here: a form that can't be written is reported when the request is built.
    fn form_urlencoded<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, InvalidRequest>;
}

impl RequestBuilderExt for RequestBuilder {
    fn form_urlencoded<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, InvalidRequest> {
        Ok(self.form(body))
    }
}

/// A body with `stream` set. It is not copied for that, unless it says the opposite: prompts are
/// large.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Streamed<'a, T> {
    /// It asks for a stream already.
    Asks(&'a T),
    /// It says nothing of a stream.
    Added {
        #[serde(flatten)]
        body: &'a T,
        stream: bool,
    },
    /// It said the opposite.
    Changed(T),
}

/// Why a request could not be built from its parameters.
#[derive(Debug)]
pub(crate) struct InvalidRequest {
    message: &'static str,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl InvalidRequest {
    fn new(message: &'static str, source: Option<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self { message, source }
    }

    /// Takes the error of the layer below out.
    pub(crate) fn into_source(self) -> Option<Box<dyn error::Error + Send + Sync>> {
        self.source
    }
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl error::Error for InvalidRequest {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<reqwest::Error> for InvalidRequest {
    fn from(error: reqwest::Error) -> Self {
        // The address may hold what the caller put into the query.
        Self::new("the parameters can't be written as a request", Some(Box::new(error.without_url())))
    }
}

impl From<InvalidHeaderValue> for InvalidRequest {
    fn from(error: InvalidHeaderValue) -> Self {
        Self::new("a header parameter has a character that a header can't carry", Some(Box::new(error)))
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
