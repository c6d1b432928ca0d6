//! Implementations that all generated types of a kind share.

/// Implements `Deserialize` for a type that implements `FromJson`.
macro_rules! deserialize_from_json {
    ($type:ident) => {
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                $crate::json::deserialize(deserializer)
            }
        }
    };
}

/// Implements `Serialize` for a type that implements `ToJson`.
macro_rules! serialize_to_json {
    ($type:ident) => {
        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                $crate::json::serialize(self, serializer)
            }
        }
    };
}

/// Implements the traits of a string enum, given `as_str` and `From<&str>`.
macro_rules! string_enum {
    ($type:ident) => {
        $crate::json::deserialize_from_json!($type);
        $crate::json::serialize_to_json!($type);

        impl $crate::json::FromJson for $type {
            fn read(reader: &mut $crate::json::Reader<'_>) -> ::std::result::Result<Self, $crate::json::DecodeError> {
                let value = Self::from(&*reader.string()?);
                if let Self::Unknown(value) = &value {
                    reader.unknown_variant(::std::stringify!($type), value);
                }
                ::std::result::Result::Ok(value)
            }
        }

        impl $crate::json::ToJson for $type {
            fn to_json(&self) -> $crate::json::JsonRef<'_> {
                $crate::json::JsonRef::String(self.as_str())
            }
        }

        impl ::std::convert::From<::std::string::String> for $type {
            fn from(value: ::std::string::String) -> Self {
                match Self::from(value.as_str()) {
                    Self::Unknown(_) => Self::Unknown(value),
                    known => known,
                }
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = ::std::convert::Infallible;

            fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
                ::std::result::Result::Ok(Self::from(value))
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::cmp::PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl ::std::cmp::PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl $crate::json::Check for $type {
            fn check(&self) -> ::std::result::Result<(), $crate::json::ValidationError> {
                ::std::result::Result::Ok(())
            }
        }

        impl $crate::json::Empty for $type {
            fn empty() -> Self {
                Self::Unknown(::std::string::String::new())
            }
        }
    };
}

/// Implements the traits of a union, given `FromJson`.
macro_rules! union {
    // Free-form JSON in the variants after `objects` must be objects.
    ($type:ident { $($variant:ident),* } $(objects { $($object:ident),* })?) => {
        $crate::json::deserialize_from_json!($type);
        $crate::json::serialize_to_json!($type);

        impl $crate::json::ToJson for $type {
            fn to_json(&self) -> $crate::json::JsonRef<'_> {
                match self {
                    $(Self::$variant(value) => $crate::json::ToJson::to_json(value),)*
                    Self::Unknown(value) => $crate::json::ToJson::to_json(value),
                }
            }
        }

        impl $crate::json::Check for $type {
            fn check(&self) -> ::std::result::Result<(), $crate::json::ValidationError> {
                $($(
                    if let Self::$object(value) = self {
                        $crate::json::check::Objects::objects(value)?;
                    }
                )*)?
                match self {
                    $(Self::$variant(value) => $crate::json::Check::check(value),)*
                    Self::Unknown(_) => ::std::result::Result::Ok(()),
                }
            }
        }

        impl $crate::json::Empty for $type {
            fn empty() -> Self {
                Self::Unknown($crate::json::Json::empty_object().into())
            }
        }
    };
}

pub(crate) use {deserialize_from_json, serialize_to_json, string_enum, union};
