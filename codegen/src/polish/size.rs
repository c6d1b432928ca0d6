//! How large a generated type is, to tell the variants that are kept in a box.

use std::collections::HashMap;

use crate::lower::model::{Field, Kind, Lowered, Shape, Use};

/// A larger variant of a union is kept in a box: every value of the union is as large as its
/// largest variant, and is moved as often as the smallest.
const LARGEST: usize = 256;

/// A pointer, a number or a discriminant.
const WORD: usize = 8;

/// Bytes by component, on a 64-bit machine and to within a few words.
pub(super) struct Sizes(HashMap<String, usize>);

impl Sizes {
    pub(super) fn of(lowered: &Lowered) -> Self {
        let mut sizes = Self(HashMap::new());
        for name in lowered.components.keys() {
            sizes.measure(lowered, name);
        }
        sizes
    }

    /// Whether a variant with this content is kept in a box.
    pub(super) fn is_large(&self, component: &str) -> bool {
        self.0.get(component).is_some_and(|size| *size > LARGEST)
    }

    fn measure(&mut self, lowered: &Lowered, name: &str) -> usize {
        if let Some(size) = self.0.get(name) {
            return *size;
        }
        let Some(component) = lowered.components.get(name) else { return WORD };
        // Where a type holds itself, it does so by a pointer.
        self.0.insert(name.to_owned(), WORD);
        let size = match &component.kind {
            Kind::Object { fields } => {
                let fields = fields.iter().filter(|field| !field.is_tag);
                fields.fold(WORD, |sum, field| sum.saturating_add(self.field(lowered, field)))
            }
            Kind::Enum { .. } => 3 * WORD,
            Kind::Tagged { variants, .. } => {
                let variants = variants.iter().map(|variant| self.measure(lowered, &variant.component));
                variants.map(|size| if size > LARGEST { WORD } else { size }).max().unwrap_or_default() + WORD
            }
            Kind::Untagged { arms } => {
                let arms = arms.iter().map(|arm| self.shape(lowered, &arm.value.shape));
                arms.max().unwrap_or_default().saturating_add(WORD)
            }
            Kind::Pending => WORD,
        };
        self.0.insert(name.to_owned(), size);
        size
    }

    fn field(&mut self, lowered: &Lowered, field: &Field) -> usize {
        let Use { shape, nullable } = &field.value;
        let is_option = *nullable || !field.required;
        let size = self.shape(lowered, shape);
        // A number has no spare value for `None`.
        let more = if is_option && matches!(shape, Shape::Integer | Shape::Number) { WORD } else { 0 };
        size.saturating_add(more)
    }

    fn shape(&mut self, lowered: &Lowered, shape: &Shape) -> usize {
        match shape {
            Shape::Boolean | Shape::Integer | Shape::Number => WORD,
            Shape::Any | Shape::FreeObject => 2 * WORD,
            Shape::String | Shape::List(_) => 3 * WORD,
            Shape::Map(_) => 9 * WORD,
            Shape::Named(name) => self.measure(lowered, name),
        }
    }
}
