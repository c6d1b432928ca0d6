//! Generates enums for unions, tagged and untagged.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{
    PolishError,
    docs::{docs, of_component},
    object::variant_ident,
    serde,
    typify::{TypifyOutput, only_argument},
};
use crate::lower::model::{Component, ComponentKind, Field, Lowered, Shape, UntaggedVariant};

/// Generates a union of objects with a constant tag. Variants are named after their tags, and `Unknown` keeps all others:
///
/// ```text
/// #[serde(untagged)]                        #[non_exhaustive]
/// pub enum ContentBlock {                   pub enum ContentBlock {
///     Variant0(ContentBlockText),      ->       Text(ContentBlockText),
///     Variant1(ContentBlockThinking),           Thinking(ContentBlockThinking),
/// }                                             Unknown(Json),
///                                           }
/// ```
///
/// An object with a known tag that doesn't fit its variant is an error with its place, never `Unknown`. Variants that
/// [`is_boxed`] selects are boxed.
pub(super) fn tagged(
    lowered: &Lowered,
    typify: &TypifyOutput,
    name: &str,
    component: &Component,
) -> Result<TokenStream, PolishError> {
    let ComponentKind::Tagged { tag, variants, default_tag, is_tag_optional, string_variant } = &component.kind else {
        return Err(PolishError::new(format!("`{name}` is not a tagged union")));
    };
    let ident = format_ident!("{name}");
    let idents: Vec<_> = variants.iter().map(|variant| format_ident!("{}", variant.ident)).collect();
    let mut contents = Vec::new();
    for (index, variant) in variants.iter().enumerate() {
        contents.push(if typify.is_enum(name) {
            typify.arm(name, index, variants.len())?
        } else {
            let content = format_ident!("{}", variant.component);
            syn::parse_quote!(#content)
        });
    }
    let (held, values): (Vec<_>, Vec<_>) = variants
        .iter()
        .zip(&contents)
        .map(|(variant, content)| {
            // typify has boxed what holds itself.
            if is_boxed(lowered, &variant.component) && only_argument(content, "Box").is_none() {
                (quote!(::std::boxed::Box<#content>), quote!(::std::boxed::Box::new(value)))
            } else {
                (quote!(#content), quote!(value))
            }
        })
        .unzip();
    let variant_docs = variants.iter().map(|variant| {
        let described =
            lowered.components.get(&variant.component).and_then(|component| component.description.as_deref());
        let tags: Vec<String> = variant.tags.iter().map(|tag| format!("`{tag}`")).collect();
        docs(described, &format!("Tagged {}.", tags.join(" or ")), None)
    });
    let tags = variants.iter().map(|variant| &variant.tags);
    let tag_patterns = tags.clone().map(|tags| quote!(#(#tags)|*));
    let all_tags = tags.flatten();
    let expected = format!("an object ({name})");
    let default_tag = match default_tag {
        Some(tag) => quote!(::std::option::Option::Some(#tag)),
        None => quote!(::std::option::Option::None),
    };
    let shorthand = match string_variant {
        Some(string_variant) => {
            let content = variants
                .iter()
                .position(|variant| variant.ident == *string_variant)
                .and_then(|index| contents.get(index))
                .ok_or_else(|| PolishError::new(format!("`{name}` has no variant for a bare string")))?;
            Some(quote! {
                fn from_shorthand(text: ::std::string::String) -> ::std::option::Option<Self> {
                    ::std::option::Option::Some(Self::from(#content::new(text)))
                }
            })
        }
        None => None,
    };
    let untagged = if *is_tag_optional {
        let variants = variants.iter().zip(&idents).map(|(variant, ident)| {
            let (required, constants) = known_by(lowered, &Shape::Named(variant.component.clone()));
            quote! {
                crate::json::Variant {
                    types: &[crate::json::JsonType::Object],
                    required: &[#(#required),*],
                    constants: &[#(#constants),*],
                    read: |reader| crate::json::FromJson::read(reader).map(Self::#ident),
                }
            }
        });
        quote!(return crate::json::untagged(reader, #name, &[#(#variants),*], #expected, Self::Unknown);)
    } else {
        quote!(return ::std::result::Result::Err(crate::json::missing(reader.offset(), #tag));)
    };
    let documentation = of_component(component, &format!("The union `{name}` of the contract."));
    let read = if component.is_event {
        quote!(crate::json::keep_source(reader, read, Self::extra_mut))
    } else {
        quote!(read(reader))
    };
    let events = component.is_event.then(|| events(&ident, &idents));
    // An event has a name in addition to its data, and its data need not be JSON.
    let unknown = if component.is_event {
        quote! {
            /// An event that this version of the contract doesn't name, as it was sent.
            Unknown(crate::stream::unknown::UnknownEvent)
        }
    } else {
        quote! {
            /// An object with a tag that this version of the contract doesn't name, as it was sent.
            Unknown(crate::json::Json)
        }
    };
    Ok(quote! {
        #documentation
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum #ident {
            #(#variant_docs #idents(#held),)*
            #unknown,
        }

        impl #ident {
            /// The tags that the contract names.
            pub const TAGS: &'static [&'static str] = &[#(#all_tags),*];

            /// Checks the contract's constraints.
            ///
            /// # Errors
            /// Fails with the first constraint that is violated, and its place.
            pub fn check(&self) -> ::std::result::Result<(), crate::json::ValidationError> {
                crate::json::Check::check(self)
            }
        }

        impl crate::json::FromJson for #ident {
            fn read(
                reader: &mut crate::json::Reader<'_>,
            ) -> ::std::result::Result<Self, crate::json::DecodeError> {
                let tag = reader.tag(#tag, #expected)?;
                let ::std::option::Option::Some(tag) = tag.as_deref().or(#default_tag) else {
                    #untagged
                };
                // One function for each variant: a single one would need the stack of all of them.
                let read: fn(&mut crate::json::Reader<'_>) -> ::std::result::Result<Self, crate::json::DecodeError> =
                    match tag {
                        #(#tag_patterns => |reader| crate::json::FromJson::read(reader).map(Self::#idents),)*
                        _ => {
                            reader.unknown_variant(#name, tag);
                            |reader| crate::json::FromJson::read(reader).map(Self::Unknown)
                        }
                    };
                #read
            }

            #shorthand
        }

        crate::json::union!(#ident { #(#idents),* });

        #(
            impl ::std::convert::From<#contents> for #ident {
                fn from(value: #contents) -> Self {
                    Self::#idents(#values)
                }
            }
        )*

        #events
    })
}

/// Generates access to the `extra` of an event of any kind.
fn events(ident: &Ident, idents: &[Ident]) -> TokenStream {
    quote! {
        impl #ident {
            pub(crate) fn extra(&self) -> ::std::option::Option<&crate::json::Extra> {
                match self {
                    #(Self::#idents(value) => ::std::option::Option::Some(&value.extra),)*
                    Self::Unknown(_) => ::std::option::Option::None,
                }
            }

            pub(crate) fn extra_mut(&mut self) -> ::std::option::Option<&mut crate::json::Extra> {
                match self {
                    #(Self::#idents(value) => ::std::option::Option::Some(&mut value.extra),)*
                    Self::Unknown(_) => ::std::option::Option::None,
                }
            }
        }
    }
}

/// Returns `true` if a variant with this content is boxed: an object with a required object in it, or with `x-boxed`.
///
/// Neither changes when the contract adds an optional member, so that such a change breaks no user. A limit of size would.
fn is_boxed(lowered: &Lowered, component: &str) -> bool {
    let Some(component) = lowered.components.get(component) else { return false };
    let ComponentKind::Object { fields } = &component.kind else { return false };
    let is_object = |field: &Field| match &field.value.shape {
        Shape::Named(name) => {
            matches!(lowered.components.get(name), Some(Component { kind: ComponentKind::Object { .. }, .. }))
        }
        _ => false,
    };
    component.boxed || fields.iter().any(|field| field.required && !field.value.nullable && is_object(field))
}

/// Generates a union whose variant follows from the type of the JSON value.
///
/// Between variants of the same type the required members and constants decide, and then their order. A value that fits
/// none of them is `Unknown`.
pub(super) fn untagged(
    lowered: &Lowered,
    typify: &TypifyOutput,
    name: &str,
    component: &Component,
    arms: &[UntaggedVariant],
) -> Result<TokenStream, PolishError> {
    let ident = format_ident!("{name}");
    let idents: Vec<_> = arms.iter().map(|arm| variant_ident(&arm.ident)).collect();
    let contents = (0..arms.len()).map(|index| typify.arm(name, index, arms.len())).collect::<Result<Vec<_>, _>>()?;
    let arm_docs = arms.iter().map(|arm| format!(" {}.", described(&arm.value.shape)));
    let decode = decode_untagged(lowered, name, &idents, &contents, arms);
    // Of two variants with the same content, only the first can have a conversion.
    let mut converted = std::collections::HashSet::new();
    let from = idents.iter().zip(&contents).zip(arms);
    let from = from.filter(|((_, content), _)| converted.insert(quote!(#content).to_string()));
    let from = from.map(|((variant, content), arm)| {
        let text = (arm.value.shape == Shape::String).then(|| {
            quote! {
                impl ::std::convert::From<&str> for #ident {
                    fn from(value: &str) -> Self {
                        Self::#variant(value.into())
                    }
                }
            }
        });
        let list = only_argument(content, "Vec").map(|item| {
            quote! {
                impl<const N: usize> ::std::convert::From<[#item; N]> for #ident {
                    fn from(value: [#item; N]) -> Self {
                        Self::#variant(value.into())
                    }
                }
            }
        });
        quote! {
            impl ::std::convert::From<#content> for #ident {
                fn from(value: #content) -> Self {
                    Self::#variant(value)
                }
            }
            #text
            #list
        }
    });
    let free =
        idents.iter().zip(arms).filter(|(_, arm)| serde::has_any_object(&arm.value.shape)).map(|(variant, _)| variant);
    let documentation = of_component(component, &format!("The union `{name}` of the contract."));
    Ok(quote! {
        #documentation
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum #ident {
            #(#[doc = #arm_docs] #idents(#contents),)*
            /// A value that fits no variant of the contract, as it was sent.
            Unknown(crate::json::Json),
        }

        impl crate::json::FromJson for #ident {
            fn read(
                reader: &mut crate::json::Reader<'_>,
            ) -> ::std::result::Result<Self, crate::json::DecodeError> {
                #decode
            }
        }

        crate::json::union!(#ident { #(#idents),* } objects { #(#free),* });

        #(#from)*
    })
}

fn decode_untagged(
    lowered: &Lowered,
    name: &str,
    idents: &[proc_macro2::Ident],
    contents: &[syn::Type],
    arms: &[UntaggedVariant],
) -> TokenStream {
    if let ([first, second], [a, b]) = (idents, arms) {
        let string_first = a.value.shape == Shape::String && matches!(b.value.shape, Shape::List(_));
        let list_first = b.value.shape == Shape::String && matches!(a.value.shape, Shape::List(_));
        if string_first || list_first {
            let (string, list) = if string_first { (first, second) } else { (second, first) };
            let list_shape = if string_first { &b.value.shape } else { &a.value.shape };
            let from_list = match serde::reading_type(list_shape) {
                Some(read) => {
                    let taken = serde::unwrapped(list_shape, &quote!(value));
                    quote!(|value: #read| Self::#list(#taken))
                }
                None => quote!(Self::#list),
            };
            return quote!(crate::json::string_or_list(reader, Self::#string, #from_list));
        }
    }
    let types: Vec<Vec<&str>> = arms.iter().map(|arm| json_types(lowered, &arm.value.shape)).collect();
    let variants = idents.iter().zip(contents).zip(arms).zip(&types).map(|(((variant, content), arm), types)| {
        let shape = &arm.value.shape;
        let read = serde::reading_type(shape).unwrap_or_else(|| quote!(#content));
        let taken = serde::unwrapped(shape, &quote!(value));
        let types = types.iter().map(|name| format_ident!("{name}"));
        let (required, constants) = known_by(lowered, shape);
        quote! {
            crate::json::Variant {
                types: &[#(crate::json::JsonType::#types),*],
                required: &[#(#required),*],
                constants: &[#(#constants),*],
                read: |reader| <#read as crate::json::FromJson>::read(reader).map(|value| Self::#variant(#taken)),
            }
        }
    });
    let mut all: Vec<&str> = types.iter().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    let expected = format!("one of: {}", all.join(", ")).to_lowercase();
    quote!(crate::json::untagged(reader, #name, &[#(#variants),*], #expected, Self::Unknown))
}

/// Returns the members that an object of this shape must have, and those with one value only.
fn known_by<'l>(lowered: &'l Lowered, shape: &Shape) -> (Vec<&'l str>, Vec<TokenStream>) {
    let Shape::Named(name) = shape else { return Default::default() };
    let Some(ComponentKind::Object { fields }) = lowered.components.get(name).map(|component| &component.kind) else {
        return Default::default();
    };
    // A member that may be `null` may also be absent.
    let required = fields.iter().filter(|field| field.required && !field.value.nullable);
    let constants = fields.iter().filter_map(|field| {
        let (name, only) = (&field.name, field.constant.as_ref()?);
        (!field.value.nullable).then(|| quote!((#name, #only)))
    });
    (required.map(|field| field.name.as_str()).collect(), constants.collect())
}

/// Returns the JSON types that a shape can have, as `JsonType` names them.
fn json_types(lowered: &Lowered, shape: &Shape) -> Vec<&'static str> {
    match shape {
        Shape::Any => vec!["Null", "Boolean", "Number", "String", "Array", "Object"],
        Shape::AnyObject | Shape::Map(_) => vec!["Object"],
        Shape::String => vec!["String"],
        Shape::Integer | Shape::Unsigned | Shape::Number => vec!["Number"],
        Shape::Boolean => vec!["Boolean"],
        Shape::List(_) => vec!["Array"],
        Shape::Named(name) => match lowered.components.get(name).map(|component| &component.kind) {
            Some(ComponentKind::Enum { .. }) => vec!["String"],
            Some(ComponentKind::Untagged { variants }) => {
                variants.iter().flat_map(|variant| json_types(lowered, &variant.value.shape)).collect()
            }
            _ => vec!["Object"],
        },
    }
}

fn described(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "Any JSON",
        Shape::AnyObject | Shape::Map(_) => "An object",
        Shape::String => "A string",
        Shape::Integer | Shape::Unsigned => "A whole number",
        Shape::Number => "A number",
        Shape::Boolean => "`true` or `false`",
        Shape::List(_) => "A list",
        Shape::Named(_) => "An object of the contract",
    }
}
