//! The body of an operation: progenitor's statements that build the request, adapted to this crate.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{
    Block, Expr, ExprLit, ExprMethodCall, Lit, Macro, Pat, Stmt, Token, parse_quote,
    punctuated::Punctuated,
    visit_mut::{self, VisitMut},
};

use crate::lower::model::{Location, Operation, RequestBody, Style};

/// The part of progenitor's body that builds the request.
pub(super) struct Body {
    pub statements: Vec<Stmt>,
    /// The variable of the request.
    pub request: Ident,
}

/// Splits the body that progenitor wrote, and adapts its statements. Fails with the missing part if the body has
/// another form.
///
/// Variables are found by their values: progenitor renames one that has the name of a parameter.
pub(super) fn parse(
    mut block: Block,
    has_headers: bool,
    operation: &Operation,
    is_body_optional: bool,
) -> Result<Body, &'static str> {
    let mut expressions = Expressions { has_headers, operation, is_body_optional, maps: 0 };
    expressions.visit_block_mut(&mut block);
    if expressions.maps != 1 {
        return Err("no use of `header_map`");
    }
    let mut statements = block.stmts;
    let mut addresses = 0;
    for value in statements.iter_mut().filter_map(value) {
        if let Some(address) = address(value) {
            *value = address;
            addresses += 1;
        }
    }
    if addresses != 1 {
        return Err("no address");
    }
    let at = statements.iter_mut().position(|statement| value(statement).is_some_and(|value| is_request(value)));
    let at = at.ok_or("no request")?;
    // The statements after it send the request. The transport does that.
    statements.truncate(at + 1);
    let request = statements.get(at).and_then(variable).ok_or("no request")?;
    let before = statements.len();
    statements.retain(|statement| !is_api_version(statement));
    if statements.len() + 1 != before {
        return Err("no header `api-version`");
    }
    if !has_headers {
        statements.retain(|statement| !is_header_map(statement));
    }
    Ok(Body { statements, request })
}

/// Returns the variable of a `let`.
fn variable(statement: &Stmt) -> Option<Ident> {
    let Stmt::Local(local) = statement else { return None };
    match &local.pat {
        Pat::Ident(name) => Some(name.ident.clone()),
        _ => None,
    }
}

/// Returns the value of a `let`.
fn value(statement: &mut Stmt) -> Option<&mut Expr> {
    let Stmt::Local(local) = statement else { return None };
    Some(&mut *local.init.as_mut()?.expr)
}

/// Converts `format!("{}/path", self.baseurl)` to `self.transport.url("/path")`: the transport has the base URL.
fn address(value: &Expr) -> Option<Expr> {
    let Expr::Macro(found) = value else { return None };
    let arguments = arguments(&found.mac)?;
    let mut arguments = arguments.iter();
    let Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(template), .. })) = arguments.next() else { return None };
    let path = template.value().strip_prefix("{}")?.to_owned();
    arguments.next().filter(|base| quote!(#base).to_string() == "self . baseurl")?;
    let parameters: Vec<_> = arguments.collect();
    Some(match parameters.as_slice() {
        [] => parse_quote!(self.transport.url(#path)),
        _ => parse_quote!(self.transport.url(&format!(#path, #(#parameters),*))),
    })
}

/// Returns `true` for `self.client.post(url)….build()?`.
fn is_request(value: &Expr) -> bool {
    let Expr::Try(tried) = value else { return false };
    matches!(&*tried.expr, Expr::MethodCall(call) if call.method == "build")
}

/// Returns `true` for `header_map.append(HeaderName::from_static("api-version"), …)`, a header that the contract lacks.
fn is_api_version(statement: &Stmt) -> bool {
    let Stmt::Expr(Expr::MethodCall(call), _) = statement else { return false };
    call.method == "append" && quote!(#call).to_string().contains("\"api-version\"")
}

/// Returns `true` for `let mut header_map = …`.
fn is_header_map(statement: &Stmt) -> bool {
    let Stmt::Local(local) = statement else { return false };
    matches!(&local.pat, syn::Pat::Ident(name) if name.ident == "header_map")
}

/// Returns the arguments of a `format!`, which syn leaves unparsed.
fn arguments(found: &Macro) -> Option<Punctuated<Expr, Token![,]>> {
    if !found.path.is_ident("format") {
        return None;
    }
    found.parse_body_with(Punctuated::parse_terminated).ok()
}

/// Returns the path of a style in the transport.
fn style(style: &Style) -> TokenStream {
    match style {
        Style::Form => quote!(crate::transport::Style::Form),
        Style::Delimited(delimiter) => quote!(crate::transport::Style::Delimited(#delimiter)),
        Style::DeepObject => quote!(crate::transport::Style::DeepObject),
        Style::Json => quote!(crate::transport::Style::Json),
    }
}

struct Expressions<'a> {
    has_headers: bool,
    operation: &'a Operation,
    is_body_optional: bool,
    maps: usize,
}

impl Expressions<'_> {
    /// The call that sets the body as the contract defines it, if progenitor's doesn't.
    fn body(&self, call: &ExprMethodCall) -> Option<Expr> {
        let receiver = &call.receiver;
        let is_optional = self.is_body_optional;
        match (&self.operation.request, call.method.to_string().as_str()) {
            (RequestBody::Json { media_type, .. }, "json") if is_optional || media_type.is_some() => {
                // reqwest keeps a content type that is already set.
                let receiver: Expr = match media_type {
                    Some(media_type) => parse_quote!(#receiver.header(::reqwest::header::CONTENT_TYPE, #media_type)),
                    None => (**receiver).clone(),
                };
                Some(match is_optional {
                    true => parse_quote!(#receiver.optional_json(body.as_ref())),
                    false => parse_quote!(#receiver.json(&body)),
                })
            }
            (RequestBody::Form { styles, .. }, "form_urlencoded") => {
                let styles = styles.iter().map(|(name, found)| {
                    let found = style(found);
                    quote!((#name, #found))
                });
                let body: Expr = match is_optional {
                    true => parse_quote!(body.as_ref()),
                    false => parse_quote!(::std::option::Option::Some(&body)),
                };
                Some(parse_quote!(#receiver.form_with(#body, &[#(#styles),*])))
            }
            (RequestBody::Bytes { media_type }, "header")
                if quote!(#call).to_string().contains("\"application/octet-stream\"") =>
            {
                Some(parse_quote!(#receiver.header(::reqwest::header::CONTENT_TYPE, #media_type)))
            }
            _ => None,
        }
    }
}

impl VisitMut for Expressions<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        if let Expr::Try(tried) = expression
            && matches!(&*tried.expr, Expr::MethodCall(call) if call.method == "form_with")
        {
            *expression = (*tried.expr).clone();
            return;
        }
        if let Expr::MethodCall(call) = expression
            && let Some(body) = self.body(call)
        {
            *expression = body;
            return;
        }
        match expression {
            Expr::Field(field) if quote!(#field).to_string() == "self . client" => {
                *expression = parse_quote!(self.transport.http());
            }
            // `QueryParam::new("name", &name)`
            Expr::Call(call) if quote!(#call).to_string().contains("QueryParam :: new") => {
                if let Some(Expr::Lit(ExprLit { lit: Lit::Str(name), .. })) = call.args.first()
                    && let Some(parameter) = self
                        .operation
                        .parameters
                        .iter()
                        .find(|parameter| parameter.location == Location::Query && parameter.name == name.value())
                    && parameter.style != Style::Form
                {
                    let found = style(&parameter.style);
                    *expression = parse_quote!(#call.with_style(#found));
                }
            }
            // Encoding a path parameter can fail: `.` and `..` are refused.
            Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if path.path.is_ident("encode_path")) => {
                *expression = parse_quote!(#call?);
            }
            Expr::MethodCall(call)
                if call.method == "headers"
                    && matches!(call.args.first(), Some(Expr::Path(map)) if map.path.is_ident("header_map")) =>
            {
                self.maps += 1;
                if !self.has_headers {
                    // The map only had the version, which was removed.
                    *expression = (*call.receiver).clone();
                }
            }
            _ => {}
        }
    }

    /// Visits the arguments of `format!` that call `encode_path`.
    fn visit_macro_mut(&mut self, found: &mut Macro) {
        if found.tokens.to_string().contains("encode_path")
            && let Some(mut arguments) = arguments(found)
        {
            arguments.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
            found.tokens = quote!(#arguments);
        }
    }
}
