//! `oneOf`, `anyOf` and lists of types.

use std::collections::HashSet;

use super::{
    LowerError, Lowering,
    model::{Arm, Field, Kind, Shape, Shorthand, Use, Variant},
    names::type_name,
    schema::{types, values},
};
use crate::pipeline::node::{Node, below};

/// A branch of a union: where it stands, as it stands, and with its references followed.
struct Branch {
    at: String,
    schema: Node,
    resolved: Node,
}

/// What tells the branches of a union apart.
struct Tag {
    property: String,
    /// The tags of each branch; empty for the one that may come without.
    tags: Vec<Vec<String>>,
    /// Whether only a discriminator says which tag a branch has; its schema does not.
    is_mapped: bool,
}

impl Lowering<'_> {
    /// A union; `None` when its branches only say which properties are required.
    pub(super) fn union(
        &mut self,
        branches_at: &str,
        at: &str,
        schema: &Node,
        branches: &[Node],
        name: &str,
        mut nullable: bool,
    ) -> Result<Option<Use>, LowerError> {
        let only_required = |branch: &Node| {
            branch
                .as_object()
                .is_some_and(|members| members.keys().all(|key| matches!(key.as_str(), "required" | "not" | "type")))
        };
        let has_properties = schema.get("properties").is_some();
        if has_properties && branches.iter().all(only_required) {
            self.note(at, "a union of required properties is not checked");
            return Ok(None);
        }
        let mut kept: Vec<Branch> = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            if types(branch) == ["null"] || values(branch).is_some_and(|values| values == [Node::Null]) {
                nullable = true;
                continue;
            }
            if kept.iter().any(|other| &other.schema == branch) {
                continue;
            }
            let at = below(branches_at, index);
            let resolved = self.merged(&at, branch, 0)?;
            kept.push(Branch { at, schema: branch.clone(), resolved });
        }
        if has_properties {
            self.note(at, "the properties beside a union are taken into each of its branches");
            for branch in &mut kept {
                let mut base = schema.clone();
                if let Node::Object(members) = &mut base {
                    members.shift_remove("oneOf");
                    members.shift_remove("anyOf");
                    members.shift_remove("description");
                }
                branch.schema = self.merged_pair(&branch.at, &branch.resolved, &base);
                branch.resolved = branch.schema.clone();
            }
        }
        let used = match kept.as_slice() {
            [] => Shape::Any.plain(),
            [only] if tag(&kept, schema).is_none() => self.schema(&only.at, &only.schema, name, false)?,
            _ => match tag(&kept, schema) {
                Some(tag) => self.tagged(at, schema, kept, tag, name, nullable)?.plain(),
                None => self.untagged(at, schema, kept, name, nullable)?.plain(),
            },
        };
        Ok(Some(Use { nullable: used.nullable || nullable, ..used }))
    }

    fn tagged(
        &mut self,
        at: &str,
        schema: &Node,
        branches: Vec<Branch>,
        tag: Tag,
        name: &str,
        nullable: bool,
    ) -> Result<Shape, LowerError> {
        let shape = self.define(at, schema, name, Kind::Pending, nullable);
        let own_name = shape.named().unwrap_or(name).to_owned();
        let mut variants: Vec<Variant> = Vec::new();
        let mut absent = None;
        for (branch, mut tags) in branches.into_iter().zip(tag.tags) {
            let target = branch.schema.get("$ref").and_then(Node::as_str).and_then(|target| target.rsplit('/').next());
            let optional = !tag.is_mapped && is_optional(&branch.resolved, &tag.property);
            let ident = match (tags.first(), target) {
                (Some(first), _) => type_name(first),
                (None, Some(target)) => type_name(target),
                (None, None) => "Default".to_owned(),
            };
            let used = self.schema(&branch.at, &branch.schema, &format!("{own_name}{ident}"), true)?;
            let Shape::Named(component) = used.shape else {
                return Err(LowerError::new(&branch.at, "a branch of a tagged union must be an object"));
            };
            if let (true, [only]) = (tag.is_mapped, tags.as_slice()) {
                self.make_tag(&component, &tag.property, only);
            }
            if tags.is_empty() {
                tags.push(ident.clone());
            }
            if optional {
                absent = tags.first().cloned();
            }
            variants.push(Variant { ident, tags, component });
        }
        let shorthand = schema
            .get("x-string-shorthand")
            .and_then(Node::as_str)
            .and_then(|wanted| self.shorthand(at, wanted, &variants));
        self.set_kind(&own_name, Kind::Tagged { tag: tag.property, variants, absent, shorthand });
        Ok(shape)
    }

    /// Gives a variant the constant that a discriminator's mapping says it has.
    fn make_tag(&mut self, component: &str, property: &str, tag: &str) {
        let Some(Kind::Object { fields }) = self.components.get_mut(component).map(|component| &mut component.kind)
        else {
            return;
        };
        match fields.iter_mut().find(|field| field.name == property) {
            Some(field) => {
                field.required = true;
                field.only = Some(tag.to_owned());
            }
            None => fields.push(Field {
                name: property.to_owned(),
                description: None,
                required: true,
                value: Shape::String.plain(),
                rules: Vec::new(),
                only: Some(tag.to_owned()),
                is_tag: false,
            }),
        }
    }

    /// The variant whose one further required property takes a bare string.
    fn shorthand(&mut self, at: &str, wanted: &str, variants: &[Variant]) -> Option<Shorthand> {
        let variant = variants.iter().find(|variant| variant.tags.iter().any(|tag| tag == wanted))?;
        let Some(Kind::Object { fields }) = self.components.get(&variant.component).map(|component| &component.kind)
        else {
            return None;
        };
        let open: Vec<_> = fields.iter().filter(|field| field.required && field.only.is_none()).collect();
        match open.as_slice() {
            [field] if field.value == Shape::String.plain() => Some(Shorthand { variant: variant.ident.clone() }),
            _ => {
                self.note(at, format!("no bare string can stand for `{wanted}`: it needs more than one string"));
                None
            }
        }
    }

    fn untagged(
        &mut self,
        at: &str,
        schema: &Node,
        branches: Vec<Branch>,
        name: &str,
        nullable: bool,
    ) -> Result<Shape, LowerError> {
        let shape = self.define(at, schema, name, Kind::Pending, nullable);
        let own_name = shape.named().unwrap_or(name).to_owned();
        let mut uses = Vec::new();
        for branch in branches {
            let hint = match types(&branch.resolved).as_slice() {
                [one] => format!("{own_name}{}", type_name(one)),
                _ => format!("{own_name}Variant"),
            };
            uses.push(self.schema(&branch.at, &branch.schema, &hint, false)?);
        }
        Ok(self.arms(at, &own_name, shape, uses))
    }

    /// `type: [A, B]`: one branch a type, each with its own keywords.
    pub(super) fn type_list(
        &mut self,
        at: &str,
        schema: &Node,
        types: &[String],
        name: &str,
        nullable: bool,
    ) -> Result<Use, LowerError> {
        if types.len() >= 6 {
            return Ok(Use { shape: Shape::Any, nullable });
        }
        let shape = self.define(at, schema, name, Kind::Pending, nullable);
        let own_name = shape.named().unwrap_or(name).to_owned();
        let mut uses = Vec::new();
        for one in types {
            let mut branch = schema.clone();
            if let Node::Object(members) = &mut branch {
                members.insert("type".to_owned(), Node::String(one.clone()));
                members.shift_remove("nullable");
                members.shift_remove("description");
            }
            // The pointer is the union's own: the branch has none, and must not be known under it.
            let branch_at = below(&below(at, "type"), one);
            uses.push(self.schema(&branch_at, &branch, &format!("{own_name}{}", type_name(one)), false)?);
        }
        Ok(Use { shape: self.arms(at, &own_name, shape, uses), nullable })
    }

    /// How many properties a value must have to be of this shape.
    fn required(&self, shape: &Shape) -> usize {
        let Shape::Named(name) = shape else { return 0 };
        match self.components.get(name).map(|component| &component.kind) {
            Some(Kind::Object { fields }) => fields.iter().filter(|field| field.required).count(),
            _ => 0,
        }
    }

    /// The arms of an untagged union, or the plain type where they come to one. They are tried in
    /// their order: the one that asks for most comes first, so that none swallows another.
    fn arms(&mut self, at: &str, own_name: &str, shape: Shape, mut uses: Vec<Use>) -> Shape {
        uses.sort_by_key(|used| std::cmp::Reverse(self.required(&used.shape)));
        let mut kept: Vec<Use> = Vec::new();
        for used in uses {
            // Every string of an open enum is a string, and every integer a number.
            let text = |used: &Use| match &used.shape {
                Shape::String => true,
                Shape::Named(name) => {
                    matches!(self.components.get(name), Some(component) if matches!(component.kind, Kind::Enum { .. }))
                }
                _ => false,
            };
            let number = |used: &Use| matches!(used.shape, Shape::Integer | Shape::Number);
            let twin = kept
                .iter_mut()
                .find(|other| **other == used || (text(other) && text(&used)) || (number(other) && number(&used)));
            match twin {
                None => kept.push(used),
                Some(other) if *other == used => {}
                Some(other) => other.shape = if text(&used) { Shape::String } else { Shape::Number },
            }
        }
        let collapsed = match kept.as_slice() {
            [only] => Some(only.shape.clone()),
            _ if kept.iter().any(|used| used.shape == Shape::Any) => Some(Shape::Any),
            _ => None,
        };
        if let Some(shape) = collapsed {
            // The name was given out for nothing; nobody has seen it yet.
            self.components.shift_remove(own_name);
            self.lowered.insert(at.to_owned(), super::Progress::Done(shape.clone().plain()));
            return shape;
        }
        let mut idents = HashSet::new();
        let arms = kept
            .into_iter()
            .map(|value| {
                let mut ident = arm_ident(&value.shape, own_name);
                while !idents.insert(ident.clone()) {
                    ident.push('2');
                }
                Arm { ident, value }
            })
            .collect();
        self.set_kind(own_name, Kind::Untagged { arms });
        shape
    }

    fn set_kind(&mut self, name: &str, kind: Kind) {
        if let Some(component) = self.components.get_mut(name) {
            component.kind = kind;
        }
    }
}

fn arm_ident(shape: &Shape, own_name: &str) -> String {
    match shape {
        Shape::Any => "Any".to_owned(),
        Shape::FreeObject | Shape::Map(_) => "Object".to_owned(),
        Shape::String => "String".to_owned(),
        Shape::Integer => "Integer".to_owned(),
        Shape::Number => "Number".to_owned(),
        Shape::Boolean => "Boolean".to_owned(),
        Shape::List(_) => "Array".to_owned(),
        Shape::Named(name) => match name.strip_prefix(own_name) {
            Some(rest) if rest.starts_with(|first: char| first.is_ascii_uppercase()) => rest.to_owned(),
            _ => name.clone(),
        },
    }
}

/// Finds the property that tells the branches apart: every branch is an object that has it as a
/// constant of its own; one branch may have it optional or not at all.
fn tag(branches: &[Branch], schema: &Node) -> Option<Tag> {
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
                if without > 1 || !own.iter().all(|tag| distinct.insert(tag.clone())) {
                    return None;
                }
                tags.push(own);
            }
            // One branch alone, as in `oneOf: [X, null]`, is a union only where the contract says so.
            let is_union = branches.len() > 1 || declared.is_some();
            (is_union && branches.len() > without).then(|| Tag {
                property: property.to_owned(),
                tags,
                is_mapped: false,
            })
        })
        .or_else(|| mapped(branches, schema, declared?))
}

/// Takes the tags from a discriminator: from its mapping, or the names of the schemas themselves.
fn mapped(branches: &[Branch], schema: &Node, property: &str) -> Option<Tag> {
    let mapping = schema.pointer("/discriminator/mapping").and_then(Node::as_object);
    let mut distinct = HashSet::new();
    let tags = branches.iter().map(|branch| {
        branch.resolved.get("properties")?;
        let target = branch.schema.get("$ref").and_then(Node::as_str)?;
        let name = target.rsplit('/').next()?;
        let of_target = |value: &Node| value.as_str().is_some_and(|value| value == target || value == name);
        let mut own: Vec<String> =
            mapping.into_iter().flatten().filter(|(_, value)| of_target(value)).map(|(tag, _)| tag.clone()).collect();
        if own.is_empty() {
            own.push(name.to_owned());
        }
        own.iter().all(|tag| distinct.insert(tag.clone())).then_some(own)
    });
    Some(Tag { property: property.to_owned(), tags: tags.collect::<Option<_>>()?, is_mapped: true })
}

fn is_optional(resolved: &Node, property: &str) -> bool {
    let required = resolved.get("required").and_then(Node::as_array).unwrap_or_default();
    !required.iter().any(|name| name.as_str() == Some(property))
}
