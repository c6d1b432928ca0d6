//! An agent in the terminal that works on notes. Each change is approved, Ctrl-C interrupts the agent, and the history is in
//! the file that the first argument names: start it again to go on, even after it was killed. Without `ANTHROPIC_API_KEY`, a
//! server inside this process plays the model.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, Write, stdin, stdout},
    path::Path,
    sync::Arc,
};

use anthropic_messages::{
    AnthropicMessage, Client, MessageCreateRequest,
    schemars::{self, JsonSchema},
    tools::{Conversation, Tool, ToolCall, ToolStep, Verdict},
};
use anthropic_messages_testing::{ReceivedRequest, Reply, Server};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    signal::ctrl_c,
    sync::{Mutex, mpsc},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The typed lines.
type Lines = Arc<Mutex<mpsc::UnboundedReceiver<String>>>;

#[derive(Deserialize, JsonSchema)]
struct Note {
    /// Short and unique.
    title: String,
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct NoArgs {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let history = std::env::args().nth(1).unwrap_or("agent-history.json".to_owned());
    let history = Path::new(&history);
    let server = Server::builder().default_reply(Reply::from_request(play)).start()?;
    let client = if std::env::var_os("ANTHROPIC_API_KEY").is_some() { Client::from_env()? } else { server.client()? };
    let (lines, tools) = (lines(), tools());

    let mut conversation = match fs::read(history) {
        Ok(stored) => serde_json::from_slice(&stored)?,
        Err(_) => {
            Conversation::from(MessageCreateRequest::new("claude-sonnet-5", Vec::<AnthropicMessage>::new(), 1024))
        }
    };
    println!("[{} turns so far]", conversation.messages().len());
    if !conversation.messages().is_empty() {
        conversation = work(&client, conversation, &tools, &lines, history).await?;
    }
    loop {
        print!("you: ");
        stdout().flush()?;
        let Some(line) = lines.lock().await.recv().await.filter(|line| !line.is_empty()) else { return Ok(()) };
        conversation.push(AnthropicMessage::user(line));
        conversation = work(&client, conversation, &tools, &lines, history).await?;
    }
}

/// Runs the agent until it answers or is interrupted, and stores the conversation after each step.
async fn work(
    client: &Client,
    conversation: Conversation,
    tools: &[Tool],
    lines: &Lines,
    history: &Path,
) -> Result<Conversation> {
    let lines = Arc::clone(lines);
    let run = client.run_tools(conversation, tools.iter().cloned()).streaming(true);
    let mut steps = run.before_tool(move |call| approve(call, Arc::clone(&lines))).steps();
    loop {
        let step = tokio::select! {
            step = steps.next() => step,
            _ = ctrl_c() => {
                println!("\n[interrupted]");
                let conversation = steps.interrupt();
                fs::write(history, serde_json::to_vec(&conversation)?)?;
                return Ok(conversation);
            }
        };
        match step {
            Some(Ok(ToolStep::Text(text))) => print!("{text}"),
            Some(Ok(ToolStep::ToolFinished(finished))) => {
                println!("[{}]", finished.failure.map_or("done".to_owned(), |failure| failure.to_string()));
            }
            Some(Ok(ToolStep::Finished(outcome))) => println!("\n[{:?} tokens]", outcome.total_usage().output_tokens),
            Some(Ok(_)) => {}
            Some(Err(failed)) => println!("[{failed}]"),
            None => return Ok(steps.conversation().clone()),
        }
        stdout().flush()?;
        fs::write(history, serde_json::to_vec(steps.conversation())?)?;
    }
}

/// Asks before anything is changed.
async fn approve(call: ToolCall, lines: Lines) -> Verdict {
    if call.name() != "write_note" {
        return Verdict::Allow;
    }
    println!("\n[{} {}] allow? (y/n)", call.name(), call.input());
    match lines.lock().await.recv().await.as_deref() {
        Some("y") => Verdict::Allow,
        _ => Verdict::Deny("the user did not allow it".to_owned()),
    }
}

fn tools() -> Vec<Tool> {
    let notes = Arc::new(Mutex::new(BTreeMap::new()));
    let written = Arc::clone(&notes);
    let write = Tool::new("write_note", "Writes a note", move |note: Note| {
        let notes = Arc::clone(&written);
        async move { notes.lock().await.insert(note.title, note.text).map_or("written", |_| "replaced") }
    });
    let list = Tool::new("list_notes", "Lists the titles of all notes", move |_: NoArgs| {
        let notes = Arc::clone(&notes);
        async move { notes.lock().await.keys().cloned().collect::<Vec<String>>().join(", ") }
    });
    vec![write, list.restartable()]
}

/// Plays the model: writes what it was told as a note, lists all notes, and answers.
fn play(request: &ReceivedRequest) -> Reply {
    let said = request.last_user_text().unwrap_or_default();
    match request.tool_results().last().and_then(|result| result["content"].as_str()) {
        None => {
            Reply::text("Let me write that down.").and_tool_call("write_note", json!({"title": said, "text": said}))
        }
        Some("written" | "replaced") => Reply::tool_call("list_notes", json!({})),
        Some(result) => Reply::text(format!("Noted: {result}")),
    }
}

fn lines() -> Lines {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        stdin().lock().lines().map_while(std::io::Result::ok).try_for_each(|line| sender.send(line))
    });
    Arc::new(Mutex::new(receiver))
}
