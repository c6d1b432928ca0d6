//! Replaces identical inline unions and enums by one type, and keeps their names as aliases.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;

use super::{
    Lowering,
    model::{Alias, Component, ComponentKind, Shape, TypeRef},
    operations::LoweredOperation,
};

impl Lowering<'_> {
    /// Replaces each inline union or enum that is identical to another one, with the inline types it consists of.
    ///
    /// A named schema is never replaced. Objects that aren't part of a replaced union stay, because two objects with the
    /// same properties can mean different things.
    pub(super) fn replace_duplicates(&mut self, operations: &mut [LoweredOperation]) -> Vec<Alias> {
        let classes = classes(&self.components);
        let mut originals: HashMap<usize, &str> = HashMap::new();
        let candidates = || self.components.iter().filter(|(_, component)| is_union_or_enum(&component.kind));
        for (name, _) in candidates().filter(|(_, component)| !component.is_inline).chain(candidates()) {
            if let Some(class) = classes.get(name.as_str()) {
                originals.entry(*class).or_insert(name);
            }
        }
        let mut replaced: BTreeMap<String, String> = BTreeMap::new();
        let mut pairs: Vec<(&str, &str)> = candidates()
            .filter(|(_, component)| component.is_inline)
            .filter_map(|(name, _)| Some((name.as_str(), *originals.get(classes.get(name.as_str())?)?)))
            .collect();
        while let Some((name, original)) = pairs.pop() {
            let (Some(component), Some(other)) = (self.components.get(name), self.components.get(original)) else {
                continue;
            };
            if name == original || !component.is_inline || replaced.contains_key(name) {
                continue;
            }
            replaced.insert(name.to_owned(), original.to_owned());
            let (mut parts, mut other_parts) = (Vec::new(), Vec::new());
            component.kind.referenced_types(&mut parts);
            other.kind.referenced_types(&mut other_parts);
            pairs.extend(parts.into_iter().zip(other_parts));
        }
        let resolve = |name: &str| {
            let mut name = name;
            // The original of a part may be a part of another replaced type.
            for _ in 0..replaced.len() {
                let Some(original) = replaced.get(name) else { break };
                name = original;
            }
            name.to_owned()
        };
        let renamed: HashMap<String, String> = replaced.keys().map(|name| (name.clone(), resolve(name))).collect();
        let renamed: HashMap<String, String> = renamed.into_iter().filter(|(name, target)| name != target).collect();
        let mut aliases = Vec::new();
        self.components.retain(|name, component| match renamed.get(name) {
            Some(target) => {
                aliases.push(Alias {
                    name: name.clone(),
                    target: target.clone(),
                    pointer: component.pointer.clone(),
                    description: component.description.clone(),
                });
                false
            }
            None => true,
        });
        self.components.values_mut().for_each(|component| component.kind.rename_types(&renamed));
        operations.iter_mut().for_each(|operation| operation.rename_types(&renamed));
        aliases
    }
}

fn is_union_or_enum(kind: &ComponentKind) -> bool {
    !matches!(kind, ComponentKind::Object { .. } | ComponentKind::Pending)
}

/// Returns a number for each type, which is the same for types that are identical but for the names of inline types.
///
/// Types that refer to each other are compared by refining: all types of one form are in a class first, and a class is
/// split while its types refer to types of different classes.
fn classes(components: &IndexMap<String, Component>) -> HashMap<&str, usize> {
    let mut classes: HashMap<&str, usize> = components.keys().map(|name| (name.as_str(), 0)).collect();
    let mut count = 1;
    loop {
        let names: HashMap<String, String> = components
            .iter()
            .filter(|(_, component)| component.is_inline)
            .map(|(name, _)| (name.clone(), format!("#{}", classes.get(name.as_str()).copied().unwrap_or_default())))
            .collect();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let next: HashMap<&str, usize> = components
            .iter()
            .map(|(name, component)| {
                let mut kind = component.kind.clone();
                kind.rename_types(&names);
                // The one-value enum of a tag isn't generated.
                if let ComponentKind::Object { fields } = &mut kind {
                    fields.iter_mut().filter(|field| field.is_tag).for_each(|field| field.value = Shape::String.into());
                }
                let form = format!("{:?} {} {} {}", kind, component.boxed, component.is_event, component.merges);
                let number = numbers.len();
                (name.as_str(), *numbers.entry(form).or_insert(number))
            })
            .collect();
        let is_stable = numbers.len() == count;
        count = numbers.len();
        classes = next;
        if is_stable {
            return classes;
        }
    }
}

impl ComponentKind {
    fn rename_types(&mut self, names: &HashMap<String, String>) {
        match self {
            Self::Pending | Self::Enum { .. } => {}
            Self::Object { fields } => fields.iter_mut().for_each(|field| field.value.rename_types(names)),
            Self::Tagged { variants, .. } => {
                for variant in variants {
                    rename(&mut variant.component, names);
                }
            }
            Self::Untagged { variants } => variants.iter_mut().for_each(|variant| variant.value.rename_types(names)),
        }
    }
}

impl TypeRef {
    /// Replaces the name of the generated type that it refers to.
    pub(super) fn rename_types(&mut self, names: &HashMap<String, String>) {
        if let Some(name) = self.shape.named_mut() {
            rename(name, names);
        }
    }
}

fn rename(name: &mut String, names: &HashMap<String, String>) {
    if let Some(other) = names.get(name) {
        name.clone_from(other);
    }
}
