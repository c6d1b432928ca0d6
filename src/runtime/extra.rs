//! Members of an object that the contract does not name.

use std::fmt;

use indexmap::IndexMap;
use serde::{
    Serialize,
    de::MapAccess,
    ser::{Error as _, SerializeMap},
};

use super::{Json, JsonType};

/// The members of an object that this version of the contract does not name, as they were sent
/// and in their order.
///
/// Every generated type has one in its field `extra`, so that a reply of a newer server goes
/// through unharmed. A field that the API takes and the contract does not name is added with
/// [`insert`](Self::insert), or while building with `set_extra`.
///
/// An object without unknown members pays one pointer for it.
///
/// ```
/// use anthropic_messages::{Json, types::AnthropicMessage};
///
/// let json = Json::parse(r#"{"role": "user", "content": [], "priority": 1e400}"#)?;
/// let message: AnthropicMessage = json.to()?;
/// assert_eq!(message.extra.get("priority").map(Json::get), Some("1e400"));
/// assert_eq!(Json::of(&message)?, json);
/// # Ok::<(), anthropic_messages::DecodeError>(())
/// ```
#[derive(Clone, Default)]
pub struct Extra(Option<Box<IndexMap<String, Json>>>);

impl Extra {
    /// The value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.as_ref()?.get(name)
    }

    /// Sets a member, and gives back the value it had.
    ///
    /// A name that is a field of the type is not refused here, but by the type's `check` and when
    /// the type is written.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Json>) -> Option<Json> {
        self.0.get_or_insert_default().insert(name.into(), value.into())
    }

    /// Takes a member out; the order of the others stays.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.0.as_mut()?.shift_remove(name)
    }

    /// The members in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        self.0.as_deref().unwrap_or(&EMPTY).iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |members| members.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the members that `later` has. A null never replaces a value.
    pub(crate) fn merge(&mut self, later: Self) {
        for (name, value) in later.0.map(|members| *members).into_iter().flatten() {
            if value.json_type() != JsonType::Null || self.get(&name).is_none() {
                self.insert(name, value);
            }
        }
    }

    /// The first member that repeats one of these fields.
    pub(super) fn repeated(&self, fields: &[&str]) -> Option<&str> {
        self.iter().map(|(name, _)| name).find(|name| fields.contains(name))
    }
}

static EMPTY: std::sync::LazyLock<IndexMap<String, Json>> = std::sync::LazyLock::new(IndexMap::new);

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

/// Reads a member that is no field. A name that is sent twice keeps its last value.
pub(crate) fn unknown<'de, A: MapAccess<'de>>(entries: &mut A, extra: &mut Extra, name: &str) -> Result<(), A::Error> {
    super::call::note_field(name);
    extra.insert(name, entries.next_value::<Json>()?);
    Ok(())
}

/// Writes the members that are no fields, and refuses one that repeats a field.
pub(crate) fn write<M: SerializeMap>(map: &mut M, extra: &Extra, fields: &[&str]) -> Result<(), M::Error> {
    if let Some(name) = extra.repeated(fields) {
        return Err(M::Error::custom(format_args!("`extra` repeats the field `{name}`")));
    }
    for (name, value) in extra.iter() {
        map.serialize_entry(name, value)?;
    }
    Ok(())
}

/// Writes a member that may be absent.
pub(crate) fn optional<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &'static str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, value),
        None => Ok(()),
    }
}
