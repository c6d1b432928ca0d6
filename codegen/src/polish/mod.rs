//! progenitor's output made fit for a public API.
//!
//! Types keep the Rust types that typify chose for their fields, and get everything else afresh
//! from the lowered contract; operations keep progenitor's bodies, but for a few statements, and get
//! a new signature. What is not recognised is an error: a new progenitor must never produce wrong
//! code silently.

mod body;
mod docs;
mod enumeration;
mod found;
mod free;
mod multipart;
mod object;
mod operations;
mod pages;
mod params;
mod paths;
mod serde;
mod table;
mod union;

use std::fmt;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use self::found::Found;
pub(crate) use self::table::table;
use super::{
    lower::model::{ComponentKind, Lowered},
    requirements::Requirements,
};

/// Polishes generated code.
///
/// # Errors
/// When the code holds something that is not known, or lacks something that should be there.
pub(crate) fn polish(
    lowered: &Lowered,
    requirements: &Requirements,
    file: syn::File,
) -> Result<syn::File, PolishError> {
    let parts = Parts::of(file)?;
    let found = Found::of(&parts.types, lowered)?;
    let mut types = TokenStream::new();
    for (name, component) in &lowered.components {
        types.extend(match &component.kind {
            ComponentKind::Object { fields } => {
                object::object(lowered, &found, name, component, fields, requirements.methods(name))?
            }
            ComponentKind::Enum { values } => enumeration::enumeration(&found, name, component, values)?,
            ComponentKind::Tagged { .. } => union::tagged(lowered, &found, name, component)?,
            ComponentKind::Untagged { variants } => union::untagged(lowered, &found, name, component, variants)?,
            ComponentKind::Pending => return Err(PolishError::new(format!("the type {name} was never finished"))),
        });
    }
    let (operations, params) = operations::operations(lowered, &found, requirements, parts.operations)?;
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

/// Why code could not be polished.
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

/// progenitor's output, taken apart.
struct Parts {
    types: Vec<Item>,
    operations: Vec<syn::ImplItemFn>,
}

impl Parts {
    fn of(file: syn::File) -> Result<Self, PolishError> {
        let (mut types, mut operations) = (None, Vec::new());
        for item in file.items {
            match item {
                // The imports are written afresh, and the prelude names the client only.
                Item::Use(_) => {}
                Item::Mod(module) if module.ident == "prelude" => {}
                Item::Mod(module) if module.ident == "types" => types = module.content.map(|(_, items)| items),
                // The client is written afresh: all that it had is the transport's, and so are the hooks.
                Item::Struct(item) if item.ident == "Client" => {}
                Item::Impl(item) if item.trait_.is_some() => {}
                Item::Const(_) => {}
                Item::Impl(item) if item.trait_.is_none() => {
                    for function in item.items {
                        match function {
                            // Constructors with a total timeout of 15 s and an `unwrap`.
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
