//! A table of all types, so that tests reach every one without a row written by hand.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::pipeline::lower::model::Lowered;

pub(super) fn table(lowered: &Lowered) -> TokenStream {
    let rows = lowered.components.iter().map(|(name, component)| {
        let (ident, pointer) = (format_ident!("{name}"), &component.pointer);
        quote!((#name, #pointer, crate::json::round_trip::<types::#ident>))
    });
    quote! {
        /// Reads a document as a type and writes it again.
        #[cfg(feature = "testing")]
        #[doc(hidden)]
        pub type RoundTrip = fn(&[u8]) -> ::std::result::Result<::std::string::String, crate::json::DecodeError>;

        /// Every generated type: its name, its schema's place in the contract, and a function
        /// that reads a document as the type and writes it again.
        #[cfg(feature = "testing")]
        #[doc(hidden)]
        pub const TYPES: &[(&str, &str, RoundTrip)] = &[#(#rows),*];
    }
}
