//! Operations: progenitor's statements that build the request, our signature, and one call of the transport.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{
    ImplItemFn, Type, parse_quote,
    visit_mut::{self, VisitMut},
};

use super::{
    PolishError,
    body::{self, Body},
    docs::docs,
    multipart,
    pages::{self, PageMethod},
    params::{Argument, bundled, name_of},
    typify::{TypifyOutput, block_to_ours, only_argument, to_ours},
};
use crate::{
    lower::model::{ComponentKind, Field, Location, Lowered, Operation, RequestBody, ResponseBody, Shape, TypeRef},
    requirements::Requirements,
};

/// The client, whose only field is the transport.
pub(super) fn client() -> TokenStream {
    quote! {
        #[doc = ::std::include_str!(::std::concat!(::std::env!("CARGO_MANIFEST_DIR"), "/src/client.md"))]
        #[derive(Clone)]
        pub struct Client {
            pub(crate) transport: crate::transport::Transport,
        }
    }
}

/// The operations, and the structs that bundle their optional parameters.
///
/// ```text
/// pub async fn create_message<'a>(          pub async fn create_message(
///     &'a self,                                 &self,
///     body: &'a types::X,              ->       body: &types::X,
/// ) -> Result<ResponseValue<T>, Error<()>>  ) -> Result<crate::Response<T>, crate::Error>
/// ```
///
/// An operation of which the hand-written layer has the public face is private and is called `…_whole`. Its twin that streams
/// hands on the answer as it is.
pub(super) fn operations(
    lowered: &Lowered,
    typify: &TypifyOutput,
    requirements: &Requirements,
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
        let is_private = requirements.has_face(operation.twin_of.as_ref().unwrap_or(&operation.name));
        let (function, structure) = wrap(lowered, typify, operation, is_private, function)?;
        wrapped.extend(function);
        if let RequestBody::Multipart(form) = &operation.request {
            params.extend(multipart::structure(operation, form));
        }
        params.extend(structure);
    }
    if let Some(function) = functions.into_iter().flatten().next() {
        return Err(PolishError::new(format!("progenitor wrote an unknown operation `{}`", function.sig.ident)));
    }
    let answers = answer_types(lowered, typify)?;
    Ok((quote!(impl Client { #wrapped } #answers), params))
}

/// Says of each type that an operation answers with whether a member is there.
fn answer_types(lowered: &Lowered, typify: &TypifyOutput) -> Result<TokenStream, PolishError> {
    let mut required: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in &lowered.operations {
        if let ResponseBody::Json(TypeRef { shape: Shape::Named(name), .. }) = &operation.response {
            required.entry(name).or_default().extend(operation.requires.iter().map(String::as_str));
        }
    }
    let mut implementations = TokenStream::new();
    for (name, required) in required {
        let fields = match lowered.components.get(name).map(|component| &component.kind) {
            Some(ComponentKind::Object { fields }) => fields.as_slice(),
            _ => &[],
        };
        let mut arms = TokenStream::new();
        // A field that is not an `Option` is always there.
        let is_option = |field: &&Field| !field.required || field.value.nullable;
        for field in fields.iter().filter(|field| required.contains(field.name.as_str())).filter(is_option) {
            let (member, (ident, _)) = (&field.name, typify.field(name, &field.name)?);
            arms.extend(quote!(#member => self.#ident.is_some(),));
        }
        let ident = format_ident!("{name}");
        implementations.extend(quote! {
            impl crate::transport::AnswerType for types::#ident {
                fn has(&self, member: &str) -> bool {
                    match member {
                        #arms
                        _ => true,
                    }
                }
            }
        });
    }
    Ok(implementations)
}

fn wrap(
    lowered: &Lowered,
    typify: &TypifyOutput,
    operation: &Operation,
    is_private: bool,
    function: ImplItemFn,
) -> Result<(TokenStream, Option<TokenStream>), PolishError> {
    let failed =
        |problem: &str| PolishError::new(format!("progenitor wrote {problem} in the operation `{}`", operation.name));
    let answer = match &function.sig.output {
        syn::ReturnType::Type(_, output) => only_argument(output, "Result")
            .and_then(|value| only_argument(value, "ResponseValue"))
            .cloned()
            .ok_or_else(|| failed("an unknown return type"))?,
        syn::ReturnType::Default => return Err(failed("no return type")),
    };
    let answer = to_ours(answer);
    let mut block = function.block;
    block_to_ours(&mut block);
    let has_headers = operation.parameters.iter().any(|parameter| parameter.location == Location::Header);
    let Body { statements, request, statuses } = body::parse(block, has_headers).map_err(failed)?;
    let mut arguments: Vec<(Ident, Type)> = Vec::new();
    let mut optional = Vec::new();
    let written: Vec<Argument> =
        function.sig.inputs.iter().map(Argument::of).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    for argument in &written {
        match argument.optional() {
            Some(inner) => optional.push((argument, inner)),
            None => {
                let mut found = to_ours(argument.found.clone());
                NoLifetimes.visit_type_mut(&mut found);
                arguments.push((argument.ident.clone(), found));
            }
        }
    }
    if let RequestBody::Multipart(form) = &operation.request {
        let form = format_ident!("{}", form.name);
        arguments.push((format_ident!("body"), parse_quote!(&types::#form)));
    }
    // An operation may have an argument of that name.
    let is_taken = written.iter().any(|argument| argument.ident == "params");
    let params = if is_taken { format_ident!("optional_params") } else { format_ident!("params") };
    let (structure, lets) = match optional.as_slice() {
        [] => (None, None),
        _ => {
            let name = name_of(operation)?;
            arguments.push((params.clone(), parse_quote!(&types::#name)));
            let (structure, lets) = bundled(operation, &params, &optional)?;
            (Some(structure), Some(lets))
        }
    };
    let generics: Vec<_> = function.sig.generics.type_params().collect();
    let generics = (!generics.is_empty()).then(|| quote!(<#(#generics),*>));
    let is_named = |type_ref: &TypeRef| matches!(type_ref.shape, Shape::Named(_));
    let check = match &operation.request {
        RequestBody::Json(type_ref) | RequestBody::Form(type_ref) if is_named(type_ref) => {
            // An enum of strings is taken by value.
            let is_borrowed =
                arguments.iter().any(|(name, found)| name == "body" && matches!(found, Type::Reference(_)));
            let body = if is_borrowed { quote!(body) } else { quote!(&body) };
            Some(quote!(crate::json::Check::check(#body)?;))
        }
        RequestBody::Multipart(form) => Some(multipart::statements(form)),
        _ => None,
    };
    let is_twin = operation.twin_of.is_some();
    let stream = is_twin.then(|| {
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
    let (form, answer, value) = match &operation.response {
        ResponseBody::Events if is_private => {
            (quote!(Events), quote!(crate::transport::Answer), quote!(::std::result::Result::Ok(answer)))
        }
        ResponseBody::Events => {
            (quote!(Events), quote!(crate::Response<#answer>), quote!(::std::result::Result::Ok(answer.bytes())))
        }
        ResponseBody::Bytes => {
            (quote!(Bytes), quote!(crate::Response<#answer>), quote!(::std::result::Result::Ok(answer.bytes())))
        }
        ResponseBody::JsonLines(line) => {
            let line = type_of(line);
            let lines = quote!(crate::Response<crate::JsonLines<#line>>);
            (quote!(JsonLines), lines, quote!(::std::result::Result::Ok(answer.json_lines())))
        }
        ResponseBody::None => {
            (quote!(Nothing), quote!(crate::Response<()>), quote!(::std::result::Result::Ok(answer.nothing())))
        }
        ResponseBody::Json(_) => (quote!(Json), quote!(crate::Response<#answer>), quote!(answer.json())),
    };
    let visibility = if is_private { quote!(pub(crate)) } else { quote!(pub) };
    let own_name = &operation.name;
    let emitted = match is_private && operation.twin_of.is_none() {
        true => format_ident!("{own_name}_whole"),
        false => function.sig.ident.clone(),
    };
    let requires = &operation.requires;
    let declares_error = operation.declares_error;
    let statuses = statuses.iter().map(|(first, last)| quote!((#first, #last)));
    let documentation = documentation(operation);
    let signature = arguments.iter().map(|(name, found)| quote!(#name: #found));
    let send = match &operation.request {
        RequestBody::Multipart(_) => quote!(self.transport.send_form(built?, form, &OPERATION)),
        _ => quote!(self.transport.send(built?, &OPERATION)),
    };
    let pages = match &operation.pages {
        Some(pages) => {
            let method =
                PageMethod { ident: &emitted, visibility: &visibility, arguments: &arguments, params: &params };
            Some(pages::methods(lowered, typify, operation, pages, &method)?)
        }
        None => None,
    };
    let function = quote! {
        #documentation
        #visibility async fn #emitted #generics(
            &self,
            #(#signature),*
        ) -> ::std::result::Result<#answer, crate::Error> {
            const OPERATION: crate::transport::Operation = crate::transport::Operation {
                name: #own_name,
                answers: crate::transport::Answers::#form,
                statuses: &[#(#statuses),*],
                requires: &[#(#requires),*],
                declares_error: #declares_error,
            };
            #check
            #stream
            #lets
            let built: ::std::result::Result<_, crate::transport::InvalidRequest> = (|| {
                #(#statements)*
                ::std::result::Result::Ok(::std::boxed::Box::new(#request))
            })();
            let answer = #send.await?;
            #value
        }

        #pages
    };
    Ok((function, structure))
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

/// The Rust type of a value, from anywhere in the generated code.
pub(super) fn type_of(type_ref: &TypeRef) -> TokenStream {
    let found = match &type_ref.shape {
        Shape::Any | Shape::AnyObject => quote!(crate::json::Json),
        Shape::String => quote!(::std::string::String),
        Shape::Integer => quote!(i64),
        Shape::Unsigned => quote!(u64),
        Shape::Number => quote!(f64),
        Shape::Boolean => quote!(bool),
        Shape::List(item) => {
            let item = type_of(item);
            quote!(::std::vec::Vec<#item>)
        }
        Shape::Map(value) => {
            let value = type_of(value);
            quote!(crate::json::Map<#value>)
        }
        Shape::Named(name) => {
            let name = format_ident!("{name}");
            quote!(types::#name)
        }
    };
    // JSON that may be `null` holds it.
    if type_ref.nullable && type_ref.shape != Shape::Any { quote!(::std::option::Option<#found>) } else { found }
}

struct NoLifetimes;

impl VisitMut for NoLifetimes {
    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        reference.lifetime = None;
        visit_mut::visit_type_reference_mut(self, reference);
    }
}
