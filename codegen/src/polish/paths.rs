//! Types and paths as progenitor writes them, to ours.

use quote::quote;
use syn::{
    GenericArgument, PathArguments, Type,
    visit_mut::{self, VisitMut},
};

/// Rewrites a type: free-form JSON is `Json`, and maps keep their order.
pub(super) fn to_ours(mut found: Type) -> Type {
    ToRuntime.visit_type_mut(&mut found);
    found
}

/// The same for a block of code.
pub(super) fn block_to_ours(block: &mut syn::Block) {
    ToRuntime.visit_block_mut(block);
}

/// `T` of `Option<T>`, and whether it was one.
pub(super) fn without_option(found: Type) -> (Type, bool) {
    match only_argument(&found, "Option") {
        Some(inner) => (inner.clone(), true),
        None => (found, false),
    }
}

/// `T` of `Name<T>`.
pub(super) fn only_argument<'t>(found: &'t Type, name: &str) -> Option<&'t Type> {
    let Type::Path(path) = found else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

/// Paths of `progenitor_client` lead to `crate::transport`: progenitor's own support crate reads bodies without bound,
/// loses the status of an error that is not JSON, and prints whole bodies.
struct ToRuntime;

impl VisitMut for ToRuntime {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names.as_slice() {
            // A map of strings to values, or a value: either way, JSON of any shape.
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
