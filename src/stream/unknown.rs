//! Events that the contract doesn't name.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::json::{DecodeError, FromJson, Json, Reader};

/// An event that the contract doesn't name, as it was sent.
///
/// Newer servers send events of new kinds, and gateways send their own, some of them without JSON.
///
/// ```
/// use anthropic_messages::{Json, types::StreamEvent};
///
/// let event: StreamEvent = Json::parse(r#"{"type": "note", "n": 1}"#)?.to()?;
/// let StreamEvent::Unknown(event) = event else { panic!("the contract names it") };
/// assert_eq!((event.name(), event.data()), ("note", r#"{"type": "note", "n": 1}"#));
/// assert!(event.json().is_some());
/// # Ok::<(), anthropic_messages::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownEvent {
    name: String,
    data: Data,
}

#[derive(Clone, Debug, PartialEq)]
enum Data {
    Json(Json),
    Text(String),
}

impl UnknownEvent {
    pub(super) fn new(name: &str, data: &str) -> Self {
        let data = Json::parse(data).map_or_else(|_| Data::Text(data.to_owned()), Data::Json);
        Self { name: name.to_owned(), data }
    }

    /// Returns the `type` in the data, or the name of the server-sent event if the data has none. It is `message` if the
    /// event wasn't given a name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the data as it was sent.
    #[must_use]
    pub fn data(&self) -> &str {
        match &self.data {
            Data::Json(json) => json.get(),
            Data::Text(text) => text,
        }
    }

    /// Returns the data as JSON, or `None` if it isn't JSON.
    #[must_use]
    pub fn json(&self) -> Option<&Json> {
        match &self.data {
            Data::Json(json) => Some(json),
            Data::Text(_) => None,
        }
    }

    /// Returns `true` if the event may have brought a part of the message: it is an object of its own type.
    pub(super) fn may_bring_content(&self) -> bool {
        tag_of(self.data()).is_some()
    }
}

impl From<Json> for UnknownEvent {
    fn from(json: Json) -> Self {
        Self { name: tag_of(json.get()).unwrap_or_default(), data: Data::Json(json) }
    }
}

/// The data; a JSON string if it isn't JSON.
impl Serialize for UnknownEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.data {
            Data::Json(json) => json.serialize(serializer),
            Data::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl FromJson for UnknownEvent {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Json::read(reader).map(Self::from)
    }
}

/// Returns the `type` of an object, whatever else it has: members that are repeated, or deeper than is read.
pub(super) fn tag_of(json: &str) -> Option<String> {
    Reader::new(json).tag("type", "an object").ok()?.map(Cow::into_owned)
}
