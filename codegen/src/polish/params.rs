//! Optional parameters of an operation, bundled into one struct.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{FnArg, Pat, Type};

use super::{
    PolishError,
    docs::docs,
    typify::{only_argument, to_ours},
};
use crate::lower::{
    field_name,
    model::{Operation, Parameter},
};

/// An argument of a generated operation.
pub(super) struct Argument {
    pub ident: Ident,
    pub found: Type,
}

impl Argument {
    pub(super) fn of(argument: &FnArg) -> Result<Option<Self>, PolishError> {
        let FnArg::Typed(argument) = argument else { return Ok(None) };
        let Pat::Ident(pattern) = &*argument.pat else {
            return Err(PolishError::new("progenitor wrote an argument that is no name"));
        };
        Ok(Some(Self { ident: pattern.ident.clone(), found: (*argument.ty).clone() }))
    }

    /// The type inside `Option`, where the argument may be left out.
    pub(super) fn optional(&self) -> Option<&Type> {
        only_argument(&self.found, "Option")
    }
}

/// The type that bundles the optional parameters.
pub(super) fn name_of(operation: &Operation) -> Result<Ident, PolishError> {
    match &operation.params {
        Some(name) => Ok(format_ident!("{name}")),
        None => Err(PolishError::new(format!("progenitor wrote an optional argument in `{}`", operation.name))),
    }
}

/// An argument that the struct of parameters has a field for.
pub(super) struct Bundled<'a> {
    pub(super) argument: &'a Argument,
    /// The type without `Option`.
    pub(super) found: &'a Type,
    pub(super) required: bool,
}

/// The struct for an operation's optional arguments, and the statements that take it apart. The struct of an operation with
/// a hand-written method has the required ones too.
///
/// ```text
/// list(&self, limit: Option<i64>, after: Option<&str>)   ->   list(&self, params: &types::ListParams)
/// ```
pub(super) fn bundled(
    operation: &Operation,
    bundle: &Ident,
    bundled: &[Bundled<'_>],
) -> Result<(TokenStream, TokenStream), PolishError> {
    let name = name_of(operation)?;
    let mut fields = Vec::new();
    let mut setters = Vec::new();
    let mut lets = Vec::new();
    let (mut required, mut optional, mut arguments) = (Vec::new(), Vec::new(), Vec::new());
    for Bundled { argument, found: inner, required: is_required } in bundled {
        let ident = &argument.ident;
        let parameter: Option<&Parameter> =
            operation.parameters.iter().find(|parameter| *ident == field_name(&parameter.name));
        let wire = parameter.map_or_else(|| ident.to_string(), |parameter| parameter.name.clone());
        let documentation = docs(
            parameter.and_then(|parameter| parameter.description.as_deref()),
            &format!("The parameter `{wire}`."),
            None,
        );
        let (owned, borrow) = match &to_ours((*inner).clone()) {
            Type::Reference(reference) => match &*reference.elem {
                Type::Path(path) if path.path.is_ident("str") => {
                    (quote!(::std::string::String), quote!(#bundle.#ident.as_deref()))
                }
                elem => (quote!(#elem), quote!(#bundle.#ident.as_ref())),
            },
            // An enum of strings is taken by value.
            inner => (quote!(#inner), quote!(#bundle.#ident.clone())),
        };
        if *is_required {
            fields.push(quote!(#documentation pub #ident: #owned,));
            arguments.push(quote!(#ident: impl ::std::convert::Into<#owned>));
            required.push(ident);
            let borrow = if matches!(inner, Type::Reference(_)) {
                quote!(&#bundle.#ident)
            } else {
                quote!(#bundle.#ident.clone())
            };
            lets.push(quote!(let #ident = #borrow;));
            continue;
        }
        optional.push(ident);
        fields.push(quote!(#documentation pub #ident: ::std::option::Option<#owned>,));
        let text = format!(" Sets [`{ident}`](Self::{ident}); absent by default.");
        let setter = if ident == "new" { format_ident!("new_") } else { ident.clone() };
        setters.push(quote! {
            #[doc = #text]
            #[must_use]
            pub fn #setter(mut self, #ident: impl ::std::convert::Into<#owned>) -> Self {
                self.#ident = ::std::option::Option::Some(#ident.into());
                self
            }
        });
        lets.push(quote!(let #ident = #borrow;));
    }
    let text = format!(" The parameters of [`{0}`](crate::Client::{0}) that are not its arguments.", operation.name);
    let (default, new) = match required.is_empty() {
        true => (Some(quote!(Default,)), " Creates it with no parameter set."),
        false => (None, " Creates it with the required parameters."),
    };
    let structure = quote! {
        #[doc = #text]
        #[derive(Clone, Debug, #default PartialEq)]
        #[non_exhaustive]
        pub struct #name {
            #(#fields)*
        }

        impl #name {
            #[doc = #new]
            #[must_use]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#required: #required.into(),)* #(#optional: ::std::option::Option::None,)* }
            }

            #(#setters)*
        }
    };
    Ok((structure, quote!(#(#lets)*)))
}
