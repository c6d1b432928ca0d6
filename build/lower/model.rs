//! What lowering hands to polishing.

use indexmap::IndexMap;
use serde_json::Value;

/// A contract in the form that progenitor reads, and beside it what typify would forget.
#[derive(Debug)]
pub struct Lowered {
    /// The OpenAPI 3.0 document.
    pub document: Value,
    /// Every type that is generated, by its Rust name, in the contract's order.
    pub components: IndexMap<String, Component>,
    /// Every operation that is generated, in the contract's order; a stream twin follows its own.
    pub operations: Vec<Operation>,
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
pub struct Component {
    pub pointer: String,
    pub description: Option<String>,
    pub kind: Kind,
    /// `x-boxed`: as a variant of a union it is kept in a box.
    pub boxed: bool,
    /// Whether it stood inline and got its name from where it stood.
    pub hoisted: bool,
    /// Whether an answer is a stream of it, by the schema of a `text/event-stream`.
    pub is_event: bool,
    /// `x-merge`: later values of its members replace earlier ones, by a generated `merge`.
    pub merges: bool,
}

#[derive(Clone, Debug)]
pub enum Kind {
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
pub struct Variant {
    pub ident: String,
    pub tags: Vec<String>,
    pub component: String,
}

/// `x-string-shorthand`: a bare string in place of a list stands for one object of this variant.
#[derive(Clone, Debug)]
pub struct Shorthand {
    pub variant: String,
}

#[derive(Clone, Debug)]
pub struct Arm {
    pub ident: String,
    pub value: Use,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub description: Option<String>,
    pub required: bool,
    pub value: Use,
    pub rules: Vec<Rule>,
    /// The only value that the contract gives it.
    pub only: Option<String>,
    /// `x-lenient`, of the property or its object: a value of another shape stays in `extra`.
    pub lenient: bool,
    /// Whether the only value tells the variants of a union apart: then it is no field of the
    /// generated type, and always written.
    pub is_tag: bool,
    /// `x-incomplete-as-string`: JSON that was cut may be in its place, as a string with the text so far.
    pub incomplete_as_string: bool,
}

/// A constraint, checked before a request is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
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
pub struct Use {
    pub shape: Shape,
    pub nullable: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
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
    pub fn plain(self) -> Use {
        Use { shape: self, nullable: false }
    }
}

/// A generated method.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The name of the generated method.
    pub name: String,
    pub pointer: String,
    pub method: String,
    pub path: String,
    pub summary: Option<String>,
    pub description: Option<String>,
    pub parameters: Vec<Parameter>,
    /// The name of the type that bundles the optional parameters, where there are any.
    pub params: Option<String>,
    /// The name of the body's type, where it is one of ours.
    pub body: Option<Use>,
    /// Whether it is the twin that answers with a stream of events.
    pub is_stream_twin: bool,
}

#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub location: Location,
    pub description: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Location {
    Path,
    Query,
    Header,
}
