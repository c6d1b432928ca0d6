//! Finds the tag of a union: a property with distinct constants, or a discriminator.

use std::collections::HashSet;

use super::keywords::{types, values};
use crate::node::Node;

/// A branch of a union.
pub(super) struct Subschema {
    pub at: String,
    pub schema: Node,
    /// The schema with its references resolved.
    pub resolved: Node,
    /// The target of the `$ref`, if the branch is one.
    pub target: Option<String>,
}

/// The property that tells the branches of a union apart.
pub(super) struct Tag {
    pub property: String,
    /// The tags of each branch. Empty for a branch without the property.
    pub tags: Vec<Vec<String>>,
    /// `true` if the tags are only in the discriminator, not in the schemas of the branches.
    pub is_from_discriminator: bool,
    /// `true` if the property is optional in several branches, which only a discriminator makes a tag.
    pub is_optional: bool,
}

/// Finds the property that tells the branches apart.
///
/// Every branch must be an object in which the property has constants of its own. In one branch the property may be
/// optional or missing, and with a discriminator it may be optional in all, as pydantic writes it.
pub(super) fn tag(branches: &[Subschema], schema: &Node) -> Option<Tag> {
    let first = branches.first()?;
    let declared = schema.pointer("/discriminator/propertyName").and_then(Node::as_str);
    let own = branches
        .iter()
        .filter_map(|branch| branch.resolved.get("properties").and_then(Node::as_object))
        .flat_map(|it| it.keys().map(String::as_str));
    if !types(&first.resolved).iter().all(|name| name == "object") {
        return None;
    }
    let mut candidates: Vec<&str> = declared.into_iter().chain(["type"]).chain(own).collect();
    let mut seen = HashSet::new();
    candidates.retain(|candidate| seen.insert(*candidate));
    candidates
        .into_iter()
        .find_map(|property| {
            let mut distinct = HashSet::new();
            let mut without = 0;
            let mut tags = Vec::new();
            for branch in branches {
                if types(&branch.resolved) != ["object"] && branch.resolved.get("properties").is_none() {
                    return None;
                }
                let own: Vec<String> =
                    match branch.resolved.get("properties").and_then(|properties| properties.get(property)) {
                        Some(schema) => {
                            let own: Vec<String> = values(schema)?
                                .iter()
                                .filter(|value| **value != Node::Null)
                                .map(|value| value.as_str().map(str::to_owned))
                                .collect::<Option<_>>()?;
                            if own.is_empty() {
                                return None;
                            }
                            own
                        }
                        None => Vec::new(),
                    };
                without += usize::from(is_optional(&branch.resolved, property));
                let is_tagged = without <= 1 || (declared == Some(property) && !own.is_empty());
                if !is_tagged || !own.iter().all(|tag| distinct.insert(tag.clone())) {
                    return None;
                }
                tags.push(own);
            }
            // A single branch, as in `oneOf: [X, null]`, is a union only with a discriminator.
            let is_union = branches.len() > 1 || declared.is_some();
            let is_optional = without > 1;
            (is_union && (is_optional || branches.len() > without)).then(|| Tag {
                property: property.to_owned(),
                tags,
                is_from_discriminator: false,
                is_optional,
            })
        })
        .or_else(|| discriminator_tags(branches, schema, declared?))
}

/// Reads the tags from a discriminator: from its mapping, or else from the names of the schemas.
fn discriminator_tags(branches: &[Subschema], schema: &Node, property: &str) -> Option<Tag> {
    let mapping = schema.pointer("/discriminator/mapping").and_then(Node::as_object);
    let mut distinct = HashSet::new();
    let tags = branches.iter().map(|branch| {
        branch.resolved.get("properties")?;
        let target = branch.target.as_deref()?;
        let name = target.rsplit('/').next()?;
        let of_target = |value: &Node| value.as_str().is_some_and(|value| value == target || value == name);
        let mut own: Vec<String> =
            mapping.into_iter().flatten().filter(|(_, value)| of_target(value)).map(|(tag, _)| tag.clone()).collect();
        if own.is_empty() {
            own.push(name.to_owned());
        }
        own.iter().all(|tag| distinct.insert(tag.clone())).then_some(own)
    });
    Some(Tag {
        property: property.to_owned(),
        tags: tags.collect::<Option<_>>()?,
        is_from_discriminator: true,
        is_optional: false,
    })
}

pub(super) fn is_optional(resolved: &Node, property: &str) -> bool {
    let required = resolved.get("required").and_then(Node::as_array).unwrap_or_default();
    !required.iter().any(|name| name.as_str() == Some(property))
}
