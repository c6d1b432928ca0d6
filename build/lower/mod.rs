//! OpenAPI 3.1 (JSON Schema 2020-12) to the 3.0 that progenitor reads.
//!
//! `lower` takes a document apart into a small model ([`model`]) and writes a fresh 3.0 document
//! from it ([`emit`]). What the model can't hold never reaches progenitor, so syntax that nobody
//! thought of can't break the build. What a construct becomes:
//!
//! | 3.1 | lowered to | lost |
//! |---|---|---|
//! | `type: [T, "null"]`, `null` in `enum`, `oneOf: [X, null]`, `nullable` | `nullable` where it is used | nothing |
//! | `type: [A, B]` | a union of one branch a type | nothing |
//! | `const` and `enum` of strings | an open enum | nothing |
//! | `const` and `enum` of numbers and booleans | the plain type | the restriction |
//! | inline object, enum or union | a component named after its place | nothing |
//! | `oneOf`/`anyOf` of objects with a constant property | a tagged union | nothing |
//! | a discriminator whose tag is no constant in the branches | a tagged union; the branches get the constant | nothing |
//! | a union with one branch without the tag | that branch where the tag is absent | nothing |
//! | a string beside its enum, an integer beside a number | the string, the number | the names of the values |
//! | other `oneOf`/`anyOf` | an untagged union, the branch that asks for most first | nothing |
//! | `allOf` | one merged schema | the subtype relation |
//! | `$ref` with siblings | the target, merged with them | nothing |
//! | `$defs`, deep `$ref` | components | nothing |
//! | `$ref` out of the document or to an anchor | any JSON, with a note | the type |
//! | `prefixItems` | a list of any JSON, with a note | the items' types |
//! | `patternProperties` | any JSON, with a note | the type |
//! | `additionalProperties` beside `properties` | `extra`, with a note where it has a type | its type |
//! | `additionalProperties` alone | a map | nothing |
//! | `minItems` and its like | checks before sending | nothing |
//! | `pattern`, `format`, `default`, `not`, `if`, `unevaluated*` | dropped | validation |
//! | `title`, `examples`, `xml` | dropped | documentation |
//! | error responses | dropped: the transport reads every error itself | nothing |
//! | `multipart/*` alone, `OPTIONS`, `TRACE` | the operation is left out, with a note | the operation |
//! | parameters in cookies | left out, with a note | the parameter |
//! | webhooks, callbacks, links, servers, security | dropped | what they say |
//! | 200 that is both JSON and `text/event-stream` | a twin operation for the stream | nothing |

pub mod model;

mod all_of;
mod emit;
mod names;
mod operations;
mod schema;
mod union;

use std::{collections::HashMap, fmt};

use indexmap::IndexMap;

pub(crate) use self::names::{field_name, type_name};
use self::{
    model::{Component, Kind, Lowered, Note, Use},
    names::Names,
};
use super::node::{Node, below};

/// Lowers a document.
///
/// # Errors
/// When the document is no OpenAPI 3.x, or a `$ref` points to nothing; the error names the place.
pub fn lower(document: &Node) -> Result<Lowered, LowerError> {
    let version = document.get("openapi").and_then(Node::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        return Err(LowerError::new("/openapi", "the document must say which OpenAPI 3.x it is written in"));
    }
    let mut lowering = Lowering {
        document,
        components: IndexMap::new(),
        lowered: HashMap::new(),
        names: Names::default(),
        notes: Vec::new(),
    };
    lowering.components()?;
    let operations = lowering.operations()?;
    lowering.mark_tags();
    lowering.drop_unused(&operations);
    let server = document.pointer("/servers/0/url").and_then(Node::as_str).map(str::to_owned);
    Ok(Lowered {
        document: emit::document(document, &lowering.components, &operations),
        components: lowering.components,
        operations: operations.into_iter().map(|operation| operation.model).collect(),
        notes: lowering.notes,
        server,
    })
}

/// Why a document could not be lowered, and where.
#[derive(Debug)]
pub struct LowerError {
    pub pointer: String,
    pub problem: String,
}

impl LowerError {
    fn new(pointer: &str, problem: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for LowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at #{}", self.problem, self.pointer)
    }
}

impl std::error::Error for LowerError {}

struct Lowering<'a> {
    document: &'a Node,
    components: IndexMap<String, Component>,
    /// What the schema at a pointer became.
    lowered: HashMap<String, Progress>,
    names: Names,
    notes: Vec<Note>,
}

#[derive(Clone)]
enum Progress {
    Started,
    Done(Use),
}

impl Lowering<'_> {
    /// Lowers `components.schemas`, whose names come before all names that are made up.
    fn components(&mut self) -> Result<(), LowerError> {
        const SCHEMAS: &str = "/components/schemas";
        let document = self.document;
        let Some(schemas) = document.pointer(SCHEMAS) else { return Ok(()) };
        let schemas = schemas.as_object().ok_or_else(|| LowerError::new(SCHEMAS, "the schemas must be an object"))?;
        for name in schemas.keys() {
            self.names.reserve(&below(SCHEMAS, name), name);
        }
        for name in schemas.keys() {
            self.at(&below(SCHEMAS, name))?;
        }
        Ok(())
    }

    fn note(&mut self, pointer: &str, text: impl Into<String>) {
        let note = Note { pointer: pointer.to_owned(), text: text.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Marks the properties that tell the variants of a union apart.
    fn mark_tags(&mut self) {
        let mut tags = Vec::new();
        for component in self.components.values() {
            let Kind::Tagged { tag, variants, .. } = &component.kind else { continue };
            tags.extend(variants.iter().map(|variant| (variant.component.clone(), tag.clone())));
        }
        for (component, tag) in tags {
            let Some(Kind::Object { fields }) =
                self.components.get_mut(&component).map(|component| &mut component.kind)
            else {
                continue;
            };
            for field in fields.iter_mut().filter(|field| field.name == tag && field.required && field.only.is_some()) {
                field.is_tag = true;
            }
        }
    }

    /// Drops hoisted types that nothing refers to, such as the one-value enum of a tag.
    fn drop_unused(&mut self, operations: &[operations::Lowered]) {
        loop {
            let mut used: Vec<&str> = operations.iter().flat_map(operations::Lowered::uses).collect();
            for component in self.components.values() {
                component.kind.uses(&mut used);
            }
            let unused: Vec<String> = self
                .components
                .iter()
                .filter(|(name, component)| component.hoisted && !used.contains(&name.as_str()))
                .map(|(name, _)| name.clone())
                .collect();
            if unused.is_empty() {
                return;
            }
            self.components.retain(|name, _| !unused.contains(name));
        }
    }
}
