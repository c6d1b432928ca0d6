//! Tests of the cost of a large job.

use std::{env, process::Command};

use anthropic_messages::Client;
use anthropic_messages_testing::Server;

use crate::{journal, open, requests};

const MEBIBYTE: u64 = 1024 * 1024;

#[tokio::test]
#[ignore = "started by other tests, in a process of its own"]
async fn child() {
    let client = Client::builder().api_key("k").base_url(env::var("URL").unwrap()).no_proxy().build().unwrap();
    let (_folder, path) = journal();
    let count: usize = env::var("COUNT").unwrap().parse().unwrap();
    let mut job = open(&path).unwrap().start(&client, requests(count)).unwrap();
    let mut answers = 0;
    while let Some(answer) = job.next().await {
        answer.unwrap();
        answers += 1;
    }
    println!("answers {answers} peak {} journal {}", peak(), std::fs::metadata(&path).unwrap().len());
}

/// Returns the peak of the process's resident memory, in bytes, and the size of the journal.
fn run(count: usize) -> (u64, u64, usize) {
    let server = Server::builder().batches_end_after_polls(0).start().unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["bulk::scale::child", "--exact", "--ignored", "--nocapture"])
        .env("URL", server.base_url())
        .env("COUNT", count.to_string())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let line = printed.lines().find_map(|line| line.split_once("answers ")).unwrap().1;
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!(fields[0], count.to_string());
    (fields[2].parse().unwrap(), fields[4].parse().unwrap(), server.requests().len())
}

#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_thousand_requests_take_little_memory() {
    let (memory, journal, calls) = run(100_000);
    assert!(memory <= 64 * MEBIBYTE, "{} MiB", memory / MEBIBYTE);
    let (_, half_journal, half_calls) = run(50_000);
    assert!(journal * 10 <= half_journal * 22, "{journal} bytes beside {half_journal}");
    assert!(calls * 10 <= half_calls * 22, "{calls} calls beside {half_calls}");
}
