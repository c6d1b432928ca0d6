//! The model between lowering and finishing: the generated types and operations.

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value;

/// A contract lowered to OpenAPI 3.0, with the parts of it that typify discards.
#[derive(Debug)]
pub struct Lowered {
    /// The file name of the contract, for errors.
    pub(crate) name: String,
    /// The OpenAPI 3.0 document.
    pub document: Value,
    /// The generated types by Rust name, in the contract's order.
    pub(crate) components: IndexMap<String, Component>,
    /// The other names of generated types, whose schemas are identical.
    pub(crate) aliases: Vec<Alias>,
    /// The generated operations in the contract's order. A stream twin follows its operation.
    pub(crate) operations: Vec<Operation>,
    /// The parts of the contract that the generated code doesn't express.
    pub notes: Vec<Note>,
    /// The URL of the contract's first server.
    pub server: Option<String>,
}

/// A part of the contract that the generated code doesn't express.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The JSON pointer of its place in the contract.
    pub pointer: String,
    /// The construct, and what happens instead.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}: {}", self.pointer, self.text)
    }
}

/// Another name of a generated type.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) name: String,
    /// The name of the type.
    pub(crate) target: String,
    pub(crate) pointer: String,
    pub(crate) description: Option<String>,
}

/// A generated type.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// The JSON pointer of its schema in the contract.
    pub(crate) pointer: String,
    pub(crate) description: Option<String>,
    pub(crate) kind: ComponentKind,
    /// `x-boxed`: a union holds it in a `Box`.
    pub(crate) boxed: bool,
    /// `true` if the schema is inline. Its name is then made from its place.
    pub(crate) is_inline: bool,
    /// `true` if it is the schema of a `text/event-stream`.
    pub(crate) is_event: bool,
    /// `x-merge`: it gets a `merge` that replaces members by those of a later part.
    pub(crate) merges: bool,
}

/// The kind of a generated type.
#[derive(Clone, Debug)]
pub(crate) enum ComponentKind {
    /// The type is being lowered. Its schema may refer to it already.
    Pending,
    Object {
        fields: Vec<Field>,
    },
    /// An open enum of strings.
    Enum {
        values: Vec<String>,
    },
    /// A union of objects, told apart by a property with a constant value.
    Tagged {
        /// The property.
        tag: String,
        variants: Vec<TaggedVariant>,
        /// The tag that a value without the property has.
        default_tag: Option<String>,
        /// `true` if the property is optional in several variants. They are tried in order for a value without it.
        is_tag_optional: bool,
        /// `x-string-shorthand`: the variant that a bare string in a list stands for.
        string_variant: Option<String>,
    },
    /// A union told apart by the JSON type of the value, or by trying its variants in order.
    Untagged {
        variants: Vec<UntaggedVariant>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct TaggedVariant {
    pub(crate) ident: String,
    pub(crate) tags: Vec<String>,
    /// The name of the object's type.
    pub(crate) component: String,
}

#[derive(Clone, Debug)]
pub(crate) struct UntaggedVariant {
    pub(crate) ident: String,
    pub(crate) value: TypeRef,
}

/// A property of a generated object.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The name of the property in JSON.
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// `true` if the member is always there. The field is an `Option` otherwise.
    pub(crate) required: bool,
    /// `true` if `new` takes it as an argument.
    pub(crate) is_argument: bool,
    pub(crate) value: TypeRef,
    pub(crate) constraints: Vec<Constraint>,
    /// The only value that the schema allows, by `const` or an `enum` of one.
    pub(crate) constant: Option<String>,
    /// `true` if `new` sets the constant although the field is optional: the discriminator of its union needs it.
    pub(crate) is_preset: bool,
    pub(crate) access: Access,
    /// `x-lenient` of the property or its object: a value of another type stays in `extra`.
    pub(crate) lenient: bool,
    /// `true` if the constant tells the variants of a union apart. The generated struct then has no field for it.
    pub(crate) is_tag: bool,
    /// `x-incomplete-as-string`: a string with the text so far may replace JSON that was cut off.
    pub(crate) incomplete_as_string: bool,
}

/// The messages that a property is part of, by `readOnly` and `writeOnly`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
    WriteOnly,
}

/// A validation keyword that is checked before a request is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constraint {
    MinItems(u64),
    MaxItems(u64),
    MinLength(u64),
    MaxLength(u64),
    Minimum(f64),
    Maximum(f64),
    ExclusiveMinimum(f64),
    ExclusiveMaximum(f64),
}

/// The type of a value in one place: its shape, and if it may be `null` there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TypeRef {
    pub(crate) shape: Shape,
    pub(crate) nullable: bool,
}

/// The type of a value that isn't `null`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Any JSON value.
    Any,
    /// Any JSON object.
    AnyObject,
    String,
    /// An integer of 64 bits with a sign.
    Integer,
    /// `format: uint64`.
    Unsigned,
    Number,
    Boolean,
    List(Box<TypeRef>),
    Map(Box<TypeRef>),
    /// A generated type, by its name.
    Named(String),
}

impl From<Shape> for TypeRef {
    fn from(shape: Shape) -> Self {
        Self { shape, nullable: false }
    }
}

impl Shape {
    /// Returns the name of the generated type, of the shape itself or of its items.
    pub(crate) fn named(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::List(item) | Self::Map(item) => item.shape.named(),
            _ => None,
        }
    }

    /// Returns the name of the generated type for changes.
    pub(crate) fn named_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Named(name) => Some(name),
            Self::List(item) | Self::Map(item) => item.shape.named_mut(),
            _ => None,
        }
    }
}

impl ComponentKind {
    /// Appends the names of the types that this one refers to.
    pub(crate) fn referenced_types<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Pending | Self::Enum { .. } => {}
            Self::Object { fields } => {
                fields.iter().filter(|field| !field.is_tag).for_each(|field| names.extend(field.value.shape.named()));
            }
            Self::Tagged { variants, .. } => names.extend(variants.iter().map(|variant| variant.component.as_str())),
            Self::Untagged { variants } => {
                variants.iter().for_each(|variant| names.extend(variant.value.shape.named()));
            }
        }
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
    /// The name of the struct with the optional parameters, if there are any.
    pub(crate) params: Option<String>,
    pub(crate) request: RequestBody,
    /// `true` if a call may leave the body out.
    pub(crate) is_body_optional: bool,
    /// The body of a successful response. Of several kinds it is the first with content; see `by_status`.
    pub(crate) response: ResponseBody,
    /// Every range of successful statuses, from its first to its last, with the body that it has.
    pub(crate) statuses: Vec<(u16, u16, ResponseBody)>,
    /// The name of the enum of the responses, if they differ by status.
    pub(crate) by_status: Option<String>,
    pub(crate) is_deprecated: bool,
    /// `x-answer-requires`: the members that a response must have.
    pub(crate) requires: Vec<String>,
    /// `true` if the schema of the response declares a member `error` of its own.
    pub(crate) declares_error: bool,
    /// The pages that the operation returns one of.
    pub(crate) pages: Option<Pages>,
    /// The operation with the same route that answers with JSON, if this one answers with the stream of events.
    pub(crate) twin_of: Option<String>,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RequestBody {
    None,
    Json {
        type_ref: TypeRef,
        /// The media type, if it is not `application/json`.
        media_type: Option<String>,
    },
    /// `application/x-www-form-urlencoded`.
    Form {
        type_ref: TypeRef,
        /// The styles of properties by the contract's `encoding`. A list without one is repeated, and an object is JSON.
        styles: Vec<(String, Style)>,
    },
    /// `multipart/form-data`.
    Multipart(Multipart),
    /// Bytes of any other media type.
    Bytes {
        media_type: String,
    },
}

/// The body of a successful response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ResponseBody {
    None,
    Json(TypeRef),
    /// A JSON value of this type in each line.
    JsonLines(TypeRef),
    /// Server-sent events.
    Events,
    /// Bytes of any other media type.
    Bytes,
}

/// A form of several parts, which gets its own type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Multipart {
    /// The name of the generated type.
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) parts: Vec<Part>,
}

/// A part of a form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) content: PartContent,
    /// The media type by the contract's `encoding`.
    pub(crate) media_type: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PartContent {
    /// Bytes with a file name.
    File,
    /// A part for each file.
    Files,
    /// Text for a scalar, JSON for an object, and a part for each item of a list.
    Value(TypeRef),
}

/// The pagination of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pages {
    /// The member with the items.
    pub(crate) items: String,
    /// The member that is `false` on the last page. A page without items is the last one too if it is declared.
    pub(crate) has_more: Option<String>,
    pub(crate) next: Cursor,
    /// Its parameter, if the caller sets it, turns the direction.
    pub(crate) previous: Option<Cursor>,
}

/// A cursor: the member of a page that the parameter of the next request repeats.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cursor {
    pub(crate) parameter: String,
    pub(crate) member: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) type_ref: TypeRef,
    pub(crate) style: Style,
    pub(crate) constraints: Vec<Constraint>,
}

/// The encoding of a value in a query or a form (`style` and `explode`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Style {
    /// `form`, exploded: once for each item of a list, and the members of an object under their own names.
    Form,
    /// Once, with its items separated by a text.
    Delimited(&'static str),
    /// `deepObject`: `name[member]=value`.
    DeepObject,
    /// `content`: JSON.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Location {
    Path,
    Query,
    Header,
}

impl Lowered {
    /// Returns a generated type by its name or an alias.
    pub(crate) fn component(&self, name: &str) -> Option<&Component> {
        let alias = self.aliases.iter().find(|alias| alias.name == name);
        self.components.get(alias.map_or(name, |alias| &alias.target))
    }
}
