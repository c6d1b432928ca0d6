//! A table of all types, so that tests reach every one without a row written by hand.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::lower::model::Lowered;

pub(crate) fn table(lowered: &Lowered) -> TokenStream {
    let rows = lowered.components.iter().map(|(name, component)| {
        let (ident, pointer) = (format_ident!("{name}"), &component.pointer);
        quote!((#name, #pointer, round_trip::<types::#ident>))
    });
    quote!([#(#rows),*])
}
