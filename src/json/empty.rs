//! Values to start from inside the crate.

use indexmap::IndexMap;

use super::value::Json;

/// A value with nothing in it, for `..T::empty()` in this crate's own code.
///
/// The hand-written layer fills in the fields that it knows and takes the rest from here, so that
/// it compiles when a changed contract gives a type one more required field.
pub(crate) trait Empty {
    /// Empty text, zero, no items.
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
