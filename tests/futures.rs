//! The size of the futures that callers keep, and that every one of them can move between threads.
//!
//! A task that waits for a call holds its future for as long as the model writes. The bounds are those of today, rounded up:
//! they fail when a change lets a future grow by more than a few fields.

#![cfg(test)]

use anthropic_messages::{
    AnthropicMessage, Client, MessageCreateRequest, MessageResponse, MessageStream, Response, types::CountTokensRequest,
};

fn size_of_sendable<F: Future + Send>(future: &F) -> usize {
    size_of_val(future)
}

#[tokio::test]
async fn futures_of_calls_are_small_and_sendable() {
    let client = Client::builder().api_key("k").base_url("http://127.0.0.1:1").build().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    let count = CountTokensRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")]);
    let sizes = [
        ("create_message", size_of_sendable(&client.create_message(&request)), 120),
        ("stream_message", size_of_sendable(&client.stream_message(&request)), 64),
        ("count_tokens", size_of_sendable(&client.count_tokens(&count)), 56),
        ("run_tools", size_of_sendable(&client.run_tools(request.clone(), []).into_future()), 16),
    ];
    for (name, size, bound) in sizes {
        assert!(size <= bound, "the future of {name} has {size} bytes, more than {bound}: {sizes:?}");
    }
}

#[test]
fn a_task_keeps_little_memory_for_a_stream() {
    let sizes = [
        ("MessageStream", size_of::<MessageStream>(), 1112),
        ("Response<()>", size_of::<Response<()>>(), 80),
        ("Response<MessageResponse>", size_of::<Response<MessageResponse>>(), 704),
        ("Error", size_of::<anthropic_messages::Error>(), 8),
        ("Client", size_of::<Client>(), 16),
    ];
    for (name, size, bound) in sizes {
        assert!(size <= bound, "{name} has {size} bytes, more than {bound}: {sizes:?}");
    }
    assert!(size_of::<MessageResponse>() < size_of::<Response<MessageResponse>>());
}
