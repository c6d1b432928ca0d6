//! The parts of a contract that hand-written code uses.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::Deserialize;

use super::{
    Error,
    lower::{
        model::{ComponentKind, Lowered, Shape, TypeRef},
        type_name,
    },
};

/// The generated types and operations that hand-written code uses, and the items that use them.
///
/// Read from JSON, which the crate that includes the generated client keeps beside its sources. The default requires
/// nothing.
///
/// The type of a property is written as in the contract: `string`, `integer`, `number`, `boolean`, `object` for any JSON
/// object, `any`, or the name of a schema. `T[]` is a list, `T{}` a map and `T?` a value that may be `null` or absent. `*`
/// stands for every type.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requirements {
    schemas: Vec<Schema>,
    variants: Vec<Variant>,
    operations: Vec<Operation>,
    /// The hand-written methods of types.
    methods: HashMap<String, Vec<String>>,
}

/// A schema and its properties. Without `properties` it may be of any kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    schema: String,
    properties: Option<Properties>,
    needed_by: String,
    /// Name of the operation without which the schema isn't needed.
    with: Option<String>,
}

/// Properties with their types, or with any type that is described.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Properties {
    Typed(IndexMap<String, String>),
    Named(Vec<String>),
}

impl Properties {
    fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let (typed, named) = match self {
            Self::Typed(types) => (Some(types), None),
            Self::Named(names) => (None, Some(names)),
        };
        let typed = typed.into_iter().flatten().map(|(name, expected)| (name.as_str(), Some(expected.as_str())));
        typed.chain(named.into_iter().flatten().map(|name| (name.as_str(), None)))
    }
}

/// A variant of a tagged union, and the properties of its object.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    union: String,
    tag: String,
    properties: Properties,
    /// The properties that may be JSON of any shape.
    #[serde(default)]
    free_form: Vec<String>,
    needed_by: String,
}

/// An operation by its Rust name. Its public method is hand-written, and the generated method is private.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    name: String,
    needed_by: String,
    /// `true` if the hand-written code is left out where the operation is missing.
    #[serde(default)]
    optional: bool,
}

impl Requirements {
    /// Reads requirements from JSON. `name` is the file name, for errors.
    ///
    /// # Errors
    /// Fails if the text isn't JSON or has unknown members.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::new(name, error))
    }

    /// Checks that a contract has everything that is required.
    ///
    /// A property that the contract requires and hand-written code reads as an `Option` stays an `Option`.
    ///
    /// # Errors
    /// Fails with one sentence that has the place, the requirement, the items that have it, and a remedy.
    pub fn check(&self, lowered: &mut Lowered) -> Result<(), Error> {
        let optional = self.check_all(lowered).map_err(|problem| Error::new(&lowered.name, problem))?;
        for (schema, property) in optional {
            if let Some(ComponentKind::Object { fields }) =
                lowered.components.get_mut(&schema).map(|component| &mut component.kind)
            {
                fields.iter_mut().filter(|field| field.name == property).for_each(|field| field.required = false);
            }
        }
        Ok(())
    }

    /// Returns the names that setters of a type can't have.
    pub(crate) fn methods(&self, schema: &str) -> &[String] {
        self.methods.get(schema).map_or(&[], Vec::as_slice)
    }

    /// Returns `true` if the public method of an operation is hand-written.
    pub(crate) fn has_face(&self, operation: &str) -> bool {
        self.operations.iter().any(|required| required.name == operation)
    }

    /// Returns the required properties that have to be optional, with the names of their types.
    fn check_all(&self, lowered: &Lowered) -> Result<Vec<(String, String)>, String> {
        let mut optional = Vec::new();
        let has_operation = |name: &str| lowered.operation_names().any(|found| found == name);
        for Schema { schema, properties, needed_by, with } in &self.schemas {
            if with.as_deref().is_some_and(|operation| !has_operation(operation)) {
                continue;
            }
            match properties {
                Some(properties) => object(lowered, schema, properties, &[], needed_by, &mut optional)?,
                None if lowered.component(schema).is_some() => {}
                None => {
                    return Err(format!(
                        "the schema {schema} is missing, at #/components/schemas; {needed_by} needs it"
                    ));
                }
            }
        }
        for Variant { union, tag, properties, free_form, needed_by } in &self.variants {
            let variants = match lowered.component(union).map(|component| &component.kind) {
                Some(ComponentKind::Tagged { variants, .. }) => variants.as_slice(),
                _ => &[],
            };
            let Some(variant) = variants.iter().find(|variant| variant.tags.iter().any(|own| own == tag)) else {
                return Err(format!(
                    "{union} has no variant `{tag}`, at #/components/schemas/{union}; {needed_by} needs it"
                ));
            };
            let named = format!("{union}{}", type_name(tag));
            if variant.component != named {
                return Err(format!(
                    "the variant `{tag}` of {union} is the schema {}, at #/components/schemas/{union}; {needed_by} needs \
                     it inline, or named {named}",
                    variant.component
                ));
            }
            object(lowered, &named, properties, free_form, needed_by, &mut optional)?;
        }
        for Operation { name, needed_by, optional } in &self.operations {
            if !optional && !has_operation(name) {
                return Err(format!("the operation {name} is missing, at #/paths; needed for {needed_by}"));
            }
        }
        Ok(optional)
    }
}

fn object(
    lowered: &Lowered,
    schema: &str,
    properties: &Properties,
    free_form: &[String],
    needed_by: &str,
    optional: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let Some(component) = lowered.component(schema) else {
        return Err(format!("the schema {schema} is missing, at #/components/schemas; {needed_by} needs it"));
    };
    let pointer = &component.pointer;
    let ComponentKind::Object { fields } = &component.kind else {
        return Err(format!("the schema {schema} is not an object, at #{pointer}; {needed_by} needs one"));
    };
    for (property, expected) in properties.iter() {
        let Some(field) = fields.iter().find(|field| field.name == property) else {
            return Err(format!("{schema} has no property `{property}`, at #{pointer}; {needed_by} needs it"));
        };
        let is_free_form = expected == Some("any") || free_form.iter().any(|name| name == property);
        if field.value.shape == Shape::Any && !is_free_form {
            return Err(format!(
                "{schema} says nothing about the type of `{property}`, at #{pointer}; {needed_by} needs it"
            ));
        }
        let Some(expected) = expected else { continue };
        let is_optional = !field.required || field.value.nullable;
        let mut found = type_text(&TypeRef { nullable: false, ..field.value.clone() });
        let plain = expected.trim_end_matches('?');
        let is_type = plain == "*" || found == plain || found == resolved(lowered, plain);
        if !is_type || (is_optional && plain == expected && plain != "*") {
            if is_optional {
                found.push('?');
            }
            return Err(format!(
                "`{property}` of {schema} is {found}, at #{pointer}/properties/{property}; {needed_by} needs {expected}; \
                 change it in the contract, or leave the property out of it so that the overlay describes it"
            ));
        }
        if !is_optional && plain != expected {
            let name = lowered.aliases.iter().find(|alias| alias.name == schema).map_or(schema, |alias| &alias.target);
            optional.push((name.to_owned(), property.to_owned()));
        }
    }
    Ok(())
}

/// Returns a type in the notation of requirements.
fn type_text(type_ref: &TypeRef) -> String {
    let text = match &type_ref.shape {
        Shape::Any => "any".to_owned(),
        Shape::AnyObject => "object".to_owned(),
        Shape::String => "string".to_owned(),
        Shape::Integer | Shape::Unsigned => "integer".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Boolean => "boolean".to_owned(),
        Shape::List(item) => format!("{}[]", type_text(item)),
        Shape::Map(value) => format!("{}{{}}", type_text(value)),
        Shape::Named(name) => name.clone(),
    };
    if type_ref.nullable { format!("{text}?") } else { text }
}

/// Replaces the name in a type by the name that it is an alias of.
fn resolved(lowered: &Lowered, expected: &str) -> String {
    let name = expected.trim_end_matches(['[', ']', '{', '}', '?']);
    match lowered.aliases.iter().find(|alias| alias.name == name) {
        Some(alias) => expected.replacen(name, &alias.target, 1),
        None => expected.to_owned(),
    }
}
