//! Generates documentation from the contract's descriptions.

use proc_macro2::TokenStream;
use quote::quote;

use crate::lower::model::Component;

/// Returns the documentation of a type.
pub(super) fn of_component(component: &Component, stand_in: &str) -> TokenStream {
    docs(component.description.as_deref(), stand_in, Some(&component.pointer))
}

/// Returns the documentation of an item: its description, or `stand_in` if it has none, and its place in the contract.
pub(super) fn docs(prose: Option<&str>, stand_in: &str, pointer: Option<&str>) -> TokenStream {
    let mut text = match prose.map(str::trim).filter(|prose| !prose.is_empty()) {
        Some(prose) => safe(prose),
        None => stand_in.to_owned(),
    };
    if let Some(pointer) = pointer {
        text.push_str(&format!("\n\nIn the contract: `#{pointer}`."));
    }
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

/// Escapes a description for rustdoc, so that no code block becomes a test, no bracket a link and no angle a tag.
fn safe(prose: &str) -> String {
    let mut in_fence = false;
    let mut lines = Vec::new();
    for line in prose.lines() {
        let unindented = line.trim_start();
        if unindented.starts_with("```") {
            in_fence = !in_fence;
            lines.push(if in_fence { "```text".to_owned() } else { "```".to_owned() });
        } else if in_fence {
            lines.push(line.to_owned());
        } else {
            // Remove the indent: four spaces start a code block, which rustdoc runs as a test.
            lines.push(escaped(unindented));
        }
    }
    if in_fence {
        lines.push("```".to_owned());
    }
    lines.join("\n")
}

/// Escapes brackets and angles outside of code spans.
fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for (index, part) in line.split('`').enumerate() {
        if index > 0 {
            text.push('`');
        }
        if index % 2 == 1 {
            text.push_str(part);
            continue;
        }
        for (index, word) in part.split(' ').enumerate() {
            if index > 0 {
                text.push(' ');
            }
            if word.starts_with("https://") || word.starts_with("http://") {
                let end = word.trim_end_matches(['.', ',', ';', ':', ')']);
                let rest = word.get(end.len()..).unwrap_or_default();
                text.push_str(&format!("<{end}>{rest}"));
                continue;
            }
            for character in word.chars() {
                if matches!(character, '[' | ']' | '<' | '>') {
                    text.push('\\');
                }
                text.push(character);
            }
        }
    }
    text
}
