//! Error objects of the API and of gateways in front of it.

use std::fmt;

use http::StatusCode;

use crate::json::{FromJson, Json, JsonType, Map, Reader, find_members, read_slice, read_str};

/// Length of the API's message in our sentence, in characters.
const MESSAGE_LENGTH: usize = 500;

/// Depth to which a message is looked for in an error body of unknown shape.
const MESSAGE_DEPTH: usize = 4;

/// The members that hold a message: of the API, of OAuth, of problem details (RFC 9457), and of gateways.
const MESSAGE_NAMES: [&str; 8] =
    ["message", "Message", "error_description", "error", "detail", "errors", "msg", "title"];

/// An error object: `{"type": "error", "error": {"type", "message", "details"}, "request_id"}`.
///
/// Gateways in front of the API send other shapes: `{"message": …}`, `{"error": "…"}`, `{"detail": …}`,
/// `{"errors": [{"message": …}]}`, `[{"error": {…}}]`. What they say is read from those as well.
#[derive(Clone)]
pub struct ApiError {
    error_type: Option<String>,
    message: Option<String>,
    error_code: Option<String>,
    request_id: Option<String>,
    status: Option<StatusCode>,
    json: Json,
}

impl ApiError {
    /// Returns the type, such as `rate_limit_error`. The set is open.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    /// Returns the message for people.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns `details.error_code`, a code for programs that is finer than the type.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.error_code.as_deref()
    }

    /// Returns the request id from the body. [`Error::request_id`](crate::Error::request_id) prefers the header.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the whole body. [`Json::decode`] reads it into [`ErrorResponse`](crate::types::ErrorResponse).
    #[must_use]
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// Reads the body of an error status. Returns `None` if it has neither a type nor a message. Members of an unexpected
    /// type are ignored.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let read = Self::of(read_slice(body).ok()?);
        (read.error_type.is_some() || read.message.is_some()).then_some(read)
    }

    /// Reads a document that has no error status, such as the body of a success or the data of an event. Returns `None`
    /// unless the document says itself that it is an error: an object with an `error` that is not null, whatever its
    /// shape, or with the type `error`.
    pub(crate) fn in_success(body: &[u8]) -> Option<Self> {
        // Nearly every document is no error, so nothing of it is copied to tell.
        let [error, own_type] = find_members(body, ["error", "type"])?;
        let is_error = error.is_some_and(|error| error != "null")
            || own_type.and_then(|own_type| read_str::<String>(own_type).ok()).as_deref() == Some("error");
        if is_error { read_slice(body).ok().map(Self::of) } else { None }
    }

    fn of(json: Json) -> Self {
        let envelope = match elements(&json).and_then(|elements| elements.into_iter().next()) {
            Some(first) => members(&first),
            None => members(&json),
        };
        let envelope = envelope.unwrap_or_default();
        let error = envelope.get("error").and_then(members).unwrap_or_default();
        let details = error.get("details").and_then(members).unwrap_or_default();
        let message = message(&json, MESSAGE_DEPTH);
        // Beside a message the type is that of the error; alone it may be that of anything.
        let own_type = text(&envelope, "type").filter(|own_type| own_type != "error" && message.is_some());
        Self {
            error_type: text(&error, "type").or(own_type),
            message,
            error_code: text(&details, "error_code"),
            request_id: text(&envelope, "request_id"),
            status: status(&error).or_else(|| status(&envelope)),
            json,
        }
    }

    /// Returns `true` if the document has a `type` that is not the type of an error, such as `overloaded_error`.
    pub(crate) fn is_of_another_type(&self) -> bool {
        let own_type = members(&self.json).and_then(|envelope| text(&envelope, "type"));
        own_type.is_some_and(|own_type| !own_type.ends_with("error"))
    }

    /// The error status that the document names itself, as gateways do for errors of the services behind them:
    /// `{"error": {"code": 502}}`.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Type and message in one line.
    pub(super) fn summary(&self) -> String {
        let message = self.message().map(|message| shorten(message, MESSAGE_LENGTH));
        let error_type = self.error_type().map(|error_type| shorten(error_type, 64));
        match (error_type, message) {
            (Some(error_type), Some(message)) => format!("{error_type}: {message}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => String::new(),
        }
    }
}

/// Leaves out the whole body.
impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("error_type", &self.error_type)
            .field("message", &self.message)
            .field("error_code", &self.error_code)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// The first text that an error body has for people.
fn message(json: &Json, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    if let Ok(text) = read_str::<String>(json.as_str()) {
        return Some(text).filter(|text| !text.trim().is_empty());
    }
    if let Some(elements) = elements(json) {
        return elements.iter().find_map(|element| message(element, depth));
    }
    let members = members(json)?;
    // An `error` that is a text may be no more than the name of the status.
    let error = members.get("error").filter(|error| error.json_type() != JsonType::String);
    let others = MESSAGE_NAMES.into_iter().filter_map(|name| members.get(name));
    error.into_iter().chain(others).find_map(|member| message(member, depth))
}

/// `code` or `status` under any of its names, where it is an error status.
fn status(members: &Map<Json>) -> Option<StatusCode> {
    ["code", "status", "status_code", "statusCode"].into_iter().find_map(|name| {
        let json = members.get(name)?;
        let code = text(members, name).unwrap_or_else(|| json.as_str().to_owned());
        let status = StatusCode::from_u16(code.trim().parse().ok()?).ok()?;
        (400..600).contains(&status.as_u16()).then_some(status)
    })
}

/// Reads the members of an object. Of one that is repeated the last counts: no error is refused for that.
fn members(json: &Json) -> Option<Map<Json>> {
    let mut reader = Reader::new(json.as_str());
    reader.object("an object").ok()?;
    let mut members = Map::new();
    while let Some(name) = reader.key().ok()? {
        members.insert(name.into_owned(), Json::read(&mut reader).ok()?);
    }
    Some(members)
}

fn elements(json: &Json) -> Option<Vec<Json>> {
    read_str(json.as_str()).ok()
}

fn text(members: &Map<Json>, name: &str) -> Option<String> {
    read_str(members.get(name)?.as_str()).ok()
}

/// Makes the words of a server fit for our sentence: one line of bounded length without a full stop at its end.
pub(crate) fn shorten(text: &str, characters: usize) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut line: String =
        text.chars().take(characters).map(|character| if character.is_control() { ' ' } else { character }).collect();
    if text.chars().nth(characters).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_any_shape_keep_what_they_say() {
        type Row = (&'static str, Option<&'static str>, Option<&'static str>, Option<u16>);
        let table: [Row; 26] = [
            (r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#, Some("api_error"), Some("m"), None),
            (r#"{"error":{"type":"api_error","message":"m","code":"429"}}"#, Some("api_error"), Some("m"), Some(429)),
            (
                r#"{"error":{"message":"Provider returned error","code":502}}"#,
                None,
                Some("Provider returned error"),
                Some(502),
            ),
            (r#"{"error":"quota","code":429}"#, None, Some("quota"), Some(429)),
            (r#"{"error":"Not Found","message":"no such route","status":404}"#, None, Some("no such route"), Some(404)),
            (r#"{"error":"Not Found","message":""}"#, None, Some("Not Found"), None),
            (r#"{"message":"m"}"#, None, Some("m"), None),
            (r#"{"message":"m","type":"quota"}"#, Some("quota"), Some("m"), None),
            (r#"[{"error":{"message":"m","code":400,"status":"INVALID_ARGUMENT"}}]"#, None, Some("m"), Some(400)),
            (r#"{"detail":"m"}"#, None, Some("m"), None),
            (r#"{"detail":[{"loc":["body"],"msg":"m","type":"missing"}]}"#, None, Some("m"), None),
            (r#"{"detail":{"message":"m"}}"#, None, Some("m"), None),
            (r#"{"errors":[{"message":"m"}]}"#, None, Some("m"), None),
            (r#"{"errors":["m"]}"#, None, Some("m"), None),
            (r#"{"Message":"m"}"#, None, Some("m"), None),
            (r#"{"error":"invalid_token","error_description":"m"}"#, None, Some("m"), None),
            (r#"{"type":"about:blank","title":"m","status":400}"#, Some("about:blank"), Some("m"), Some(400)),
            (r#"{"error":{"message":"m","statusCode":429}}"#, None, Some("m"), Some(429)),
            (r#""m""#, None, Some("m"), None),
            (r#"{"error":{"code":200}}"#, None, None, None),
            (r#"{"error":{"code":null,"message":5}}"#, None, None, None),
            (r#"{"error":true}"#, None, None, None),
            (r#"{"type":"message","content":[]}"#, None, None, None),
            (r"[]", None, None, None),
            (r"{}", None, None, None),
            (r#"{"a":{"message":"elsewhere"}}"#, None, None, None),
        ];
        for (body, error_type, message, status) in table {
            let read = ApiError::of(read_slice(body.as_bytes()).unwrap());
            let found = (read.error_type(), read.message(), read.status().map(|status| status.as_u16()));
            assert_eq!(found, (error_type, message, status), "{body}");
            assert_eq!(ApiError::read(body.as_bytes()).is_some(), error_type.is_some() || message.is_some(), "{body}");
        }
    }

    #[test]
    fn a_success_is_an_error_only_where_it_says_so() {
        for body in [
            r#"{"error":{}}"#,
            r#"{"error":"quota"}"#,
            r#"{"error":false}"#,
            r#"{"error":[]}"#,
            r#"{"type":"error"}"#,
            r#"{"content":[],"error":{"message":"m"}}"#,
        ] {
            assert!(ApiError::in_success(body.as_bytes()).is_some(), "{body}");
        }
        for body in [
            r"{}",
            r#"{"error":null,"content":[]}"#,
            r#"{"content":[{"error":"nested"}]}"#,
            r#"{"message":"m"}"#,
            r#"[{"error":"m"}]"#,
            r#""error""#,
            "error",
            "",
        ] {
            assert!(ApiError::in_success(body.as_bytes()).is_none(), "{body}");
        }
    }
}
