//! The memory of streams that are open at once, each side in a process of its own.

use std::{error::Error, fs, process::Command, sync::Arc};

use anthropic_messages::{MessageResponse, MessageStream, types::StreamEvent};
use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::{Barrier, Semaphore};

use crate::{requests, server::Server, shapes};

/// The number of streams that are open at once.
const STREAMS: usize = 5_000;

/// The number of events that each stream has yielded when its memory is measured.
const EVENTS: usize = 25;

pub fn run() -> Result<(), Box<dyn Error>> {
    print_sizes()?;
    println!("\n## {STREAMS} slow streams, open at once\n");
    println!("| | resident memory per stream | ours by this |");
    println!("|---|---:|---:|");
    let mut results = Vec::new();
    for contender in ["ours", "reqwest"] {
        // The middle one of three.
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let server = Server::start()?;
            let output = Command::new(std::env::current_exe()?).args(["hold", contender, &server.address]).output()?;
            let text = String::from_utf8(output.stdout)?;
            let size: usize = text.trim().parse().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
            sizes.push(size);
        }
        sizes.sort_unstable();
        results.push((contender, sizes[1]));
    }
    let ours = results[0].1 as f64;
    for (contender, size) in results {
        println!("| {contender} | {size} bytes | {:.2} |", ours / size as f64);
    }
    Ok(())
}

fn print_sizes() -> Result<(), Box<dyn Error>> {
    println!("\n## Sizes\n\n| | bytes |\n|---|---:|");
    let client = requests::client("http://127.0.0.1:1")?;
    let request = requests::request();
    for (name, size) in [
        ("`MessageResponse`", size_of::<MessageResponse>()),
        ("`StreamEvent`", size_of::<StreamEvent>()),
        ("`MessageStream`", size_of::<MessageStream>()),
        ("the future of `create_message`", size_of_val(&client.create_message(&request))),
        ("the future of `stream_message`", size_of_val(&client.stream_message(&request))),
        ("the future of reqwest's `send`", size_of_val(&reqwest::Client::new().get("http://127.0.0.1:1").send())),
    ] {
        println!("| {name} | {size} |");
    }
    Ok(())
}

/// The work of the process that is looked at: opens the streams, and prints how many bytes a stream
/// takes.
#[tokio::main(flavor = "current_thread")]
pub async fn hold(contender: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let client = requests::client(address)?;
    let bare_client = reqwest::Client::builder().no_proxy().build()?;
    let opening = Arc::new(Semaphore::new(100));
    let all_open = Arc::new(Barrier::new(STREAMS + 1));
    let before = resident()?;
    for _ in 0..STREAMS {
        let (opening, all_open) = (Arc::clone(&opening), Arc::clone(&all_open));
        match contender {
            "ours" => tokio::spawn(hold_ours(client.clone(), opening, all_open)),
            _ => tokio::spawn(hold_bare(bare_client.clone(), format!("{address}/v1/messages"), opening, all_open)),
        };
    }
    all_open.wait().await;
    println!("{}", (resident()? - before) / STREAMS);
    Ok(())
}

async fn hold_ours(client: anthropic_messages::Client, opening: Arc<Semaphore>, all_open: Arc<Barrier>) {
    let permit = opening.acquire().await;
    let mut stream = client.stream_message(&requests::request()).await.expect("the server answers");
    drop(permit);
    for _ in 0..EVENTS {
        stream.next().await.expect("there is more").expect("the stream is one");
    }
    all_open.wait().await;
    stream.next().await;
}

async fn hold_bare(client: reqwest::Client, url: String, opening: Arc<Semaphore>, all_open: Arc<Barrier>) {
    #[derive(Serialize)]
    struct Streamed {
        #[serde(flatten)]
        request: shapes::Request,
        stream: bool,
    }
    let permit = opening.acquire().await;
    let request = Streamed { request: requests::bare_request(), stream: true };
    let answer = client.post(url).json(&request).send().await.expect("the server answers");
    drop(permit);
    let mut body = answer.bytes_stream();
    for _ in 0..EVENTS {
        body.next().await.expect("there is more").expect("the body is whole");
    }
    all_open.wait().await;
    body.next().await;
}

/// The bytes of memory that this process has.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the system does not say")?;
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}
