//! Sends one message and prints the reply.
//!
//! With `ANTHROPIC_API_KEY` set it goes to the real API; without, to a server inside this process.

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
use anthropic_messages_testing::Server;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start()?;
    let client = if std::env::var_os("ANTHROPIC_API_KEY").is_some() {
        println!("Talking to the real API.");
        Client::from_env()?
    } else {
        println!("ANTHROPIC_API_KEY is not set: talking to an embedded server at {}.", server.base_url());
        server.client()?
    };

    let request =
        MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Say hello in five words.")], 1024);
    let reply = client.create_message(&request).await?;

    println!("Reply: {}", reply.text());
    if let Some(usage) = &reply.usage {
        println!("Tokens: {} in, {} out", usage.total_input_tokens(), usage.output_tokens.unwrap_or_default());
    }
    println!("Request id: {}", reply.request_id().unwrap_or("none"));
    Ok(())
}
