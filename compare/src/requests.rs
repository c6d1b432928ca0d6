//! Calls over the loopback interface, from the request's fields to the reply's.

use std::{error::Error, hint::black_box, pin::Pin, sync::Arc};

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as PoolingClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{runtime, task::JoinSet};

use crate::{
    measure::{Contender, print, side_by_side},
    server::Server,
    shapes::{Message, Reply, Request},
};

/// The number of calls in a turn.
const CALLS: usize = 1024;

const QUESTION: &str = "Why was the river low that spring? Answer in three sentences, and then look up the weather.";

type Call = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

pub fn run() -> Result<(), Box<dyn Error>> {
    println!("\n## A call over the loopback interface");
    let server = Server::start()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    for in_flight in [1, 16, 256] {
        let contenders = vec![
            contender("ours", &runtime, in_flight, ours(&server.address)?),
            contender("reqwest + serde_json", &runtime, in_flight, by_reqwest(&server.address)?),
            contender("floor: hyper-util + serde_json", &runtime, in_flight, by_hyper(&server.address)),
        ];
        let costs = side_by_side(1, CALLS, contenders);
        print(&format!("{in_flight} in flight"), "call", &costs);
    }
    Ok(())
}

/// Makes 4,096 calls in one way and measures nothing, for a profiler.
pub fn only(name: &str, in_flight: &str) -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let call = match name {
        "ours" => ours(&server.address)?,
        "reqwest" => by_reqwest(&server.address)?,
        "hyper" => by_hyper(&server.address),
        _ => return Err("the ways are ours, reqwest and hyper".into()),
    };
    (contender("", &runtime, in_flight.parse()?, call).work)(4);
    Ok(())
}

fn contender<'a>(name: &'static str, runtime: &'a runtime::Runtime, in_flight: usize, call: Call) -> Contender<'a> {
    Contender::new(name, move |iterations| {
        for _ in 0..iterations {
            runtime.block_on(async {
                let mut callers = JoinSet::new();
                for _ in 0..in_flight {
                    let call = Arc::clone(&call);
                    callers.spawn(async move {
                        for _ in 0..CALLS / in_flight {
                            call().await;
                        }
                    });
                }
                callers.join_all().await;
            });
        }
    })
}

pub fn client(address: &str) -> Result<Client, anthropic_messages::Error> {
    Client::builder().api_key("test").base_url(address).no_proxy().build()
}

/// The request as the crate's users build it.
pub fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(QUESTION)], 1024)
}

fn ours(address: &str) -> Result<Call, Box<dyn Error>> {
    let client = client(address)?;
    Ok(Arc::new(move || {
        let client = client.clone();
        Box::pin(async move {
            let request = request();
            black_box(client.create_message(&request).await.expect("the server answers"));
        })
    }))
}

/// The same request without the crate.
pub fn bare_request() -> Request {
    Request {
        model: "claude-sonnet-5".to_owned(),
        messages: vec![Message { role: "user", content: QUESTION.to_owned() }],
        max_tokens: 1024,
    }
}

fn by_reqwest(address: &str) -> Result<Call, Box<dyn Error>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url: Arc<str> = format!("{address}/v1/messages").into();
    Ok(Arc::new(move || {
        let client = client.clone();
        let url = Arc::clone(&url);
        Box::pin(async move {
            let answer = client
                .post(&*url)
                .header("x-api-key", "test")
                .header("anthropic-version", "2023-06-01")
                .json(&bare_request())
                .send()
                .await
                .and_then(reqwest::Response::error_for_status)
                .expect("the server answers");
            black_box(answer.json::<Reply>().await.expect("the answer is a reply"));
        })
    }))
}

fn by_hyper(address: &str) -> Call {
    let client: PoolingClient<HttpConnector, Full<Bytes>> =
        PoolingClient::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
    let url: http::Uri = format!("{address}/v1/messages").parse().expect("the address is one");
    Arc::new(move || {
        let client = client.clone();
        let url = url.clone();
        Box::pin(async move {
            let body = serde_json::to_vec(&bare_request()).expect("a request can be written");
            let request = http::Request::post(url)
                .header(CONTENT_TYPE, "application/json")
                .header("x-api-key", "test")
                .header("anthropic-version", "2023-06-01")
                .body(Full::new(Bytes::from(body)))
                .expect("the request is valid");
            let answer = client.request(request).await.expect("the server answers");
            let body = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
            black_box(serde_json::from_slice::<Reply>(&body).expect("the answer is a reply"));
        })
    })
}
