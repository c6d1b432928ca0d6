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
    object::rule,
    pages::{self, PageMethod},
    params::{Argument, Bundled, bundled, name_of},
    typify::{TypifyOutput, block_to_ours, only_argument, to_ours},
};
use crate::{
    lower::model::{
        ComponentKind, Field, Location, Lowered, Operation, Parameter, RequestBody, ResponseBody, Shape, TypeRef,
    },
    lower::{field_name, type_name},
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
    let mut aliases = TokenStream::new();
    let mut functions: Vec<Option<ImplItemFn>> = functions.into_iter().map(Some).collect();
    for operation in &lowered.operations {
        let function = functions
            .iter_mut()
            .find(|function| function.as_ref().is_some_and(|function| function.sig.ident == operation.name))
            .and_then(Option::take)
            .ok_or_else(|| PolishError::new(format!("progenitor wrote no operation `{}`", operation.name)))?;
        let is_private = requirements.has_face(operation.twin_of.as_ref().unwrap_or(&operation.name));
        let Method { function, structure, alias } = wrap(lowered, typify, operation, is_private, function)?;
        wrapped.extend(function);
        aliases.extend(alias);
        if let RequestBody::Multipart(form) = &operation.request {
            params.extend(multipart::structure(operation, form));
        }
        // A twin takes the parameters of its operation.
        params.extend(structure.filter(|_| operation.twin_of.is_none()));
        if operation.by_status.is_some() {
            params.extend(enum_by_status(operation)?);
        }
    }
    if let Some(function) = functions.into_iter().flatten().next() {
        return Err(PolishError::new(format!("progenitor wrote an unknown operation `{}`", function.sig.ident)));
    }
    let answers = answer_types(lowered, typify)?;
    Ok((quote!(impl Client { #wrapped } #aliases #answers), params))
}

/// Says of each type that an operation answers with whether a member is there.
fn answer_types(lowered: &Lowered, typify: &TypifyOutput) -> Result<TokenStream, PolishError> {
    let mut required: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in &lowered.operations {
        for (.., body) in &operation.statuses {
            if let ResponseBody::Json(TypeRef { shape: Shape::Named(name), .. }) = body {
                let requires = operation.requires.iter().filter(|_| *body == operation.response);
                required.entry(name).or_default().extend(requires.map(String::as_str));
            }
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

/// A generated method, and what belongs to it.
struct Method {
    function: TokenStream,
    /// The struct of its parameters.
    structure: Option<TokenStream>,
    /// The type of the parameters of an operation with a hand-written method, which may have none.
    alias: Option<TokenStream>,
}

fn wrap(
    lowered: &Lowered,
    typify: &TypifyOutput,
    operation: &Operation,
    is_private: bool,
    function: ImplItemFn,
) -> Result<Method, PolishError> {
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
    let own_name = &operation.name;
    let has_twin = lowered.operations.iter().any(|other| other.twin_of.as_ref() == Some(own_name));
    let mut block = function.block;
    block_to_ours(&mut block);
    let has_headers = operation.parameters.iter().any(|parameter| parameter.location == Location::Header);
    let is_body_optional = operation.is_body_optional && !is_private && operation.twin_of.is_none() && !has_twin;
    let Body { statements, request } = body::parse(block, has_headers, operation, is_body_optional).map_err(failed)?;
    let mut arguments: Vec<(Ident, Type)> = Vec::new();
    let mut optional = Vec::new();
    let written: Vec<Argument> =
        function.sig.inputs.iter().map(Argument::of).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let is_bytes = matches!(operation.request, RequestBody::Bytes { .. });
    let in_params = |argument: &Argument| {
        let is_own = |parameter: &&Parameter| argument.ident == field_name(&parameter.name);
        operation.parameters.iter().find(is_own).is_some_and(|parameter| parameter.location != Location::Path)
    };
    for argument in &written {
        match argument.optional() {
            Some(inner) => optional.push(Bundled { argument, found: inner, required: false }),
            // The hand-written method of an operation knows nothing of its parameters.
            None if is_private && in_params(argument) => {
                optional.push(Bundled { argument, found: &argument.found, required: true });
            }
            None => {
                let mut found = to_ours(argument.found.clone());
                NoLifetimes.visit_type_mut(&mut found);
                if is_body_optional && argument.ident == "body" && !is_bytes {
                    found = parse_quote!(::std::option::Option<#found>);
                }
                arguments.push((argument.ident.clone(), found));
            }
        }
    }
    if let RequestBody::Multipart(form) = &operation.request {
        let form = format_ident!("{}", form.name);
        let found: Type = match is_body_optional {
            true => parse_quote!(::std::option::Option<&types::#form>),
            false => parse_quote!(&types::#form),
        };
        arguments.push((format_ident!("body"), found));
    }
    // An operation may have an argument of that name.
    let is_taken = written.iter().any(|argument| argument.ident == "params");
    let params = if is_taken { format_ident!("optional_params") } else { format_ident!("params") };
    let arguments_type = format_ident!("{}Arguments", type_name(operation.twin_of.as_ref().unwrap_or(&operation.name)));
    let mut alias = None;
    let (structure, lets) = match optional.as_slice() {
        [] => {
            if is_private {
                arguments.push((format_ident!("_{params}"), parse_quote!(&#arguments_type)));
                alias = Some(quote!(()));
            }
            (None, None)
        }
        _ => {
            let name = name_of(operation)?;
            match is_private {
                true => arguments.push((params.clone(), parse_quote!(&#arguments_type))),
                false => arguments.push((params.clone(), parse_quote!(&types::#name))),
            }
            alias = Some(quote!(types::#name));
            let (structure, lets) = bundled(operation, &params, &optional)?;
            (Some(structure), Some(lets))
        }
    };
    let generics: Vec<_> = function.sig.generics.type_params().collect();
    let generics = (!generics.is_empty()).then(|| quote!(<#(#generics),*>));
    // The variables have the values of the optional parameters by now.
    let checks = operation.parameters.iter().filter(|parameter| !parameter.constraints.is_empty()).map(|parameter| {
        let (ident, name) = (format_ident!("{}", field_name(&parameter.name)), &parameter.name);
        let constraints = parameter.constraints.iter().map(rule);
        quote!(crate::json::check::rules(&#ident, #name, &[#(#constraints),*])?;)
    });
    let is_named = |type_ref: &TypeRef| matches!(type_ref.shape, Shape::Named(_));
    let check = match &operation.request {
        RequestBody::Json { type_ref, .. } | RequestBody::Form { type_ref, .. } if is_named(type_ref) => {
            // An enum of strings is taken by value.
            let is_borrowed =
                written.iter().any(|argument| argument.ident == "body" && matches!(argument.found, Type::Reference(_)));
            let body = if is_borrowed { quote!(body) } else { quote!(&body) };
            Some(match is_body_optional {
                true if is_borrowed => quote!(if let ::std::option::Option::Some(body) = body {
                    crate::json::Check::check(body)?;
                }),
                true => quote!(if let ::std::option::Option::Some(body) = &body {
                    crate::json::Check::check(body)?;
                }),
                false => quote!(crate::json::Check::check(#body)?;),
            })
        }
        RequestBody::Multipart(form) => {
            let statements = multipart::statements(form);
            Some(match is_body_optional {
                true => quote! {
                    let form = match body {
                        ::std::option::Option::Some(body) => {
                            #statements
                            ::std::option::Option::Some(form)
                        }
                        ::std::option::Option::None => ::std::option::Option::None,
                    };
                },
                false => quote! {
                    #statements
                    let form = ::std::option::Option::Some(form);
                },
            })
        }
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
    let form = answers(&operation.response);
    let (answer, value) = match &operation.response {
        _ if operation.by_status.is_some() => {
            let (name, value) = by_status(operation)?;
            (quote!(crate::Response<types::#name>), value)
        }
        ResponseBody::Events if is_private => {
            (quote!(crate::transport::Answer), quote!(::std::result::Result::Ok(answer)))
        }
        ResponseBody::Events | ResponseBody::Bytes => {
            (quote!(crate::Response<#answer>), quote!(::std::result::Result::Ok(answer.bytes())))
        }
        ResponseBody::JsonLines(line) => {
            let line = type_of(line);
            let lines = quote!(crate::Response<crate::JsonLines<#line>>);
            (lines, quote!(::std::result::Result::Ok(answer.json_lines())))
        }
        ResponseBody::None => (quote!(crate::Response<()>), quote!(::std::result::Result::Ok(answer.nothing()))),
        ResponseBody::Json(_) => (quote!(crate::Response<#answer>), quote!(answer.json())),
    };
    let visibility = if is_private { quote!(pub(crate)) } else { quote!(pub) };
    let emitted = match is_private && operation.twin_of.is_none() {
        true => format_ident!("{own_name}_whole"),
        false => function.sig.ident.clone(),
    };
    let requires = &operation.requires;
    let declares_error = operation.declares_error;
    let statuses = operation.statuses.iter().map(|(first, last, body)| {
        let answers = answers(body);
        quote!((#first, #last, crate::transport::Answers::#answers))
    });
    let deprecated = operation.is_deprecated.then(|| quote!(#[deprecated]));
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
        #deprecated
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
            #(#checks)*
            let built: ::std::result::Result<_, crate::transport::InvalidRequest> = (|| {
                #(#statements)*
                ::std::result::Result::Ok(::std::boxed::Box::new(#request))
            })();
            let answer = #send.await?;
            #value
        }

        #pages
    };
    let alias = alias.filter(|_| is_private && operation.twin_of.is_none()).map(|alias| {
        quote! {
            /// The parameters that the hand-written method of the operation hands on.
            pub(crate) type #arguments_type = #alias;
        }
    });
    Ok(Method { function, structure, alias })
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

/// The variant of the transport's `Answers` for a body.
fn answers(body: &ResponseBody) -> TokenStream {
    match body {
        ResponseBody::None => quote!(Nothing),
        ResponseBody::Json(_) => quote!(Json),
        ResponseBody::JsonLines(_) => quote!(JsonLines),
        ResponseBody::Events => quote!(Events),
        ResponseBody::Bytes => quote!(Bytes),
    }
}

/// The name of the enum of an operation's responses, and the expression that makes a value of it.
fn by_status(operation: &Operation) -> Result<(Ident, TokenStream), PolishError> {
    let name = name_by_status(operation)?;
    let last_one = operation.statuses.len().saturating_sub(1);
    let arms = operation.statuses.iter().enumerate().map(|(index, (first, last, body))| {
        let variant = variant(*first, *last);
        let value = match body {
            ResponseBody::Json(type_ref) => {
                let found = type_of(type_ref);
                quote!(answer.json::<#found>().map(|response| response.map(types::#name::#variant)))
            }
            _ => quote!(::std::result::Result::Ok(answer.nothing().map(|()| types::#name::#variant))),
        };
        // The transport refuses statuses that are not listed.
        if index == last_one { quote!(_ => #value,) } else { quote!(#first..=#last => #value,) }
    });
    let value = quote!(match answer.status() { #(#arms)* });
    Ok((name, value))
}

fn name_by_status(operation: &Operation) -> Result<Ident, PolishError> {
    match &operation.by_status {
        Some(name) => Ok(format_ident!("{name}")),
        None => Err(PolishError::new(format!("the responses of `{}` are all of one type", operation.name))),
    }
}

fn variant(first: u16, last: u16) -> Ident {
    if first == last { format_ident!("Status{first}") } else { format_ident!("Status2XX") }
}

/// The enum of an operation's responses:
///
/// ```text
/// pub enum PutPetByStatus { Status200(types::Pet), Status204 }
/// ```
fn enum_by_status(operation: &Operation) -> Result<TokenStream, PolishError> {
    let name = name_by_status(operation)?;
    let variants = operation.statuses.iter().map(|(first, last, body)| {
        let variant = variant(*first, *last);
        let documentation = match first == last {
            true => format!(" The response has the status {first}."),
            false => " The response has another status of success.".to_owned(),
        };
        let value = match body {
            ResponseBody::Json(type_ref) => {
                let found = type_of(type_ref);
                Some(quote!((#found)))
            }
            _ => None,
        };
        quote!(#[doc = #documentation] #variant #value,)
    });
    let documentation = format!(" The response of [`{0}`](crate::Client::{0}), by its status.", operation.name);
    Ok(quote! {
        #[doc = #documentation]
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum #name {
            #(#variants)*
        }
    })
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
