//! Generates the Rust client of `anthropic-messages` from an OpenAPI contract.
//!
//! [progenitor](https://docs.rs/progenitor) generates code from OpenAPI 3.0. This crate prepares its input and rewrites its
//! output: it applies [overlays](Contract::overlay) to a contract, [lowers](Contract::lower) OpenAPI 3.1 (JSON Schema
//! 2020-12) to 3.0, and [finishes](finish) progenitor's code, so that no part of a message is lost, enums and unions stay
//! open, and types have constructors, setters and checks. [`drift`] compares two clients. The functions take and return
//! values; the caller reads and writes files.
//!
//! `anthropic-messages` has it as a build dependency with an exact version. The interface may change with every release.
//!
//! ```
//! use anthropic_messages_codegen::{Contract, Error, Requirements, finish, run, settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let contract = r#"{
//!     "openapi": "3.1.0", "info": {"title": "Pets"}, "paths": {},
//!     "components": {"schemas": {"Pet": {"type": "object", "properties": {"name": {"type": ["string", "null"]}}}}}
//! }"#;
//! let generated = run(|| {
//!     let lowered = Contract::parse("pets.json", contract)?.lower()?;
//!     let code = progenitor::Generator::new(&settings()).generate_tokens(&lowered.openapi()?)?;
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(finish(&lowered, &Requirements::default(), code)?)
//! })?;
//! assert!(generated.source.contains("pub struct Pet"));
//! # Ok(())
//! # }
//! ```
//!
//! # What the generated code needs
//!
//! The code uses `crate::json`, `crate::transport`, `crate::Response` and `crate::Error`, so it only compiles inside of
//! `anthropic-messages`. `cargo run -p anthropic-messages-codegen --example generate -- SPEC --out FILE` writes it for any
//! document.
//!
//! # Constructs and losses
//!
//! The lowering is an allow-list, so unknown keywords never reach progenitor. A construct that can't be expressed becomes a
//! [`Note`] with its JSON pointer. A construct that would lead to wrong code is an error.
//!
//! | 3.1 | lowered to | lost |
//! |---|---|---|
//! | `info.version` missing, or not ASCII | `0.0.0`, or its ASCII characters | nothing |
//! | `type: [T, "null"]`, `null` in `enum`, `oneOf: [X, null]`, `nullable`, also in a branch of a union | `nullable` where it is used | nothing |
//! | `format: uint64` | `u64` | nothing |
//! | other integers | `i64`; a larger value is an error when it is read | values beyond 64 bits |
//! | `number` | `f64` | digits beyond its precision |
//! | `readOnly` and required, in a request | optional, and no argument of `new` | nothing |
//! | `writeOnly` and required, in a response | optional, and an argument of `new` | nothing |
//! | `type: "null"`, `const: null` | any JSON that may be null | the restriction |
//! | `type: [A, B]` | a union of one branch a type; any JSON where it is all types | nothing |
//! | `const` and `enum` of strings | an open enum | nothing |
//! | `enum` whose values have no Rust names of their own | a string, with a note | the names of the values |
//! | `const` and `enum` of numbers, booleans, lists and objects | the plain type, with a note | the restriction |
//! | `enum` of several types | any JSON, with a note | the type |
//! | `true`, `{}` as a schema | any JSON | nothing |
//! | `false` as a schema | any JSON, with a note | the restriction |
//! | inline object, enum or union | a component named after its place | nothing |
//! | identical inline unions and enums | one type, and an alias for each further place | nothing |
//! | names that Rust or another schema has taken | numbered | nothing |
//! | properties that have one Rust name | the first one; the others are in `extra`, with a note | a field |
//! | `oneOf`/`anyOf` of objects with a constant property | a tagged union | nothing |
//! | a discriminator whose tag is no constant in the branches | a tagged union; a branch that stands nowhere else gets the constant | nothing |
//! | a union with one branch without the tag | that branch where the tag is absent | nothing |
//! | a discriminator whose constants are optional in several branches | a tagged union; the branches are tried in order where the tag is absent | nothing |
//! | a union of objects that another union tells apart by another property | an untagged union, with a note | dispatch on the tag |
//! | a string beside its enum, an integer beside a number | the string, the number | the names of the values |
//! | other `oneOf`/`anyOf` | an untagged union, the branch that asks for most first | nothing |
//! | a union as a branch of its own branch | left out, with a note | nothing that has a value |
//! | branches that only say `required` or `not` | the object beside them, with a note | validation |
//! | properties beside a union | taken into each branch, with a note | nothing |
//! | `allOf` | one merged schema; where its parts differ in a keyword the first counts, with a note | the subtype relation |
//! | a parent that lists the children that take it in by `allOf` | the list is not the children's | nothing |
//! | `$ref` with siblings | the target, merged with them | nothing |
//! | `$defs`, deep `$ref` | components | nothing |
//! | `$ref` out of the document or to an anchor, `$dynamicRef` | any JSON, with a note | the type |
//! | a `$ref` or `allOf` that leads to nothing but itself | any JSON, with a note; an error in `allOf` | the type |
//! | more than 2,000 schemas in each other | any JSON, with a note | the type |
//! | schemas that multiply when put together | an error | everything |
//! | `prefixItems` | a list of any JSON, with a note | the items' types |
//! | `patternProperties` | any JSON, with a note | the type |
//! | `additionalProperties` beside `properties` | `extra`, with a note where it has a type | its type |
//! | `additionalProperties` alone | a map | nothing |
//! | `type: object` alone | JSON that must be an object | nothing |
//! | a required property that is not described | `extra`, with a note | a field |
//! | `minItems` and its like | checks before sending | nothing |
//! | `pattern`, `format`, `default`, `content*`, `contains`, `not`, `if`, `dependent*`, `unevaluated*` | dropped | validation |
//! | `title`, `examples`, `xml` | dropped | documentation |
//! | error responses | dropped: the transport reads every error itself | nothing |
//! | several good responses of one type | any of the statuses | nothing |
//! | several good responses that are JSON or nothing | an enum by status | nothing |
//! | other good responses | the first one with content, with a note | the others' types |
//! | `default` without a good response | the good response | nothing |
//! | several media types | JSON, then `+json`, `*/*`, JSON lines, a form, `multipart/form-data`, bytes; with a note | the others |
//! | `application/x-jsonl`, `application/jsonl`, `application/x-ndjson` | a stream of the type of a line | nothing |
//! | `multipart/form-data` | a struct with a field for each part | parts that are not described |
//! | `x-pages`, or a list with a cursor | a stream of the pages, and one of the items | nothing |
//! | other `multipart/*` alone, `OPTIONS`, `TRACE`, `QUERY`, `additionalOperations` | the operation is left out, with a note | the operation |
//! | a body that is not `required` | an `Option` | nothing |
//! | a body that may be null | the body, with a note | a body of `null` |
//! | an operation without `operationId` | named after method and path | nothing |
//! | an `operationId` that is taken | numbered, with a note | nothing |
//! | a path without a slash, with braces that don't close or that Rust can't tell apart | left out, with a note | its operations |
//! | a path with `#…` or `?…` | cut, or sent as it stands | nothing |
//! | a parameter of the path that nothing declares | a string | its type |
//! | `style`, `explode` and `content` of a query parameter, `encoding` of a form | the style | `allowReserved` |
//! | parameters in paths and headers that are no scalars | strings, with a note | their types |
//! | parameters in cookies, headers that OpenAPI says are none, two with one Rust name | left out, with a note | the parameter |
//! | `components` that operations refer to, also by way of each other | followed | nothing |
//! | webhooks, callbacks, servers of an operation, keys in a query | left out, with a note | what they say |
//! | links, security | dropped | what they say |
//! | `deprecated` of an operation | `#[deprecated]` | nothing |
//! | a `$ref` of a parameter, body or response that leads out of the document | an error | everything |
//! | 200 that is both JSON and `text/event-stream` | a twin operation for the stream | nothing |
//! | the `$ref` of a `text/event-stream` | unknown events keep their name and their text | nothing |
//! | `x-lenient` | a value of another shape stays in `extra` | an error |
//! | `x-merge` | `merge`, which sets the members that a later part has | nothing |
//! | `x-answer-requires` of an operation | its answers are checked for the members | an answer without them |

mod blocking;
mod drift;
mod lower;
mod node;
mod overlay;
mod polish;
mod requirements;
mod run;
mod surface;

use std::{collections::HashSet, fmt};

use openapiv3::OpenAPI;
use proc_macro2::TokenStream;
use progenitor::{GenerationSettings, InterfaceStyle};

pub use self::{
    drift::{Change, Level, drift},
    lower::model::{Lowered, Note},
    requirements::Requirements,
    run::run,
};
use self::{node::Node, overlay::OnNarrowing};

/// An OpenAPI 3.x document, with the overlays that were applied to it.
#[derive(Clone, Debug)]
pub struct Contract {
    name: String,
    document: Node,
    /// The notes of overlays.
    notes: Vec<Note>,
}

impl Contract {
    /// Reads a document. `name` is the file name, for errors.
    ///
    /// # Errors
    /// Fails if the text isn't JSON or a member of an object is repeated.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        Ok(Self { name: name.to_owned(), document: parse(name, text)?, notes: Vec::new() })
    }

    /// Applies an [OpenAPI Overlay](https://spec.openapis.org/overlay/v1.0.0.html).
    ///
    /// An overlay adds and describes: an action can add a member, repeat one, or append to an array.
    ///
    /// # Errors
    /// Fails if the overlay is malformed, the target of an action matches nothing, or an action contradicts the document
    /// or excludes values that it allows. The error has the action and the JSON pointer.
    pub fn overlay(self, name: &str, text: &str) -> Result<Self, Error> {
        self.with_overlay(name, text, OnNarrowing::Refuse)
    }

    /// Applies an overlay that was written for another version of the contract.
    ///
    /// Skips and notes a keyword of the overlay that excludes values which this contract allows. Everything else is as in
    /// [`overlay`](Self::overlay).
    ///
    /// # Errors
    /// Fails like [`overlay`](Self::overlay), except for actions that exclude values.
    pub fn built_in_overlay(self, name: &str, text: &str) -> Result<Self, Error> {
        self.with_overlay(name, text, OnNarrowing::Note)
    }

    fn with_overlay(mut self, name: &str, text: &str, on_narrowing: OnNarrowing) -> Result<Self, Error> {
        let overlay = parse(name, text)?;
        self.document = overlay::apply(self.document, &overlay, on_narrowing, &mut self.notes)
            .map_err(|error| Error::new(name, error))?;
        Ok(self)
    }

    /// Lowers the contract to the OpenAPI 3.0 that progenitor reads.
    ///
    /// # Errors
    /// Fails if the document isn't OpenAPI 3.x or a `$ref` can't be resolved. The error has the JSON pointer.
    pub fn lower(&self) -> Result<Lowered, Error> {
        let mut lowered = lower::lower(&self.name, &self.document).map_err(|error| Error::new(&self.name, error))?;
        lowered.notes.splice(..0, self.notes.iter().cloned());
        Ok(lowered)
    }

    /// Returns the document with its overlays as JSON.
    ///
    /// # Errors
    /// Fails if the document can't be written as JSON.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(&self.document).map_err(|error| Error::new(&self.name, error))
    }
}

impl Lowered {
    /// Returns the names of the generated operations.
    pub fn operation_names(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|operation| operation.name.as_str())
    }

    /// Returns the names of the operations that have query or header parameters, and of these the ones that require one.
    pub fn operations_with_parameters(&self) -> impl Iterator<Item = (&str, bool)> {
        let in_params = |parameter: &&lower::model::Parameter| parameter.location != lower::model::Location::Path;
        self.operations.iter().filter(move |operation| operation.parameters.iter().any(|own| in_params(&own))).map(
            move |operation| {
                let mut own = operation.parameters.iter().filter(in_params);
                (operation.name.as_str(), own.any(|parameter| parameter.required))
            },
        )
    }

    /// Returns the lowered contract as the input of progenitor.
    ///
    /// # Errors
    /// Fails if it isn't OpenAPI 3.0, which is a bug of the lowering.
    pub fn openapi(&self) -> Result<OpenAPI, Error> {
        serde_json::from_value(self.document.clone())
            .map_err(|error| Error::new(&self.name, format!("the lowered contract is not OpenAPI 3.0: {error}")))
    }

    /// Returns the notes that a list doesn't have. The list has a note per line, as [`Note`] is displayed.
    #[must_use]
    pub fn notes_beyond(&self, accepted: &str) -> Vec<&Note> {
        let accepted: HashSet<&str> = accepted.lines().map(str::trim).collect();
        self.notes.iter().filter(|note| !accepted.contains(note.to_string().as_str())).collect()
    }
}

/// Returns the settings of progenitor's generator that [`finish`] expects.
#[must_use]
pub fn settings() -> GenerationSettings {
    let mut settings = GenerationSettings::default();
    settings.with_interface(InterfaceStyle::Positional);
    settings
}

/// The result of [`finish`].
#[derive(Clone, Debug)]
pub struct Generated {
    /// The source of the client and the types.
    pub source: String,
    /// The source of the blocking client's operations: an `impl Client` whose methods hand the operations to a method `call`.
    pub blocking: String,
    /// A Rust array with a row for each type: its name, the JSON pointer of its schema, and the expression
    /// `round_trip::<types::Name>`, for which the code that includes the array has a function.
    pub types: String,
    /// The operations, types, fields and variants, a line each, for a reviewer.
    pub surface: String,
    /// The public items, for [`drift`].
    items: drift::Items,
}

/// Rewrites the code that progenitor generated for a lowered contract.
///
/// # Errors
/// Fails if the code has unknown items or lacks expected ones, so that another version of progenitor can't lead to wrong
/// code.
pub fn finish(lowered: &Lowered, requirements: &Requirements, code: TokenStream) -> Result<Generated, Error> {
    let failed = |error: &dyn fmt::Display| Error::new("progenitor's output", error);
    let code = syn::parse2(code).map_err(|error| failed(&error))?;
    let polished = polish::polish(lowered, requirements, code).map_err(|error| failed(&error))?;
    Ok(Generated {
        source: prettyplease::unparse(&polished),
        blocking: blocking::blocking(&polished),
        types: polish::table(lowered).to_string(),
        surface: surface::surface(&polished),
        items: drift::Items::new(lowered, &polished),
    })
}

/// The error of the generator: one sentence with the file and the place.
#[derive(Debug)]
pub struct Error {
    file: Option<String>,
    problem: String,
}

impl Error {
    fn new(file: &str, problem: impl fmt::Display) -> Self {
        Self { file: Some(file.to_owned()), problem: problem.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Error {}

fn parse(name: &str, text: &str) -> Result<Node, Error> {
    let text = text.trim_start_matches('\u{FEFF}');
    serde_json::from_str(text).map_err(|error| {
        let is_yaml = !text.trim_start().starts_with(['{', '[']) && text.contains(':');
        Error::new(
            name,
            match is_yaml {
                _ if text.trim().is_empty() => "the file is empty".to_owned(),
                true => "the file is YAML, and only JSON is read; convert it, for example with `yq -o=json`".to_owned(),
                false if error.is_data() => error.to_string(),
                false => format!("the file is not JSON: {error}"),
            },
        )
    })
}
