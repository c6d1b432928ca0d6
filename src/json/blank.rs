//! Values to start from inside the crate.

use indexmap::IndexMap;

use super::value::Json;

/// A value with nothing in it, for `..T::blank()` in this crate's own code.
///
/// The hand-written layer fills in the fields that it knows and takes the rest from here, so that
/// it compiles when a changed contract gives a type one more required field.
pub(crate) trait Blank {
    /// Empty text, zero, no items.
    fn blank() -> Self;
}

macro_rules! blank_is_default {
    ($($type:ty),*) => {$(
        impl Blank for $type {
            fn blank() -> Self {
                Self::default()
            }
        }
    )*};
}
blank_is_default!(String, bool, i64, f64);

impl Blank for Json {
    fn blank() -> Self {
        Self::empty_object()
    }
}

impl<T> Blank for Option<T> {
    fn blank() -> Self {
        None
    }
}

impl<T> Blank for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }
}

impl<T> Blank for IndexMap<String, T> {
    fn blank() -> Self {
        Self::new()
    }
}

impl<T: Blank> Blank for Box<T> {
    fn blank() -> Self {
        Self::new(T::blank())
    }
}
