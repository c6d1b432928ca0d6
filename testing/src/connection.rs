//! One connection: HTTP by the library, and by hand where a reply breaks its rules.

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

use super::body::{BrokenOff, ReplyBody};
use super::counts::{InFlight, OpenConnection};
use super::delivery::{Delivery, Ending, Framing};
use super::script::lock;
use super::service::{Pacer, Service};

/// Serves a connection until either side closes it.
pub(crate) async fn serve(stream: TcpStream, service: Arc<Service>, number: usize, open: OpenConnection) {
    // Chunks shall leave when they are due. A socket that refuses this works all the same.
    let _ = stream.set_nodelay(true);
    #[cfg_attr(not(feature = "http2"), expect(unused_mut, reason = "only HTTP/2 reads ahead"))]
    let mut stream = Rewound::new(stream);
    #[cfg(feature = "http2")]
    if stream.begins_with(b"PR").await {
        // The client speaks HTTP/2 without having asked: of all first lines only its preface begins so.
        serve_http2(stream, service, number).await;
        drop(open);
        return;
    }
    serve_http1(stream, service, number).await;
    drop(open);
}

/// A stream whose first bytes were read to learn the protocol, and are read again.
struct Rewound {
    first: VecDeque<u8>,
    stream: TcpStream,
}

impl Rewound {
    fn new(stream: TcpStream) -> Self {
        Self { first: VecDeque::new(), stream }
    }

    /// Reads as many bytes as it takes to tell whether the stream begins with these.
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

impl AsyncRead for Rewound {
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

impl AsyncWrite for Rewound {
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

async fn serve_http1(stream: Rewound, service: Arc<Service>, number: usize) {
    let pacer = service.pacer.clone();
    let by_hand: Arc<Mutex<Option<(Delivery, InFlight)>>> = Arc::default();
    let handed_over = Arc::clone(&by_hand);
    let respond = service_fn(move |request: Request<Incoming>| {
        let (service, by_hand) = (Arc::clone(&service), Arc::clone(&by_hand));
        Box::pin(async move {
            let (delivery, in_flight) = service.answer(request, number).await;
            service.pacer.pause(delivery.delay).await;
            if delivery.needs_socket() {
                *lock(&by_hand) = Some((delivery, in_flight));
                return Err(BrokenOff);
            }
            Ok(response(delivery, in_flight, service.pacer.clone()))
        })
    });
    let mut connection = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), respond);
    // An error of the service ends the connection before anything of the reply is written, and
    // leaves the socket open.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner().stream;
    let delivery = lock(&handed_over).take();
    match delivery {
        Some((delivery, in_flight)) => write_by_hand(stream, delivery, in_flight, pacer).await,
        // Whether or not the client is still there, the connection is over.
        None => drop(stream.shutdown().await),
    }
}

fn response(mut delivery: Delivery, in_flight: InFlight, pacer: Pacer) -> Response<ReplyBody> {
    let (status, headers) = (delivery.status, std::mem::take(&mut delivery.headers));
    let mut response = Response::new(ReplyBody::new(delivery, in_flight, pacer));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

async fn write_by_hand(mut stream: TcpStream, delivery: Delivery, mut in_flight: InFlight, pacer: Pacer) {
    let (mut reader, mut writer) = stream.split();
    let written = select! {
        written = write(&mut writer, &delivery, &pacer) => written.is_ok(),
        _ = left(&mut reader) => false,
    };
    if written {
        in_flight.finish();
    }
    if delivery.ending == Ending::Reset && written {
        // Closing with a linger time of zero is what makes the system send a reset.
        let _ = stream.set_zero_linger();
    } else {
        let _ = stream.shutdown().await;
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), delivery: &Delivery, pacer: &Pacer) -> io::Result<()> {
    if !delivery.headless {
        stream.write_all(&delivery.head()).await?;
    }
    let is_chunked = delivery.framing == Framing::Chunked;
    for (position, chunk) in delivery.chunks.iter().enumerate() {
        if position > 0 {
            pacer.pause(delivery.pause).await;
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
    match &delivery.ending {
        Ending::Complete if is_chunked => stream.write_all(b"0\r\n\r\n").await,
        Ending::MalformedChunk => stream.write_all(b"not a length\r\n").await,
        Ending::Stall => std::future::pending().await,
        Ending::Endless { bytes, pause } => loop {
            pacer.pause(*pause).await;
            stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
            stream.write_all(bytes).await?;
            stream.write_all(b"\r\n").await?;
        },
        Ending::Complete | Ending::Close | Ending::Reset => Ok(()),
    }
}

/// Returns when the client has closed its side; what it sends until then has no answer.
async fn left(stream: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
}

#[cfg(feature = "http2")]
async fn serve_http2(stream: Rewound, service: Arc<Service>, number: usize) {
    let respond = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move {
            let (delivery, mut in_flight) = service.answer(request, number).await;
            service.pacer.pause(delivery.delay).await;
            match (delivery.headless, &delivery.ending) {
                (true, Ending::Stall) => std::future::pending().await,
                (true, _) => {
                    in_flight.finish();
                    Err(BrokenOff)
                }
                (false, _) => Ok(response(delivery, in_flight, service.pacer.clone())),
            }
        }
    });
    let executor = hyper_util::rt::TokioExecutor::new();
    let connection = hyper::server::conn::http2::Builder::new(executor)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), respond);
    // The client's end of the connection ends it with an error or without; both are its right.
    let _ = connection.await;
}

#[cfg(all(test, feature = "http2"))]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    /// A client that sends one byte and waits costs nothing meanwhile.
    #[tokio::test]
    async fn a_first_byte_alone_is_waited_on_without_polling() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut server = Rewound::new(listener.accept().await.unwrap().0);
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
        assert_eq!(&read, b"POST", "what was read is read again");
    }
}
