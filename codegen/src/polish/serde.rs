//! How objects are read and written.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{free, object::Written};
use crate::lower::model::{Field, Shape};

/// `Decode` and `Deserialize`: known members by a match, the others into `extra`, nothing buffered.
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
        let inner = free::read_as(&written.field.value.shape).unwrap_or_else(|| {
            let inner = &written.inner;
            quote!(#inner)
        });
        let full = if written.is_option { quote!(::std::option::Option<#inner>) } else { inner };
        // A tag that stays a field has been read before the other members.
        let start = if tag == Some(written.field.name.as_str()) && matches!(written.field.value.shape, Shape::Named(_))
        {
            if written.is_option {
                quote!(tag.map(|tag| ::std::option::Option::Some(tag.into())))
            } else {
                quote!(tag.map(::std::convert::Into::into))
            }
        } else if tag == Some(written.field.name.as_str()) {
            quote!(tag.map(|tag| ::std::string::String::from(tag).into()))
        } else {
            quote!(::std::option::Option::None)
        };
        quote!(let mut #slot: ::std::option::Option<#full> = #start;)
    });
    let seen: Vec<Ident> = tags.iter().enumerate().map(|(index, _)| format_ident!("seen_{index}")).collect();
    let seen_starts = tags.iter().zip(&seen).map(|(field, seen)| {
        let start = if tag == Some(field.name.as_str()) { quote!(tag.is_some()) } else { quote!(false) };
        quote!(let mut #seen = #start;)
    });
    let tag_arms = tags.iter().zip(&seen).map(|(field, seen)| {
        let (name, only) = (&field.name, field.only.as_deref().unwrap_or_default());
        quote!(#name => crate::runtime::decode::constant(&mut entries, &mut #seen, #name, #only)?,)
    });
    let arms = written.iter().map(|written| {
        let (slot, name) = (slot(written), &written.field.name);
        quote!(#name => crate::runtime::decode::field(&mut entries, &mut #slot, #name)?,)
    });
    let seen_checks = tags.iter().zip(&seen).map(|(field, seen)| {
        let name = &field.name;
        quote!(crate::runtime::decode::constant_seen(#seen, #name)?;)
    });
    let values = written.iter().map(|written| {
        let (field_ident, slot, name) = (&written.ident, slot(written), &written.field.name);
        // What may be null may be absent; a server that leaves it out is not refused.
        let value = if written.is_option {
            quote!(#slot.unwrap_or_default())
        } else {
            quote!(crate::runtime::decode::required(#slot, #name)?)
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
    // A tag that is no field at all of this type is one of its unknown members.
    let stray_tag = tag
        .filter(|tag| {
            !tags.iter().any(|field| field.name == *tag) && !written.iter().any(|written| written.field.name == *tag)
        })
        .map(|name| {
            quote! {
                if let ::std::option::Option::Some(tag) = tag {
                    extra.insert(#name, tag);
                }
            }
        });
    let tag_argument = if tag.is_some() { format_ident!("tag") } else { format_ident!("_tag") };
    quote! {
        impl crate::runtime::decode::Object for #ident {
            const NAME: &'static str = #name;

            fn decode_entries<'de, A_: ::serde::de::MapAccess<'de>>(
                mut entries: A_,
                #tag_argument: ::std::option::Option<&str>,
            ) -> ::std::result::Result<Self, A_::Error> {
                #(#slots)*
                #(#seen_starts)*
                let mut extra = crate::runtime::Extra::default();
                #stray_tag
                while let ::std::option::Option::Some(crate::runtime::decode::Key(key)) = entries.next_key()? {
                    match &*key {
                        #(#tag_arms)*
                        #(#arms)*
                        _ => crate::runtime::extra::unknown(&mut entries, &mut extra, &key)?,
                    }
                }
                #(#seen_checks)*
                ::std::result::Result::Ok(Self { #(#values,)* extra })
            }
        }

        impl crate::runtime::decode::Decode for #ident {
            fn decode<'de, D_: ::serde::Deserializer<'de>>(deserializer: D_) -> ::std::result::Result<Self, D_::Error> {
                crate::runtime::decode::object(deserializer)
            }
        }

        crate::runtime::decode::deserialize_by_decode!(#ident);
    }
}

/// `Serialize`: the tag first, then the fields in the contract's order, then `extra`.
pub(super) fn encode(ident: &Ident, written: &[Written<'_>], tags: &[&Field]) -> TokenStream {
    let tags = tags.iter().map(|field| {
        let (name, only) = (&field.name, field.only.as_deref().unwrap_or_default());
        quote!(map.serialize_entry(#name, #only)?;)
    });
    let entries = written.iter().map(|written| {
        let (field_ident, name) = (&written.ident, &written.field.name);
        if written.field.required {
            quote!(map.serialize_entry(#name, &self.#field_ident)?;)
        } else {
            quote!(crate::runtime::extra::optional(&mut map, #name, self.#field_ident.as_ref())?;)
        }
    });
    quote! {
        impl ::serde::Serialize for #ident {
            fn serialize<S_: ::serde::Serializer>(&self, serializer: S_) -> ::std::result::Result<S_::Ok, S_::Error> {
                use ::serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(::std::option::Option::None)?;
                #(#tags)*
                #(#entries)*
                crate::runtime::extra::write(&mut map, &self.extra, Self::FIELDS)?;
                map.end()
            }
        }
    }
}
