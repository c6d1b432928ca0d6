//! Prints a reply while the model writes it.
//!
//! With `ANTHROPIC_API_KEY` set it goes to the real API; without, to a server inside this process, which takes its time.

use std::{
    io::{Write, stdout},
    time::Duration,
};

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
use anthropic_messages_testing::{Reply, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let limerick = "A parser that read from the wire\nwas asked by its users to tire;\nit borrowed each line,\n\
        felt perfectly fine,\nand its buffers grew none the higher.";
    let slow = Reply::text(limerick).delta_length(4).paced(Duration::from_millis(40));
    let server = Server::builder().default_reply(slow).start()?;
    let client = if std::env::var_os("ANTHROPIC_API_KEY").is_some() {
        println!("Talking to the real API.\n");
        Client::from_env()?
    } else {
        println!("ANTHROPIC_API_KEY is not set: talking to an embedded server at {}.\n", server.base_url());
        server.client()?
    };

    let request = MessageCreateRequest::new(
        "claude-sonnet-5",
        [AnthropicMessage::user("A limerick about parsers, please.")],
        1024,
    );
    let mut stream = client.stream_message(&request).await?;
    let mut text = stream.text_stream();
    while let Some(piece) = text.next().await {
        print!("{}", piece?);
        stdout().flush()?;
    }

    let reply = stream.final_message().await?;
    println!("\n\nStopped by: {}", reply.stop_reason.map_or("nothing".to_owned(), |reason| reason.to_string()));
    if let Some(usage) = &reply.usage {
        println!("Tokens: {} in, {} out", usage.total_input_tokens(), usage.output_tokens.unwrap_or_default());
    }
    println!("Request id: {}", stream.request_id().unwrap_or("none"));
    Ok(())
}
