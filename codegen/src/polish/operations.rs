//! Operations: progenitor's statements that build the request, our signature, and one call of the transport.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    ImplItemFn, Type,
    visit_mut::{self, VisitMut},
};

use super::{
    PolishError,
    body::{self, Body},
    docs::docs,
    found::Found,
    params::{Argument, bundled, name_of},
    paths,
};
use crate::{
    lower::model::{ComponentKind, Field, Location, Lowered, Operation, Shape, TypeRef},
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
/// An operation of which the hand-written layer has the public face is private, and is called `…_whole` where it has a
/// twin that streams; the twin hands on the answer as it is.
pub(super) fn operations(
    lowered: &Lowered,
    found: &Found,
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
        let own = operation.name.strip_suffix("_stream").filter(|_| operation.is_stream_twin);
        let is_private = requirements.has_face(own.unwrap_or(&operation.name));
        let (function, structure) = wrap(lowered, operation, is_private, function)?;
        wrapped.extend(function);
        params.extend(structure);
    }
    if let Some(function) = functions.into_iter().flatten().next() {
        return Err(PolishError::new(format!("progenitor wrote an unknown operation `{}`", function.sig.ident)));
    }
    let answers = answer_types(lowered, found)?;
    Ok((quote!(impl Client { #wrapped } #answers), params))
}

/// Says of each type that an operation answers with whether a member is there.
fn answer_types(lowered: &Lowered, found: &Found) -> Result<TokenStream, PolishError> {
    let mut required: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in &lowered.operations {
        if let Some(TypeRef { shape: Shape::Named(name), .. }) = &operation.answer {
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
            let (member, (ident, _)) = (&field.name, found.field(name, &field.name)?);
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
    operation: &Operation,
    is_private: bool,
    function: ImplItemFn,
) -> Result<(TokenStream, Option<TokenStream>), PolishError> {
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
    let mut block = function.block;
    paths::block_to_ours(&mut block);
    let has_headers = operation.parameters.iter().any(|parameter| parameter.location == Location::Header);
    let Body { statements, request, statuses } = body::take_apart(block, has_headers).map_err(failed)?;
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
    let (form, answer, value) = match &answer {
        _ if operation.is_stream_twin && is_private => {
            (quote!(Events), quote!(crate::transport::Answer), quote!(::std::result::Result::Ok(answer)))
        }
        answer if is_byte_stream(answer) => {
            let form = if operation.is_stream_twin { quote!(Events) } else { quote!(Bytes) };
            (form, quote!(crate::Response<#answer>), quote!(::std::result::Result::Ok(answer.bytes())))
        }
        Type::Tuple(empty) if empty.elems.is_empty() => {
            (quote!(Nothing), quote!(crate::Response<()>), quote!(::std::result::Result::Ok(answer.nothing())))
        }
        answer => (quote!(Json), quote!(crate::Response<#answer>), quote!(answer.json())),
    };
    let visibility = if is_private { quote!(pub(crate)) } else { quote!(pub) };
    let has_twin = lowered.operations.iter().any(|other| other.is_stream_twin && other.pointer == operation.pointer);
    let own_name = &operation.name;
    let emitted = match is_private && has_twin && !operation.is_stream_twin {
        true => format_ident!("{own_name}_whole"),
        false => function.sig.ident.clone(),
    };
    let requires = &operation.requires;
    let declares_error = operation.declares_error;
    let statuses = statuses.iter().map(|(first, last)| quote!((#first, #last)));
    let documentation = documentation(operation);
    let function = quote! {
        #documentation
        #visibility async fn #emitted #generics(
            &self,
            #(#arguments),*
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
            let answer = self.transport.send(built?, &OPERATION).await?;
            #value
        }
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
