//! Turns progenitor's output into a public API.
//!
//! Types keep the Rust types that typify chose for their fields. Everything else of a type is generated from the lowered
//! contract. Operations keep the statements that build a request, and get a new signature. Code of an unknown form is an
//! error, so that a new version of progenitor can't produce wrong code silently.

mod body;
mod docs;
mod enumeration;
mod multipart;
mod object;
mod operations;
mod pages;
mod params;
mod serde;
mod typify;
mod union;

use std::fmt;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Item;

use self::typify::TypifyOutput;
use super::{
    lower::model::{Alias, ComponentKind, Lowered},
    requirements::Requirements,
};

/// Generates the types and the client from progenitor's output.
///
/// # Errors
/// Fails if the output contains an item of an unknown form, or lacks one that is needed.
pub(crate) fn polish(
    lowered: &Lowered,
    requirements: &Requirements,
    file: syn::File,
) -> Result<syn::File, PolishError> {
    let parts = Parts::parse(file)?;
    let typify = TypifyOutput::parse(&parts.types, lowered)?;
    let mut types = TokenStream::new();
    for (name, component) in &lowered.components {
        types.extend(match &component.kind {
            ComponentKind::Object { fields } => {
                object::object(lowered, &typify, name, component, fields, requirements.methods(name))?
            }
            ComponentKind::Enum { values } => enumeration::enumeration(&typify, name, component, values)?,
            ComponentKind::Tagged { .. } => union::tagged(lowered, &typify, name, component)?,
            ComponentKind::Untagged { variants } => union::untagged(lowered, &typify, name, component, variants)?,
            ComponentKind::Pending => return Err(PolishError::new(format!("the type {name} was never finished"))),
        });
    }
    for Alias { name, target, pointer, description } in &lowered.aliases {
        let (name, target) = (format_ident!("{name}"), format_ident!("{target}"));
        let documentation =
            docs::docs(description.as_deref(), &format!("The same type as [`{target}`]."), Some(pointer));
        types.extend(quote!(#documentation pub type #name = #target;));
    }
    let (operations, params) = operations::operations(lowered, &typify, requirements, parts.operations)?;
    let client = operations::client();
    let tokens = quote! {
        #[allow(unused_imports, reason = "which of them a contract needs depends on its operations")]
        use crate::transport::{ByteStream, RequestBuilderExt, Streamed, encode_path};

        /// The types of the contract.
        ///
        /// Every type can be built with `new` and one setter a field, holds what the contract does
        /// not name in `extra` (or in a variant `Unknown`), and is written as it was read.
        pub mod types {
            #[allow(unused_imports, reason = "which of them a contract needs depends on its operations")]
            use super::types;

            #types
            #params
        }

        #client
        #operations
    };
    syn::parse2(tokens).map_err(|error| PolishError::new(format!("the polished code does not parse: {error}")))
}

/// Generates a table of all types, so that tests cover every one of them.
pub(crate) fn table(lowered: &Lowered) -> TokenStream {
    let rows = lowered.components.iter().map(|(name, component)| {
        let (ident, pointer) = (format_ident!("{name}"), &component.pointer);
        quote!((#name, #pointer, round_trip::<types::#ident>))
    });
    quote!([#(#rows),*])
}

/// The error of code that can't be polished.
#[derive(Debug)]
pub(crate) struct PolishError(String);

impl PolishError {
    fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for PolishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PolishError {}

/// progenitor's output, by kind of item.
struct Parts {
    types: Vec<Item>,
    operations: Vec<syn::ImplItemFn>,
}

impl Parts {
    fn parse(file: syn::File) -> Result<Self, PolishError> {
        let (mut types, mut operations) = (None, Vec::new());
        for item in file.items {
            match item {
                // Imports are generated anew. The prelude only exports the client.
                Item::Use(_) => {}
                Item::Mod(module) if module.ident == "prelude" => {}
                Item::Mod(module) if module.ident == "types" => types = module.content.map(|(_, items)| items),
                // The client is generated anew: the transport has its fields and the hooks.
                Item::Struct(item) if item.ident == "Client" => {}
                Item::Impl(item) if item.trait_.is_some() => {}
                Item::Const(_) => {}
                Item::Impl(item) if item.trait_.is_none() => {
                    for function in item.items {
                        match function {
                            // Skip the constructors, which set a timeout of 15 s and unwrap.
                            syn::ImplItem::Fn(function) if function.sig.asyncness.is_none() => {
                                let name = function.sig.ident.to_string();
                                if name != "new" && name != "new_with_client" {
                                    return Err(PolishError::new(format!(
                                        "progenitor wrote an unknown function `{name}`"
                                    )));
                                }
                            }
                            syn::ImplItem::Fn(function) => operations.push(function),
                            _ => {
                                return Err(PolishError::new(
                                    "progenitor wrote something other than functions for `Client`",
                                ));
                            }
                        }
                    }
                }
                other => {
                    let text = quote!(#other).to_string();
                    let start: String = text.chars().take(60).collect();
                    return Err(PolishError::new(format!("progenitor wrote an unknown item: {start}")));
                }
            }
        }
        Ok(Self { types: types.ok_or_else(|| PolishError::new("progenitor wrote no module `types`"))?, operations })
    }
}
