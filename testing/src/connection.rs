//! One connection. hyper writes the replies, except those that violate HTTP, which are written to the socket directly.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::select;

use crate::body::{ReplyBody, ScriptedAbort};
use crate::counts::{ConnectionGuard, InFlightGuard};
use crate::script::lock;
use crate::service::{Pacer, Service};
use crate::wire::{BodyEnd, Framing, WireReply};

/// Serves a connection until either side closes it.
pub(crate) async fn serve(stream: TcpStream, service: Arc<Service>, number: usize, open: ConnectionGuard) {
    // Send each chunk immediately. A failure only affects timing.
    let _ = stream.set_nodelay(true);
    #[cfg_attr(not(feature = "http2"), expect(unused_mut, reason = "only HTTP/2 reads ahead"))]
    let mut stream = Peeked::new(stream);
    #[cfg(feature = "http2")]
    if stream.begins_with(b"PR").await {
        // Of all requests, only the HTTP/2 preface starts with `PR`.
        serve_http2(stream, service, number).await;
        drop(open);
        return;
    }
    serve_http1(stream, service, number).await;
    drop(open);
}

/// A stream whose first bytes were read to detect the protocol, and are read again.
struct Peeked {
    first: VecDeque<u8>,
    stream: TcpStream,
}

impl Peeked {
    fn new(stream: TcpStream) -> Self {
        Self { first: VecDeque::new(), stream }
    }

    /// Returns `true` if the stream begins with these bytes. Reads no more of it than that takes.
    #[cfg(feature = "http2")]
    async fn begins_with(&mut self, start: &[u8]) -> bool {
        while self.first.len() < start.len() && self.first.iter().eq(start.iter().take(self.first.len())) {
            match self.stream.read_u8().await {
                Ok(byte) => self.first.push_back(byte),
                Err(_) => return false,
            }
        }
        self.first.iter().eq(start)
    }
}

impl AsyncRead for Peeked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        while buffer.remaining() > 0
            && let Some(byte) = self.first.pop_front()
        {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peeked {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

async fn serve_http1(stream: Peeked, service: Arc<Service>, number: usize) {
    let pacer = service.pacer.clone();
    let by_hand: Arc<Mutex<Option<(WireReply, InFlightGuard)>>> = Arc::default();
    let handed_over = Arc::clone(&by_hand);
    let respond = service_fn(move |request: Request<Incoming>| {
        let (service, by_hand) = (Arc::clone(&service), Arc::clone(&by_hand));
        Box::pin(async move {
            let (wire_reply, in_flight) = service.answer(request, number).await;
            service.pacer.pause(wire_reply.delay).await;
            if wire_reply.needs_socket() {
                *lock(&by_hand) = Some((wire_reply, in_flight));
                return Err(ScriptedAbort);
            }
            Ok(response(wire_reply, in_flight, service.pacer.clone()))
        })
    });
    let mut connection = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), respond);
    // An error from the service ends the connection before any byte of the reply is written, and leaves the socket open.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner().stream;
    let wire_reply = lock(&handed_over).take();
    match wire_reply {
        Some((wire_reply, in_flight)) => write_by_hand(stream, wire_reply, in_flight, pacer).await,
        // The connection is over, whether or not the client is still there.
        None => drop(stream.shutdown().await),
    }
}

fn response(mut wire_reply: WireReply, in_flight: InFlightGuard, pacer: Pacer) -> Response<ReplyBody> {
    let (status, headers) = (wire_reply.status, std::mem::take(&mut wire_reply.headers));
    let mut response = Response::new(ReplyBody::new(wire_reply, in_flight, pacer));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

async fn write_by_hand(mut stream: TcpStream, wire_reply: WireReply, mut in_flight: InFlightGuard, pacer: Pacer) {
    let (mut reader, mut writer) = stream.split();
    let written = select! {
        written = write(&mut writer, &wire_reply, &pacer) => written.is_ok(),
        _ = left(&mut reader) => false,
    };
    if written {
        in_flight.finish();
    }
    if wire_reply.ending == BodyEnd::Reset && written {
        // Closing with a linger time of zero makes the system send a reset.
        let _ = stream.set_zero_linger();
    } else {
        let _ = stream.shutdown().await;
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), wire_reply: &WireReply, pacer: &Pacer) -> io::Result<()> {
    if !wire_reply.headless {
        stream.write_all(&wire_reply.head()).await?;
    }
    let is_chunked = wire_reply.framing == Framing::Chunked;
    for (position, chunk) in wire_reply.chunks.iter().enumerate() {
        if position > 0 {
            pacer.pause(wire_reply.pause).await;
        }
        if is_chunked {
            let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
            stream.write_all(&framed).await?;
        } else {
            stream.write_all(chunk).await?;
        }
    }
    match &wire_reply.ending {
        BodyEnd::Complete if is_chunked => stream.write_all(b"0\r\n\r\n").await,
        BodyEnd::MalformedChunk => stream.write_all(b"not a length\r\n").await,
        BodyEnd::Stall => std::future::pending().await,
        BodyEnd::Endless { bytes, pause } => loop {
            pacer.pause(*pause).await;
            stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
            stream.write_all(bytes).await?;
            stream.write_all(b"\r\n").await?;
        },
        BodyEnd::Complete | BodyEnd::Close | BodyEnd::Reset => Ok(()),
    }
}

/// Returns when the client closes its side. Ignores what the client sends until then.
async fn left(stream: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
}

#[cfg(feature = "http2")]
async fn serve_http2(stream: Peeked, service: Arc<Service>, number: usize) {
    let respond = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move {
            let (wire_reply, mut in_flight) = service.answer(request, number).await;
            service.pacer.pause(wire_reply.delay).await;
            match (wire_reply.headless, &wire_reply.ending) {
                (true, BodyEnd::Stall) => std::future::pending().await,
                (true, _) => {
                    in_flight.finish();
                    Err(ScriptedAbort)
                }
                (false, _) => Ok(response(wire_reply, in_flight, service.pacer.clone())),
            }
        }
    });
    let executor = hyper_util::rt::TokioExecutor::new();
    let connection = hyper::server::conn::http2::Builder::new(executor)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), respond);
    // The client may end the connection with or without an error.
    let _ = connection.await;
}

#[cfg(all(test, feature = "http2"))]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    /// A client that sends one byte and waits doesn't keep the server busy.
    #[tokio::test]
    async fn a_first_byte_alone_is_waited_on_without_polling() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut server = Peeked::new(listener.accept().await.unwrap().0);
        client.write_all(b"P").await.unwrap();
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let deciding = tokio::spawn(async move {
            let is_http2 = {
                let mut deciding = pin!(server.begins_with(b"PR"));
                poll_fn(|context| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    deciding.as_mut().poll(context)
                })
                .await
            };
            (server, is_http2)
        });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!deciding.is_finished() && polls.load(Ordering::SeqCst) <= 3, "{polls:?} polls");
        client.write_all(b"OST").await.unwrap();
        let (mut server, is_http2) = deciding.await.unwrap();
        assert!(!is_http2);
        let mut read = [0; 4];
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"POST", "the peeked bytes are read again");
    }
}
