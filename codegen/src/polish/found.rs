//! What typify wrote for each type of the contract.

use std::collections::HashMap;

use syn::{Attribute, Ident, Item, Type};

use super::{PolishError, paths};
use crate::lower::model::{ComponentKind, Lowered};

/// The types that typify chose, by the names of the contract.
pub(super) struct Found {
    structs: HashMap<String, HashMap<String, (Ident, Type)>>,
    enums: HashMap<String, Vec<(String, Ident, Option<Type>)>>,
}

impl Found {
    /// Reads typify's items.
    ///
    /// # Errors
    /// When there is a type that the contract does not have.
    pub(super) fn of(items: &[Item], lowered: &Lowered) -> Result<Self, PolishError> {
        let mut found = Self { structs: HashMap::new(), enums: HashMap::new() };
        for item in items {
            let name = match item {
                Item::Struct(item) => {
                    let fields = match &item.fields {
                        syn::Fields::Named(fields) => fields.named.iter().filter_map(field).collect(),
                        _ => HashMap::new(),
                    };
                    found.structs.insert(item.ident.to_string(), fields);
                    item.ident.to_string()
                }
                Item::Enum(item) => {
                    let variants = item.variants.iter().map(|variant| {
                        let content = match &variant.fields {
                            syn::Fields::Unnamed(fields) => {
                                fields.unnamed.first().map(|field| paths::to_ours(field.ty.clone()))
                            }
                            _ => None,
                        };
                        let name = renamed(&variant.attrs).unwrap_or_else(|| variant.ident.to_string());
                        (name, variant.ident.clone(), content)
                    });
                    found.enums.insert(item.ident.to_string(), variants.collect());
                    item.ident.to_string()
                }
                // Conversions are written afresh, and `error` is what they fail with.
                Item::Impl(_) | Item::Mod(_) => continue,
                _ => return Err(PolishError::new("typify wrote something other than types and their conversions")),
            };
            if !lowered.components.contains_key(&name) {
                return Err(PolishError::new(format!(
                    "typify wrote a type `{name}` that the lowered contract does not have"
                )));
            }
        }
        Ok(found)
    }

    /// The name and the type of a field, its `Option` taken off.
    pub(super) fn field(&self, component: &str, property: &str) -> Result<(Ident, Type), PolishError> {
        self.structs
            .get(component)
            .and_then(|fields| fields.get(property))
            .map(|(ident, found)| (ident.clone(), without_option(found)))
            .ok_or_else(|| PolishError::new(format!("typify wrote no field for `{property}` of `{component}`")))
    }

    /// The name of a string enum's variant.
    pub(super) fn value(&self, component: &str, value: &str) -> Result<Ident, PolishError> {
        self.enums
            .get(component)
            .and_then(|variants| variants.iter().find(|(name, ..)| name == value))
            .map(|(_, ident, _)| ident.clone())
            .ok_or_else(|| PolishError::new(format!("typify wrote no variant for `{value}` of `{component}`")))
    }

    /// The content of a union's variant, by its place.
    pub(super) fn arm(&self, component: &str, index: usize, of: usize) -> Result<Type, PolishError> {
        let variants = self.enums.get(component).filter(|variants| variants.len() == of);
        variants
            .and_then(|variants| variants.get(index))
            .and_then(|(.., content)| content.clone())
            .ok_or_else(|| PolishError::new(format!("typify wrote no variant {index} for the union `{component}`")))
    }

    /// Whether typify wrote an enum; a union of one branch it does not.
    pub(super) fn is_enum(&self, component: &str) -> bool {
        self.enums.contains_key(component)
    }
}

/// The type inside of `Option`; what holds itself may be a `Box<Option<T>>` to typify, and is a `Box<T>` then.
fn without_option(found: &Type) -> Type {
    let inner = paths::without_option(found.clone()).0;
    match paths::only_argument(&inner, "Box").and_then(|boxed| paths::only_argument(boxed, "Option")) {
        Some(innermost) => syn::parse_quote!(::std::boxed::Box<#innermost>),
        None => inner,
    }
}

/// A field by the name it has in JSON.
fn field(field: &syn::Field) -> Option<(String, (Ident, Type))> {
    let ident = field.ident.clone()?;
    let name = renamed(&field.attrs).unwrap_or_else(|| ident.to_string());
    Some((name, (ident, paths::to_ours(field.ty.clone()))))
}

/// The value of `#[serde(rename = "…")]`.
fn renamed(attributes: &[Attribute]) -> Option<String> {
    let mut renamed = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What else stands there is of no interest, and may be of any form.
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                renamed = Some(meta.value()?.parse::<syn::LitStr>()?.value());
            } else if let Ok(value) = meta.value() {
                value.parse::<syn::Expr>()?;
            }
            Ok(())
        });
    }
    renamed
}

/// The tag that a type is told apart by, where it is a variant of a tagged union.
pub(super) fn tag_of<'l>(lowered: &'l Lowered, component: &str) -> Option<&'l str> {
    lowered.components.values().find_map(|union| match &union.kind {
        ComponentKind::Tagged { tag, variants, .. }
            if variants.iter().any(|variant| variant.component == component) =>
        {
            Some(tag.as_str())
        }
        _ => None,
    })
}
