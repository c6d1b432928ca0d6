//! Extra methods for an operation that returns a list page by page: one for its pages, one for its items.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;

use super::{PolishError, operations::type_of, typify::TypifyOutput};
use crate::lower::{
    field_name,
    model::{ComponentKind, Cursor, Field, Lowered, Operation, Pages, ResponseBody, Shape},
};

/// The method that sends the request for one page.
pub(super) struct PageMethod<'a> {
    pub(super) ident: &'a Ident,
    pub(super) visibility: &'a TokenStream,
    pub(super) arguments: &'a [(Ident, Type)],
    /// The argument with the optional parameters.
    pub(super) params: &'a Ident,
}

/// Writes `…_pages` and `…_all`:
///
/// ```text
/// pub fn list_pages(&self, params: &types::ListParams) -> crate::Pages<types::Page>
/// pub fn list_all(&self, params: &types::ListParams) -> crate::PageItems<types::Item>
/// ```
pub(super) fn methods(
    lowered: &Lowered,
    typify: &TypifyOutput,
    operation: &Operation,
    pages: &Pages,
    method: &PageMethod<'_>,
) -> Result<TokenStream, PolishError> {
    let ResponseBody::Json(response) = &operation.response else {
        return Err(PolishError::new(format!("the pages of `{}` are no JSON", operation.name)));
    };
    let Shape::Named(page_name) = &response.shape else {
        return Err(PolishError::new(format!("the pages of `{}` have no type", operation.name)));
    };
    let fields = match lowered.components.get(page_name).map(|component| &component.kind) {
        Some(ComponentKind::Object { fields }) => fields.as_slice(),
        _ => &[],
    };
    let member = |name: &str| -> Result<(Ident, &Field), PolishError> {
        let field = fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| PolishError::new(format!("`{page_name}` has no field `{name}`")))?;
        Ok((typify.field(page_name, name)?.0, field))
    };
    let is_option = |field: &Field| !field.required || field.value.nullable;

    let (items, items_field) = member(&pages.items)?;
    let Shape::List(item) = &items_field.value.shape else {
        return Err(PolishError::new(format!("`{}` of `{page_name}` is no list", pages.items)));
    };
    let item = type_of(item);
    let (is_empty, into_items) = match is_option(items_field) {
        true => (
            quote!(page.#items.as_ref().is_none_or(::std::vec::Vec::is_empty)),
            quote!(page.#items.unwrap_or_default()),
        ),
        false => (quote!(page.#items.is_empty()), quote!(page.#items)),
    };
    let last = match &pages.has_more {
        Some(has_more) => {
            let (has_more, field) = member(has_more)?;
            let more = if is_option(field) {
                quote!(page.#has_more == ::std::option::Option::Some(false))
            } else {
                quote!(!page.#has_more)
            };
            Some(quote! {
                if #more || #is_empty {
                    return ::std::option::Option::None;
                }
            })
        }
        None => None,
    };
    let cursor = |cursor: &Cursor| -> Result<(Ident, TokenStream), PolishError> {
        let (member, field) = member(&cursor.member)?;
        let value = match is_option(field) {
            true => quote!(page.#member.clone()),
            false => quote!(::std::option::Option::Some(page.#member.clone()).filter(|cursor| !cursor.is_empty())),
        };
        Ok((format_ident!("{}", field_name(&cursor.parameter)), value))
    };
    let (next, next_cursor) = cursor(&pages.next)?;
    let params = method.params;
    let (is_backward, set, value) = match &pages.previous {
        Some(previous) => {
            let (previous, previous_cursor) = cursor(previous)?;
            (
                Some(quote!(let is_backward = #params.#previous.is_some();)),
                quote! {
                    if is_backward {
                        #params.#previous = ::std::option::Option::Some(cursor);
                    } else {
                        #params.#next = ::std::option::Option::Some(cursor);
                    }
                },
                quote!(if is_backward { #previous_cursor } else { #next_cursor }),
            )
        }
        None => (None, quote!(#params.#next = ::std::option::Option::Some(cursor);), next_cursor),
    };

    let PageMethod { ident, visibility, arguments, .. } = method;
    let signature: Vec<TokenStream> = arguments.iter().map(|(name, found)| quote!(#name: #found)).collect();
    let names: Vec<&Ident> = arguments.iter().map(|(name, _)| name).collect();
    // Owned, so that the stream outlives the call.
    let owned = arguments.iter().map(|(name, found)| match found {
        Type::Reference(_) => quote!(let #name = ::std::borrow::ToOwned::to_owned(#name);),
        _ => quote!(let #name = ::std::clone::Clone::clone(&#name);),
    });
    let copies = names.iter().map(|name| {
        let mutable = (*name == params).then(|| quote!(mut));
        quote!(let #mutable #name = ::std::clone::Clone::clone(&#name);)
    });
    let passed = arguments.iter().map(|(name, found)| match found {
        Type::Reference(_) => quote!(&#name),
        _ => quote!(#name),
    });
    let page = format_ident!("{page_name}");
    let (pages_ident, all_ident) = (format_ident!("{}_pages", operation.name), format_ident!("{}_all", operation.name));
    let direction = pages.previous.as_ref().map_or_else(String::new, |previous| {
        format!(" Goes backward if `{}` is set, and forward if not.", field_name(&previous.parameter))
    });
    let pages_docs = [
        format!(
            " Returns the pages of [`{0}`](Self::{0}) as a stream, which requests each of them when it is polled for.",
            ident
        ),
        format!("{direction} Ends after the last page."),
        " ".to_owned(),
        " # Errors".to_owned(),
        format!(" An error ends the stream: one of [`{0}`](Self::{0}), or a server that repeats a cursor.", ident),
    ];
    let all_docs = [
        format!(" Returns the items of all pages of [`{0}`](Self::{0}) as a stream.{direction}", ident),
        " ".to_owned(),
        " # Errors".to_owned(),
        format!(" An error ends the stream, as it ends [`{0}`](Self::{0}).", pages_ident),
    ];
    Ok(quote! {
        #(#[doc = #pages_docs])*
        #visibility fn #pages_ident(&self, #(#signature),*) -> crate::Pages<types::#page> {
            let client = ::std::clone::Clone::clone(self);
            #(#owned)*
            #is_backward
            let fetch = move |cursor: ::std::option::Option<::std::string::String>| {
                let client = ::std::clone::Clone::clone(&client);
                #(#copies)*
                if let ::std::option::Option::Some(cursor) = cursor {
                    #set
                }
                async move { client.#ident(#(#passed),*).await }
            };
            crate::Pages::new(fetch, move |page: &types::#page| {
                #last
                #value
            })
        }

        #(#[doc = #all_docs])*
        #visibility fn #all_ident(&self, #(#signature),*) -> crate::PageItems<#item> {
            self.#pages_ident(#(#names),*).items(|page| #into_items)
        }
    })
}
