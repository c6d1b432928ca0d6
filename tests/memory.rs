//! Limits on the memory that a response of any size uses. Each case runs in a separate process, whose peak resident
//! memory is measured.

#![cfg(test)]
#![cfg(target_os = "linux")]

mod support;
mod memory {
    mod documents;
    mod streams;
}

use std::{fs, process::Command};

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
use support::bodies::message_body;
use support::raw::{Connection, RawServer, json};

const MEBIBYTE: u64 = 1024 * 1024;
/// The memory that a process may use in addition to the body.
const MARGIN: u64 = 8 * MEBIBYTE;

/// Answers the first request of the child with a message, and all others with `bad`.
fn serve(bad: impl Fn(&mut Connection) + Send + Sync + 'static) -> RawServer {
    RawServer::start(move |connection| {
        while let Some(request) = connection.request() {
            if request.header("x-bad").is_some() {
                return bad(connection);
            }
            connection.send(json(&message_body("Hi")));
        }
    })
}

/// Makes a call in a separate process, and returns the kind of its error and by how much the peak
/// of the memory grew, in bytes.
fn call(server: &RawServer) -> (String, u64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env("URL", server.base_url())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let line = printed.lines().find_map(|line| line.split_once("kind ")).unwrap().1;
    let (kind, growth) = line.split_once(" growth ").unwrap();
    (kind.to_owned(), growth.parse().unwrap())
}

#[tokio::test]
#[ignore = "started by other tests, in a process of its own"]
async fn child() {
    let builder = Client::builder().api_key("k").base_url(std::env::var("URL").unwrap()).no_proxy();
    let client = builder.build().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    client.create_message(&request).await.unwrap();
    let before = peak();
    let bad = client.with_options(|o| o.header("x-bad", "1").max_retries(0));
    let error = bad.create_message(&request).await.unwrap_err();
    println!("kind {:?} growth {}", error.kind(), peak() - before);
}

/// The peak of this process's resident memory, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Sends a gibibyte in chunks, as far as it is taken.
fn gibibyte(connection: &mut Connection, status: u16) {
    connection.send(format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat();
    for _ in 0..16 * 1024 {
        if !connection.send(&chunk) {
            return;
        }
    }
    connection.send("0\r\n\r\n");
}

#[track_caller]
fn costs(server: &RawServer, expected: &str, limit: u64) {
    let (kind, growth) = call(server);
    assert_eq!(kind, expected);
    assert!(growth <= limit + MARGIN, "{growth} bytes for a limit of {limit}");
}

#[test]
fn a_body_of_a_gibibyte_costs_no_more_than_its_limit() {
    costs(&serve(|connection| gibibyte(connection, 200)), "BodyTooLarge", 64 * MEBIBYTE);
}

#[test]
fn a_body_that_declares_a_gibibyte_costs_nothing() {
    let server = serve(|connection| {
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
        while connection.send([b' '; 65_536]) {}
    });
    costs(&server, "BodyTooLarge", 0);
}

#[test]
fn an_error_of_a_gibibyte_costs_no_more_than_its_limit() {
    costs(&serve(|connection| gibibyte(connection, 400)), "BadRequest", MEBIBYTE);
}

#[test]
fn an_error_in_a_success_of_a_gibibyte_costs_no_more_than_the_limit() {
    let server = serve(|connection| {
        connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{\"type\":\"error\",\r\n");
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat();
        while connection.send(&chunk) {}
    });
    costs(&server, "BodyTooLarge", 64 * MEBIBYTE);
}

/// A stored gzip of zeros would grow a thousandfold; it is not asked for, and not decoded.
#[test]
fn a_compressed_bomb_costs_nothing() {
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &vec![0xed; 300_000]].concat();
    let server = serve(move |connection| {
        connection.send(format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len()));
        connection.send(&bomb);
    });
    costs(&server, "ContentEncoding", 0);
}
