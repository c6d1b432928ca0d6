//! Compares the cost of the crate with the same work done without it.
//!
//! `cargo run --release` in this folder prints all tables of `docs/performance.md`; the name of a
//! table as argument prints that one. `requests ours 16` only makes calls, for a profiler; `reqwest`
//! and `hyper` are the other ways, and the number is how many are in flight.

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
        ["requests", name, in_flight] => requests::only(name, in_flight),
        ["decode"] => {
            decode::run();
            Ok(())
        }
        ["streams"] => {
            streams::run();
            Ok(())
        }
        ["streams", how, iterations] => {
            streams::only(how, iterations.parse()?);
            Ok(())
        }
        ["memory"] => memory::run(),
        ["serve"] => server::serve(),
        ["hold", contender, address] => memory::hold(contender, address),
        _ => Err("usage: compare [requests | decode | streams [events | chunks | random ITERATIONS] | memory]".into()),
    }
}
