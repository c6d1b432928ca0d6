//! Free-form JSON that the contract says is an object: where it stands, how it is read and checked.

use proc_macro2::TokenStream;
use quote::quote;

use crate::lower::model::{Field, Shape, TypeRef};

/// Whether there is such JSON in a value of this shape: itself, its items, or theirs.
pub(super) fn is_in(shape: &Shape) -> bool {
    match shape {
        Shape::AnyObject => true,
        Shape::List(item) | Shape::Map(item) => is_in(&item.shape),
        _ => false,
    }
}

/// The type that is read in place of one with such JSON in it; it refuses what is no object.
pub(super) fn read_as(shape: &Shape) -> Option<TokenStream> {
    let item = |item: &TypeRef| {
        let inner = read_as(&item.shape)?;
        Some(if item.nullable { quote!(::std::option::Option<#inner>) } else { inner })
    };
    match shape {
        Shape::AnyObject => Some(quote!(crate::json::FreeObject)),
        Shape::List(items) => item(items).map(|item| quote!(::std::vec::Vec<#item>)),
        Shape::Map(values) => item(values).map(|value| quote!(crate::json::Map<#value>)),
        _ => None,
    }
}

/// The same for a field.
pub(super) fn field_read_as(field: &Field) -> Option<TokenStream> {
    match field.value.shape {
        Shape::AnyObject if field.incomplete_as_string => Some(quote!(crate::json::FreeObject<true>)),
        _ => read_as(&field.value.shape),
    }
}

/// What was read, as the type of the field:
///
/// ```text
/// Vec<AnyObject>   ->   value.into_iter().map(|item| item.0).collect()   ->   Vec<Json>
/// ```
pub(super) fn taken(shape: &Shape, value: &TokenStream) -> TokenStream {
    let item = |item: &TypeRef| {
        let inner = taken(&item.shape, &quote!(item));
        if item.nullable { quote!(item.map(|item| #inner)) } else { inner }
    };
    match shape {
        _ if !is_in(shape) => value.clone(),
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
