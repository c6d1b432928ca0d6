//! Handles each class of error, on a server inside this process.

use std::time::Duration;

use anthropic_messages::{AnthropicMessage, Client, Error, ErrorKind, MessageCreateRequest};
use anthropic_messages_testing::{At, Fault, Reply, Server};

/// Returns what a service does about an error, in words.
fn decide(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Configuration => format!("fix the settings: {error}"),
        ErrorKind::Contract => format!("fix the request at {}", error.pointer().unwrap_or("its root")),
        ErrorKind::Authentication | ErrorKind::Permission => "fix the key, or what it may do".to_owned(),
        ErrorKind::BadRequest => {
            let message = error.api_error().and_then(|api| api.message()).unwrap_or("no reason given");
            format!("fix the request: {message}")
        }
        ErrorKind::RateLimit => match error.retry_after() {
            Some(wait) => format!("come back in {} s", wait.as_secs()),
            None => "come back later".to_owned(),
        },
        ErrorKind::Overloaded => "shed load, and try a smaller model".to_owned(),
        ErrorKind::ContentType => "look at the gateway between here and the API".to_owned(),
        _ if error.may_have_been_processed() => "check before sending again: it may have run, and cost".to_owned(),
        _ => "send it again".to_owned(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start()?;
    let replies = [
        Reply::error(400, "invalid_request_error", "max_tokens: too large"),
        Reply::error(401, "authentication_error", "invalid key"),
        Reply::rate_limited().retry_after(Duration::from_secs(120)),
        Reply::overloaded(),
        Reply::gateway_page(200),
        Reply::text("Never seen").fault(Fault::reset(At::BeforeHeaders)),
        Reply::text("Half of it").fault(Fault::reset(At::AfterByte(20))),
    ];
    // One attempt each, so that every error is seen; by default two more would follow where that is safe.
    let client = server.client_builder().max_retries(0).build()?;
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hi")], 100);
    for reply in replies {
        server.reply(reply);
        show(client.create_message(&request).await.err());
    }

    let nothing = MessageCreateRequest::new("claude-sonnet-5", Vec::<AnthropicMessage>::new(), 100);
    show(client.create_message(&nothing).await.err());
    show(Client::new("a key with spaces").err());
    Ok(())
}

fn show(error: Option<Error>) {
    match error {
        Some(error) => println!("{error}\n  -> {}", decide(&error)),
        None => println!("no error"),
    }
}
