//! Events whose type isn't in the contract.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::json::{DecodeError, FromJson, Json, JsonRef, Reader, ToJson, serialize};

/// An event whose type isn't in the contract, as it was sent.
///
/// Newer servers may send new types of events. Gateways send events of their own, and not all of them contain JSON.
///
/// ```
/// use anthropic_messages::{Json, types::StreamEvent};
///
/// let event: StreamEvent = Json::parse(r#"{"type": "note", "n": 1}"#)?.decode()?;
/// let StreamEvent::Unknown(event) = event else { panic!("the contract names it") };
/// assert_eq!((event.name(), event.data()), ("note", r#"{"type": "note", "n": 1}"#));
/// assert!(event.json().is_some());
/// # Ok::<(), anthropic_messages::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownEvent {
    name: String,
    data: UnknownData,
}

#[derive(Clone, Debug, PartialEq)]
enum UnknownData {
    Json(Json),
    Text(String),
}

impl UnknownEvent {
    pub(super) fn new(name: &str, data: &str) -> Self {
        let data = Json::parse(data).map_or_else(|_| UnknownData::Text(data.to_owned()), UnknownData::Json);
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
            UnknownData::Json(json) => json.as_str(),
            UnknownData::Text(text) => text,
        }
    }

    /// Returns the data as JSON, or `None` if it isn't JSON.
    #[must_use]
    pub fn json(&self) -> Option<&Json> {
        match &self.data {
            UnknownData::Json(json) => Some(json),
            UnknownData::Text(_) => None,
        }
    }

    /// Returns `true` if the event may contain a part of the message: its data is an object with a `type`.
    pub(super) fn may_contain_content(&self) -> bool {
        tag_of(self.data()).is_some()
    }
}

impl From<Json> for UnknownEvent {
    fn from(json: Json) -> Self {
        Self { name: tag_of(json.as_str()).unwrap_or_default(), data: UnknownData::Json(json) }
    }
}

/// Serializes the data, as a JSON string if it isn't JSON.
impl Serialize for UnknownEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self, serializer)
    }
}

impl ToJson for UnknownEvent {
    fn to_json(&self) -> JsonRef<'_> {
        match &self.data {
            UnknownData::Json(json) => JsonRef::Json(json),
            UnknownData::Text(text) => JsonRef::String(text),
        }
    }
}

impl FromJson for UnknownEvent {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Json::read(reader).map(Self::from)
    }
}

/// Returns the `type` of an object, even if it repeats members or is nested too deeply to be decoded.
pub(super) fn tag_of(json: &str) -> Option<String> {
    Reader::new(json).tag("type", "an object").ok()?.map(Cow::into_owned)
}
