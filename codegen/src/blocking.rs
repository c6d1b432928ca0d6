//! The operations of the blocking client.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, FnArg, ImplItem, ImplItemFn, Item, Pat, Visibility};

/// Generates a blocking method for each public operation of generated code:
///
/// ```text
/// pub async fn get_model(&self, model_id: &str) -> R   ->   pub fn get_model(&self, model_id: &str) -> R {
///                                                               self.call(move |client| client.get_model(model_id))
///                                                           }
/// ```
pub(crate) fn blocking(file: &syn::File) -> String {
    let functions = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() => Some(&item.items),
        _ => None,
    });
    let twins: TokenStream = functions
        .flatten()
        .filter_map(|item| match item {
            ImplItem::Fn(function) => twin(function),
            _ => None,
        })
        .collect();
    let tokens = quote!(impl Client { #twins });
    // The tokens are those of a file that parsed.
    syn::parse2(tokens.clone()).map_or_else(|_| tokens.to_string(), |file| prettyplease::unparse(&file))
}

fn twin(function: &ImplItemFn) -> Option<TokenStream> {
    let is_operation = function.sig.asyncness.is_some() && matches!(function.vis, Visibility::Public(_));
    let ImplItemFn { attrs, sig, .. } = is_operation.then_some(function)?;
    let (name, generics, inputs, output) = (&sig.ident, &sig.generics, &sig.inputs, &sig.output);
    let kept = |attribute: &&Attribute| attribute.path().is_ident("doc") || attribute.path().is_ident("deprecated");
    let attributes = attrs.iter().filter(kept);
    let arguments = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(pattern) => Some(&pattern.ident),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    });
    Some(quote! {
        #(#attributes)*
        pub fn #name #generics(#inputs) #output {
            self.call(move |client| client.#name(#(#arguments),*))
        }
    })
}
