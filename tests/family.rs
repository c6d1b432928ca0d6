//! Batches, models and files, against the test server.

#![cfg(test)]

mod family {
    mod batches;
    mod files;
    mod pages;
}

use std::time::Duration;

use anthropic_messages::{
    AnthropicMessage, Client, MessageCreateRequest,
    types::{BatchRequest, CreateBatchRequest, MessageBatch, MessageBatchIndividualResponse},
};
use anthropic_messages_testing::Server;

const SOON: Duration = Duration::from_millis(1);

fn request(text: &str) -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(text)], 100)
}

/// Creates a batch with a request for each `custom_id`, whose text is the same.
async fn create_batch(client: &Client, custom_ids: &[&str]) -> MessageBatch {
    let requests = custom_ids.iter().map(|id| BatchRequest::new(*id, request(id)));
    client.create_batch(&CreateBatchRequest::new(requests.collect::<Vec<_>>())).await.unwrap().into_inner()
}

/// Waits for a batch and returns its results in the order of their `custom_id`.
async fn results(client: &Client, id: &str) -> Vec<MessageBatchIndividualResponse> {
    client.wait_for_batch(id, SOON).await.unwrap();
    let mut lines = client.batch_results(id).await.unwrap().into_inner();
    let mut results = Vec::new();
    while let Some(line) = lines.next().await {
        results.push(line.unwrap());
    }
    results.sort_by(|one, other| one.custom_id.cmp(&other.custom_id));
    results
}

/// Returns a server and a client of it that doesn't retry.
fn start() -> (Server, Client) {
    let server = Server::start().unwrap();
    let client = server.client_builder().max_retries(0).build().unwrap();
    (server, client)
}
