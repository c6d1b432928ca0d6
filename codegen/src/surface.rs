//! Lists the public surface of generated code.

use quote::ToTokens;
use syn::{Item, Visibility};

/// Lists the operations, types, fields and variants of generated code, one per line, for reviews.
pub(crate) fn surface(file: &syn::File) -> String {
    let mut lines = Vec::new();
    for item in &file.items {
        match item {
            Item::Impl(item) if item.trait_.is_none() => {
                for function in &item.items {
                    if let syn::ImplItem::Fn(function) = function {
                        lines.push(operation(function));
                    }
                }
            }
            Item::Mod(module) => {
                module.content.iter().flat_map(|(_, items)| items).for_each(|item| of_type(item, &mut lines))
            }
            _ => {}
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn operation(function: &syn::ImplItemFn) -> String {
    let visibility = if matches!(function.vis, Visibility::Public(_)) { "" } else { "(private) " };
    let arguments: Vec<String> = function.sig.inputs.iter().skip(1).map(text).collect();
    let output = match &function.sig.output {
        syn::ReturnType::Type(_, output) => text(output),
        syn::ReturnType::Default => String::new(),
    };
    let answer = output
        .strip_prefix("Result<crate::Response<")
        .and_then(|rest| rest.strip_suffix(">, crate::Error>"))
        .unwrap_or(&output);
    let async_fn = if function.sig.asyncness.is_some() { "async fn" } else { "fn" };
    format!("{visibility}{async_fn} {}({}) -> {answer}", function.sig.ident, arguments.join(", "))
}

fn of_type(item: &Item, lines: &mut Vec<String>) {
    match item {
        Item::Struct(item) => {
            lines.push(format!("struct {}", item.ident));
            let fields = item.fields.iter().filter(|field| field.ident.as_ref().is_some_and(|ident| ident != "extra"));
            lines.extend(fields.map(|field| format!("  {}: {}", text(&field.ident), text(&field.ty))));
        }
        Item::Enum(item) => {
            lines.push(format!("enum {}", item.ident));
            lines.extend(item.variants.iter().map(|variant| format!("  {}{}", variant.ident, text(&variant.fields))));
        }
        Item::Type(item) => lines.push(format!("type {} = {}", item.ident, text(&item.ty))),
        Item::Impl(item) if item.trait_.is_none() => {
            for function in &item.items {
                if let syn::ImplItem::Fn(function) = function
                    && function.sig.ident == "new"
                {
                    let arguments: Vec<String> = function.sig.inputs.iter().map(text).collect();
                    lines.push(format!("  new({})", arguments.join(", ")));
                }
            }
        }
        _ => {}
    }
}

/// Prints tokens without the absolute paths of generated code.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for path in [
        ":: std :: option ::",
        ":: std :: vec ::",
        ":: std :: string ::",
        ":: std :: convert ::",
        ":: std :: iter ::",
        ":: std :: boxed ::",
        ":: std :: result ::",
        "crate :: runtime ::",
        "crate :: json ::",
    ] {
        text = text.replace(path, "");
    }
    for (from, to) in [
        ("  ", " "),
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (" ,", ","),
        (" :", ":"),
        ("( ", "("),
        (" )", ")"),
        ("& ", "&"),
        (" (", "("),
        (",)", ")"),
        (",>", ">"),
    ] {
        text = text.replace(from, to);
    }
    text.trim().to_owned()
}
