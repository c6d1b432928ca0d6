//! Bodies of the API as text, for tests that compare bytes.

/// Returns a message with `text`, which is inserted into the JSON unescaped.
pub fn message_body(text: &str) -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":3,"output_tokens":5}}}}"#
    )
}

/// An error with this type and message.
pub fn error_body(error_type: &str, message: &str) -> String {
    format!(r#"{{"type":"error","error":{{"type":"{error_type}","message":"{message}"}},"request_id":"req_body"}}"#)
}
