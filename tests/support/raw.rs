//! A server for bytes that are not HTTP, or not well-formed, or too many to keep: broken heads and
//! chunks, answers before the request is read, TLS, bodies without end.
//!
//! Whatever HTTP has a word for is the testing server's (`anthropic_messages_testing::Server`).
//! This one runs on threads of its own, so that a test may stop the clock of its runtime.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A server that handles each connection with a function, on its own thread.
pub struct RawServer {
    pub address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

/// The head of a request; its body is read and dropped.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names in lower case, in their order.
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// One connection to the server.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The index of the connection, counted from 0.
    pub number: usize,
    // The last field: dropped after the socket.
    counts: Open,
}

/// Counts a connection as open.
struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl RawServer {
    /// Handles each connection with `handle`.
    pub fn start(handle: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let (handle, shared) = (Arc::new(handle), Arc::clone(&counts));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (handle, counts) = (Arc::clone(&handle), Arc::clone(&shared));
                let number = counts.connections.fetch_add(1, Ordering::SeqCst);
                counts.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    let mut connection = Connection { stream, buffer: Vec::new(), number, counts: Open(counts) };
                    handle(&mut connection);
                });
            }
        });
        Self { address, counts }
    }

    /// Answers each request with the same bytes.
    pub fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |connection| while connection.request().is_some() && connection.send(&bytes) {})
    }

    /// The base URL for a client.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests that were read whole.
    pub fn requests(&self) -> Vec<Request> {
        self.counts.requests.lock().unwrap().clone()
    }

    /// Returns the number of connections made.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open any more; `false` when that takes longer than 5 s.
    pub async fn all_closed(&self) -> bool {
        let end = Instant::now() + Duration::from_secs(5);
        while self.counts.open.load(Ordering::SeqCst) > 0 {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        true
    }
}

impl Connection {
    /// Reads one request whole; `None` when the other side has closed.
    pub fn request(&mut self) -> Option<Request> {
        let end = self.until(|buffer| buffer.windows(4).position(|window| window == b"\r\n\r\n"))?;
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let headers: Vec<(String, String)> = head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length =
            headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
        let length: usize = length.unwrap_or(0);
        self.until(|buffer| (buffer.len() >= length).then_some(()))?;
        self.buffer.drain(..length);
        let request = Request { headers };
        self.counts.0.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// Reads the head of a request, and leaves its body.
    pub fn head(&mut self) {
        self.until(|buffer| buffer.windows(4).position(|window| window == b"\r\n\r\n"));
    }

    /// The socket itself.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn until<T>(&mut self, found: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = found(&self.buffer) {
                return Some(found);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Writes bytes; `false` when the other side has closed.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Waits until the other side closes.
    pub fn wait_for_close(&mut self) {
        let _ = self.until(|_| None::<()>);
    }
}

/// An answer of JSON, as the beginning of something worse.
pub fn json(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into()
}
