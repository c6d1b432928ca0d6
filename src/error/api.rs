//! What the API says about an error.

use std::fmt;

use serde::Deserialize;

use crate::runtime::{Json, from_slice};

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

    /// Reads an error object; `None` where the body is something else.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let Envelope { r#type, error, request_id } = from_slice(body).ok()?;
        if r#type.is_some_and(|r#type| r#type != "error") {
            return None;
        }
        let detail = error?;
        let Detail { r#type, message, details } = from_slice(detail.get().as_bytes()).ok()?;
        if r#type.is_none() && message.is_none() {
            return None;
        }
        Some(Self {
            error_type: r#type,
            message,
            // `details` is open, so another shape of it is not a defect of the error object.
            error_code: details.and_then(|details| details.to::<Details>().ok()?.error_code),
            request_id,
            json: from_slice(body).ok()?,
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

#[derive(Deserialize)]
struct Envelope {
    r#type: Option<String>,
    error: Option<Json>,
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct Detail {
    r#type: Option<String>,
    message: Option<String>,
    details: Option<Json>,
}

#[derive(Deserialize)]
struct Details {
    error_code: Option<String>,
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
