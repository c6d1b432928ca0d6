//! What the API says about an error.

use std::fmt;

use crate::json::{FromJson, Json, Map, Reader, read_slice, read_str};

/// How much of the API's message is shown, in characters.
const SHOWN: usize = 500;

/// An error object of the API: `{"type": "error", "error": {"type", "message", "details"},
/// "request_id"}`.
#[derive(Clone)]
pub struct ApiError {
    error_type: Option<String>,
    message: Option<String>,
    error_code: Option<String>,
    request_id: Option<String>,
    json: Json,
}

impl ApiError {
    /// The type, such as `rate_limit_error`. The set is open.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    /// What the API says, for people.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// `details.error_code`: a code for machines, finer than the type.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.error_code.as_deref()
    }

    /// The request id as the body has it; [`Error::request_id`](crate::Error::request_id) prefers
    /// the header.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The whole object. [`Json::to`] reads it into
    /// [`ErrorResponse`](crate::types::ErrorResponse).
    #[must_use]
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// Reads an error object; `None` where the body is something else. A member of another shape is
    /// as good as none.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let json: Json = read_slice(body).ok()?;
        let envelope = members(&json)?;
        if envelope.contains_key("type") && text(&envelope, "type").as_deref() != Some("error") {
            return None;
        }
        let error = members(envelope.get("error")?)?;
        let (error_type, message) = (text(&error, "type"), text(&error, "message"));
        if error_type.is_none() && message.is_none() {
            return None;
        }
        let details = error.get("details").and_then(members);
        Some(Self {
            error_type,
            message,
            error_code: details.and_then(|details| text(&details, "error_code")),
            request_id: text(&envelope, "request_id"),
            json,
        })
    }

    /// Type and message in one line.
    pub(super) fn summary(&self) -> String {
        let message = self.message().map(|message| shown(message, SHOWN));
        let error_type = self.error_type().map(|error_type| shown(error_type, 64));
        match (error_type, message) {
            (Some(error_type), Some(message)) => format!("{error_type}: {message}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => String::new(),
        }
    }
}

/// Type, code, message and id; the whole object is left out.
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

/// The `error.type` of a body that says it is an error, empty where it does not say which.
pub(crate) fn error_type_of(body: &[u8]) -> Option<String> {
    let envelope = members(&read_slice(body).ok()?)?;
    let error = || text(&members(envelope.get("error")?)?, "type");
    (text(&envelope, "type")? == "error").then(|| error().unwrap_or_default())
}

/// Reads the members of an object. Of one that is repeated the last counts: no error is refused for that.
fn members(json: &Json) -> Option<Map<Json>> {
    let mut reader = Reader::new(json.get());
    reader.object("an object").ok()?;
    let mut members = Map::new();
    while let Some(name) = reader.key().ok()? {
        members.insert(name.into_owned(), Json::read(&mut reader).ok()?);
    }
    Some(members)
}

fn text(members: &Map<Json>, name: &str) -> Option<String> {
    read_str(members.get(name)?.get()).ok()
}

/// Text of a server as part of our sentence: one line, bounded, without a full stop at its end.
pub(crate) fn shown(text: &str, characters: usize) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut line: String =
        text.chars().take(characters).map(|character| if character.is_control() { ' ' } else { character }).collect();
    if text.chars().nth(characters).is_some() {
        line.push('…');
    }
    line
}
