//! Runs the testing server on a port of the loopback interface, for curl and for other languages' SDKs.
//!
//! `cargo run --example serve -- 8080`; without a port, the system chooses one.
//!
//! ```text
//! curl http://127.0.0.1:8080/v1/messages -H 'authorization: Bearer any' -H 'content-type: application/json' \
//!   -d '{"model":"claude-sonnet-5","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}'
//! ```

use anthropic_messages_testing::Server;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse()?,
        None => 0,
    };
    let server = Server::builder().port(port).start()?;
    println!("export ANTHROPIC_BASE_URL=http://{} ANTHROPIC_API_KEY=any", server.address());
    loop {
        std::thread::park();
    }
}
