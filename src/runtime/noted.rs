//! What a document held that there is no type for: noted while it is read, for those who want to
//! know. It is kept in the value all the same.

use std::cell::RefCell;

/// Something that there is no type for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// The schema that does not know it, where that is known.
    pub(crate) schema: Option<&'static str>,
    /// The name of the field, the tag of the variant, or the value of the enumeration.
    pub(crate) name: String,
    /// Whether it is a field, and not a variant or value.
    pub(crate) field: bool,
}

/// The most that is noted of one document.
const MOST: usize = 100;

thread_local! {
    static NOTES: RefCell<Option<Vec<Noted>>> = const { RefCell::new(None) };
}

/// Notes a field that no type has.
pub(crate) fn note_field(name: &str) {
    note(|| Noted { schema: None, name: name.to_owned(), field: true });
}

/// Notes a variant of a union, or a value of an enumeration, that no type has.
pub(crate) fn note_variant(schema: &'static str, name: &str) {
    note(|| Noted { schema: Some(schema), name: name.to_owned(), field: false });
}

fn note(noted: impl FnOnce() -> Noted) {
    NOTES.with_borrow_mut(|notes| {
        if let Some(notes) = notes.as_mut().filter(|notes| notes.len() < MOST) {
            notes.push(noted());
        }
    });
}

/// Reads something, and gives what was noted meanwhile, each thing once.
pub(crate) fn noting<T>(read: impl FnOnce() -> T) -> (T, Vec<Noted>) {
    NOTES.set(Some(Vec::new()));
    let value = read();
    let mut notes = NOTES.take().unwrap_or_default();
    let mut seen = Vec::with_capacity(notes.len());
    notes.retain(|noted| {
        let new = !seen.contains(noted);
        if new {
            seen.push(noted.clone());
        }
        new
    });
    (value, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_taken_only_while_someone_wants_them() {
        note_field("before");
        let (value, notes) = noting(|| {
            note_field("a");
            note_variant("Shape", "b");
            note_field("a");
            1
        });
        assert_eq!((value, notes.len()), (1, 2));
        let ((), notes) = noting(|| (0..1000).for_each(|number| note_field(&number.to_string())));
        assert_eq!(notes.len(), MOST);
        assert_eq!(noting(|| ()).1, []);
    }
}
