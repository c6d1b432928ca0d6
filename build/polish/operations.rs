//! Operations, wrapped in place: progenitor's body, with the few changes of [`body`], and our signature.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    ImplItemFn, ItemStruct, Type,
    visit_mut::{self, VisitMut},
};

use super::{
    PolishError, body,
    docs::docs,
    params::{Argument, bundled, name_of},
    paths,
};
use crate::pipeline::lower::model::{Kind, Location, Lowered, Operation, Shape};

/// The client: cloned cheaply, and printed by hand, since it holds a key.
pub(super) fn client(client: ItemStruct) -> Result<TokenStream, PolishError> {
    let syn::Fields::Named(fields) = client.fields else {
        return Err(PolishError::new("progenitor wrote a `Client` without named fields"));
    };
    let fields = fields.named.iter();
    Ok(quote! {
        #[doc = ::std::include_str!(::std::concat!(::std::env!("CARGO_MANIFEST_DIR"), "/src/client.md"))]
        #[derive(Clone)]
        pub struct Client {
            #(#fields),*
        }
    })
}

/// The operations, and the structs that bundle their optional parameters.
///
/// ```text
/// pub async fn create_message<'a>(          pub async fn create_message(
///     &'a self,                                 &self,
///     body: &'a types::X,              ->       body: &types::X,
/// ) -> Result<ResponseValue<T>, Error<()>>  ) -> Result<crate::Response<T>, crate::Error>
/// ```
pub(super) fn operations(
    lowered: &Lowered,
    functions: Vec<ImplItemFn>,
) -> Result<(TokenStream, TokenStream), PolishError> {
    let mut wrapped = TokenStream::new();
    let mut params = TokenStream::new();
    let mut functions: Vec<Option<ImplItemFn>> = functions.into_iter().map(Some).collect();
    for operation in &lowered.operations {
        let function = functions
            .iter_mut()
            .find(|function| function.as_ref().is_some_and(|function| function.sig.ident == operation.name))
            .and_then(Option::take)
            .ok_or_else(|| PolishError::new(format!("progenitor wrote no operation `{}`", operation.name)))?;
        let (function, structure) = wrap(lowered, operation, function)?;
        wrapped.extend(function);
        params.extend(structure);
    }
    if let Some(function) = functions.into_iter().flatten().next() {
        return Err(PolishError::new(format!("progenitor wrote an unknown operation `{}`", function.sig.ident)));
    }
    Ok((quote!(impl Client { #wrapped }), params))
}

fn wrap(
    lowered: &Lowered,
    operation: &Operation,
    mut function: ImplItemFn,
) -> Result<(TokenStream, Option<TokenStream>), PolishError> {
    let name = &function.sig.ident;
    let failed =
        |problem: &str| PolishError::new(format!("progenitor wrote {problem} in the operation `{}`", operation.name));
    let answer = match &function.sig.output {
        syn::ReturnType::Type(_, found) => paths::only_argument(found, "Result")
            .and_then(|value| paths::only_argument(value, "ResponseValue"))
            .cloned()
            .ok_or_else(|| failed("an unknown return type"))?,
        syn::ReturnType::Default => return Err(failed("no return type")),
    };
    let answer = paths::to_ours(answer);
    paths::block_to_ours(&mut function.block);
    let is_stream = operation.is_stream_twin || is_byte_stream(&answer);
    let has_headers = operation.parameters.iter().any(|parameter| parameter.location == Location::Header);
    body::rewrite(&mut function.block, is_stream, has_headers).map_err(failed)?;
    let mut arguments = Vec::new();
    let mut optional = Vec::new();
    let found: Vec<Argument> =
        function.sig.inputs.iter().map(Argument::of).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    for argument in &found {
        match argument.optional() {
            Some(inner) => optional.push((argument, inner)),
            None => {
                let (ident, mut found) = (&argument.ident, paths::to_ours(argument.found.clone()));
                NoLifetimes.visit_type_mut(&mut found);
                arguments.push(quote!(#ident: #found));
            }
        }
    }
    let (structure, lets) = match optional.as_slice() {
        [] => (None, None),
        _ => {
            let params = name_of(operation)?;
            // An operation may have an argument of that name.
            let taken = found.iter().any(|argument| argument.ident == "params");
            let name = if taken { format_ident!("optional_params") } else { format_ident!("params") };
            arguments.push(quote!(#name: &types::#params));
            let (structure, lets) = bundled(operation, &name, &optional)?;
            (Some(structure), Some(lets))
        }
    };
    let generics: Vec<_> = function.sig.generics.type_params().collect();
    let generics = (!generics.is_empty()).then(|| quote!(<#(#generics),*>));
    let check = matches!(&operation.body, Some(used) if matches!(used.shape, Shape::Named(_))).then(|| {
        // An enum of strings is taken by value.
        let is_borrowed =
            found.iter().any(|argument| argument.ident == "body" && matches!(argument.found, Type::Reference(_)));
        let body = if is_borrowed { quote!(body) } else { quote!(&body) };
        quote!(crate::json::Check::check(#body)?;)
    });
    let stream = operation.is_stream_twin.then(|| {
        quote! {
            let body = &match body.stream {
                ::std::option::Option::Some(true) => Streamed::Asks(body),
                ::std::option::Option::Some(false) => {
                    let mut body = ::std::clone::Clone::clone(body);
                    body.stream = ::std::option::Option::Some(true);
                    Streamed::Changed(body)
                }
                ::std::option::Option::None => Streamed::Added { body, stream: true },
            };
        }
    });
    let long = streamed_when_long(lowered, operation, &quote!(#answer));
    let visibility = if operation.is_stream_twin { quote!(pub(crate)) } else { quote!(pub) };
    let statements = &function.block.stmts;
    let documentation = documentation(operation);
    let function = quote! {
        #documentation
        #visibility async fn #name #generics(
            &self,
            #(#arguments),*
        ) -> ::std::result::Result<crate::Response<#answer>, crate::Error> {
            #check
            #long
            #stream
            #lets
            let value: ::std::result::Result<ResponseValue<#answer>, Error<()>> = async { #(#statements)* }.await;
            ::std::result::Result::Ok(value?.into())
        }
    };
    Ok((function, structure))
}

/// A message whose writing may outlast a silent connection is asked for as a stream, and put together.
fn streamed_when_long(lowered: &Lowered, operation: &Operation, answer: &TokenStream) -> Option<TokenStream> {
    let twin = format!("{}_stream", operation.name);
    let has_twin = lowered.operations.iter().any(|other| other.is_stream_twin && other.name == twin);
    let Shape::Named(body) = &operation.body.as_ref()?.shape else { return None };
    let Kind::Object { fields } = &lowered.components.get(body)?.kind else { return None };
    let has = |name: &str| fields.iter().any(|field| field.name == name);
    if !has_twin
        || !operation.parameters.is_empty()
        || !has("max_tokens")
        || answer.to_string() != quote!(types::MessageResponse).to_string()
    {
        return None;
    }
    let twin = format_ident!("{twin}");
    Some(quote! {
        if crate::stream::must_stream(self, body.stream, body.max_tokens) {
            let whole = async { crate::stream::whole(self, self.#twin(body).await?).await };
            return ::std::boxed::Box::pin(whole).await;
        }
    })
}

fn documentation(operation: &Operation) -> TokenStream {
    let route = format!("`{} {}`", operation.method.to_uppercase(), operation.path);
    let mut prose: Vec<String> = operation.summary.iter().chain(&operation.description).cloned().collect();
    prose.push(format!(
        "{route}, through the client's transport: credentials, attempts, limits and time limits are its own."
    ));
    let docs = docs(Some(&prose.join("\n\n")), &route, Some(&operation.pointer));
    let errors = [
        " ",
        " # Errors",
        " When the request breaks the contract, can't be sent, is answered with an error, or the",
        " answer is not what the contract says; see [`Error`](crate::Error).",
    ];
    quote!(#docs #(#[doc = #errors])*)
}

fn is_byte_stream(answer: &Type) -> bool {
    matches!(answer, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "ByteStream"))
}

struct NoLifetimes;

impl VisitMut for NoLifetimes {
    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        reference.lifetime = None;
        visit_mut::visit_type_reference_mut(self, reference);
    }
}
