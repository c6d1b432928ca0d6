//! Compares two generated clients, and says for each change what it means for semantic versioning.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use syn::{FnArg, ImplItem, Item, Pat, Visibility};

use super::{
    Generated,
    lower::{
        field_name,
        model::{Component, ComponentKind, Lowered},
    },
    node::join,
    surface::text,
};

/// The release that a change needs, by the rules of cargo's semantic versioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Code that compiled still compiles, and there is nothing new to name.
    Patch,
    /// Code that compiled still compiles, and there is something new to name or to check.
    Minor,
    /// Code that compiled may stop compiling.
    Major,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

/// A change between two contracts.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The release that it needs.
    pub level: Level,
    /// The Rust item, such as `types::Message.content` or `Client::list_models`.
    pub item: String,
    /// The JSON pointer of the item in the newer contract, or in the older one if the item was removed.
    pub pointer: String,
    /// The reason for the level.
    pub reason: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`, at #{}: {}", self.level, self.item, self.pointer, self.reason)
    }
}

/// Compares two generated clients.
///
/// The public items of the generated code are compared, not the text of the contracts: the order of schemas and
/// optional properties doesn't count. Changes that leave the items as they are, such as descriptions and constraints,
/// are read from the contracts. The most severe changes come first.
#[must_use]
pub fn drift(old: &Generated, new: &Generated) -> Vec<Change> {
    let (old, new) = (&old.items, &new.items);
    let mut changes = Vec::new();
    for (path, item) in &old.public {
        match new.public.get(path) {
            None => changes.push(Change {
                level: Level::Major,
                item: path.clone(),
                pointer: item.pointer.clone(),
                reason: format!("the {} is gone", item.kind),
            }),
            Some(newer) => changes.extend(item.change_to(path, newer)),
        }
    }
    for (path, item) in &new.public {
        if !old.public.contains_key(path) {
            changes.push(Change {
                level: Level::Minor,
                item: path.clone(),
                pointer: item.pointer.clone(),
                reason: format!("the {} is new", item.kind),
            });
        }
    }
    drop_consequences(&mut changes);
    for (key @ (item, aspect), behavior) in &new.behavior {
        // A new item has no behavior that changes.
        if old.behavior.get(key).is_some_and(|before| before.value != behavior.value) {
            changes.push(Change {
                level: behavior.level,
                item: item.clone(),
                pointer: behavior.pointer.clone(),
                reason: format!("the {aspect} changes"),
            });
        }
    }
    changes.sort_by(|one, other| other.level.cmp(&one.level).then_with(|| one.item.cmp(&other.item)));
    changes
}

/// Drops changes that follow from another one: those of the members of a type that is new or gone, and those of a
/// setter whose field changes as much.
fn drop_consequences(changes: &mut Vec<Change>) {
    let levels: BTreeMap<String, Level> = changes.iter().map(|change| (change.item.clone(), change.level)).collect();
    let whole = |change: &Change| {
        change.reason.ends_with(" is gone")
            || change.reason.ends_with(" is new")
            || change.reason.contains(" is replaced by ")
    };
    let types: BTreeSet<String> =
        changes.iter().filter(|change| whole(change)).map(|change| change.item.clone()).collect();
    changes.retain(|change| {
        let parents = change.item.char_indices().filter_map(|(index, character)| {
            matches!(character, ':' | '.').then(|| change.item.get(..index)).flatten()
        });
        let has_parent = parents.into_iter().any(|parent| types.contains(parent));
        let is_setter = change.item.rsplit_once("::").is_some_and(|(owner, name)| {
            let field = format!("{owner}.{}", name.trim_end_matches("()"));
            levels.get(&field).is_some_and(|level| *level >= change.level)
        });
        !has_parent && !is_setter
    });
}

/// The public items of generated code, and what else of the contract it depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Items {
    public: BTreeMap<String, PublicItem>,
    /// Documentation, constraints and the form on the wire, by item and aspect.
    behavior: BTreeMap<(String, &'static str), Behavior>,
}

#[derive(Clone, Debug)]
struct Behavior {
    level: Level,
    pointer: String,
    value: String,
}

#[derive(Clone, Debug)]
struct PublicItem {
    kind: &'static str,
    pointer: String,
    /// The type, or the types of the arguments and of the result.
    signature: String,
    /// The names of the arguments of a function.
    arguments: Vec<String>,
}

impl PublicItem {
    fn change_to(&self, path: &str, newer: &Self) -> Option<Change> {
        let is_reordered = self.arguments != newer.arguments && {
            let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
            sorted(&self.arguments) == sorted(&newer.arguments)
        };
        let reason = if self.kind != newer.kind {
            format!("the {} is replaced by the {}", self.kind, newer.kind)
        } else if self.signature != newer.signature {
            format!("`{}` becomes `{}`", self.signature, newer.signature)
        } else if is_reordered {
            format!("the arguments ({}) are reordered to ({})", self.arguments.join(", "), newer.arguments.join(", "))
        } else {
            return None;
        };
        Some(Change { level: Level::Major, item: path.to_owned(), pointer: newer.pointer.clone(), reason })
    }
}

impl Items {
    pub(crate) fn new(lowered: &Lowered, file: &syn::File) -> Self {
        let mut items = Self::default();
        items.module(lowered, "", &file.items);
        items.behavior(lowered);
        items
    }

    fn module(&mut self, lowered: &Lowered, path: &str, module: &[Item]) {
        for item in module {
            match item {
                Item::Mod(item) if is_public(&item.vis) => {
                    let items = item.content.as_ref().map(|(_, items)| items.as_slice()).unwrap_or_default();
                    self.module(lowered, &format!("{path}{}::", item.ident), items);
                }
                Item::Struct(item) if is_public(&item.vis) => {
                    let (name, owner) = (item.ident.to_string(), format!("{path}{}", item.ident));
                    self.add(&owner, "struct", of_type(lowered, &name), String::new());
                    for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
                        let ident = text(&field.ident);
                        let pointer = of_field(lowered, &name, &ident);
                        self.add(&format!("{owner}.{ident}"), "field", pointer, text(&field.ty));
                    }
                }
                Item::Enum(item) if is_public(&item.vis) => {
                    let (name, owner) = (item.ident.to_string(), format!("{path}{}", item.ident));
                    self.add(&owner, "enum", of_type(lowered, &name), String::new());
                    for variant in &item.variants {
                        let pointer = of_variant(lowered, &name, &variant.ident.to_string());
                        self.add(&format!("{owner}::{}", variant.ident), "variant", pointer, text(&variant.fields));
                    }
                }
                Item::Type(item) if is_public(&item.vis) => {
                    let owner = format!("{path}{}", item.ident);
                    self.add(&owner, "alias", of_type(lowered, &item.ident.to_string()), text(&item.ty));
                }
                Item::Impl(item) => self.implementation(lowered, path, item),
                _ => {}
            }
        }
    }

    fn implementation(&mut self, lowered: &Lowered, path: &str, item: &syn::ItemImpl) {
        let name = text(&item.self_ty);
        let owner = format!("{path}{name}");
        if let Some((implemented, _)) = &item.trait_ {
            let implemented = text(implemented);
            // Every type has these, and has them unseen.
            if !implemented.starts_with("crate::") && !implemented.starts_with("FromJson") {
                self.add(&format!("{owner}: {implemented}"), "implementation", of_type(lowered, &name), String::new());
            }
            return;
        }
        for member in &item.items {
            match member {
                ImplItem::Fn(function) if is_public(&function.vis) => {
                    let ident = function.sig.ident.to_string();
                    let pointer = match lowered.operations.iter().find(|operation| operation.name == ident) {
                        Some(operation) if owner == "Client" => operation.pointer.clone(),
                        _ => of_field(lowered, &name, &ident),
                    };
                    let (mut arguments, mut types) = (Vec::new(), Vec::new());
                    for argument in &function.sig.inputs {
                        match argument {
                            FnArg::Receiver(receiver) => types.push(text(receiver)),
                            FnArg::Typed(argument) => {
                                types.push(text(&argument.ty));
                                if let Pat::Ident(pattern) = &*argument.pat {
                                    arguments.push(pattern.ident.to_string());
                                }
                            }
                        }
                    }
                    let asyncness = if function.sig.asyncness.is_some() { "async " } else { "" };
                    let signature = format!(
                        "{asyncness}fn{}({}) {}",
                        text(&function.sig.generics),
                        types.join(", "),
                        text(&function.sig.output)
                    );
                    let function = PublicItem { kind: "function", pointer, signature, arguments };
                    self.public.insert(format!("{owner}::{ident}()"), function);
                }
                ImplItem::Const(constant) if is_public(&constant.vis) => {
                    let pointer = of_type(lowered, &name);
                    self.add(&format!("{owner}::{}", constant.ident), "constant", pointer, text(&constant.ty));
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, path: &str, kind: &'static str, pointer: String, signature: String) {
        let signature = signature.trim().to_owned();
        self.public.insert(path.to_owned(), PublicItem { kind, pointer, signature, arguments: Vec::new() });
    }

    fn behavior(&mut self, lowered: &Lowered) {
        let mut add = |item: &str, pointer: &str, aspect, level, value: String| {
            self.behavior.insert((item.to_owned(), aspect), Behavior { level, pointer: pointer.to_owned(), value });
        };
        for (name, component) in &lowered.components {
            let item = format!("types::{name}");
            let pointer = &component.pointer;
            add(&item, pointer, "documentation", Level::Patch, format!("{:?}", component.description));
            match &component.kind {
                ComponentKind::Object { fields } => {
                    let order: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                    add(&item, pointer, "order of written members", Level::Patch, order.join(", "));
                    for field in fields {
                        let pointer = join(&join(pointer, "properties"), &field.name);
                        let item = format!("{item}.{}", field_name(&field.name));
                        add(&item, &pointer, "documentation", Level::Patch, format!("{:?}", field.description));
                        add(&item, &pointer, "name in JSON", Level::Minor, field.name.clone());
                        add(&item, &pointer, "constant", Level::Minor, format!("{:?}", field.constant));
                        add(&item, &pointer, "check of constraints", Level::Minor, format!("{:?}", field.constraints));
                    }
                }
                ComponentKind::Tagged { tag, variants, default_tag, .. } => {
                    add(&item, pointer, "tag", Level::Minor, format!("{tag} {default_tag:?}"));
                    for variant in variants {
                        let item = format!("{item}::{}", variant.ident);
                        add(&item, pointer, "value of the tag", Level::Minor, format!("{:?}", variant.tags));
                    }
                }
                ComponentKind::Enum { .. } | ComponentKind::Untagged { .. } | ComponentKind::Pending => {}
            }
        }
        for operation in &lowered.operations {
            let item = format!("Client::{}()", operation.name);
            let pointer = &operation.pointer;
            let route = format!("{} {}", operation.method, operation.path);
            add(&item, pointer, "method or path of the request", Level::Minor, route);
            let prose = format!("{:?} {:?}", operation.summary, operation.description);
            add(&item, pointer, "documentation", Level::Patch, prose);
            add(&item, pointer, "check of the response", Level::Minor, format!("{:?}", operation.requires));
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn of_type(lowered: &Lowered, name: &str) -> String {
    let operation = || lowered.operations.iter().find(|operation| operation.params.as_deref() == Some(name));
    if let Some(alias) = lowered.aliases.iter().find(|alias| alias.name == name) {
        return alias.pointer.clone();
    }
    match (lowered.components.get(name), operation()) {
        (Some(component), _) => component.pointer.clone(),
        (None, Some(operation)) => operation.pointer.clone(),
        (None, None) => String::new(),
    }
}

fn of_field(lowered: &Lowered, name: &str, ident: &str) -> String {
    let pointer = of_type(lowered, name);
    let Some(Component { kind: ComponentKind::Object { fields }, .. }) = lowered.components.get(name) else {
        return pointer;
    };
    match fields.iter().find(|field| field_name(&field.name) == ident.trim_start_matches("r#")) {
        Some(field) => join(&join(&pointer, "properties"), &field.name),
        None => pointer,
    }
}

fn of_variant(lowered: &Lowered, name: &str, ident: &str) -> String {
    let component = match lowered.components.get(name).map(|component| &component.kind) {
        Some(ComponentKind::Tagged { variants, .. }) => variants.iter().find(|variant| variant.ident == ident),
        _ => None,
    };
    of_type(lowered, component.map_or(name, |variant| &variant.component))
}
