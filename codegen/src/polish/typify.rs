//! The types that typify chose for the contract, and the paths in generated code that lead to this crate instead.

use std::collections::HashMap;

use quote::quote;
use syn::{
    Attribute, GenericArgument, Ident, Item, PathArguments, Type,
    visit_mut::{self, VisitMut},
};

use super::PolishError;
use crate::lower::model::{ComponentKind, Lowered};

/// The Rust types of fields and variants in typify's output, by the contract's names.
pub(super) struct TypifyOutput {
    structs: HashMap<String, HashMap<String, (Ident, Type)>>,
    enums: HashMap<String, Vec<(String, Ident, Option<Type>)>>,
}

impl TypifyOutput {
    /// Parses typify's items.
    ///
    /// # Errors
    /// Fails if there is a type that the contract doesn't have.
    pub(super) fn parse(items: &[Item], lowered: &Lowered) -> Result<Self, PolishError> {
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
                                fields.unnamed.first().map(|field| to_ours(field.ty.clone()))
                            }
                            _ => None,
                        };
                        let name = renamed(&variant.attrs).unwrap_or_else(|| variant.ident.to_string());
                        (name, variant.ident.clone(), content)
                    });
                    found.enums.insert(item.ident.to_string(), variants.collect());
                    item.ident.to_string()
                }
                // Conversions are generated anew. The module `error` is what typify's fail with.
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

    /// Returns the name and the type of a field, without its `Option`.
    pub(super) fn field(&self, component: &str, property: &str) -> Result<(Ident, Type), PolishError> {
        self.structs
            .get(component)
            .and_then(|fields| fields.get(property))
            .map(|(ident, written)| (ident.clone(), unwrap_option(written)))
            .ok_or_else(|| PolishError::new(format!("typify wrote no field for `{property}` of `{component}`")))
    }

    /// Returns the variant of a string enum for a value.
    pub(super) fn value(&self, component: &str, value: &str) -> Result<Ident, PolishError> {
        self.enums
            .get(component)
            .and_then(|variants| variants.iter().find(|(name, ..)| name == value))
            .map(|(_, ident, _)| ident.clone())
            .ok_or_else(|| PolishError::new(format!("typify wrote no variant for `{value}` of `{component}`")))
    }

    /// Returns the content of a union's variant, given by its position.
    pub(super) fn arm(&self, component: &str, index: usize, of: usize) -> Result<Type, PolishError> {
        let variants = self.enums.get(component).filter(|variants| variants.len() == of);
        variants
            .and_then(|variants| variants.get(index))
            .and_then(|(.., content)| content.clone())
            .ok_or_else(|| PolishError::new(format!("typify wrote no variant {index} for the union `{component}`")))
    }

    /// Returns `true` if typify wrote an enum. It writes none for a union of one variant.
    pub(super) fn is_enum(&self, component: &str) -> bool {
        self.enums.contains_key(component)
    }
}

/// Returns `T` of `Option<T>`. A type that contains itself may be `Box<Option<T>>` in typify's output, and becomes `Box<T>`.
fn unwrap_option(written: &Type) -> Type {
    let inner = only_argument(written, "Option").unwrap_or(written);
    match only_argument(inner, "Box").and_then(|boxed| only_argument(boxed, "Option")) {
        Some(innermost) => syn::parse_quote!(::std::boxed::Box<#innermost>),
        None => inner.clone(),
    }
}

/// Returns a field with its name in JSON.
fn field(field: &syn::Field) -> Option<(String, (Ident, Type))> {
    let ident = field.ident.clone()?;
    let name = renamed(&field.attrs).unwrap_or_else(|| ident.to_string());
    Some((name, (ident, to_ours(field.ty.clone()))))
}

/// Returns the value of `#[serde(rename = "…")]`.
fn renamed(attributes: &[Attribute]) -> Option<String> {
    let mut renamed = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // Skip all other attributes, whatever their form.
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

/// Rewrites a type: free-form JSON becomes `Json`, and a map becomes one that keeps its order.
pub(super) fn to_ours(mut found: Type) -> Type {
    ToCrate.visit_type_mut(&mut found);
    found
}

/// Rewrites the types in a block of code in the same way.
pub(super) fn block_to_ours(block: &mut syn::Block) {
    ToCrate.visit_block_mut(block);
}

/// Returns `T` of `Name<T>`.
pub(super) fn only_argument<'t>(found: &'t Type, name: &str) -> Option<&'t Type> {
    let Type::Path(path) = found else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

/// Replaces paths of `progenitor_client` with `crate::transport`. progenitor's own support crate reads bodies without a
/// limit, loses the status of an error that isn't JSON, and prints whole bodies.
struct ToCrate;

impl VisitMut for ToCrate {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names.as_slice() {
            // A value, or a map of strings to values: both are free-form JSON.
            ["serde_json", "Value" | "Map"] => *path = syn::parse_quote!(crate::json::Json),
            ["std", "collections", "HashMap"] => {
                visit_mut::visit_path_mut(self, path);
                let value = path.segments.last().and_then(|last| match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => arguments.args.last().map(|value| quote!(#value)),
                    _ => None,
                });
                if let Some(value) = value {
                    *path = syn::parse_quote!(crate::json::Map<#value>);
                }
            }
            ["progenitor_client", rest @ ..] => {
                let rest: Vec<syn::Ident> = rest.iter().map(|name| quote::format_ident!("{name}")).collect();
                let arguments = path.segments.last().map(|last| last.arguments.clone());
                *path = syn::parse_quote!(crate::transport::#(#rest)::*);
                if let (Some(last), Some(arguments)) = (path.segments.last_mut(), arguments) {
                    last.arguments = arguments;
                }
            }
            _ => visit_mut::visit_path_mut(self, path),
        }
    }
}

/// Returns the tag of the union that a type is a variant of, if there is one.
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
