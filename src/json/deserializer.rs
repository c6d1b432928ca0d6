//! [`Reader`] as a serde [`Deserializer`], for types that aren't of the contract. Errors have their place in the document,
//! and never contain its values.

use std::{borrow::Cow, fmt, sync::LazyLock};

use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, Expected, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor,
        value::{BorrowedStrDeserializer, CowStrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    deserialize::{NUMBER, RAW},
    error::DecodeError,
    read::with_pointer,
    reader::{JsonType, Reader},
};

/// Reads a document into any type that implements `Deserialize`.
pub(crate) fn from_str<T: DeserializeOwned>(json: &str) -> Result<T, DecodeError> {
    let mut reader = Reader::new(json);
    T::deserialize(&mut reader)
        .map_err(|error| error.0)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| with_pointer(error, json))
}

/// The error of reading a value with a serde visitor. A separate type, so that [`DecodeError`] has no public constructor.
#[derive(Debug)]
pub(crate) struct DeserializeError(DecodeError);

impl DeserializeError {
    fn at(self, offset: usize) -> Self {
        Self(self.0.or_at(offset))
    }
}

impl From<DecodeError> for DeserializeError {
    fn from(error: DecodeError) -> Self {
        Self(error)
    }
}

impl fmt::Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DeserializeError {}

impl de::Error for DeserializeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(DecodeError::without_place(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid type: {}, expected {expected}", kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid value: {}, expected {expected}", kind(found)))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown variant, expected {}", one_of(expected)))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown field, expected {}", one_of(expected)))
    }
}

/// Returns the kind of a value. serde's own text contains the value too.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "floating point",
        Unexpected::Char(_) => "character",
        Unexpected::Str(_) => "string",
        Unexpected::Bytes(_) => "byte array",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::NewtypeStruct => "newtype struct",
        Unexpected::Seq => "sequence",
        Unexpected::Map => "map",
        Unexpected::Enum | Unexpected::UnitVariant => "enum",
        Unexpected::NewtypeVariant | Unexpected::TupleVariant | Unexpected::StructVariant => "variant with a value",
        Unexpected::Other(_) => "another value",
    }
}

fn one_of(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}

impl<'de> Reader<'de> {
    /// Reads a value by a visitor. An error that has no place yet gets that of the value.
    fn visit<T>(
        &mut self,
        visit: impl FnOnce(&mut Self) -> Result<T, DeserializeError>,
    ) -> Result<T, DeserializeError> {
        self.peek()?;
        let start = self.offset();
        visit(self).map_err(|error| error.at(start))
    }

    fn visit_if_number<V: Visitor<'de>>(
        &mut self,
        visitor: V,
        visit: fn(&str, V) -> Result<V::Value, DeserializeError>,
    ) -> Result<V::Value, DeserializeError> {
        match self.peek_type()? {
            JsonType::Number => self.visit(|reader| visit(reader.number("a number")?, visitor)),
            _ => self.deserialize_any(visitor),
        }
    }
}

/// Visits a number by the smallest type that holds it.
fn visit_number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, DeserializeError> {
    if let Ok(value) = text.parse() {
        visitor.visit_u64(value)
    } else if let Ok(value) = text.parse() {
        visitor.visit_i64(value)
    } else {
        match text.parse() {
            Ok(value) if f64::is_finite(value) => visitor.visit_f64(value),
            _ => Err(DeserializeError::custom("number out of range")),
        }
    }
}

fn visit_i128<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, DeserializeError> {
    match text.parse() {
        Ok(value) => visitor.visit_i128(value),
        Err(_) => visit_number(text, visitor),
    }
}

fn visit_u128<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, DeserializeError> {
    match text.parse() {
        Ok(value) => visitor.visit_u128(value),
        Err(_) => visit_number(text, visitor),
    }
}

/// The methods that ask for a number.
macro_rules! numbers {
    () => {
        numbers! {
            deserialize_i8: visit_number, deserialize_i16: visit_number, deserialize_i32: visit_number,
            deserialize_i64: visit_number, deserialize_u8: visit_number, deserialize_u16: visit_number,
            deserialize_u32: visit_number, deserialize_u64: visit_number, deserialize_f32: visit_number,
            deserialize_f64: visit_number, deserialize_i128: visit_i128, deserialize_u128: visit_u128
        }
    };
    ($($method:ident: $visit:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
            self.visit_if_number(visitor, $visit)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.visit(|reader| match reader.peek_type()? {
            JsonType::Null => {
                reader.null()?;
                visitor.visit_unit()
            }
            JsonType::Boolean => visitor.visit_bool(reader.boolean()?),
            JsonType::Number if *ARBITRARY_PRECISION => {
                visitor.visit_map(&mut Entry::new(NUMBER, reader.number("a number")?))
            }
            JsonType::Number => visit_number(reader.number("a number")?, visitor),
            JsonType::String => match reader.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            JsonType::Array => {
                reader.array()?;
                let value = visitor.visit_seq(Parts(reader))?;
                match reader.item()? {
                    false => Ok(value),
                    true => Err(reader.syntax("trailing characters").into()),
                }
            }
            JsonType::Object => {
                reader.object("an object")?;
                let value = visitor.visit_map(Parts(reader))?;
                match reader.key()? {
                    None => Ok(value),
                    Some(_) => Err(reader.syntax("trailing characters").into()),
                }
            }
        })
    }

    numbers!();

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.visit(|reader| if reader.null()? { visitor.visit_none() } else { visitor.visit_some(reader) })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        if name != RAW {
            return self.visit(|reader| visitor.visit_newtype_struct(reader));
        }
        self.peek()?;
        let start = self.offset();
        let mut entry = Entry::new(RAW, self.value()?);
        visitor.visit_map(&mut entry).map_err(|error| error.at(start + entry.offset.unwrap_or_default()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.visit(|reader| match reader.peek_type()? {
            JsonType::String => visitor.visit_enum(CowStrDeserializer::new(reader.string()?)),
            JsonType::Object => {
                reader.object("an object")?;
                let value = visitor.visit_enum(Parts(reader))?;
                match reader.key()? {
                    None => Ok(value),
                    Some(_) => Err(reader.syntax("expected `}`").into()),
                }
            }
            _ => Err(reader.wrong_type("a variant").into()),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.value()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

/// `true` if serde_json's feature `arbitrary_precision` is enabled, which any crate of a program can do. Its types then
/// expect numbers as text.
static ARBITRARY_PRECISION: LazyLock<bool> =
    LazyLock::new(|| serde_json::from_str::<serde_json::Value>("1e400").is_ok());

/// The parts of an array or an object.
struct Parts<'r, 'de>(&'r mut Reader<'de>);

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = DeserializeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeserializeError> {
        // The end is read by who began: a visitor may stop earlier, and one that does not may ask twice.
        if self.0.peek()? == b']' {
            Ok(None)
        } else {
            self.0.item()?;
            seed.deserialize(&mut *self.0).map(Some)
        }
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = DeserializeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeserializeError> {
        if self.0.peek()? == b'}' {
            return Ok(None);
        }
        match self.0.key()? {
            Some(key) => seed.deserialize(Key(key)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeserializeError> {
        seed.deserialize(&mut *self.0)
    }
}

impl<'de> EnumAccess<'de> for Parts<'_, 'de> {
    type Error = DeserializeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DeserializeError> {
        match self.0.key()? {
            Some(key) => Ok((seed.deserialize(Key(key))?, self)),
            None => Err(DeserializeError::custom("invalid value: map, expected a map with one variant")),
        }
    }
}

impl<'de> VariantAccess<'de> for Parts<'_, 'de> {
    type Error = DeserializeError;

    fn unit_variant(self) -> Result<(), DeserializeError> {
        if self.0.null()? { Ok(()) } else { Err(self.0.wrong_type("null").into()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DeserializeError> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DeserializeError> {
        self.0.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.0.deserialize_any(visitor)
    }
}

/// The key of a member. Where a number or a boolean is asked for, it may be the text of one.
struct Key<'de>(Cow<'de, str>);

impl<'de> Key<'de> {
    fn visit_if_number<V: Visitor<'de>>(
        self,
        visitor: V,
        visit: fn(&str, V) -> Result<V::Value, DeserializeError>,
    ) -> Result<V::Value, DeserializeError> {
        match Reader::new(&self.0).number("a number") {
            Ok(number) if number == self.0 => visit(number, visitor),
            _ => self.deserialize_any(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    numbers!();

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.0.parse() {
            Ok(value) => visitor.visit_bool(value),
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_enum(CowStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The text of a value, as serde_json hands it out: in a map of one entry.
struct Entry<'de> {
    key: &'static str,
    text: &'de str,
    is_read: bool,
    /// The byte of the text at which a type of the contract found an error.
    offset: Option<usize>,
}

impl<'de> Entry<'de> {
    fn new(key: &'static str, text: &'de str) -> Self {
        Self { key, text, is_read: false, offset: None }
    }
}

impl<'de> MapAccess<'de> for Entry<'de> {
    type Error = DeserializeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeserializeError> {
        if self.is_read {
            return seed.deserialize(OffsetReceiver(&mut self.offset)).map(Some).or(Ok(None));
        }
        self.is_read = true;
        seed.deserialize(BorrowedStrDeserializer::new(self.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeserializeError> {
        seed.deserialize(BorrowedStrDeserializer::new(self.text))
    }
}

/// Takes the byte of an error from [`deserialize`](super::deserialize): as the length of a tuple, the only number that
/// can be handed to a deserializer.
struct OffsetReceiver<'e>(&'e mut Option<usize>);

impl<'de> Deserializer<'de> for OffsetReceiver<'_> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DeserializeError> {
        Err(DeserializeError::custom("no more entries"))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, offset: usize, visitor: V) -> Result<V::Value, DeserializeError> {
        *self.0 = Some(offset);
        visitor.visit_bool(true)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple_struct map struct enum identifier ignored_any
    }
}
