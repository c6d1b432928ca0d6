//! Code that reads and writes objects.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{free, object::Written};
use crate::lower::model::Field;

/// `FromJson` and `Deserialize`: the members that the contract names by their numbers, the others into `extra`.
///
/// A contract may have a type `A`, `D` or `S`, and none that ends in `_`: so the generated code names its own.
pub(super) fn decode(
    ident: &Ident,
    name: &str,
    written: &[Written<'_>],
    tags: &[&Field],
    tag: Option<&str>,
) -> TokenStream {
    let slot = |written: &Written<'_>| format_ident!("slot_{}", written.ident.to_string().trim_start_matches("r#"));
    let slots = written.iter().map(|written| {
        let slot = slot(written);
        let inner = free::field_read_as(written.field).unwrap_or_else(|| {
            let inner = &written.inner;
            quote!(#inner)
        });
        let inner = if is_nullable(written) { quote!(::std::option::Option<#inner>) } else { inner };
        quote!(let mut #slot: ::std::option::Option<#inner> = ::std::option::Option::None;)
    });
    let tag_arms = tags.iter().enumerate().map(|(index, field)| {
        let only = field.constant.as_deref().unwrap_or_default();
        quote!(#index => object.constant(#only)?,)
    });
    let arms = written.iter().enumerate().map(|(index, written)| {
        let (slot, index) = (slot(written), tags.len() + index);
        if written.field.required {
            quote!(#index => object.required(&mut #slot)?,)
        } else if written.field.lenient {
            quote!(#index => object.lenient(&mut #slot)?,)
        } else {
            quote!(#index => object.optional(&mut #slot)?,)
        }
    });
    let constants = (0..tags.len()).map(|index| quote!(object.get_constant(#index)?;));
    let values = written.iter().enumerate().map(|(index, written)| {
        let (field_ident, slot, index) = (&written.ident, slot(written), tags.len() + index);
        let value = if is_nullable(written) {
            // What may be null may be absent; a server that leaves it out is not refused.
            quote!(object.get_nullable(#slot))
        } else if written.is_option {
            quote!(#slot)
        } else {
            quote!(object.get(#slot, #index)?)
        };
        let shape = &written.field.value.shape;
        let value = match (free::is_in(shape), written.is_option) {
            (false, _) => value,
            (true, false) => free::taken(shape, &value),
            (true, true) => {
                let taken = free::taken(shape, &quote!(free));
                quote!(#value.map(|free| #taken))
            }
        };
        quote!(#field_ident: #value)
    });
    let expected = format!("an object ({name})");
    let begin = match tags {
        [field] if tag == Some(field.name.as_str()) => quote!(tagged),
        _ => quote!(new),
    };
    quote! {
        impl crate::json::FromJson for #ident {
            fn read(
                reader: &mut crate::json::Reader<'_>,
            ) -> ::std::result::Result<Self, crate::json::DecodeError> {
                #(#slots)*
                let mut object = crate::json::ObjectReader::#begin(reader, Self::FIELDS, #expected)?;
                while let ::std::option::Option::Some(index) = object.next()? {
                    match index {
                        #(#tag_arms)*
                        #(#arms)*
                        _ => {}
                    }
                }
                #(#constants)*
                ::std::result::Result::Ok(Self { #(#values,)* extra: object.into_extra() })
            }
        }

        crate::json::deserialize_from_json!(#ident);
    }
}

/// Whether a field must be there and may be null.
fn is_nullable(written: &Written<'_>) -> bool {
    written.field.required && written.is_option
}

/// The names of the fields whose values may be in `extra`.
pub(super) fn lenient(written: &[Written<'_>]) -> TokenStream {
    let fields = written.iter().map(|written| written.field).filter(|field| field.lenient && !field.required);
    let names = fields.map(|field| &field.name);
    quote!(&[#(#names),*])
}

/// `Serialize`: the tag first, then the fields in the contract's order, then `extra`.
pub(super) fn encode(ident: &Ident, written: &[Written<'_>], tags: &[&Field]) -> TokenStream {
    let entries = written.iter().enumerate().map(|(index, written)| {
        let (field_ident, name, index) = (&written.ident, &written.field.name, tags.len() + index);
        if written.field.required {
            quote!(map.serialize_entry(#name, &self.#field_ident)?;)
        } else {
            quote! {
                crate::json::extra::optional(
                    &mut map, self.#field_ident.as_ref(), &self.extra, Self::FIELDS, #index,
                )?;
            }
        }
    });
    let lenient = lenient(written);
    let tags = tags.iter().map(|field| {
        let (name, only) = (&field.name, field.constant.as_deref().unwrap_or_default());
        quote!(map.serialize_entry(#name, #only)?;)
    });
    quote! {
        impl ::serde::Serialize for #ident {
            fn serialize<S_: ::serde::Serializer>(&self, serializer: S_) -> ::std::result::Result<S_::Ok, S_::Error> {
                use ::serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(::std::option::Option::None)?;
                #(#tags)*
                #(#entries)*
                crate::json::extra::write(&mut map, &self.extra, Self::FIELDS, #lenient)?;
                map.end()
            }
        }
    }
}
