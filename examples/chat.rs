//! A chat in the terminal. Ctrl-C cancels a reply and keeps what came of it; at the prompt it ends the chat.
//!
//! With `ANTHROPIC_API_KEY` set it goes to the real API; without, to a server inside this process, which says back
//! what it was told.

use std::{
    io::{BufRead, IsTerminal, Write, stdin, stdout},
    time::Duration,
};

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest, MessageStream};
use anthropic_messages_testing::{ReceivedRequest, Reply, Server};
use tokio::{signal::ctrl_c, sync::mpsc};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let slow = Reply::from_request(|request| say_back(request).delta_length(2).paced(Duration::from_millis(30)));
    let server = Server::builder().default_reply(slow).start()?;
    let client = if std::env::var_os("ANTHROPIC_API_KEY").is_some() {
        Client::from_env()?
    } else {
        println!("ANTHROPIC_API_KEY is not set: a server inside this process answers.\n");
        server.client()?
    };

    let mut lines = lines();
    let mut history = Vec::new();
    loop {
        print!("{}", bold("you: "));
        stdout().flush()?;
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = ctrl_c() => None,
        };
        let Some(line) = line.filter(|line| !line.is_empty()) else { return Ok(()) };
        history.push(AnthropicMessage::user(line));

        let request = MessageCreateRequest::new("claude-sonnet-5", history.clone(), 1024);
        let mut stream = tokio::select! {
            opened = client.stream_message(&request) => opened?,
            _ = ctrl_c() => {
                println!("[cancelled]");
                continue;
            }
        };
        print!("{}", bold("claude: "));
        tokio::select! {
            outcome = print_text(&mut stream) => match outcome {
                Ok(()) => println!("\n{}", dim(&tokens(&stream))),
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

fn tokens(stream: &MessageStream) -> String {
    match &stream.message().usage {
        Some(usage) => {
            format!("{} tokens in, {} out\n", usage.total_input_tokens(), usage.output_tokens.unwrap_or_default())
        }
        None => String::new(),
    }
}

/// Returns the answer of the server inside this process, which is made from the conversation alone.
fn say_back(request: &ReceivedRequest) -> Reply {
    let turns = request.message_request().map_or(0, |request| request.messages.len());
    let said = request.last_user_text().unwrap_or_default();
    Reply::text(format!("You said: {said}\nThat was turn {turns}. With a key, a model would answer."))
}

/// The lines that are typed. They are read by a thread of their own, so that Ctrl-C need not wait for one.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || stdin().lock().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

fn bold(text: &str) -> String {
    styled(1, text)
}

fn dim(text: &str) -> String {
    styled(2, text)
}

/// Text in a style of ANSI X3.64, where it goes to a terminal.
fn styled(style: u8, text: &str) -> String {
    if stdout().is_terminal() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}
