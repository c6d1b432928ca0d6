//! Reading the generated types from JSON: one pass, no buffering where the tag comes first.

use std::{fmt, marker::PhantomData};

use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    decode_error,
    json::{Json, JsonType},
    text,
};
pub(crate) use super::{
    macros::{deserialize_by_decode, string_enum, union},
    tagged::{Tagged, tagged},
    text::Key,
};

/// How a type is read from JSON.
///
/// It is `Deserialize` with three rules of the contract built in: a string's lone surrogates are
/// replaced, a whole number may be spelled `1.0`, and a list may stand as a bare string where the
/// item says so.
pub(crate) trait Decode: Sized {
    /// Reads one value.
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// The one item that a bare string stands for where a list of these is expected.
    fn from_shorthand(_text: String) -> Option<Self> {
        None
    }
}

/// A type whose JSON is an object.
pub(crate) trait Object: Sized {
    /// The name of the schema, for messages.
    const NAME: &'static str;

    /// Reads the members. `tag` is the value of the tag where it has been read already.
    fn decode_entries<'de, A: MapAccess<'de>>(entries: A, tag: Option<&str>) -> Result<Self, A::Error>;
}

impl<T: Object> Object for Box<T> {
    const NAME: &'static str = T::NAME;

    fn decode_entries<'de, A: MapAccess<'de>>(entries: A, tag: Option<&str>) -> Result<Self, A::Error> {
        T::decode_entries(entries, tag).map(Box::new)
    }
}

/// Reads an object.
pub(crate) fn object<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

/// Reads a member into its slot.
pub(crate) fn field<'de, A: MapAccess<'de>, T: Decode>(
    entries: &mut A,
    slot: &mut Option<T>,
    name: &'static str,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(entries.next_value_seed(Seed::<T>(PhantomData))?);
    Ok(())
}

/// What a slot holds in the end.
pub(crate) fn required<T, E: de::Error>(slot: Option<T>, name: &'static str) -> Result<T, E> {
    slot.ok_or_else(|| E::missing_field(name))
}

/// Reads a member that has one value only.
pub(crate) fn constant<'de, A: MapAccess<'de>>(
    entries: &mut A,
    seen: &mut bool,
    name: &'static str,
    value: &'static str,
) -> Result<(), A::Error> {
    if std::mem::replace(seen, true) {
        return Err(A::Error::duplicate_field(name));
    }
    entries.next_value_seed(Constant(value))
}

/// The end of [`constant`]: the member must have been there.
pub(crate) fn constant_seen<E: de::Error>(seen: bool, name: &'static str) -> Result<(), E> {
    if seen { Ok(()) } else { Err(E::missing_field(name)) }
}

/// Reads a union of a string and a list without buffering.
pub(crate) fn string_or_list<'de, T, I: Decode, D: Deserializer<'de>>(
    deserializer: D,
    string: fn(String) -> T,
    list: fn(Vec<I>) -> T,
) -> Result<T, D::Error> {
    deserializer.deserialize_bytes(StringOrListVisitor { string, list })
}

/// Reads one arm of a union from free-form JSON.
pub(crate) fn arm<T: Decode, E: de::Error>(json: &Json) -> Result<T, E> {
    let mut deserializer = serde_json::Deserializer::from_str(json.get());
    let mut track = serde_path_to_error::Track::new();
    T::decode(serde_path_to_error::Deserializer::new(&mut deserializer, &mut track))
        .map_err(|error| E::custom(decode_error::nested(&serde_path_to_error::Error::new(track.path(), error))))
}

/// The error of a union none of whose arms has the value's type.
pub(crate) fn no_arm<E: de::Error>(found: JsonType, expected: &'static str) -> E {
    let found = match found {
        JsonType::Null => de::Unexpected::Unit,
        JsonType::Boolean => de::Unexpected::Other("boolean"),
        JsonType::Number => de::Unexpected::Other("number"),
        JsonType::String => de::Unexpected::Other("string"),
        JsonType::Array => de::Unexpected::Seq,
        JsonType::Object => de::Unexpected::Map,
    };
    E::invalid_type(found, &expected)
}

/// Free-form JSON that must be an object.
pub(crate) struct FreeObject(pub(crate) Json);

impl Decode for FreeObject {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::decode(deserializer)?;
        match json.json_type() {
            JsonType::Object => Ok(Self(json)),
            other => Err(no_arm(other, "an object")),
        }
    }
}

impl Decode for String {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::string(deserializer)
    }
}

impl Decode for bool {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Decode for f64 {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Decode for i64 {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

impl Decode for () {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(drop)
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::decode(deserializer).map(Self::new)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(OptionVisitor(PhantomData))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `deserialize_bytes` reads arrays and, with lone surrogates, strings.
        deserializer.deserialize_bytes(ListVisitor(PhantomData))
    }
}

impl<T: Decode> Decode for IndexMap<String, T> {
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

pub(super) struct Seed<T>(pub(super) PhantomData<T>);

impl<'de, T: Decode> DeserializeSeed<'de> for Seed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::decode(deserializer)
    }
}

struct Constant(&'static str);

impl<'de> DeserializeSeed<'de> for Constant {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if text::borrowed(deserializer)? == self.0 {
            Ok(())
        } else {
            Err(D::Error::custom(format_args!("invalid value: string, expected `{}`", self.0)))
        }
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Object> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::decode_entries(entries, None)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer of 64 bits")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
        i64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<i64, E> {
        /// Up to here every whole number has an `f64` of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if value.fract() == 0.0 && value.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits, as just checked")]
            Ok(value as i64)
        } else {
            Err(E::invalid_value(de::Unexpected::Float(value), &self))
        }
    }
}

struct OptionVisitor<T>(PhantomData<T>);

impl<'de, T: Decode> Visitor<'de> for OptionVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::decode(deserializer).map(Some)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<T: Decode> ListVisitor<T> {
    fn shorthand<E: de::Error>(self, text: String) -> Result<Vec<T>, E> {
        match T::from_shorthand(text) {
            Some(item) => Ok(vec![item]),
            None => Err(E::invalid_type(de::Unexpected::Other("string"), &self)),
        }
    }
}

impl<'de, T: Decode> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Seed::<T>(PhantomData))? {
            list.push(item);
        }
        Ok(list)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Vec<T>, E> {
        self.shorthand(value.to_owned())
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Vec<T>, E> {
        self.shorthand(text::from_bytes(value)?)
    }
}

struct StringOrListVisitor<T, I> {
    string: fn(String) -> T,
    list: fn(Vec<I>) -> T,
}

impl<'de, T, I: Decode> Visitor<'de> for StringOrListVisitor<T, I> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        ListVisitor(PhantomData).visit_seq(items).map(self.list)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        Ok((self.string)(value.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<T, E> {
        text::from_bytes(value).map(self.string)
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: Decode> Visitor<'de> for MapVisitor<T> {
    type Value = IndexMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = IndexMap::new();
        while let Some(Key(key)) = entries.next_key()? {
            map.insert(key.into_owned(), entries.next_value_seed(Seed::<T>(PhantomData))?);
        }
        Ok(map)
    }
}
