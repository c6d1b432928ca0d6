//! `Serialize` for the types of the contract.
//!
//! Types describe themselves without knowing the serializer, and one function writes them. Generated code that writes
//! itself would be compiled once for each type and serializer.

use indexmap::IndexMap;
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap, SerializeSeq},
};

use super::{extra::Extra, value::Json};

/// A type that is written as JSON.
pub(crate) trait ToJson {
    /// Returns the JSON form of the value.
    fn to_json(&self) -> JsonRef<'_>;

    /// Returns the value of a field or an item, given by its index. Returns `None` if it is absent.
    fn part(&self, _index: usize) -> Option<&dyn ToJson> {
        None
    }
}

/// The JSON form of a borrowed value.
pub(crate) enum JsonRef<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Number(f64),
    String(&'a str),
    /// Free-form JSON.
    Json(&'a Json),
    List(usize, &'a dyn ToJson),
    Map(&'a dyn MapRef),
    Object(ObjectRef<'a>),
}

/// An object of the contract.
pub(crate) struct ObjectRef<'a> {
    pub(crate) object: &'a dyn ToJson,
    /// The names of the fields, in the order of their indices.
    pub(crate) fields: &'static [&'static str],
    /// The names of the fields whose values may be in `extra`.
    pub(crate) lenient: &'static [&'static str],
    pub(crate) extra: &'a Extra,
}

/// A map with arbitrary keys.
pub(crate) trait MapRef {
    fn len(&self) -> usize;
    fn entry(&self, index: usize) -> Option<(&str, &dyn ToJson)>;
}

/// Writes a value.
pub(crate) fn serialize<S: Serializer>(value: &dyn ToJson, serializer: S) -> Result<S::Ok, S::Error> {
    match value.to_json() {
        JsonRef::Null => serializer.serialize_none(),
        JsonRef::Boolean(value) => serializer.serialize_bool(value),
        JsonRef::Integer(value) => serializer.serialize_i64(value),
        JsonRef::Unsigned(value) => serializer.serialize_u64(value),
        JsonRef::Number(value) => serializer.serialize_f64(value),
        JsonRef::String(text) => serializer.serialize_str(text),
        JsonRef::Json(json) => json.serialize(serializer),
        JsonRef::List(length, list) => {
            let mut seq = serializer.serialize_seq(Some(length))?;
            for item in (0..length).filter_map(|index| list.part(index)) {
                seq.serialize_element(item)?;
            }
            seq.end()
        }
        JsonRef::Map(entries) => {
            let mut map = serializer.serialize_map(Some(entries.len()))?;
            for (key, value) in (0..entries.len()).filter_map(|index| entries.entry(index)) {
                map.serialize_entry(key, value)?;
            }
            map.end()
        }
        JsonRef::Object(object) => object.serialize(serializer),
    }
}

impl ObjectRef<'_> {
    /// Writes the fields and then the members that aren't fields. Fails if one of them repeats a field, except for a
    /// lenient one, which is written in its place.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (index, name) in self.fields.iter().enumerate() {
            if let Some(value) = self.object.part(index) {
                map.serialize_entry(name, value)?;
            } else if self.extra.is_null(self.fields, index) {
                map.serialize_entry(name, &None::<&dyn ToJson>)?;
            } else if let Some(value) = self.extra.get(name) {
                map.serialize_entry(name, value)?;
            }
        }
        if let Some(name) = self.extra.repeated(self.fields, self.lenient) {
            return Err(S::Error::custom(format_args!("`extra` repeats the field `{name}`")));
        }
        for (name, value) in self.extra.iter().filter(|(name, _)| !self.lenient.contains(name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for dyn ToJson + '_ {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self, serializer)
    }
}

macro_rules! plain {
    ($($type:ty: $variant:ident),*) => {$(
        impl ToJson for $type {
            fn to_json(&self) -> JsonRef<'_> {
                JsonRef::$variant(*self)
            }
        }
    )*};
}
plain!(bool: Boolean, i64: Integer, u64: Unsigned, f64: Number, &str: String);

impl ToJson for String {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::String(self)
    }
}

impl ToJson for Json {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Json(self)
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> JsonRef<'_> {
        self.as_ref().map_or(JsonRef::Null, T::to_json)
    }
}

impl<T: ToJson> ToJson for Box<T> {
    fn to_json(&self) -> JsonRef<'_> {
        T::to_json(self)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::List(self.len(), self)
    }

    fn part(&self, index: usize) -> Option<&dyn ToJson> {
        self.get(index).map(|item| item as _)
    }
}

impl<T: ToJson> ToJson for IndexMap<String, T> {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Map(self)
    }
}

impl<T: ToJson> MapRef for IndexMap<String, T> {
    fn len(&self) -> usize {
        self.len()
    }

    fn entry(&self, index: usize) -> Option<(&str, &dyn ToJson)> {
        self.get_index(index).map(|(key, value)| (key.as_str(), value as _))
    }
}
