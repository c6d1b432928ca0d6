//! Lowers OpenAPI 3.1 (JSON Schema 2020-12) to the OpenAPI 3.0 that progenitor reads.
//!
//! `lower` reads a document into a small model ([`model`]) and writes a new 3.0 document from it ([`emit`]). Only
//! keywords that the model has reach progenitor, so unknown syntax can't break the build. The crate documentation has
//! the table of constructs.

pub(crate) mod model;

mod all_of;
mod duplicates;
mod emit;
pub(crate) mod keywords;
mod multipart;
mod names;
mod operations;
mod pages;
mod parameters;
mod schema;
mod tag;
mod union;

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use indexmap::IndexMap;

pub(crate) use self::names::{field_name, type_name};
use self::{
    model::{Access, Component, ComponentKind, Field, Lowered, Note, Shape, TypeRef},
    names::Names,
};
use super::node::{Node, join};

/// Lowers a document.
///
/// # Errors
/// Fails if the document isn't OpenAPI 3.x or a `$ref` can't be resolved. The error has the JSON pointer.
pub(crate) fn lower(name: &str, document: &Node) -> Result<Lowered, LowerError> {
    let version = document.get("openapi").and_then(Node::as_str).unwrap_or_default();
    if document.get("swagger").is_some() {
        let problem = "the document is Swagger 2.0; convert it to OpenAPI 3, for example with `swagger2openapi`";
        return Err(LowerError::new("/swagger", problem));
    }
    if !version.starts_with("3.") {
        return Err(LowerError::new("/openapi", "the document must have an `openapi` of 3.x"));
    }
    let mut lowering = Lowering {
        document,
        components: IndexMap::new(),
        lowered: HashMap::new(),
        referenced: HashSet::new(),
        names: Names::default(),
        notes: Vec::new(),
        merging: Vec::new(),
        merged_targets: HashMap::new(),
        enclosing: Vec::new(),
        expanding: Vec::new(),
        discriminator_tags: Vec::new(),
        tag_properties: HashMap::new(),
        pending_objects: HashSet::new(),
        events: HashSet::new(),
        depth: 0,
        work: 0,
        work_limit: WORK + WORK_PER_VALUE * document.size(),
        type_limit: TYPES + document.size() / 2,
    };
    lowering.components()?;
    let mut operations = lowering.operations()?;
    lowering.mark_tags(&operations);
    lowering.apply_access(&operations);
    lowering.drop_unused(&operations);
    for component in lowering.components.values_mut() {
        component.is_event = lowering.events.contains(&component.pointer);
    }
    let aliases = lowering.replace_duplicates(&mut operations);
    let server = document.pointer("/servers/0/url").and_then(Node::as_str).map(str::to_owned);
    Ok(Lowered {
        name: name.to_owned(),
        document: emit::document(document, &lowering.components, &operations),
        components: lowering.components,
        aliases,
        operations: operations.into_iter().map(|operation| operation.model).collect(),
        notes: lowering.notes,
        server,
    })
}

/// The error of a document that can't be lowered.
#[derive(Debug)]
pub(crate) struct LowerError {
    pub(crate) pointer: String,
    pub(crate) problem: String,
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
    /// The state of each schema, by its pointer.
    lowered: HashMap<String, SchemaState>,
    /// The types that a schema refers to, finished or not.
    referenced: HashSet<String>,
    names: Names,
    notes: Vec<Note>,
    /// The pointers of the schemas being merged, outermost first.
    merging: Vec<String>,
    /// The merged targets of `$ref`s, by pointer.
    merged_targets: HashMap<String, Node>,
    /// The merged schemas being lowered, with their pointers.
    enclosing: Vec<(Node, String)>,
    /// The pointers of the unions whose `properties` are being merged into their branches.
    expanding: Vec<String>,
    /// Tags that only a discriminator gives: the type, its property and the tag.
    discriminator_tags: Vec<(String, String, String)>,
    /// The tag property of each type that is a variant of a tagged union.
    tag_properties: HashMap<String, String>,
    /// The objects whose fields are being lowered.
    pending_objects: HashSet<String>,
    /// The schemas of `text/event-stream` responses, by pointer.
    events: HashSet<String>,
    /// The depth of the current schema, references included.
    depth: usize,
    /// The work done so far, and its limits; see [`Lowering::spend`].
    work: usize,
    work_limit: usize,
    type_limit: usize,
}

/// The work allowed for any document, in values read or copied.
const WORK: usize = 1_000_000;

/// The work allowed in addition for each value of the document.
const WORK_PER_VALUE: usize = 20;

/// The number of types allowed for any document. One more is allowed for every two values of it.
const TYPES: usize = 2_000;

#[derive(Clone)]
enum SchemaState {
    InProgress,
    Done(TypeRef),
}

impl Lowering<'_> {
    /// Lowers `components.schemas`. Their names take precedence over names made for inline schemas.
    fn components(&mut self) -> Result<(), LowerError> {
        const SCHEMAS: &str = "/components/schemas";
        let document = self.document;
        let Some(schemas) = document.pointer(SCHEMAS) else { return Ok(()) };
        let schemas = schemas.as_object().ok_or_else(|| LowerError::new(SCHEMAS, "the schemas must be an object"))?;
        for name in schemas.keys() {
            self.names.reserve(&join(SCHEMAS, name), name);
        }
        for name in schemas.keys() {
            self.at(&join(SCHEMAS, name))?;
        }
        Ok(())
    }

    fn note(&mut self, pointer: &str, text: impl Into<String>) {
        let note = Note { pointer: pointer.to_owned(), text: text.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Counts work, so that schemas that multiply when merged fail instead of running out of memory.
    fn spend(&mut self, at: &str, amount: usize) -> Result<(), LowerError> {
        self.work = self.work.saturating_add(amount);
        if self.work > self.work_limit || self.components.len() > self.type_limit {
            return Err(LowerError::new(at, "the schemas multiply beyond the generator's limit when merged"));
        }
        Ok(())
    }

    /// Marks the tag properties of the variants of tagged unions.
    fn mark_tags(&mut self, operations: &[operations::LoweredOperation]) {
        self.make_tags(operations);
        let mut tags = Vec::new();
        for component in self.components.values() {
            let ComponentKind::Tagged { tag, variants, is_tag_optional, .. } = &component.kind else { continue };
            tags.extend(variants.iter().map(|variant| (variant.component.clone(), tag.clone(), *is_tag_optional)));
        }
        for (component, tag, is_optional) in tags {
            let Some(ComponentKind::Object { fields }) =
                self.components.get_mut(&component).map(|component| &mut component.kind)
            else {
                continue;
            };
            for field in fields.iter_mut().filter(|field| field.name == tag && field.constant.is_some()) {
                field.is_tag = field.required;
                field.is_preset = !field.required && is_optional;
            }
        }
    }

    /// Gives variants the constants that only a discriminator declares.
    ///
    /// A variant with several tags keeps the property as its schema has it, and so does one that is used outside of
    /// the union, where the tag isn't required.
    fn make_tags(&mut self, operations: &[operations::LoweredOperation]) {
        let mapped = std::mem::take(&mut self.discriminator_tags);
        let mut alone: Vec<&str> = operations.iter().flat_map(operations::LoweredOperation::referenced_types).collect();
        for component in
            self.components.values().filter(|component| !matches!(component.kind, ComponentKind::Tagged { .. }))
        {
            component.kind.referenced_types(&mut alone);
        }
        let alone: HashSet<String> = alone.into_iter().map(str::to_owned).collect();
        for (component, property, tag) in &mapped {
            let is_one = mapped.iter().all(|(other, _, other_tag)| other != component || other_tag == tag);
            if !is_one || alone.contains(component) {
                continue;
            }
            let Some(ComponentKind::Object { fields }) =
                self.components.get_mut(component).map(|component| &mut component.kind)
            else {
                continue;
            };
            match fields.iter_mut().find(|field| field.name == *property) {
                Some(field) => {
                    field.required = true;
                    field.constant = Some(tag.clone());
                }
                None => fields.push(Field {
                    name: property.clone(),
                    description: None,
                    required: true,
                    is_argument: false,
                    value: Shape::String.into(),
                    constraints: Vec::new(),
                    constant: Some(tag.clone()),
                    is_preset: false,
                    access: Access::ReadWrite,
                    lenient: false,
                    is_tag: false,
                    incomplete_as_string: false,
                }),
            }
        }
    }

    /// Makes read-only properties of requests and write-only properties of responses optional.
    fn apply_access(&mut self, operations: &[operations::LoweredOperation]) {
        let sent = self.reachable(operations.iter().flat_map(operations::LoweredOperation::sent_types));
        let received = self.reachable(operations.iter().flat_map(operations::LoweredOperation::received_types));
        for (name, component) in &mut self.components {
            let ComponentKind::Object { fields } = &mut component.kind else { continue };
            for field in fields.iter_mut().filter(|field| field.required && !field.is_tag) {
                match field.access {
                    Access::ReadOnly if sent.contains(name) => {
                        field.required = false;
                        field.is_argument = false;
                    }
                    Access::WriteOnly if received.contains(name) => field.required = false,
                    _ => {}
                }
            }
        }
    }

    /// Returns the names of the types that values of other types consist of.
    fn reachable<'t>(&'t self, roots: impl Iterator<Item = &'t str>) -> HashSet<String> {
        let mut open: Vec<&str> = roots.collect();
        let mut reachable = HashSet::new();
        while let Some(name) = open.pop() {
            if reachable.insert(name.to_owned())
                && let Some(component) = self.components.get(name)
            {
                component.kind.referenced_types(&mut open);
            }
        }
        reachable
    }

    /// Drops inline types that nothing refers to, such as the one-value enum of a tag.
    fn drop_unused(&mut self, operations: &[operations::LoweredOperation]) {
        loop {
            let mut used: Vec<&str> =
                operations.iter().flat_map(operations::LoweredOperation::referenced_types).collect();
            for component in self.components.values() {
                component.kind.referenced_types(&mut used);
            }
            let unused: Vec<String> = self
                .components
                .iter()
                .filter(|(name, component)| component.is_inline && !used.contains(&name.as_str()))
                .map(|(name, _)| name.clone())
                .collect();
            if unused.is_empty() {
                return;
            }
            self.components.retain(|name, _| !unused.contains(name));
        }
    }
}
