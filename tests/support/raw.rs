//! A server that writes whatever a test wants, HTTP or not, on the loopback interface.
//!
//! It runs on threads of its own, so that a test may stop the clock of its runtime.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A server that handles each connection with a function, on a thread of its own.
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

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    /// Names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub at: Instant,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(header, _)| header == name).count()
    }
}

/// One connection to the server.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Which connection of the server it is, from 0.
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
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), handle)
    }

    /// Handles each connection of a listener.
    pub fn on(listener: TcpListener, handle: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
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

    /// Answers each request with the next of `answers`, and all further ones with the last.
    pub fn answering<A: Into<Vec<u8>>>(answers: impl IntoIterator<Item = A>) -> Self {
        let answers: Vec<Vec<u8>> = answers.into_iter().map(Into::into).collect();
        let next = AtomicUsize::new(0);
        Self::start(move |connection| {
            while connection.request().is_some() {
                let number = next.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
                if !connection.send(&answers[number]) {
                    return;
                }
            }
        })
    }

    /// The base URL for a client.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests that were read whole.
    pub fn requests(&self) -> Vec<Request> {
        self.counts.requests.lock().unwrap().clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open any more; `false` when that takes longer than 5 s.
    pub async fn all_closed(&self) -> bool {
        eventually(|| self.open() == 0).await
    }
}

/// Waits until something is so, while the runtime goes on; `false` when that takes longer than 5 s.
pub async fn eventually(so: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(5);
    while !so() {
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    true
}

impl Connection {
    /// Reads one request whole; `None` when the other side has closed.
    pub fn request(&mut self) -> Option<Request> {
        let end = self.until(|buffer| buffer.windows(4).position(|window| window == b"\r\n\r\n"))?;
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length =
            headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
        let length: usize = length.unwrap_or(0);
        self.until(|buffer| (buffer.len() >= length).then_some(()))?;
        let body = self.buffer.drain(..length).collect();
        let request = Request { line, headers, body, at: Instant::now() };
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

    /// Makes the connection end with a reset instead of a close.
    pub fn reset(&mut self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// An answer with a body of known length.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A JSON answer.
pub fn json(status: u16, body: impl AsRef<[u8]>) -> Vec<u8> {
    answer(status, &[("content-type", "application/json"), ("request-id", "req_1")], body)
}

/// A message that says `text`.
pub fn message(text: &str) -> Vec<u8> {
    json(200, message_body(text))
}

/// The body of a message that says `text`.
pub fn message_body(text: &str) -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":3,"output_tokens":5}}}}"#
    )
}

/// An error of the API.
pub fn api_error(status: u16, error_type: &str) -> Vec<u8> {
    json(status, error_body(error_type, "Said by the test."))
}

/// The body of an error of the API.
pub fn error_body(error_type: &str, message: &str) -> String {
    format!(r#"{{"type":"error","error":{{"type":"{error_type}","message":"{message}"}},"request_id":"req_body"}}"#)
}
