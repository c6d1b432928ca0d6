//! A chat in the terminal. Ctrl-C cancels a reply and keeps what came of it; at the prompt it ends the chat.
//!
//! With `ANTHROPIC_API_KEY` set it goes to the real API; without, to a server inside this process, which echoes.

use std::{
    io::{BufRead, Write, stdin, stdout},
    time::Duration,
};

use anthropic_messages::{
    AnthropicMessage, Client, MessageCreateRequest, MessageStream,
    testing::{Reply, Server},
};
use tokio::{signal::ctrl_c, sync::mpsc};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let echo = Reply::echo().delta_length(2).paced(Duration::from_millis(60));
    let server = Server::builder().default_reply(echo).start()?;
    let client = if std::env::var_os("ANTHROPIC_API_KEY").is_some() { Client::from_env()? } else { server.client()? };

    let mut lines = lines();
    let mut history = Vec::new();
    loop {
        print!("you: ");
        stdout().flush()?;
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = ctrl_c() => None,
        };
        let Some(line) = line.filter(|line| !line.is_empty()) else { return Ok(()) };
        history.push(AnthropicMessage::user(line));

        let request = MessageCreateRequest::new("claude-sonnet-5", history.clone(), 1024);
        let mut stream = client.stream_message(&request).await?;
        print!("claude: ");
        tokio::select! {
            outcome = print_text(&mut stream) => match outcome {
                Ok(()) => println!(),
                Err(error) => println!(" [{error}]"),
            },
            _ = ctrl_c() => println!(" [cancelled]"),
        }

        // Cancelled or not, what was said is part of the conversation. Dropping the stream closes it.
        let said = stream.message().text();
        if !said.is_empty() {
            history.push(AnthropicMessage::assistant(said));
        }
    }
}

async fn print_text(stream: &mut MessageStream) -> Result<(), Box<dyn std::error::Error>> {
    let mut text = stream.text_stream();
    while let Some(piece) = text.next().await {
        print!("{}", piece?);
        stdout().flush()?;
    }
    Ok(())
}

/// The lines that are typed. They are read by a thread of their own, so that Ctrl-C need not wait for one.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || stdin().lock().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}
