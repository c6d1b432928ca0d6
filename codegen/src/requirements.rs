//! The parts of a contract that hand-written code names.

use std::collections::HashMap;

use serde::Deserialize;

use super::{
    Error,
    lower::{
        model::{ComponentKind, Lowered, Shape},
        type_name,
    },
};

/// What hand-written code names of the generated types and operations, and who names it.
///
/// Read from JSON: the code that includes the generated client keeps it beside its sources. The default requires
/// nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requirements {
    schemas: Vec<Schema>,
    variants: Vec<Variant>,
    operations: Vec<Operation>,
    /// The methods that hand-written code gives a type.
    methods: HashMap<String, Vec<String>>,
}

/// A schema, and the properties of it that have to have a type; without `properties` it may be of any kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    schema: String,
    properties: Option<Vec<String>>,
    needed_by: String,
    /// Name of the operation without which the schema isn't needed.
    with: Option<String>,
}

/// A variant of a tagged union, and the properties of its object.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    union: String,
    tag: String,
    properties: Vec<String>,
    /// Those of the properties that may be JSON of any shape.
    #[serde(default)]
    free_form: Vec<String>,
    needed_by: String,
}

/// An operation by its Rust name. Its public method is hand-written, and the generated one is private.
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
    /// Reads requirements from JSON. `name` is the file's name, for errors.
    ///
    /// # Errors
    /// When the text is not JSON, or has members of other names.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::new(name, error))
    }

    /// Checks that a contract has all of it.
    ///
    /// # Errors
    /// One sentence that names what is missing, and who needs it.
    pub fn check(&self, lowered: &Lowered) -> Result<(), Error> {
        self.first_missing(lowered).map_err(|problem| Error::new(&lowered.name, problem))
    }

    /// The names that setters of a type can't have.
    pub(crate) fn methods(&self, schema: &str) -> &[String] {
        self.methods.get(schema).map_or(&[], Vec::as_slice)
    }

    /// Returns `true` if the public method of an operation is hand-written.
    pub(crate) fn has_face(&self, operation: &str) -> bool {
        self.operations.iter().any(|required| required.name == operation)
    }

    fn first_missing(&self, lowered: &Lowered) -> Result<(), String> {
        let has_operation = |name: &str| lowered.operation_names().any(|found| found == name);
        for Schema { schema, properties, needed_by, with } in &self.schemas {
            if with.as_deref().is_some_and(|operation| !has_operation(operation)) {
                continue;
            }
            match properties {
                Some(properties) => object(lowered, schema, properties, &[], needed_by)?,
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
            object(lowered, &named, properties, free_form, needed_by)?;
        }
        for Operation { name, needed_by, optional } in &self.operations {
            if !optional && !has_operation(name) {
                return Err(format!("the operation {name} is missing, at #/paths; needed for {needed_by}"));
            }
        }
        Ok(())
    }
}

fn object(
    lowered: &Lowered,
    schema: &str,
    properties: &[String],
    free_form: &[String],
    needed_by: &str,
) -> Result<(), String> {
    let Some(component) = lowered.component(schema) else {
        return Err(format!("the schema {schema} is missing, at #/components/schemas; {needed_by} needs it"));
    };
    let pointer = &component.pointer;
    let ComponentKind::Object { fields } = &component.kind else {
        return Err(format!("the schema {schema} is no object, at #{pointer}; {needed_by} needs one"));
    };
    for property in properties {
        let Some(field) = fields.iter().find(|field| field.name == *property) else {
            return Err(format!("{schema} has no property `{property}`, at #{pointer}; {needed_by} needs it"));
        };
        if field.value.shape == Shape::Any && !free_form.contains(property) {
            return Err(format!(
                "{schema} says nothing about the type of `{property}`, at #{pointer}; {needed_by} needs it"
            ));
        }
    }
    Ok(())
}
