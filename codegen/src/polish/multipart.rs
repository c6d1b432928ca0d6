//! Forms of several parts: a struct with a field for each part, which writes itself.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{docs::docs, operations::type_of};
use crate::lower::{
    field_name,
    model::{Multipart, Operation, Part, PartContent, Shape},
};

/// The struct of a form.
pub(super) fn structure(operation: &Operation, form: &Multipart) -> TokenStream {
    let name = format_ident!("{}", form.name);
    let stand_in = format!("The form that [`{0}`](crate::Client::{0}) sends.", operation.name);
    let documentation = docs(form.description.as_deref(), &stand_in, Some(&operation.pointer));
    let mut fields = TokenStream::new();
    let mut setters = TokenStream::new();
    let (mut arguments, mut required, mut optional) = (Vec::new(), Vec::new(), Vec::new());
    for part in &form.parts {
        let ident = format_ident!("{}", field_name(&part.name));
        let found = part_type(part);
        let part_docs = docs(part.description.as_deref(), &format!("The part `{}`.", part.name), None);
        if part.required {
            fields.extend(quote!(#part_docs pub #ident: #found,));
            arguments.push(quote!(#ident: impl ::std::convert::Into<#found>));
            required.push(ident.clone());
        } else {
            fields.extend(quote!(#part_docs pub #ident: ::std::option::Option<#found>,));
            setters.extend(setter(&ident, &found));
            optional.push(ident.clone());
        }
    }
    quote! {
        #documentation
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct #name {
            #fields
        }

        impl #name {
            /// Creates a form of the required parts.
            #[must_use]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#required: #required.into(),)* #(#optional: ::std::option::Option::None,)* }
            }

            #setters
        }
    }
}

/// The statements that check the argument `body` and write it as `form`.
pub(super) fn statements(form: &Multipart) -> TokenStream {
    let (mut writes, mut checks) = (TokenStream::new(), TokenStream::new());
    for part in &form.parts {
        let ident = format_ident!("{}", field_name(&part.name));
        let (write, check) = write(part);
        let present = |statement: TokenStream| match part.required {
            true => quote!({ let value = &body.#ident; #statement }),
            false => quote!(if let ::std::option::Option::Some(value) = &body.#ident { #statement }),
        };
        writes.extend(present(write));
        checks.extend(check.map(present));
    }
    quote! {
        #checks
        let mut form = crate::transport::MultipartForm::new();
        #writes
    }
}

fn setter(ident: &Ident, found: &TokenStream) -> TokenStream {
    let text = format!(" Sets [`{ident}`](Self::{ident}). Absent by default.");
    let setter = match ident.to_string().as_str() {
        "new" => format_ident!("new_"),
        _ => ident.clone(),
    };
    quote! {
        #[doc = #text]
        #[must_use]
        pub fn #setter(mut self, #ident: impl ::std::convert::Into<#found>) -> Self {
            self.#ident = ::std::option::Option::Some(#ident.into());
            self
        }
    }
}

/// The type of a part, as it is named inside of the module of types.
fn part_type(part: &Part) -> TokenStream {
    match &part.content {
        PartContent::File => quote!(crate::FileUpload),
        PartContent::Files => quote!(::std::vec::Vec<crate::FileUpload>),
        PartContent::Value(type_ref) => type_of(type_ref),
    }
}

/// The statements that write a part, and the one that checks it.
fn write(part: &Part) -> (TokenStream, Option<TokenStream>) {
    let name = &part.name;
    let media_type = match &part.media_type {
        Some(media_type) => quote!(::std::option::Option::Some(#media_type)),
        None => quote!(::std::option::Option::None),
    };
    match &part.content {
        PartContent::File => (quote!(form.file(#name, value, #media_type)?;), None),
        PartContent::Files => (quote!(for value in value { form.file(#name, value, #media_type)?; }), None),
        PartContent::Value(type_ref) => {
            let is_checked = matches!(type_ref.shape, Shape::Named(_));
            (
                quote!(form.value(#name, value, #media_type)?;),
                is_checked.then(|| quote!(crate::json::Check::check(value)?;)),
            )
        }
    }
}
