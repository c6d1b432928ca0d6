//! What lowering hands to polishing.

use indexmap::IndexMap;
use serde_json::Value;

/// A contract in the form that progenitor reads, and beside it what typify would forget.
#[derive(Debug)]
pub struct Lowered {
    /// The name of the contract, for errors.
    pub(crate) name: String,
    /// The OpenAPI 3.0 document.
    pub document: Value,
    /// Every type that is generated, by its Rust name, in the contract's order.
    pub(crate) components: IndexMap<String, Component>,
    /// Every operation that is generated, in the contract's order; a stream twin follows its own.
    pub(crate) operations: Vec<Operation>,
    /// What could not be kept.
    pub notes: Vec<Note>,
    /// The contract's first server.
    pub server: Option<String>,
}

/// Something of the contract that the generated code does not express.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Where it stands in the contract.
    pub pointer: String,
    /// The construct and what was lost.
    pub text: String,
}

/// A generated type.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    pub(crate) pointer: String,
    pub(crate) description: Option<String>,
    pub(crate) kind: Kind,
    /// `x-boxed`: as a variant of a union it is kept in a box.
    pub(crate) boxed: bool,
    /// Whether it stood inline and got its name from where it stood.
    pub(crate) hoisted: bool,
    /// `true` if an answer is a stream of it, by the schema of a `text/event-stream`.
    pub(crate) is_event: bool,
    /// `x-merge`: later values of its members replace earlier ones, by a generated `merge`.
    pub(crate) merges: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Set while the type is being lowered, so that it can refer to itself.
    Pending,
    Object {
        fields: Vec<Field>,
    },
    Enum {
        values: Vec<String>,
    },
    /// A union of objects told apart by a constant property.
    Tagged {
        tag: String,
        variants: Vec<Variant>,
        absent: Option<String>,
        shorthand: Option<Shorthand>,
    },
    /// A union told apart by the type of the JSON value, or by trying.
    Untagged {
        arms: Vec<Arm>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) ident: String,
    pub(crate) tags: Vec<String>,
    pub(crate) component: String,
}

/// `x-string-shorthand`: a bare string in place of a list stands for one object of this variant.
#[derive(Clone, Debug)]
pub(crate) struct Shorthand {
    pub(crate) variant: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Arm {
    pub(crate) ident: String,
    pub(crate) value: Use,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) value: Use,
    pub(crate) rules: Vec<Rule>,
    /// The only value that the contract gives it.
    pub(crate) only: Option<String>,
    /// `x-lenient`, of the property or its object: a value of another shape stays in `extra`.
    pub(crate) lenient: bool,
    /// Whether the only value tells the variants of a union apart: then it is no field of the
    /// generated type, and always written.
    pub(crate) is_tag: bool,
    /// `x-incomplete-as-string`: JSON that was cut may be in its place, as a string with the text so far.
    pub(crate) incomplete_as_string: bool,
}

/// A constraint, checked before a request is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    MinItems(u64),
    MaxItems(u64),
    MinLength(u64),
    MaxLength(u64),
    Minimum(f64),
    Maximum(f64),
    ExclusiveMinimum(f64),
    ExclusiveMaximum(f64),
}

/// A type as it is used in one place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Use {
    pub(crate) shape: Shape,
    pub(crate) nullable: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Any,
    FreeObject,
    String,
    Integer,
    Number,
    Boolean,
    List(Box<Use>),
    Map(Box<Use>),
    Named(String),
}

impl Shape {
    pub(crate) fn plain(self) -> Use {
        Use { shape: self, nullable: false }
    }
}

/// A generated method.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// The name of the generated method.
    pub(crate) name: String,
    pub(crate) pointer: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) parameters: Vec<Parameter>,
    /// The name of the type that bundles the optional parameters, where there are any.
    pub(crate) params: Option<String>,
    /// The name of the body's type, where it is one of ours.
    pub(crate) body: Option<Use>,
    /// The type of the JSON document that it answers with; for a twin, that of its other form.
    pub(crate) answer: Option<Use>,
    /// `x-answer-requires`: the members without which a document is no answer of the operation.
    pub(crate) requires: Vec<String>,
    /// `true` if the answer has a member `error` of its own.
    pub(crate) declares_error: bool,
    /// Whether it is the twin that answers with a stream of events.
    pub(crate) is_stream_twin: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) description: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Location {
    Path,
    Query,
    Header,
}
