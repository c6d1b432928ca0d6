//! Generates enums of strings, which keep values that the contract doesn't name yet.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{PolishError, docs::of_component, typify::TypifyOutput};
use crate::lower::model::Component;

/// Generates a string enum. Each has a variant `Unknown`, so that a new value doesn't break deployed clients:
///
/// ```text
/// #[derive(Deserialize, Serialize, Copy)]       #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// pub enum Role {                               #[non_exhaustive]
///     #[serde(rename = "user")] User,      ->   pub enum Role { User, Unknown(String) }
/// }
/// ```
pub(super) fn enumeration(
    typify: &TypifyOutput,
    name: &str,
    component: &Component,
    values: &[String],
) -> Result<TokenStream, PolishError> {
    let ident = format_ident!("{name}");
    let idents = values.iter().map(|value| typify.value(name, value)).collect::<Result<Vec<_>, _>>()?;
    let documentation = of_component(component, &format!("The values of `{name}` in the contract."));
    let value_docs = values.iter().map(|value| format!(" `{value}`"));
    Ok(quote! {
        #documentation
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum #ident {
            #(#[doc = #value_docs] #idents,)*
            /// A value that this version of the contract doesn't name, as it was sent.
            Unknown(::std::string::String),
        }

        impl #ident {
            /// The values that the contract names.
            pub const VALUES: &'static [&'static str] = &[#(#values),*];

            /// Returns the value as it is written in JSON.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    #(Self::#idents => #values,)*
                    Self::Unknown(value) => value,
                }
            }
        }

        impl ::std::convert::From<&str> for #ident {
            fn from(value: &str) -> Self {
                match value {
                    #(#values => Self::#idents,)*
                    other => Self::Unknown(other.into()),
                }
            }
        }

        crate::json::string_enum!(#ident);
    })
}
