//! Objects: fields in the contract's order, everything else in `extra`, nothing buffered.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;

use super::{
    PolishError,
    docs::{docs, of_component},
    found::{Found, tag_of},
    free,
    paths::only_argument,
    serde,
};
use crate::lower::{
    model::{Component, ComponentKind, Constraint, Field, Lowered, Shape},
    type_name,
};

/// A field as it is generated.
pub(super) struct Written<'l> {
    pub(super) field: &'l Field,
    pub(super) ident: Ident,
    /// The type without its `Option`.
    pub(super) inner: Type,
    pub(super) is_option: bool,
    /// The only value, filled in by `new`.
    only: Option<TokenStream>,
}

impl Written<'_> {
    fn full_type(&self) -> TokenStream {
        let inner = &self.inner;
        if self.is_option { quote!(::std::option::Option<#inner>) } else { quote!(#inner) }
    }

    /// How an argument for the field is taken, and turned into it.
    fn argument(&self) -> (TokenStream, TokenStream) {
        let (ident, inner) = (&self.ident, &self.inner);
        if let (Some(item), false) = (only_argument(inner, "Vec"), self.field.required && self.is_option) {
            let taken = quote!(impl ::std::iter::IntoIterator<Item = impl ::std::convert::Into<#item>>);
            return (taken, quote!(#ident.into_iter().map(::std::convert::Into::into).collect()));
        }
        if self.field.required && self.is_option {
            return (quote!(impl ::std::convert::Into<::std::option::Option<#inner>>), quote!(#ident.into()));
        }
        (quote!(impl ::std::convert::Into<#inner>), quote!(#ident.into()))
    }
}

/// typify's derives and `#[serde(flatten)]` give way to code that keeps every member:
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
    found: &Found,
    name: &str,
    component: &Component,
    fields: &[Field],
    methods: &[String],
) -> Result<TokenStream, PolishError> {
    let ident = format_ident!("{name}");
    let mut written = Vec::new();
    for field in fields.iter().filter(|field| !field.is_tag) {
        let (mut field_ident, inner) = found.field(name, &field.name)?;
        if field_ident == "extra" {
            field_ident = format_ident!("extra_");
        }
        let is_option = !field.required || field.value.nullable;
        let only = match only_value(lowered, found, field)? {
            Some(value) if field.required && !field.value.nullable => Some(value),
            Some(value) if field.is_preset => Some(quote!(::std::option::Option::Some(#value))),
            _ => None,
        };
        written.push(Written { field, ident: field_ident, inner, is_option, only });
    }
    // The tag is written first: the API reads and writes it so, and our own decoder is fastest so.
    let tag = tag_of(lowered, name);
    written.sort_by_key(|written| tag != Some(written.field.name.as_str()));
    let tags: Vec<&Field> = fields.iter().filter(|field| field.is_tag).collect();
    let documentation = of_component(component, &format!("The object `{name}` of the contract."));
    let declarations = written.iter().map(|written| {
        let (field_ident, full) = (&written.ident, written.full_type());
        let documentation =
            docs(written.field.description.as_deref(), &format!("The field `{}`.", written.field.name), None);
        quote!(#documentation pub #field_ident: #full,)
    });
    let clone = clone(&ident, &written);
    let builders = builders(&ident, &written, &tags, methods);
    let decode = serde::decode(&ident, name, &written, &tags, tag);
    let encode = serde::encode(&ident, &written, &tags);
    let check = check(&ident, &written);
    let empty = empty(&ident, &written);
    let merge = component.merges.then(|| merge(&ident, &written));
    Ok(quote! {
        #documentation
        #[derive(Debug, PartialEq)]
        #[non_exhaustive]
        pub struct #ident {
            #(#declarations)*
            /// Members that the contract does not name, as they were sent.
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

/// `Clone`, as a function of its own: the derived one asks to be inlined, and a union would hold the code of all that is
/// in it, once for each of its variants.
fn clone(ident: &Ident, written: &[Written<'_>]) -> TokenStream {
    let fields: Vec<&Ident> = written.iter().map(|written| &written.ident).collect();
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

/// The value of a field that has one only, such as the media type of a PDF.
fn only_value(lowered: &Lowered, found: &Found, field: &Field) -> Result<Option<TokenStream>, PolishError> {
    let Some(only) = &field.constant else { return Ok(None) };
    Ok(match &field.value.shape {
        Shape::String => Some(quote!(::std::string::String::from(#only))),
        Shape::Named(component)
            if matches!(
                lowered.components.get(component).map(|component| &component.kind),
                Some(ComponentKind::Enum { .. })
            ) =>
        {
            let (component_ident, variant) = (format_ident!("{component}"), found.value(component, only)?);
            Some(quote!(#component_ident::#variant))
        }
        _ => None,
    })
}

/// `new` with what is required, in the contract's order, and a setter for each optional field.
fn builders(ident: &Ident, written: &[Written<'_>], tags: &[&Field], methods: &[String]) -> TokenStream {
    let names: Vec<&str> = tags
        .iter()
        .map(|field| field.name.as_str())
        .chain(written.iter().map(|written| written.field.name.as_str()))
        .collect();
    let arguments: Vec<TokenStream> = written
        .iter()
        .filter(|written| written.field.is_argument && written.only.is_none())
        .map(|written| {
            let (argument, (taken, _)) = (&written.ident, written.argument());
            quote!(#argument: #taken)
        })
        .collect();
    let values: Vec<TokenStream> = written
        .iter()
        .map(|written| {
            let field_ident = &written.ident;
            let value = match (&written.only, written.field.required) {
                (Some(only), _) => only.clone(),
                (None, true) => written.argument().1,
                (None, false) if written.field.is_argument => {
                    let value = written.argument().1;
                    quote!(::std::option::Option::Some(#value))
                }
                (None, false) => quote!(::std::option::Option::None),
            };
            quote!(#field_ident: #value)
        })
        .collect();
    let setters = written.iter().filter(|written| !written.field.required).map(|written| {
        let (field_ident, (taken, value)) = (&written.ident, written.argument());
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
    let nulls: Vec<TokenStream> = written
        .iter()
        .filter(|written| written.is_option)
        .map(|written| {
            let (field_ident, name) = (&written.ident, &written.field.name);
            quote!(#name => self.#field_ident = ::std::option::Option::None,)
        })
        .collect();
    let set_null = (!nulls.is_empty()).then(|| {
        quote! {
            /// Sets a field to `null`, given by its name in JSON: where that clears a value and leaving the field out
            /// does not. A field that can't be `null` is refused by [`check`](Self::check) and when the value is
            /// written.
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
        " Makes one with no optional field set."
    } else {
        " Makes one of what the contract requires, with no optional field set."
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

            /// Checks the contract's constraints, in here and in all that is in here. A request is
            /// checked before it is sent; what a server sends never is.
            ///
            /// # Errors
            /// The first rule that is broken, with its place.
            pub fn check(&self) -> ::std::result::Result<(), crate::json::ValidationError> {
                crate::json::Check::check(self)
            }
        }
        #default
    }
}

fn check(ident: &Ident, written: &[Written<'_>]) -> TokenStream {
    let checks = written.iter().map(|written| {
        let (field_ident, name) = (&written.ident, &written.field.name);
        let rules: Vec<TokenStream> = written.field.constraints.iter().map(rule).collect();
        let rules =
            (!rules.is_empty()).then(|| quote!(crate::json::check::rules(&self.#field_ident, #name, &[#(#rules),*])?;));
        let objects = free::is_in(&written.field.value.shape)
            .then(|| quote!(crate::json::check::objects(&self.#field_ident, #name)?;));
        quote! {
            #rules
            #objects
            crate::json::check::field(&self.#field_ident, #name)?;
        }
    });
    let lenient = serde::lenient(written);
    quote! {
        impl crate::json::Check for #ident {
            fn check(&self) -> ::std::result::Result<(), crate::json::ValidationError> {
                #(#checks)*
                crate::json::check::extra(&self.extra, Self::FIELDS, #lenient)
            }
        }
    }
}

fn rule(constraint: &Constraint) -> TokenStream {
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

fn empty(ident: &Ident, written: &[Written<'_>]) -> TokenStream {
    let values = written.iter().map(|written| {
        let field_ident = &written.ident;
        let value = written.only.clone().unwrap_or_else(|| quote!(crate::json::Empty::empty()));
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

/// `merge`, for objects that arrive in parts: what the later part leaves out stays as it was.
fn merge(ident: &Ident, written: &[Written<'_>]) -> TokenStream {
    let fields = written.iter().map(|written| {
        let field_ident = &written.ident;
        if written.is_option {
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

/// The name of a variant for a value or a tag.
pub(super) fn variant_ident(text: &str) -> Ident {
    format_ident!("{}", type_name(text))
}
