//! What the hand-written layer needs of a contract.

use super::lower::{
    model::{Kind, Lowered, Shape},
    type_name,
};

/// A schema and its properties that code in `src` names, and who does.
struct Requirement {
    schema: &'static str,
    properties: &'static [&'static str],
    needed_by: &'static str,
}

const SCHEMAS: &[Requirement] = &[
    Requirement {
        schema: "MessageCreateRequest",
        properties: &["max_tokens", "stream"],
        needed_by: "Client::create_message and Client::stream_message",
    },
    Requirement {
        schema: "AnthropicMessage",
        properties: &["role", "content"],
        needed_by: "AnthropicMessage::user and ::assistant",
    },
    Requirement {
        schema: "MessageResponse",
        properties: &["content", "stop_reason"],
        needed_by: "Client::create_message and the methods of MessageResponse",
    },
    Requirement {
        schema: "MessageResponse",
        properties: &["content", "stop_reason", "stop_sequence", "usage"],
        needed_by: "MessageStream and Accumulator",
    },
    Requirement {
        schema: "MessageDelta",
        properties: &["stop_reason", "stop_sequence"],
        needed_by: "Client::stream_message",
    },
    Requirement { schema: "MessageDeltaUsage", properties: &["output_tokens"], needed_by: "Client::stream_message" },
    Requirement { schema: "ErrorResponse", properties: &[], needed_by: "Error::api_error" },
    Requirement {
        schema: "Usage",
        properties: &["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"],
        needed_by: "Usage::total_input_tokens",
    },
    Requirement {
        schema: "AnthropicTool",
        properties: &["name", "description", "input_schema", "strict"],
        needed_by: "AnthropicTool::of and ::strict_of",
    },
    Requirement {
        schema: "MessageCreateRequest",
        properties: &["messages", "tools", "container", "output_config"],
        needed_by: "Client::run_tools and MessageCreateRequest::structured",
    },
    Requirement {
        schema: "MessageResponse",
        properties: &["container", "stop_details"],
        needed_by: "Client::run_tools and MessageResponse::structured",
    },
    Requirement { schema: "Container", properties: &["id"], needed_by: "Client::run_tools" },
    Requirement { schema: "ContainerConfig", properties: &["id"], needed_by: "Client::run_tools" },
    Requirement { schema: "StopDetails", properties: &["category"], needed_by: "MessageResponse::structured" },
    Requirement { schema: "OutputConfig", properties: &["format"], needed_by: "MessageCreateRequest::structured" },
    Requirement { schema: "JsonOutputFormat", properties: &["schema"], needed_by: "JsonOutputFormat::of" },
];

/// Schemas of any kind that code in `src` names, and who does.
const NAMED: &[(&str, &str)] = &[
    ("CacheControl", "ContentBlock::with_cache_control"),
    ("ContentBlockToolResultContent", "ContentBlock::tool_result"),
    ("ContainerReference", "Client::run_tools"),
    ("ImageMediaType", "ImageSource::base64"),
    ("RefusalCategory", "MessageResponse::structured"),
    ("StopReason", "MessageResponse::is_truncated and ::is_refusal"),
    ("ToolUnion", "Client::run_tools"),
];

/// A variant of a tagged union and its properties that code in `src` names, and who does.
struct Variant {
    union: &'static str,
    tag: &'static str,
    properties: &'static [&'static str],
    needed_by: &'static str,
}

const fn variant(
    union: &'static str,
    tag: &'static str,
    properties: &'static [&'static str],
    needed_by: &'static str,
) -> Variant {
    Variant { union, tag, properties, needed_by }
}

const VARIANTS: &[Variant] = &[
    variant("ContentBlock", "text", &["text", "citations", "cache_control"], "MessageResponse::text and ::citations"),
    variant("ContentBlock", "tool_use", &["id", "toolset_name", "cache_control"], "MessageResponse::tool_uses"),
    variant("ContentBlock", "image", &["source", "cache_control"], "ContentBlock::image"),
    variant("ContentBlock", "document", &["source", "cache_control"], "ContentBlock::document"),
    variant("ContentBlock", "search_result", &["cache_control"], "ContentBlock::with_cache_control"),
    variant(
        "ContentBlock",
        "tool_result",
        &["tool_use_id", "content", "is_error", "toolset_name", "cache_control"],
        "ContentBlock::tool_result",
    ),
    variant("ImageSource", "base64", &["media_type", "data"], "ImageSource::base64"),
    variant("ImageSource", "url", &["url"], "ImageSource::url"),
    variant("ImageSource", "file", &["file_id"], "ImageSource::file"),
    variant("DocumentSource", "base64", &["media_type", "data"], "DocumentSource::base64"),
    variant("DocumentSource", "text", &["media_type", "data"], "DocumentSource::text"),
    variant("DocumentSource", "url", &["url"], "DocumentSource::url"),
    variant("DocumentSource", "file", &["file_id"], "DocumentSource::file"),
    variant("Citation", "char_location", &["cited_text"], "Citation::cited_text"),
    variant("Citation", "page_location", &["cited_text"], "Citation::cited_text"),
    variant("Citation", "content_block_location", &["cited_text"], "Citation::cited_text"),
    variant("Citation", "search_result_location", &["cited_text"], "Citation::cited_text"),
    variant("Citation", "web_search_result_location", &["cited_text"], "Citation::cited_text"),
    variant("ContentBlock", "tool_use", &["input"], "Accumulator"),
    variant("ContentBlock", "server_tool_use", &["input"], "Accumulator"),
    variant("ContentBlock", "thinking", &["thinking", "signature"], "Accumulator"),
    variant("ContentBlockDelta", "text_delta", &["text"], "Accumulator"),
    variant("ContentBlockDelta", "input_json_delta", &["partial_json"], "Accumulator"),
    variant("ContentBlockDelta", "thinking_delta", &["thinking"], "Accumulator"),
    variant("ContentBlockDelta", "signature_delta", &["signature"], "Accumulator"),
    variant("ContentBlockDelta", "citations_delta", &["citation"], "Accumulator"),
    variant("StreamEvent", "message_start", &["message"], "Accumulator"),
    variant("StreamEvent", "content_block_start", &["index", "content_block"], "Accumulator"),
    variant("StreamEvent", "content_block_delta", &["index", "delta"], "Accumulator"),
    variant("StreamEvent", "content_block_stop", &["index"], "Accumulator"),
    variant("StreamEvent", "message_delta", &["delta", "usage"], "Accumulator"),
    variant("StreamEvent", "message_stop", &[], "Accumulator"),
    variant("StreamEvent", "error", &[], "MessageStream"),
];

/// Methods that `src` gives a type. A property of that name can't have a setter called after it.
const METHODS: &[(&str, &[&str])] = &[
    ("MessageResponse", &["citations", "is_refusal", "is_truncated", "structured", "text", "tool_uses"]),
    ("Usage", &["total_input_tokens"]),
];

/// Whether `src` gives a type a method of this name.
pub fn has_method(schema: &str, name: &str) -> bool {
    METHODS.iter().any(|(of, methods)| *of == schema && methods.contains(&name))
}

const OPERATIONS: [(&str, &str); 2] = [
    ("create_message", "Client::create_message, with the `operationId` createMessage"),
    (
        "create_message_stream",
        "Client::stream_message: createMessage must answer with `text/event-stream` too, and its body have a `stream`",
    ),
];

/// Checks that all of it is there.
///
/// # Errors
/// One sentence that names what is missing, and who needs it.
pub fn check(lowered: &Lowered) -> Result<(), String> {
    for Requirement { schema, properties, needed_by } in SCHEMAS {
        object(lowered, schema, properties, needed_by)?;
    }
    for (schema, needed_by) in NAMED {
        if !lowered.components.contains_key(*schema) {
            return Err(format!("the schema {schema} is missing, at #/components/schemas; {needed_by} needs it"));
        }
    }
    for Variant { union, tag, properties, needed_by } in VARIANTS {
        let variants = match lowered.components.get(*union).map(|component| &component.kind) {
            Some(Kind::Tagged { variants, .. }) => variants.as_slice(),
            _ => &[],
        };
        let Some(variant) = variants.iter().find(|variant| variant.tags.iter().any(|own| own == tag)) else {
            return Err(format!(
                "{union} has no variant `{tag}`, at #/components/schemas/{union}; {needed_by} needs it"
            ));
        };
        let named = format!("{union}{}", type_name(tag));
        if variant.component != named {
            return Err(format!(
                "the variant `{tag}` of {union} is the schema {}, at #/components/schemas/{union}; {needed_by} needs it \
                 inline, or named {named}",
                variant.component
            ));
        }
        object(lowered, &named, properties, needed_by)?;
    }
    for (operation, needed_by) in OPERATIONS {
        if !lowered.operations.iter().any(|found| found.name == operation) {
            return Err(format!("the operation {operation} is missing, at #/paths; needed for {needed_by}"));
        }
    }
    Ok(())
}

fn object(lowered: &Lowered, schema: &str, properties: &[&str], needed_by: &str) -> Result<(), String> {
    let Some(component) = lowered.components.get(schema) else {
        return Err(format!("the schema {schema} is missing, at #/components/schemas; {needed_by} needs it"));
    };
    let pointer = &component.pointer;
    let Kind::Object { fields } = &component.kind else {
        return Err(format!("the schema {schema} is no object, at #{pointer}; {needed_by} needs one"));
    };
    for property in properties {
        let Some(field) = fields.iter().find(|field| field.name == *property) else {
            return Err(format!("{schema} has no property `{property}`, at #{pointer}; {needed_by} needs it"));
        };
        // The input of a tool is JSON of any shape; all else that is named in `src` has a type.
        if field.value.shape == Shape::Any && *property != "input" {
            return Err(format!(
                "{schema} says nothing about the type of `{property}`, at #{pointer}; {needed_by} needs it"
            ));
        }
    }
    Ok(())
}
