//! What the hand-written layer needs of a contract.

use super::lower::model::{Kind, Lowered};

/// A schema and its properties that code in `src` names, and who does.
struct Requirement {
    schema: &'static str,
    properties: &'static [&'static str],
    needed_by: &'static str,
}

const SCHEMAS: [Requirement; 4] = [
    Requirement {
        schema: "MessageCreateRequest",
        properties: &[],
        needed_by: "Client::create_message and Client::stream_message",
    },
    Requirement {
        schema: "AnthropicMessage",
        properties: &["role", "content"],
        needed_by: "AnthropicMessage::user and ::assistant",
    },
    Requirement { schema: "MessageResponse", properties: &[], needed_by: "Client::create_message" },
    Requirement { schema: "ErrorResponse", properties: &[], needed_by: "Error::api_error" },
];

const VARIANTS: [(&str, &str, &str); 2] =
    [("ContentBlock", "text", "MessageResponse::text"), ("ContentBlock", "tool_use", "MessageResponse::tool_uses")];

const OPERATIONS: [(&str, &str); 1] =
    [("create_message", "Client::create_message, with the `operationId` createMessage")];

/// Checks that all of it is there.
///
/// # Errors
/// One sentence that names what is missing, and who needs it.
pub fn check(lowered: &Lowered) -> Result<(), String> {
    for Requirement { schema, properties, needed_by } in SCHEMAS {
        let Some(component) = lowered.components.get(schema) else {
            return Err(format!("the schema {schema} is missing, at #/components/schemas; {needed_by} needs it"));
        };
        let Kind::Object { fields } = &component.kind else {
            return Err(format!("the schema {schema} is no object, at #{}; {needed_by} needs one", component.pointer));
        };
        for property in properties {
            if !fields.iter().any(|field| field.name == *property) {
                let pointer = &component.pointer;
                return Err(format!("{schema} has no property `{property}`, at #{pointer}; {needed_by} needs it"));
            }
        }
    }
    for (schema, tag, needed_by) in VARIANTS {
        let component = lowered.components.get(schema);
        let has_variant = component.is_some_and(|component| match &component.kind {
            Kind::Tagged { variants, .. } => variants.iter().any(|variant| variant.tags.iter().any(|own| own == tag)),
            _ => false,
        });
        if !has_variant {
            return Err(format!(
                "{schema} has no variant `{tag}`, at #/components/schemas/{schema}; {needed_by} needs it"
            ));
        }
    }
    for (operation, needed_by) in OPERATIONS {
        if !lowered.operations.iter().any(|found| found.name == operation) {
            return Err(format!("the operation {operation} is missing, at #/paths; needed for {needed_by}"));
        }
    }
    Ok(())
}
