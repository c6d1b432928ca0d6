//! The parts of a request that generated operations encode: path parameters, query parameters, bodies.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::{RequestBuilder, header::InvalidHeaderValue};
use serde::{Serialize, Serializer};
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

/// The encoding of a value in a query or a form: OpenAPI's `style` and `explode`. `null` is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Style {
    /// `form`, exploded: once for each item of a list, and the members of an object under their own names.
    Form,
    /// Once, with the items of a list, or the names and values of an object, separated by a text.
    Delimited(&'static str),
    /// `deepObject`: `name[member]=value`, and `name[0]=value` for the items of a list, at any depth.
    DeepObject,
    /// JSON.
    Json,
}

impl Style {
    /// Appends the pairs of names and texts for a value.
    fn write(self, name: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
        match (self, value) {
            (_, Value::Null) => {}
            (Self::Json, value) => pairs.push((name.to_owned(), value.to_string())),
            (Self::Form, Value::Array(items)) => {
                pairs.extend(items.iter().filter_map(plain).map(|text| (name.to_owned(), text)));
            }
            (Self::Form, Value::Object(members)) => {
                pairs.extend(members.iter().filter_map(|(name, value)| Some((name.clone(), plain(value)?))));
            }
            (Self::Delimited(delimiter), Value::Array(items)) => {
                let texts: Vec<String> = items.iter().filter_map(plain).collect();
                pairs.push((name.to_owned(), texts.join(delimiter)));
            }
            (Self::Delimited(delimiter), Value::Object(members)) => {
                let members = members.iter().filter_map(|(name, value)| Some([name.clone(), plain(value)?]));
                pairs.push((name.to_owned(), members.flatten().collect::<Vec<_>>().join(delimiter)));
            }
            (Self::DeepObject, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.write(&format!("{name}[{index}]"), item, pairs);
                }
            }
            (Self::DeepObject, Value::Object(members)) => {
                for (member, value) in members {
                    self.write(&format!("{name}[{member}]"), value, pairs);
                }
            }
            (_, scalar) => pairs.extend(plain(scalar).map(|text| (name.to_owned(), text))),
        }
    }
}

/// A query parameter.
#[derive(Debug)]
pub(crate) struct QueryParam<'a, T> {
    name: &'a str,
    value: &'a T,
    style: Style,
}

impl<'a, T: Serialize> QueryParam<'a, T> {
    /// Pairs a name and a value, in OpenAPI's default style.
    #[must_use]
    pub(crate) fn new(name: &'a str, value: &'a T) -> Self {
        Self { name, value, style: Style::Form }
    }

    /// Sets the style.
    #[must_use]
    pub(crate) fn with_style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

impl<T: Serialize> Serialize for QueryParam<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = serde_json::to_value(self.value).map_err(serde::ser::Error::custom)?;
        let mut pairs = Vec::new();
        self.style.write(self.name, &value, &mut pairs);
        pairs.serialize(serializer)
    }
}

/// A form, with the styles of some of its properties. A list without a style is repeated, and an object is JSON.
struct Form<'a, T: ?Sized> {
    body: &'a T,
    styles: &'a [(&'a str, Style)],
}

impl<T: Serialize + ?Sized> Serialize for Form<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pairs = Vec::new();
        match serde_json::to_value(self.body).map_err(serde::ser::Error::custom)? {
            Value::Object(members) => {
                for (name, value) in &members {
                    let own = self.styles.iter().find(|(styled, _)| styled == name).map(|(_, style)| *style);
                    let style = own.unwrap_or(if value.is_object() { Style::Json } else { Style::Form });
                    style.write(name, value, &mut pairs);
                }
            }
            Value::Null => {}
            _ => return Err(serde::ser::Error::custom("a form must be an object")),
        }
        pairs.serialize(serializer)
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
    /// Sets a form as the body (`application/x-www-form-urlencoded`), if there is one. A form that cannot be encoded fails
    /// when the request is built.
    fn form_with<T: Serialize + ?Sized>(self, body: Option<&T>, styles: &[(&str, Style)]) -> Self;

    /// Sets a JSON document as the body, if there is one.
    fn optional_json<T: Serialize + ?Sized>(self, body: Option<&T>) -> Self;
}

impl RequestBuilderExt for RequestBuilder {
    fn form_with<T: Serialize + ?Sized>(self, body: Option<&T>, styles: &[(&str, Style)]) -> Self {
        match body {
            Some(body) => self.form(&Form { body, styles }),
            None => self,
        }
    }

    fn optional_json<T: Serialize + ?Sized>(self, body: Option<&T>) -> Self {
        match body {
            Some(body) => self.json(body),
            None => self,
        }
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
    fn a_value_is_written_in_the_style_of_the_contract() {
        let list = serde_json::json!([1, "b c", null]);
        let object = serde_json::json!({"b": 1, "c": null, "d": {"e": [true]}});
        let cases = [
            (Style::Form, &serde_json::json!(null), "[]"),
            (Style::Form, &serde_json::json!("x y&z"), r#"[["a","x y&z"]]"#),
            (Style::Form, &serde_json::json!(true), r#"[["a","true"]]"#),
            (Style::Form, &list, r#"[["a","1"],["a","b c"]]"#),
            (Style::Form, &object, r#"[["b","1"],["d","{\"e\":[true]}"]]"#),
            (Style::Delimited(","), &list, r#"[["a","1,b c"]]"#),
            (Style::Delimited("|"), &list, r#"[["a","1|b c"]]"#),
            (Style::Delimited(","), &object, r#"[["a","b,1,d,{\"e\":[true]}"]]"#),
            (Style::DeepObject, &object, r#"[["a[b]","1"],["a[d][e][0]","true"]]"#),
            (Style::DeepObject, &serde_json::json!(7), r#"[["a","7"]]"#),
            (Style::Json, &list, r#"[["a","[1,\"b c\",null]"]]"#),
        ];
        for (style, value, expected) in cases {
            let pairs = serde_json::to_string(&QueryParam::new("a", value).with_style(style)).unwrap();
            assert_eq!(pairs, expected, "{style:?}");
        }
    }

    #[test]
    fn a_form_writes_each_property_in_its_style() {
        let body = serde_json::json!({"s": "x", "l": [1, 2], "o": {"b": 1}, "d": {"b": [{"c": 1}]}, "n": null});
        let form = Form { body: &body, styles: &[("d", Style::DeepObject)] };
        let pairs: Vec<(String, String)> = serde_json::from_str(&serde_json::to_string(&form).unwrap()).unwrap();
        let expected = [("d[b][0][c]", "1"), ("l", "1"), ("l", "2"), ("o", r#"{"b":1}"#), ("s", "x")];
        let mut pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        pairs.sort_unstable();
        assert_eq!(pairs, expected);
        assert!(serde_json::to_string(&Form { body: &[1], styles: &[] }).is_err(), "a list is no form");
    }
}
