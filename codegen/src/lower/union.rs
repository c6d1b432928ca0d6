//! Lowers `oneOf`, `anyOf` and lists of types.

use std::collections::HashSet;

use super::{
    LowerError, Lowering,
    keywords::{types, values},
    model::{ComponentKind, Shape, TaggedVariant, TypeRef, UntaggedVariant},
    names::type_name,
    tag::{Subschema, Tag, is_optional, tag},
};
use crate::node::{Node, join};

impl Lowering<'_> {
    /// Returns the type of a union, or `None` if its branches only list required properties.
    pub(super) fn union(
        &mut self,
        branches_at: &str,
        at: &str,
        schema: &Node,
        branches: &[Node],
        name: &str,
        mut nullable: bool,
    ) -> Result<Option<TypeRef>, LowerError> {
        let only_required = |branch: &Node| {
            branch
                .as_object()
                .is_some_and(|members| members.keys().all(|key| matches!(key.as_str(), "required" | "not" | "type")))
        };
        let has_properties = schema.get("properties").is_some();
        if has_properties && branches.iter().all(only_required) {
            self.note(at, "`required` in the branches of a union is not checked");
            return Ok(None);
        }
        if has_properties && let Some(type_ref) = self.enclosing_type(at, schema) {
            return Ok(Some(type_ref));
        }
        let mut kept: Vec<Subschema> = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            if types(branch) == ["null"] || values(branch).is_some_and(|values| values == [Node::Null]) {
                nullable = true;
                continue;
            }
            if kept.iter().any(|other| &other.schema == branch) {
                continue;
            }
            let at = join(branches_at, index);
            if has_properties && self.refers_back(branch) {
                self.note(&at, "the branch refers to its own union; it is left out");
                continue;
            }
            let resolved = self.merged(&at, branch, 0)?;
            nullable |= self.allows_null(&resolved, 0);
            let target = branch.get("$ref").and_then(Node::as_str).map(str::to_owned);
            kept.push(Subschema { at, schema: branch.clone(), resolved, target });
        }
        if has_properties {
            if kept.is_empty() {
                return Ok(None);
            }
            self.note(at, "the `properties` beside a union are merged into each of its branches");
            for branch in &mut kept {
                let mut base = schema.clone();
                if let Node::Object(members) = &mut base {
                    members.shift_remove("oneOf");
                    members.shift_remove("anyOf");
                    members.shift_remove("discriminator");
                    members.shift_remove("description");
                }
                let whole = self.merged_pair(&branch.at, &branch.resolved, &base);
                self.spend(&branch.at, whole.size())?;
                // A branch that includes the parent by `allOf` has its properties already.
                if whole != branch.resolved {
                    branch.schema = whole.clone();
                    branch.resolved = whole;
                }
            }
            self.expanding.push(at.to_owned());
            self.enclosing.push((schema.clone(), at.to_owned()));
        }
        let type_ref = self.branches(at, schema, kept, name, nullable);
        if has_properties {
            self.expanding.pop();
            self.enclosing.pop();
        }
        let type_ref = type_ref?;
        Ok(Some(TypeRef { nullable: type_ref.nullable || nullable, ..type_ref }))
    }

    /// Returns `true` if a branch refers to a union whose properties are being merged into its branches.
    fn refers_back(&self, branch: &Node) -> bool {
        let target = branch.get("$ref").and_then(Node::as_str).and_then(|target| target.strip_prefix('#'));
        target.is_some_and(|target| self.expanding.iter().any(|expanding| expanding == target))
    }

    fn branches(
        &mut self,
        at: &str,
        schema: &Node,
        kept: Vec<Subschema>,
        name: &str,
        nullable: bool,
    ) -> Result<TypeRef, LowerError> {
        match (kept.as_slice(), tag(&kept, schema)) {
            ([], _) => Ok(Shape::Any.into()),
            ([only], None) => self.schema(&only.at, &only.schema, name, false),
            (_, Some(tag)) => Ok(self.tagged(at, schema, kept, tag, name, nullable)?.into()),
            (_, None) => Ok(self.untagged(at, schema, kept, name, nullable)?.into()),
        }
    }

    fn tagged(
        &mut self,
        at: &str,
        schema: &Node,
        branches: Vec<Subschema>,
        tag: Tag,
        name: &str,
        nullable: bool,
    ) -> Result<Shape, LowerError> {
        let shape = self.define(at, schema, name, ComponentKind::Pending, nullable);
        let own_name = shape.named().unwrap_or(name).to_owned();
        let mut variants: Vec<TaggedVariant> = Vec::new();
        let mut type_refs = Vec::new();
        let mut default_tag = None;
        for (branch, mut tags) in branches.into_iter().zip(tag.tags) {
            let target = branch.target.as_deref().and_then(|target| target.rsplit('/').next());
            let optional = !tag.is_from_discriminator && is_optional(&branch.resolved, &tag.property);
            let hint = match (tags.first(), target) {
                (Some(first), _) => type_name(first),
                (None, Some(target)) => type_name(target),
                (None, None) => "Default".to_owned(),
            };
            let is_free = |ident: &String| ident != "Unknown" && variants.iter().all(|other| other.ident != *ident);
            let numbered = (2..).map(|number| format!("{hint}{number}"));
            let ident = std::iter::once(hint.clone()).chain(numbered).find(is_free).unwrap_or(hint);
            let type_ref = self.schema(&branch.at, &branch.schema, &format!("{own_name}{ident}"), true)?;
            let component = type_ref.shape.named().unwrap_or_default().to_owned();
            type_refs.push(type_ref);
            if tags.is_empty() {
                tags.push(ident.clone());
            }
            if optional && !tag.is_optional {
                default_tag = tags.first().cloned();
            }
            variants.push(TaggedVariant { ident, tags, component });
        }
        if !self.is_distinguished_by(&type_refs, &tag.property) {
            self.note(at, format!("`{}` alone doesn't tell the branches apart; they are tried in order", tag.property));
            return Ok(self.untagged_variants(at, &own_name, shape, type_refs));
        }
        for variant in &variants {
            self.tag_properties.insert(variant.component.clone(), tag.property.clone());
            if tag.is_from_discriminator {
                let given =
                    variant.tags.iter().map(|own| (variant.component.clone(), tag.property.clone(), own.clone()));
                self.discriminator_tags.extend(given);
            }
        }
        let string_variant = schema
            .get("x-string-shorthand")
            .and_then(Node::as_str)
            .and_then(|wanted| self.string_variant(at, wanted, &variants));
        self.set_kind(
            &own_name,
            ComponentKind::Tagged {
                tag: tag.property,
                variants,
                default_tag,
                is_tag_optional: tag.is_optional,
                string_variant,
            },
        );
        Ok(shape)
    }

    /// Returns `true` if the branches are distinct objects that no other union tells apart by another property. The
    /// generated decoder of an object skips one tag only.
    fn is_distinguished_by(&self, type_refs: &[TypeRef], property: &str) -> bool {
        let mut distinct = HashSet::new();
        type_refs.iter().all(|type_ref| match &type_ref.shape {
            Shape::Named(name) => {
                let is_object = match self.components.get(name).map(|component| &component.kind) {
                    Some(ComponentKind::Object { .. }) => true,
                    Some(ComponentKind::Pending) => self.pending_objects.contains(name),
                    _ => false,
                };
                is_object
                    && distinct.insert(name.as_str())
                    && self.tag_properties.get(name).is_none_or(|other| other == property)
            }
            _ => false,
        })
    }

    /// Returns the variant of `x-string-shorthand`, if a string is all it requires.
    fn string_variant(&mut self, at: &str, wanted: &str, variants: &[TaggedVariant]) -> Option<String> {
        let variant = variants.iter().find(|variant| variant.tags.iter().any(|tag| tag == wanted))?;
        let Some(ComponentKind::Object { fields }) =
            self.components.get(&variant.component).map(|component| &component.kind)
        else {
            return None;
        };
        let open: Vec<_> = fields.iter().filter(|field| field.required && field.constant.is_none()).collect();
        match open.as_slice() {
            [field] if field.value == Shape::String.into() => Some(variant.ident.clone()),
            _ => {
                self.note(at, format!("`x-string-shorthand` is ignored: `{wanted}` requires more than one string"));
                None
            }
        }
    }

    fn untagged(
        &mut self,
        at: &str,
        schema: &Node,
        branches: Vec<Subschema>,
        name: &str,
        nullable: bool,
    ) -> Result<Shape, LowerError> {
        let shape = self.define(at, schema, name, ComponentKind::Pending, nullable);
        let own_name = shape.named().unwrap_or(name).to_owned();
        let mut type_refs = Vec::new();
        for branch in branches {
            let hint = match types(&branch.resolved).as_slice() {
                [one] => format!("{own_name}{}", type_name(one)),
                _ => format!("{own_name}TaggedVariant"),
            };
            type_refs.push(self.schema(&branch.at, &branch.schema, &hint, false)?);
        }
        Ok(self.untagged_variants(at, &own_name, shape, type_refs))
    }

    /// Lowers `type: [A, B]` to a union with a variant for each type.
    pub(super) fn type_list(
        &mut self,
        at: &str,
        schema: &Node,
        types: &[String],
        name: &str,
        nullable: bool,
    ) -> Result<TypeRef, LowerError> {
        if types.len() >= 6 {
            return Ok(TypeRef { shape: Shape::Any, nullable });
        }
        let shape = self.define(at, schema, name, ComponentKind::Pending, nullable);
        let own_name = shape.named().unwrap_or(name).to_owned();
        let mut type_refs = Vec::new();
        for one in types {
            let mut branch = schema.clone();
            if let Node::Object(members) = &mut branch {
                members.insert("type".to_owned(), Node::String(one.clone()));
                members.shift_remove("nullable");
                members.shift_remove("description");
            }
            // The branch has no place of its own; the union's pointer must not resolve to it.
            let branch_at = join(&join(at, "type"), one);
            type_refs.push(self.schema(&branch_at, &branch, &format!("{own_name}{}", type_name(one)), false)?);
        }
        Ok(TypeRef { shape: self.untagged_variants(at, &own_name, shape, type_refs), nullable })
    }

    /// Returns the number of required properties of a shape.
    fn required_count(&self, shape: &Shape) -> usize {
        let Shape::Named(name) = shape else { return 0 };
        match self.components.get(name).map(|component| &component.kind) {
            Some(ComponentKind::Object { fields }) => fields.iter().filter(|field| field.required).count(),
            _ => 0,
        }
    }

    /// Returns `true` if a shape is a union that contains the current one. Trying one would try the other forever.
    fn is_unfinished_union(&self, shape: &Shape) -> bool {
        let Shape::Named(name) = shape else { return false };
        let is_pending =
            self.components.get(name).is_some_and(|component| matches!(component.kind, ComponentKind::Pending));
        is_pending && !self.pending_objects.contains(name)
    }

    /// Sets the variants of an untagged union, or returns the plain type if only one remains.
    ///
    /// Variants are tried in order. Those with the most required properties are first, so that none hides another.
    fn untagged_variants(&mut self, at: &str, own_name: &str, shape: Shape, mut type_refs: Vec<TypeRef>) -> Shape {
        type_refs.sort_by_key(|type_ref| std::cmp::Reverse(self.required_count(&type_ref.shape)));
        let mut kept: Vec<TypeRef> = Vec::new();
        for type_ref in type_refs {
            if type_ref.shape == shape {
                continue;
            }
            if self.is_unfinished_union(&type_ref.shape) {
                self.note(at, "a branch is a union that contains this one; it is left out");
                continue;
            }
            // An open enum has every string as a value, and every integer is a number.
            let text = |type_ref: &TypeRef| match &type_ref.shape {
                Shape::String => true,
                Shape::Named(name) => {
                    matches!(self.components.get(name), Some(component) if matches!(component.kind, ComponentKind::Enum { .. }))
                }
                _ => false,
            };
            let number =
                |type_ref: &TypeRef| matches!(type_ref.shape, Shape::Integer | Shape::Unsigned | Shape::Number);
            let twin = kept.iter_mut().find(|other| {
                **other == type_ref || (text(other) && text(&type_ref)) || (number(other) && number(&type_ref))
            });
            match twin {
                None => kept.push(type_ref),
                Some(other) if *other == type_ref => {}
                Some(other) => other.shape = if text(&type_ref) { Shape::String } else { Shape::Number },
            }
        }
        let collapsed = match kept.as_slice() {
            // A schema refers to the union already.
            _ if self.referenced.contains(own_name) => None,
            [] => Some(Shape::Any),
            [only] => Some(only.shape.clone()),
            _ if kept.iter().any(|type_ref| type_ref.shape == Shape::Any) => Some(Shape::Any),
            _ => None,
        };
        if let Some(shape) = collapsed {
            // Nothing refers to the type yet.
            self.components.shift_remove(own_name);
            self.lowered.insert(at.to_owned(), super::SchemaState::Done(shape.clone().into()));
            return shape;
        }
        if kept.len() < 2 {
            // typify writes no enum for a single variant.
            kept.push(Shape::Any.into());
        }
        let mut idents = HashSet::new();
        let variants = kept
            .into_iter()
            .map(|value| {
                let mut ident = arm_ident(&value.shape, own_name);
                while !idents.insert(ident.clone()) {
                    ident.push('2');
                }
                UntaggedVariant { ident, value }
            })
            .collect();
        self.set_kind(own_name, ComponentKind::Untagged { variants });
        shape
    }

    fn set_kind(&mut self, name: &str, kind: ComponentKind) {
        if let Some(component) = self.components.get_mut(name) {
            component.kind = kind;
        }
    }
}

fn arm_ident(shape: &Shape, own_name: &str) -> String {
    match shape {
        Shape::Any => "Any".to_owned(),
        Shape::AnyObject | Shape::Map(_) => "Object".to_owned(),
        Shape::String => "String".to_owned(),
        Shape::Integer => "Integer".to_owned(),
        Shape::Unsigned => "Unsigned".to_owned(),
        Shape::Number => "Number".to_owned(),
        Shape::Boolean => "Boolean".to_owned(),
        Shape::List(_) => "Array".to_owned(),
        Shape::Named(name) => match name.strip_prefix(own_name) {
            Some(rest) if rest.starts_with(|first: char| first.is_ascii_uppercase()) => rest.to_owned(),
            _ => name.clone(),
        },
    }
}
