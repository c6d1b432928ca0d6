//! What the crate costs beside the same work done without it.
//!
//! `cargo run --release` in this folder prints all tables of `docs/performance.md`; the name of a
//! table as argument prints that one.

mod decode;
mod measure;
mod memory;
mod requests;
mod samples;
mod server;
mod shapes;
mod streams;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => {
            requests::run()?;
            decode::run();
            streams::run();
            memory::run()
        }
        ["requests"] => requests::run(),
        ["decode"] => {
            decode::run();
            Ok(())
        }
        ["streams"] => {
            streams::run();
            Ok(())
        }
        ["memory"] => memory::run(),
        ["serve"] => server::serve(),
        ["hold", contender, address] => memory::hold(contender, address),
        _ => Err("usage: compare [requests | decode | streams | memory]".into()),
    }
}
