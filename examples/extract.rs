//! Reads a letter into a Rust type.
//!
//! With `ANTHROPIC_API_KEY` set it goes to the real API; without, to a server inside this process
//! that plays the model.

use std::error::Error;

use anthropic_messages::{
    AnthropicMessage, Client, ErrorKind, MessageCreateRequest,
    schemars::{self, JsonSchema},
};
use anthropic_messages_testing::{Reply, Server};
use serde::Deserialize;
use serde_json::json;

/// The request of a customer.
#[derive(Debug, Deserialize, JsonSchema)]
struct Order {
    /// Name of who signed the letter.
    customer: String,
    items: Vec<Item>,
    urgency: Urgency,
    /// Delivery date, if one is named.
    deliver_by: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Item {
    article: String,
    count: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Urgency {
    Normal,
    Urgent,
}

const LETTER: &str = "Hello, we ran out of coffee! Please send 12 bags of Arabica and 3 filters, fast. Ada";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, _server) = client()?;
    let request =
        MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(LETTER)], 1024).structured::<Order>()?;
    let reply = client.create_message(&request).await?;

    match reply.structured::<Order>() {
        Ok(order) => {
            println!(
                "{} orders ({:?}), by {}:",
                order.customer,
                order.urgency,
                order.deliver_by.as_deref().unwrap_or("any day")
            );
            for item in order.items {
                println!("  {} x {}", item.count, item.article);
            }
        }
        // The reply is there in any case.
        Err(error) if error.kind() == ErrorKind::Refusal => println!("refused: {}", reply.text()),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn client() -> Result<(Client, Option<Server>), Box<dyn Error>> {
    if std::env::var_os("ANTHROPIC_API_KEY").is_some() {
        return Ok((Client::from_env()?, None));
    }
    let server = Server::start()?;
    let items = json!([{"article": "Arabica, bag", "count": 12}, {"article": "Filter", "count": 3}]);
    let order = json!({"customer": "Ada", "items": items, "urgency": "urgent", "deliver_by": null});
    server.reply(Reply::text(order.to_string()));
    Ok((server.client()?, Some(server)))
}
