//! Unknown parts of a document: recorded while it is read, for those who ask.

/// A part of a document that has no type of its own.
///
/// The value that is read keeps it. This is the report of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownPart {
    /// The schema that does not know the item, if there is one to name.
    pub(crate) schema: Option<&'static str>,
    /// The name of the field, the tag of the variant, or the value of the enumeration.
    pub(crate) name: String,
    /// Is the item a field, and not a variant or a value?
    pub(crate) field: bool,
}

/// The items recorded for one document: each of them once, and no more than [`LIMIT`](Self::LIMIT).
#[derive(Debug, Default)]
pub(crate) struct UnknownParts(Vec<UnknownPart>);

impl UnknownParts {
    /// A document made of unknown members must not fill memory with reports of them.
    const LIMIT: usize = 100;

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes back what was recorded after the list had this length.
    pub(super) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    pub(super) fn record(&mut self, schema: Option<&'static str>, name: &str) {
        let field = schema.is_none();
        let is_same = |item: &UnknownPart| item.schema == schema && item.name == name;
        if self.0.len() < Self::LIMIT && !self.0.iter().any(is_same) {
            self.0.push(UnknownPart { schema, name: name.to_owned(), field });
        }
    }
}

impl IntoIterator for UnknownParts {
    type Item = UnknownPart;
    type IntoIter = std::vec::IntoIter<UnknownPart>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_recorded_once_and_bounded() {
        let mut items = UnknownParts::default();
        for (schema, name) in [(None, "a"), (Some("Shape"), "a"), (None, "a"), (Some("Shape"), "a")] {
            items.record(schema, name);
        }
        assert_eq!(items.len(), 2);
        (0..1000).for_each(|number: u32| items.record(None, &number.to_string()));
        assert_eq!(items.len(), UnknownParts::LIMIT);
        items.truncate(1);
        assert_eq!(
            items.into_iter().collect::<Vec<_>>(),
            [UnknownPart { schema: None, name: "a".into(), field: true }]
        );
    }
}
