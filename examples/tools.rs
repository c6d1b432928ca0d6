//! Lets the model call two tools, and prints each step.
//!
//! With `ANTHROPIC_API_KEY` set it goes to the real API; without, to a server inside this process
//! that plays the model.

use std::{collections::HashMap, error::Error};

use anthropic_messages::{
    AnthropicMessage, Client, MessageCreateRequest,
    schemars::{self, JsonSchema},
    tools::{Tool, ToolStep},
};
use anthropic_messages_testing::{Reply, Server};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
struct GetWeather {
    /// A city, such as `Paris`.
    city: String,
}

#[derive(Serialize)]
struct Weather {
    celsius: f64,
    sky: &'static str,
}

#[derive(Deserialize, JsonSchema)]
struct Convert {
    celsius: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let known = HashMap::from([("Paris", 22.0), ("Oslo", 9.5)]);
    let weather = Tool::new("get_weather", "The weather of a city", move |input: GetWeather| {
        let celsius = known.get(input.city.as_str()).copied();
        async move {
            let celsius = celsius.ok_or("there is no weather station in that city")?;
            serde_json::to_value(Weather { celsius, sky: "clear" }).map_err(|error| error.to_string())
        }
    });
    let convert = Tool::new("to_fahrenheit", "Converts a temperature", |input: Convert| async move {
        format!("{:.1}", input.celsius * 1.8 + 32.0)
    });

    let (client, _server) = client()?;
    let question = [AnthropicMessage::user("How warm is it in Paris and in Atlantis, in Fahrenheit?")];
    let request = MessageCreateRequest::new("claude-sonnet-5", question, 1024);
    let mut steps = client.run_tools(request, [weather, convert]).max_iterations(10).steps();
    while let Some(step) = steps.next().await {
        match step? {
            ToolStep::RequestStarted { iteration } => println!("request {iteration}"),
            ToolStep::ToolCalled(call) => println!("  {} {}", call.name(), call.input()),
            ToolStep::ToolFinished(end) if end.failure.is_some() => println!("  {} failed", end.call.name()),
            ToolStep::Finished(outcome) => println!("{}", outcome.text()),
            _ => {}
        }
    }
    Ok(())
}

fn client() -> Result<(Client, Option<Server>), Box<dyn Error>> {
    if std::env::var_os("ANTHROPIC_API_KEY").is_some() {
        return Ok((Client::from_env()?, None));
    }
    let server = Server::start()?;
    let both = Reply::tool_call("get_weather", json!({"city": "Paris"}));
    server
        .reply(both.and_tool_call("get_weather", json!({"city": "Atlantis"})))
        .then(Reply::tool_call("to_fahrenheit", json!({"celsius": 22.0})))
        .then(Reply::from_request(|request| match request.tool_results().as_slice() {
            [result] => Reply::text(format!("In Paris: {}; Atlantis is unknown.", result["content"])),
            _ => Reply::text("I could not find out."),
        }));
    Ok((server.client()?, Some(server)))
}
