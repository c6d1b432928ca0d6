//! Operations that return a list page by page.

use super::{
    LowerError, Lowering,
    keywords::text,
    model::{ComponentKind, Cursor, Field, Location, Pages, Parameter, Shape, TypeRef},
};
use crate::node::{Node, join};

/// The shapes that are pages without a mark: the member with the cursor, and the parameter that takes it.
const SHAPES: [Detected; 4] = [
    Detected { next: ("last_id", "after_id"), previous: Some(("first_id", "before_id")), has_more: true },
    Detected { next: ("last_id", "after_id"), previous: None, has_more: true },
    Detected { next: ("next_page", "page_token"), previous: None, has_more: true },
    Detected { next: ("next_page", "page"), previous: None, has_more: false },
];

struct Detected {
    next: (&'static str, &'static str),
    previous: Option<(&'static str, &'static str)>,
    /// `true` if the page must have a member `has_more`.
    has_more: bool,
}

impl Lowering<'_> {
    /// The pages of an operation, by its `x-pages` or by the shape of its response. `x-pages: false` says that it has none.
    pub(super) fn pages(
        &self,
        at: &str,
        operation: &Node,
        parameters: &[Parameter],
        response: Option<&TypeRef>,
    ) -> Result<Option<Pages>, LowerError> {
        let fields = match response.map(|response| &response.shape) {
            Some(Shape::Named(name)) => match self.components.get(name).map(|component| &component.kind) {
                Some(ComponentKind::Object { fields }) => fields.as_slice(),
                _ => &[],
            },
            _ => &[],
        };
        let place = Place { fields, parameters };
        match operation.get("x-pages") {
            Some(Node::Bool(false)) => Ok(None),
            Some(mark) => place.marked(&join(at, "x-pages"), mark).map(Some),
            None => Ok(place.detected()),
        }
    }
}

/// The parts of an operation that pagination can use.
struct Place<'l> {
    fields: &'l [Field],
    parameters: &'l [Parameter],
}

impl Place<'_> {
    /// Reads `{"items": "data", "has_more": "has_more", "next": {"member": "last_id", "query": "after_id"}, "previous": …}`.
    fn marked(&self, at: &str, mark: &Node) -> Result<Pages, LowerError> {
        let cursor = |direction: &str| -> Result<Option<Cursor>, LowerError> {
            let Some(cursor) = mark.get(direction) else { return Ok(None) };
            let at = join(at, direction);
            let (Some(member), Some(parameter)) = (text(cursor, "member"), text(cursor, "query")) else {
                return Err(LowerError::new(&at, "it needs a `member` of the page and a `query` parameter"));
            };
            if !self.is_cursor(&member, &parameter) {
                let problem = format!(
                    "`{member}` must be a string of the response, and `{parameter}` an optional string in the query"
                );
                return Err(LowerError::new(&at, problem));
            }
            Ok(Some(Cursor { parameter, member }))
        };
        let items = text(mark, "items").unwrap_or_else(|| "data".to_owned());
        if !self.has(&items, |shape| matches!(shape, Shape::List(_))) {
            return Err(LowerError::new(at, format!("the response has no list `{items}`")));
        }
        let has_more = text(mark, "has_more");
        if let Some(has_more) =
            has_more.as_ref().filter(|has_more| !self.has(has_more, |shape| *shape == Shape::Boolean))
        {
            return Err(LowerError::new(at, format!("the response has no boolean `{has_more}`")));
        }
        let next =
            cursor("next")?.ok_or_else(|| LowerError::new(at, "it needs `next`, the cursor of the next page"))?;
        Ok(Pages { items, has_more, next, previous: cursor("previous")? })
    }

    fn detected(&self) -> Option<Pages> {
        if !self.has("data", |shape| matches!(shape, Shape::List(_))) {
            return None;
        }
        let has_more = self.has("has_more", |shape| *shape == Shape::Boolean);
        let cursor = |(member, parameter): (&str, &str)| {
            let cursor = || Cursor { parameter: parameter.to_owned(), member: member.to_owned() };
            self.is_cursor(member, parameter).then(cursor)
        };
        SHAPES.iter().filter(|shape| has_more || !shape.has_more).find_map(|shape| {
            let previous = match shape.previous {
                Some(previous) => Some(cursor(previous)?),
                None => None,
            };
            let has_more = has_more.then(|| "has_more".to_owned());
            Some(Pages { items: "data".to_owned(), has_more, next: cursor(shape.next)?, previous })
        })
    }

    fn is_cursor(&self, member: &str, parameter: &str) -> bool {
        let is_parameter = |found: &&Parameter| {
            found.name == parameter
                && found.location == Location::Query
                && !found.required
                && found.type_ref.shape == Shape::String
        };
        self.has(member, |shape| *shape == Shape::String) && self.parameters.iter().any(|found| is_parameter(&found))
    }

    fn has(&self, member: &str, is: impl Fn(&Shape) -> bool) -> bool {
        self.fields.iter().any(|field| field.name == member && is(&field.value.shape))
    }
}
