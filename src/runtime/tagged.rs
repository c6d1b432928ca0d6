//! Unions of objects that are told apart by a constant member.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    noted::note_variant,
    decode_error,
    json::Json,
    text::{self, Key},
};

/// A union of objects that are told apart by a constant member.
pub(crate) trait Tagged: Sized {
    /// The name of the schema, for messages.
    const NAME: &'static str;
    /// The name of the member that tells the variants apart.
    const TAG: &'static str;
    /// The tag that an object without one has.
    const WHEN_ABSENT: Option<&'static str>;

    /// Reads the variant of this tag, or gives the members back when no variant has it. `consumed`
    /// is the tag where it has been read from the members already.
    fn known<'de, A: MapAccess<'de>>(
        tag: &str,
        entries: A,
        consumed: Option<&str>,
    ) -> Result<Result<Self, A>, A::Error>;

    /// The variant for a tag that no variant has.
    fn unknown(object: Json) -> Self;
}

/// Reads a tagged union. Where the tag is the first member nothing is buffered.
pub(crate) fn tagged<'de, T: Tagged, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(TaggedVisitor(PhantomData))
}

struct TaggedVisitor<T>(PhantomData<T>);

impl<'de, T: Tagged> Visitor<'de> for TaggedVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<T, A::Error> {
        let mut head = Members::default();
        while let Some(Key(key)) = entries.next_key()? {
            if key != T::TAG {
                head.push(&key, &entries.next_value::<Box<RawValue>>()?);
                continue;
            }
            let Some(tag) = entries.next_value_seed(TagValue)? else {
                head.push(&key, RawValue::NULL);
                break;
            };
            if head.0.is_empty() {
                return match T::known(&tag, entries, Some(&tag))? {
                    Ok(known) => Ok(known),
                    Err(rest) => {
                        head.push_string(T::TAG, &tag);
                        head.append(rest)?;
                        head.into_json().map(|object| unknown(&tag, object))
                    }
                };
            }
            head.push_string(T::TAG, &tag);
            head.append(entries)?;
            return from_members(&tag, head);
        }
        head.append(entries)?;
        match T::WHEN_ABSENT {
            Some(tag) => from_members(tag, head),
            None => Err(A::Error::missing_field(T::TAG)),
        }
    }
}

/// The value of a tag; `None` for `null`. Not copied where the document can lend it.
struct TagValue;

impl<'de> DeserializeSeed<'de> for TagValue {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for TagValue {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        text::borrowed(deserializer).map(Some)
    }
}

/// Reads a variant from members that had to be kept until the tag was seen.
fn from_members<T: Tagged, E: de::Error>(tag: &str, members: Members) -> Result<T, E> {
    let object: Json = members.into_json()?;
    let mut deserializer = serde_json::Deserializer::from_str(object.get());
    let mut track = serde_path_to_error::Track::new();
    let known = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track)
        .deserialize_map(KnownVisitor { tag, variant: PhantomData })
        .map_err(|error| E::custom(decode_error::nested(&serde_path_to_error::Error::new(track.path(), error))))?;
    Ok(known.unwrap_or_else(|| unknown(tag, object)))
}

fn unknown<T: Tagged>(tag: &str, object: Json) -> T {
    note_variant(T::NAME, tag);
    T::unknown(object)
}

struct KnownVisitor<'tag, T> {
    tag: &'tag str,
    variant: PhantomData<T>,
}

impl<'de, T: Tagged> Visitor<'de> for KnownVisitor<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Option<T>, A::Error> {
        match T::known(self.tag, entries, None)? {
            Ok(known) => Ok(Some(known)),
            Err(mut rest) => {
                while rest.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(None)
            }
        }
    }
}

/// The text of an object, member by member.
#[derive(Default)]
struct Members(String);

impl Members {
    fn push(&mut self, key: &str, value: &RawValue) {
        self.push_text(key, value.get());
    }

    fn push_string(&mut self, key: &str, value: &str) {
        self.push_text(key, &serde_json::Value::from(value).to_string());
    }

    fn push_text(&mut self, key: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&serde_json::Value::from(key).to_string());
        self.0.push(':');
        self.0.push_str(value);
    }

    fn append<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some((Key(key), value)) = entries.next_entry::<Key<'de>, Box<RawValue>>()? {
            self.push(&key, &value);
        }
        Ok(())
    }

    fn into_json<E: de::Error>(self) -> Result<Json, E> {
        if self.0.is_empty() {
            return Ok(Json::empty_object());
        }
        Json::parse(&format!("{}}}", self.0)).map_err(E::custom)
    }
}
