//! Empty values of generated types, for use inside of the crate.

use indexmap::IndexMap;

use super::value::Json;

/// An empty value, for `..T::empty()` in this crate's own code.
///
/// The hand-written layer sets the fields that it knows and takes the others from here, so that it still compiles when a
/// changed contract adds a required field to a type.
pub(crate) trait Empty {
    /// Returns a value with empty strings, zeros and no items.
    fn empty() -> Self;
}

macro_rules! empty_is_default {
    ($($type:ty),*) => {$(
        impl Empty for $type {
            fn empty() -> Self {
                Self::default()
            }
        }
    )*};
}
empty_is_default!(String, bool, i64, u64, f64);

impl Empty for Json {
    fn empty() -> Self {
        Self::empty_object()
    }
}

impl<T> Empty for Option<T> {
    fn empty() -> Self {
        None
    }
}

impl<T> Empty for Vec<T> {
    fn empty() -> Self {
        Self::new()
    }
}

impl<T> Empty for IndexMap<String, T> {
    fn empty() -> Self {
        Self::new()
    }
}

impl<T: Empty> Empty for Box<T> {
    fn empty() -> Self {
        Self::new(T::empty())
    }
}
