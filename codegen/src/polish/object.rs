//! Generates structs: a field for each property of the contract, and `extra` for all other members.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;

use super::{
    PolishError,
    docs::{docs, of_component},
    serde,
    typify::{TypifyOutput, only_argument, tag_of},
};
use crate::lower::{
    model::{Component, ComponentKind, Constraint, Field, Lowered, Shape},
    type_name,
};

/// A field of a generated struct.
pub(super) struct FieldCodegen<'l> {
    /// The field in the lowered contract.
    pub(super) model: &'l Field,
    pub(super) ident: Ident,
    /// The Rust type, without its `Option`.
    pub(super) inner: Type,
    pub(super) is_option: bool,
    /// The field's only value, which `new` fills in.
    only: Option<TokenStream>,
}

impl FieldCodegen<'_> {
    fn full_type(&self) -> TokenStream {
        let inner = &self.inner;
        if self.is_option { quote!(::std::option::Option<#inner>) } else { quote!(#inner) }
    }

    /// Returns the type of an argument for the field, and the expression that converts the argument.
    fn argument(&self) -> (TokenStream, TokenStream) {
        let (ident, inner) = (&self.ident, &self.inner);
        if let (Some(item), false) = (only_argument(inner, "Vec"), self.model.required && self.is_option) {
            let taken = quote!(impl ::std::iter::IntoIterator<Item = impl ::std::convert::Into<#item>>);
            return (taken, quote!(#ident.into_iter().map(::std::convert::Into::into).collect()));
        }
        if self.model.required && self.is_option {
            return (quote!(impl ::std::convert::Into<::std::option::Option<#inner>>), quote!(#ident.into()));
        }
        (quote!(impl ::std::convert::Into<#inner>), quote!(#ident.into()))
    }
}

/// Generates a struct. typify's derives and `#[serde(flatten)]` are replaced with code that keeps every member:
///
/// ```text
/// #[derive(Deserialize, Serialize)]         #[derive(Clone, Debug, PartialEq)]
/// pub struct Message {                      #[non_exhaustive]
///     #[serde(flatten)]                     pub struct Message {
///     pub extra: Map<String, Value>,   ->       pub role: Role,
///     pub role: Role,                           pub extra: crate::json::Extra,
/// }                                         }   // and new, setters, check, FromJson, Serialize
/// ```
pub(super) fn object(
    lowered: &Lowered,
    typify: &TypifyOutput,
    name: &str,
    component: &Component,
    members: &[Field],
    methods: &[String],
) -> Result<TokenStream, PolishError> {
    let ident = format_ident!("{name}");
    let mut fields = Vec::new();
    for member in members.iter().filter(|member| !member.is_tag) {
        let (mut field_ident, inner) = typify.field(name, &member.name)?;
        if field_ident == "extra" {
            field_ident = format_ident!("extra_");
        }
        let is_option = !member.required || member.value.nullable;
        let only = match only_value(lowered, typify, member)? {
            Some(value) if member.required && !member.value.nullable => Some(value),
            Some(value) if member.is_preset => Some(quote!(::std::option::Option::Some(#value))),
            _ => None,
        };
        fields.push(FieldCodegen { model: member, ident: field_ident, inner, is_option, only });
    }
    // Put the tag first, as the API writes it. A union reads such an object fastest.
    let tag = tag_of(lowered, name);
    fields.sort_by_key(|field| tag != Some(field.model.name.as_str()));
    let tags: Vec<&Field> = members.iter().filter(|member| member.is_tag).collect();
    let documentation = of_component(component, &format!("The object `{name}` of the contract."));
    let declarations = fields.iter().map(|field| {
        let (field_ident, full) = (&field.ident, field.full_type());
        let documentation =
            docs(field.model.description.as_deref(), &format!("The field `{}`.", field.model.name), None);
        quote!(#documentation pub #field_ident: #full,)
    });
    let clone = clone(&ident, &fields);
    let builders = builders(&ident, &fields, &tags, methods);
    let decode = serde::decode(&ident, name, &fields, &tags, tag);
    let encode = serde::encode(&ident, &fields, &tags);
    let check = check(&ident, &fields);
    let empty = empty(&ident, &fields);
    let merge = component.merges.then(|| merge(&ident, &fields));
    Ok(quote! {
        #documentation
        #[derive(Debug, PartialEq)]
        #[non_exhaustive]
        pub struct #ident {
            #(#declarations)*
            /// Members that the contract doesn't name, as they were sent.
            pub extra: crate::json::Extra,
        }
        #clone
        #builders
        #decode
        #encode
        #check
        #empty
        #merge
    })
}

/// Generates `Clone` as a function that isn't inlined. The derived one is, so that a union would contain the code of all
/// its variants.
fn clone(ident: &Ident, fields: &[FieldCodegen<'_>]) -> TokenStream {
    let fields: Vec<&Ident> = fields.iter().map(|field| &field.ident).collect();
    quote! {
        impl ::std::clone::Clone for #ident {
            #[inline(never)]
            fn clone(&self) -> Self {
                Self {
                    #(#fields: ::std::clone::Clone::clone(&self.#fields),)*
                    extra: ::std::clone::Clone::clone(&self.extra),
                }
            }
        }
    }
}

/// Returns the value of a field that has only one, such as the media type of a PDF.
fn only_value(lowered: &Lowered, typify: &TypifyOutput, field: &Field) -> Result<Option<TokenStream>, PolishError> {
    let Some(only) = &field.constant else { return Ok(None) };
    Ok(match &field.value.shape {
        Shape::String => Some(quote!(::std::string::String::from(#only))),
        Shape::Named(component)
            if matches!(
                lowered.components.get(component).map(|component| &component.kind),
                Some(ComponentKind::Enum { .. })
            ) =>
        {
            let (component_ident, variant) = (format_ident!("{component}"), typify.value(component, only)?);
            Some(quote!(#component_ident::#variant))
        }
        _ => None,
    })
}

/// Generates `new`, which takes the required fields in the contract's order, and a setter for each optional field.
fn builders(ident: &Ident, fields: &[FieldCodegen<'_>], tags: &[&Field], methods: &[String]) -> TokenStream {
    let names: Vec<&str> = tags
        .iter()
        .map(|field| field.name.as_str())
        .chain(fields.iter().map(|field| field.model.name.as_str()))
        .collect();
    let arguments: Vec<TokenStream> = fields
        .iter()
        .filter(|field| field.model.is_argument && field.only.is_none())
        .map(|field| {
            let (argument, (taken, _)) = (&field.ident, field.argument());
            quote!(#argument: #taken)
        })
        .collect();
    let values: Vec<TokenStream> = fields
        .iter()
        .map(|field| {
            let field_ident = &field.ident;
            let value = match (&field.only, field.model.required) {
                (Some(only), _) => only.clone(),
                (None, true) => field.argument().1,
                (None, false) if field.model.is_argument => {
                    let value = field.argument().1;
                    quote!(::std::option::Option::Some(#value))
                }
                (None, false) => quote!(::std::option::Option::None),
            };
            quote!(#field_ident: #value)
        })
        .collect();
    let setters = fields.iter().filter(|field| !field.model.required).map(|field| {
        let (field_ident, (taken, value)) = (&field.ident, field.argument());
        let setter = match field_ident.to_string().as_str() {
            name @ ("new" | "check" | "set_extra" | "set_null") => format_ident!("{name}_"),
            name if methods.iter().any(|method| method == name) => format_ident!("{name}_"),
            _ => field_ident.clone(),
        };
        let text = format!(" Sets [`{field_ident}`](Self::{field_ident}); absent by default.");
        quote! {
            #[doc = #text]
            #[must_use]
            pub fn #setter(mut self, #field_ident: #taken) -> Self {
                self.#field_ident = ::std::option::Option::Some(#value);
                self
            }
        }
    });
    let nulls: Vec<TokenStream> = fields
        .iter()
        .filter(|field| field.is_option)
        .map(|field| {
            let (field_ident, name) = (&field.ident, &field.model.name);
            quote!(#name => self.#field_ident = ::std::option::Option::None,)
        })
        .collect();
    let set_null = (!nulls.is_empty()).then(|| {
        quote! {
            /// Sets a field to `null`, given by its name in JSON, where the API tells `null` from an absent field. A required
            /// field makes [`check`](Self::check) and writing the value fail.
            #[must_use]
            pub fn set_null(mut self, name: &str) -> Self {
                match name {
                    #(#nulls)*
                    _ => return self.set_extra(name, crate::json::Json::null()),
                }
                self.extra.set_null(Self::FIELDS, name);
                self
            }
        }
    });
    let default = arguments.is_empty().then(|| {
        quote! {
            impl ::std::default::Default for #ident {
                fn default() -> Self {
                    Self::new()
                }
            }
        }
    });
    let new_doc = if arguments.is_empty() {
        " Creates a value with no optional field set."
    } else {
        " Creates a value from its required fields, with no optional field set."
    };
    quote! {
        impl #ident {
            /// The names of the fields in JSON.
            const FIELDS: &'static [&'static str] = &[#(#names),*];

            #[doc = #new_doc]
            #[must_use]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#values,)* extra: crate::json::Extra::default() }
            }

            #(#setters)*

            /// Sets a member by its name in JSON, for members that the contract doesn't name. If the contract names it after
            /// all, this sets the field, so that code written before the contract had the field still works. A value that
            /// doesn't fit the field is refused by [`check`](Self::check) and when the object is serialized.
            #[must_use]
            pub fn set_extra(
                mut self,
                name: impl ::std::convert::Into<::std::string::String>,
                value: impl ::std::convert::Into<crate::json::Json>,
            ) -> Self {
                let (name, value) = (name.into(), value.into());
                match crate::json::with_field(&self, Self::FIELDS, &name, &value) {
                    ::std::option::Option::Some(changed) => changed,
                    ::std::option::Option::None => {
                        self.extra.insert(name, value);
                        self
                    }
                }
            }

            #set_null

            /// Checks the contract's constraints on the value and everything in it. The client checks requests before it
            /// sends them, and never checks responses.
            ///
            /// # Errors
            /// Fails with the first constraint that is violated, and its place.
            pub fn check(&self) -> ::std::result::Result<(), crate::json::ValidationError> {
                crate::json::Check::check(self)
            }
        }
        #default
    }
}

fn check(ident: &Ident, fields: &[FieldCodegen<'_>]) -> TokenStream {
    let checks = fields.iter().map(|field| {
        let (field_ident, name) = (&field.ident, &field.model.name);
        let rules: Vec<TokenStream> = field.model.constraints.iter().map(rule).collect();
        let rules =
            (!rules.is_empty()).then(|| quote!(crate::json::check::rules(&self.#field_ident, #name, &[#(#rules),*])?;));
        let objects = serde::has_any_object(&field.model.value.shape)
            .then(|| quote!(crate::json::check::objects(&self.#field_ident, #name)?;));
        quote! {
            #rules
            #objects
            crate::json::check::field(&self.#field_ident, #name)?;
        }
    });
    let lenient = serde::lenient(fields);
    quote! {
        impl crate::json::Check for #ident {
            fn check(&self) -> ::std::result::Result<(), crate::json::ValidationError> {
                #(#checks)*
                crate::json::check::extra(&self.extra, Self::FIELDS, #lenient)
            }
        }
    }
}

pub(super) fn rule(constraint: &Constraint) -> TokenStream {
    match constraint {
        Constraint::MinItems(bound) => quote!(crate::json::check::Rule::MinItems(#bound)),
        Constraint::MaxItems(bound) => quote!(crate::json::check::Rule::MaxItems(#bound)),
        Constraint::MinLength(bound) => quote!(crate::json::check::Rule::MinLength(#bound)),
        Constraint::MaxLength(bound) => quote!(crate::json::check::Rule::MaxLength(#bound)),
        Constraint::Minimum(bound) => quote!(crate::json::check::Rule::Minimum(#bound)),
        Constraint::Maximum(bound) => quote!(crate::json::check::Rule::Maximum(#bound)),
        Constraint::ExclusiveMinimum(bound) => quote!(crate::json::check::Rule::ExclusiveMinimum(#bound)),
        Constraint::ExclusiveMaximum(bound) => quote!(crate::json::check::Rule::ExclusiveMaximum(#bound)),
    }
}

fn empty(ident: &Ident, fields: &[FieldCodegen<'_>]) -> TokenStream {
    let values = fields.iter().map(|field| {
        let field_ident = &field.ident;
        let value = field.only.clone().unwrap_or_else(|| quote!(crate::json::Empty::empty()));
        quote!(#field_ident: #value)
    });
    quote! {
        impl crate::json::Empty for #ident {
            fn empty() -> Self {
                Self { #(#values,)* extra: crate::json::Extra::default() }
            }
        }
    }
}

/// Generates `merge`, for objects that arrive in parts. Members that the later part leaves out keep their values.
fn merge(ident: &Ident, fields: &[FieldCodegen<'_>]) -> TokenStream {
    let fields = fields.iter().map(|field| {
        let field_ident = &field.ident;
        if field.is_option {
            quote! {
                if later.#field_ident.is_some() {
                    self.#field_ident = later.#field_ident;
                }
            }
        } else {
            quote!(self.#field_ident = later.#field_ident;)
        }
    });
    quote! {
        impl #ident {
            /// Sets the members that `later` has.
            pub(crate) fn merge(&mut self, later: Self) {
                #(#fields)*
                self.extra.merge(later.extra);
            }
        }
    }
}

/// Returns the name of the variant for a value or a tag.
pub(super) fn variant_ident(text: &str) -> Ident {
    format_ident!("{}", type_name(text))
}
