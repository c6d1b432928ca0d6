//! Passes a streamed reply on to a browser, which never sees the API key.
//!
//! `POST` a request of the Messages API to it. Events are sent on as they arrive, and every way to end reaches the browser:
//!
//! | what happens | what the browser gets |
//! |---|---|
//! | the reply is complete | its events up to `message_stop` |
//! | the API refuses the request, or can't be reached | the status and the error as JSON |
//! | the reply breaks off, stalls or takes too long | the events so far, then an `error` event |
//! | the API sends an error in the middle | the same, with the error that the API sent |
//! | the browser leaves | nothing; the reply is cancelled, and the API stops generating |

use std::{convert::Infallible, error::Error};

use anthropic_messages::{Client, MessageCreateRequest, MessageStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Returns the text of a reply's events, with an `error` event at the end if the reply fails.
///
/// Any web framework can send it. Dropping it cancels the reply.
fn events(reply: MessageStream) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some(reply), |reply| async move {
        let mut reply = reply?;
        let event = reply.next().await?;
        Some(match event.and_then(|event| event.to_sse()) {
            Ok(event) => (event.to_string().into(), Some(reply)),
            Err(error) => (error.to_sse().to_string().into(), None),
        })
    })
}

/// Answers one request of a browser.
async fn answer(client: Client, request: Request<Incoming>) -> Response<Body> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let Ok(request) = serde_json::from_slice::<MessageCreateRequest>(&body) else {
        let error = r#"{"type":"error","error":{"type":"invalid_request_error","message":"not a request"}}"#;
        return response(StatusCode::BAD_REQUEST, "application/json", Full::from(error).boxed_unsync());
    };
    match client.stream_message(&request).await {
        Ok(reply) => {
            let body = StreamBody::new(events(reply).map(|text| Ok(Frame::data(text))));
            response(StatusCode::OK, "text/event-stream", body.boxed_unsync())
        }
        Err(error) => {
            let status = error.status().filter(|status| !status.is_success()).unwrap_or(StatusCode::BAD_GATEWAY);
            let error = error.to_sse().data.into_owned();
            response(status, "application/json", Full::from(error).boxed_unsync())
        }
    }
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Serves browsers until the listener fails.
pub async fn serve(listener: TcpListener, client: Client) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let (browser, _) = listener.accept().await?;
        let client = client.clone();
        let service = service_fn(move |request| {
            let client = client.clone();
            async move { Ok::<_, Infallible>(answer(client, request).await) }
        });
        // A browser that leaves ends its connection with an error, and drops the reply.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(browser), service));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Relaying at http://{}", listener.local_addr()?);
    serve(listener, Client::from_env()?).await
}
