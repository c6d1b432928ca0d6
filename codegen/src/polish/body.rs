//! The body of an operation: progenitor's statements, but for those that are changed here.

use quote::quote;
use syn::{
    Block, Expr, Macro, Stmt, Token, parse_quote,
    punctuated::Punctuated,
    visit_mut::{self, VisitMut},
};

/// Changes what has to be, or says what is not as it is known.
///
/// Variables are known by their values: progenitor gives them other names where a parameter has
/// theirs.
pub(super) fn rewrite(block: &mut Block, is_stream: bool, has_headers: bool) -> Result<(), &'static str> {
    let mut expressions = Expressions { is_stream, has_headers, infos: 0, maps: 0 };
    expressions.visit_block_mut(block);
    if expressions.infos != 1 {
        return Err("no `OperationInfo`");
    }
    if expressions.maps != 1 {
        return Err("no use of `header_map`");
    }
    let (mut addresses, mut requests) = (0, 0);
    for value in block.stmts.iter_mut().filter_map(value) {
        if let Some(address) = address(value) {
            *value = address;
            addresses += 1;
        } else if is_request(value) {
            // It is handed on, and large.
            *value = parse_quote!(::std::boxed::Box::new(#value));
            requests += 1;
        }
    }
    if addresses != 1 {
        return Err("no address");
    }
    if requests != 1 {
        return Err("no request");
    }
    let before = block.stmts.len();
    block.stmts.retain(|statement| !is_api_version(statement));
    if block.stmts.len() + 1 != before {
        return Err("no header `api-version`");
    }
    if !has_headers {
        block.stmts.retain(|statement| !is_header_map(statement));
    }
    Ok(())
}

/// What `let` gives a variable.
fn value(statement: &mut Stmt) -> Option<&mut Expr> {
    let Stmt::Local(local) = statement else { return None };
    Some(&mut *local.init.as_mut()?.expr)
}

/// `format!("{}/path", self.baseurl)` becomes `self.url("/path")`: the base was read when the client was made.
fn address(value: &Expr) -> Option<Expr> {
    let Expr::Macro(found) = value else { return None };
    let arguments = arguments(&found.mac)?;
    let mut arguments = arguments.iter();
    let Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(template), .. })) = arguments.next() else { return None };
    let path = template.value().strip_prefix("{}")?.to_owned();
    arguments.next().filter(|base| quote!(#base).to_string() == "self . baseurl")?;
    let parameters: Vec<_> = arguments.collect();
    Some(match parameters.as_slice() {
        [] => parse_quote!(self.url(#path)),
        _ => parse_quote!(self.url(&format!(#path, #(#parameters),*))),
    })
}

/// `self.client.post(url)….build()?`
fn is_request(value: &Expr) -> bool {
    let Expr::Try(tried) = value else { return false };
    matches!(&*tried.expr, Expr::MethodCall(call) if call.method == "build")
}

/// `header_map.append(HeaderName::from_static("api-version"), …)`: nobody asked for it.
fn is_api_version(statement: &Stmt) -> bool {
    let Stmt::Expr(Expr::MethodCall(call), _) = statement else { return false };
    call.method == "append" && quote!(#call).to_string().contains("\"api-version\"")
}

/// `let mut header_map = …`
fn is_header_map(statement: &Stmt) -> bool {
    let Stmt::Local(local) = statement else { return false };
    matches!(&local.pat, syn::Pat::Ident(name) if name.ident == "header_map")
}

/// The arguments of a `format!`, which is opaque until it is taken apart.
fn arguments(found: &Macro) -> Option<Punctuated<Expr, Token![,]>> {
    if !found.path.is_ident("format") {
        return None;
    }
    found.parse_body_with(Punctuated::parse_terminated).ok()
}

struct Expressions {
    is_stream: bool,
    has_headers: bool,
    infos: usize,
    maps: usize,
}

impl VisitMut for Expressions {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        match expression {
            Expr::Struct(info) if info.path.is_ident("OperationInfo") => {
                let is_stream = self.is_stream;
                info.fields.push(parse_quote!(streaming: #is_stream));
                self.infos += 1;
            }
            // A path parameter is checked, not only escaped.
            Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if path.path.is_ident("encode_path")) => {
                *expression = parse_quote!(#call?);
            }
            Expr::MethodCall(call)
                if call.method == "headers"
                    && matches!(call.args.first(), Some(Expr::Path(map)) if map.path.is_ident("header_map")) =>
            {
                self.maps += 1;
                if !self.has_headers {
                    // Without the version there is nothing in the map.
                    *expression = (*call.receiver).clone();
                }
            }
            _ => {}
        }
    }

    /// `encode_path` stands inside `format!`.
    fn visit_macro_mut(&mut self, found: &mut Macro) {
        if found.tokens.to_string().contains("encode_path")
            && let Some(mut arguments) = arguments(found)
        {
            arguments.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
            found.tokens = quote!(#arguments);
        }
    }
}
