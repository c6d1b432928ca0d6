//! Generates the code that reads and writes objects, and free-form JSON that must be an object.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::object::FieldCodegen;
use crate::lower::model::{Field, Shape, TypeRef};

/// Generates `FromJson` and `Deserialize`, which keep the members that the contract doesn't name in `extra`.
pub(super) fn decode(
    ident: &Ident,
    name: &str,
    fields: &[FieldCodegen<'_>],
    tags: &[&Field],
    tag: Option<&str>,
) -> TokenStream {
    let slot = |field: &FieldCodegen<'_>| format_ident!("slot_{}", field.ident.to_string().trim_start_matches("r#"));
    let slots = fields.iter().map(|field| {
        let slot = slot(field);
        let inner = field_reading_type(field.model).unwrap_or_else(|| {
            let inner = &field.inner;
            quote!(#inner)
        });
        let inner = if is_nullable(field) { quote!(::std::option::Option<#inner>) } else { inner };
        quote!(let mut #slot: ::std::option::Option<#inner> = ::std::option::Option::None;)
    });
    let tag_arms = tags.iter().enumerate().map(|(index, field)| {
        let only = field.constant.as_deref().unwrap_or_default();
        quote!(#index => object.constant(#only)?,)
    });
    let arms = fields.iter().enumerate().map(|(index, field)| {
        let (slot, index) = (slot(field), tags.len() + index);
        if field.model.required {
            quote!(#index => object.required(&mut #slot)?,)
        } else if field.model.lenient {
            quote!(#index => object.lenient(&mut #slot)?,)
        } else {
            quote!(#index => object.optional(&mut #slot)?,)
        }
    });
    let constants = (0..tags.len()).map(|index| quote!(object.get_constant(#index)?;));
    let values = fields.iter().enumerate().map(|(index, field)| {
        let (field_ident, slot, index) = (&field.ident, slot(field), tags.len() + index);
        let value = if is_nullable(field) {
            // A nullable member may be absent too, so a server that leaves it out isn't refused.
            quote!(object.get_nullable(#slot))
        } else if field.is_option {
            quote!(#slot)
        } else {
            quote!(object.get(#slot, #index)?)
        };
        let shape = &field.model.value.shape;
        let value = match (has_any_object(shape), field.is_option) {
            (false, _) => value,
            (true, false) => unwrapped(shape, &value),
            (true, true) => {
                let taken = unwrapped(shape, &quote!(free));
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

/// Returns `true` if a field is required and may be `null`.
fn is_nullable(field: &FieldCodegen<'_>) -> bool {
    field.model.required && field.is_option
}

/// Returns the names of the fields whose values may be in `extra`.
pub(super) fn lenient(fields: &[FieldCodegen<'_>]) -> TokenStream {
    let fields = fields.iter().map(|field| field.model).filter(|field| field.lenient && !field.required);
    let names = fields.map(|field| &field.name);
    quote!(&[#(#names),*])
}

/// Generates `ToJson` and `Serialize`: the tag first, then the fields in the contract's order.
pub(super) fn encode(ident: &Ident, fields: &[FieldCodegen<'_>], tags: &[&Field]) -> TokenStream {
    let tag_arms = tags.iter().enumerate().map(|(index, tag)| {
        let only = tag.constant.as_deref().unwrap_or_default();
        quote!(#index => ::std::option::Option::Some(&#only),)
    });
    let arms = fields.iter().enumerate().map(|(index, field)| {
        let (field_ident, index) = (&field.ident, tags.len() + index);
        if field.model.required {
            quote!(#index => ::std::option::Option::Some(&self.#field_ident),)
        } else {
            quote!(#index => self.#field_ident.as_ref().map(|value| value as _),)
        }
    });
    let lenient = lenient(fields);
    quote! {
        impl crate::json::ToJson for #ident {
            fn to_json(&self) -> crate::json::JsonRef<'_> {
                crate::json::JsonRef::Object(crate::json::ObjectRef {
                    object: self,
                    fields: Self::FIELDS,
                    lenient: #lenient,
                    extra: &self.extra,
                })
            }

            fn part(&self, index: usize) -> ::std::option::Option<&dyn crate::json::ToJson> {
                match index {
                    #(#tag_arms)*
                    #(#arms)*
                    _ => ::std::option::Option::None,
                }
            }
        }

        crate::json::serialize_to_json!(#ident);
    }
}

/// Returns `true` if a value of this shape is free-form JSON that must be an object, or contains some.
pub(super) fn has_any_object(shape: &Shape) -> bool {
    match shape {
        Shape::AnyObject => true,
        Shape::List(item) | Shape::Map(item) => has_any_object(&item.shape),
        _ => false,
    }
}

/// Returns the type to read in place of one that contains such JSON: it refuses anything but objects.
pub(super) fn reading_type(shape: &Shape) -> Option<TokenStream> {
    let item = |item: &TypeRef| {
        let inner = reading_type(&item.shape)?;
        Some(if item.nullable { quote!(::std::option::Option<#inner>) } else { inner })
    };
    match shape {
        Shape::AnyObject => Some(quote!(crate::json::FreeObject)),
        Shape::List(items) => item(items).map(|item| quote!(::std::vec::Vec<#item>)),
        Shape::Map(values) => item(values).map(|value| quote!(crate::json::Map<#value>)),
        _ => None,
    }
}

/// Returns the type to read in place of that of a field.
pub(super) fn field_reading_type(field: &Field) -> Option<TokenStream> {
    match field.value.shape {
        Shape::AnyObject if field.incomplete_as_string => Some(quote!(crate::json::FreeObject<true>)),
        _ => reading_type(&field.value.shape),
    }
}

/// Converts what was read into the type of the field:
///
/// ```text
/// Vec<FreeObject>   ->   value.into_iter().map(|item| item.0).collect()   ->   Vec<Json>
/// ```
pub(super) fn unwrapped(shape: &Shape, value: &TokenStream) -> TokenStream {
    let item = |item: &TypeRef| {
        let inner = unwrapped(&item.shape, &quote!(item));
        if item.nullable { quote!(item.map(|item| #inner)) } else { inner }
    };
    match shape {
        _ if !has_any_object(shape) => value.clone(),
        Shape::AnyObject => quote!(#value.0),
        Shape::List(items) => {
            let item = item(items);
            quote!(#value.into_iter().map(|item| #item).collect())
        }
        Shape::Map(values) => {
            let item = item(values);
            quote!(#value.into_iter().map(|(name, item)| (name, #item)).collect())
        }
        _ => value.clone(),
    }
}
