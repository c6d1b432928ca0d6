//! Forms of several parts (`multipart/form-data`).

use super::{
    LowerError, Lowering,
    keywords::{is_true, text, types},
    model::{Multipart, Part, PartContent},
    names::{field_name, type_name},
    operations::is_binary,
};
use crate::node::{Node, join};

impl Lowering<'_> {
    /// Returns the parts of a form: a file for each property that holds bytes, a value for each of the others.
    pub(super) fn multipart(&mut self, at: &str, media: &Node, name: &str) -> Result<Multipart, LowerError> {
        let mut form = Multipart { name: self.names.claim(name), description: None, parts: Vec::new() };
        let mut at = join(at, "schema");
        let Some(mut schema) = media.get("schema") else { return Ok(form) };
        let document = self.document;
        while let Some(target) = schema.get("$ref").and_then(Node::as_str) {
            let Some(pointer) = self.target(&at, target)? else { return Ok(form) };
            self.spend(&at, 1)?;
            schema = document.pointer(&pointer).ok_or_else(|| LowerError::new(&at, "there is no schema"))?;
            at = pointer;
        }
        let merged = if schema.get("allOf").is_some() { Some(self.merged(&at, schema, 0)?) } else { None };
        let schema = merged.as_ref().unwrap_or(schema);
        form.description = text(schema, "description");
        let required = schema.get("required").and_then(Node::as_array).unwrap_or_default();
        let mut idents = Vec::new();
        for (property, value) in schema.get("properties").and_then(Node::as_object).into_iter().flatten() {
            let at = join(&join(&at, "properties"), property);
            let ident = field_name(property);
            if is_true(value, "readOnly") {
                continue;
            }
            if idents.contains(&ident) {
                self.note(&at, "the property has the Rust name of another one; the part is left out");
                continue;
            }
            idents.push(ident);
            let content = if is_file(value) {
                PartContent::File
            } else if types(value).iter().any(|name| name == "array") && value.get("items").is_some_and(is_file) {
                PartContent::Files
            } else {
                let mut type_ref = self.schema(&at, value, &format!("{}{}", form.name, type_name(property)), false)?;
                // A part that is `null` is left out.
                type_ref.nullable = false;
                PartContent::Value(type_ref)
            };
            let encoding = media.get("encoding").and_then(|encoding| encoding.get(property));
            let media_type = encoding.and_then(|encoding| text(encoding, "contentType"));
            form.parts.push(Part {
                name: property.clone(),
                description: text(value, "description"),
                required: required.iter().any(|name| name.as_str() == Some(property)),
                content,
                // A list of media types, or a range of them, leaves the choice to the caller.
                media_type: media_type.filter(|media_type| !media_type.contains([',', '*'])),
            });
        }
        if is_true(schema, "additionalProperties") {
            self.note(&at, "parts that are not described can't be sent");
        }
        Ok(form)
    }
}

/// Returns `true` for the schema of a file: bytes, or a string with its own media type.
fn is_file(schema: &Node) -> bool {
    let is_text = || types(schema).iter().any(|name| name == "string");
    let has_type = || {
        let media_type = schema.get("contentMediaType").and_then(Node::as_str);
        media_type.is_some_and(|media_type| !media_type.contains("json") && !media_type.starts_with("text/"))
            && schema.get("contentEncoding").is_none()
    };
    let branches = || ["anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword).and_then(Node::as_array));
    is_binary(Some(schema)) || (is_text() && has_type()) || branches().flatten().any(is_file)
}
