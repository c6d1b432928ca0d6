//! A record of the parts of a document that its type doesn't name.

/// A part of a document that its type doesn't name.
///
/// The value that is read keeps it; this only reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownPart {
    /// The schema of the union or enumeration, or `None` for a field.
    pub(crate) schema: Option<&'static str>,
    /// The name of the field, the tag of the variant, or the value of the enumeration.
    pub(crate) name: String,
    /// Set for a field, and not for a variant or a value.
    pub(crate) field: bool,
}

/// The unknown parts of one document, each of them once, and at most [`LIMIT`](Self::LIMIT).
#[derive(Debug, Default)]
pub(crate) struct UnknownParts(Vec<UnknownPart>);

impl UnknownParts {
    /// Bounds the memory for a document made of unknown members.
    const LIMIT: usize = 100;

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes what was recorded since the list had this length.
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
