//! Asks a question about many texts in batches, with a progress bar, and prints an answer a line.
//!
//! Interrupt it and run it again: it goes on where it was. The journal is the file that the first argument names.
//!
//! With `ANTHROPIC_API_KEY` set it goes to the real API; without, to a server inside this process.
//!
//! `cargo run --example bulk -- job.journal`

use std::{env, path::PathBuf, time::Duration};

use anthropic_messages::{
    AnthropicMessage, Client, MessageCreateRequest, bulk::Bulk, reqwest::Url, types::MessageBatchResult,
};
use anthropic_messages_testing::Server;
use indicatif::ProgressBar;

const TEXTS: usize = 2000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let journal = env::args_os().nth(1).map_or_else(|| env::temp_dir().join("bulk-example.journal"), PathBuf::from);
    let server = Server::builder().batches_end_after_polls(2).start()?;
    let client = match env::var_os("ANTHROPIC_API_KEY") {
        Some(_) => Client::from_env()?,
        None => server.client()?,
    };
    let requests = (0..TEXTS).map(|n| {
        let question = format!("What is the color of text {n}?");
        (format!("text-{n}"), MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(question)], 100))
    });

    let mut bulk = Bulk::open(&journal)?.batch_size(500);
    if is_local(env::var("ANTHROPIC_BASE_URL").ok()) {
        bulk = bulk.poll_interval(|_| Duration::from_millis(10));
    }
    let mut job = bulk.start(&client, requests)?;
    let bar = ProgressBar::new(TEXTS as u64);
    while let Some(answer) = job.next().await {
        let answer = answer?;
        match &answer.result {
            MessageBatchResult::Succeeded(succeeded) => println!("{}: {}", answer.custom_id, succeeded.message.text()),
            other => println!("{}: {other:?}", answer.custom_id),
        }
        let progress = job.progress();
        bar.set_position(progress.answered as u64);
        bar.set_message(format!("{} in {} batches", progress.in_batches, progress.batches));
    }
    bar.finish();
    Ok(())
}

/// Returns `true` for a server on this machine, which needs no patience.
fn is_local(base_url: Option<String>) -> bool {
    let Some(url) = base_url.filter(|_| env::var_os("ANTHROPIC_API_KEY").is_some()) else {
        return env::var_os("ANTHROPIC_API_KEY").is_none();
    };
    Url::parse(&url).is_ok_and(|url| url.host_str() == Some("127.0.0.1"))
}
