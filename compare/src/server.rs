//! The server that the clients talk to: a process of its own, so that the CPU time and the memory
//! of this one are the client's.

use std::{
    convert::Infallible,
    error::Error,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::{net::TcpListener, time::sleep};

use crate::samples;

/// A running server. It ends with this value.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The work of the server's process.
#[tokio::main(flavor = "current_thread")]
pub async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let reply = Bytes::from(samples::typical_reply());
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let reply = reply.clone();
        let service = service_fn(move |request| answer(request, reply.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    reply: Bytes,
) -> Result<Response<impl Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>>>, hyper::Error> {
    let request = request.into_body().collect().await?.to_bytes();
    let answer = Response::builder().header("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy");
    let answer = if memmem::find(&request, b"\"stream\":true").is_some() {
        answer.header("content-type", "text/event-stream").body(Either::Right(StreamBody::new(slow_events())))
    } else {
        answer.header("content-type", "application/json").body(Either::Left(Full::new(reply)))
    };
    Ok(answer.expect("the headers are valid"))
}

/// The beginning of a reply, an event every 50 ms, and then nothing more.
fn slow_events() -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let events = samples::events(1_000).into_iter().take(30);
    stream::iter(events)
        .then(|event| async move {
            sleep(Duration::from_millis(50)).await;
            Ok(Frame::data(Bytes::from(event)))
        })
        .chain(stream::pending())
}
