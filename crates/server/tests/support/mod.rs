//! A server on a real store and real sockets, and small clients for it.
#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod centrifuge;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_broker::{Broker, InProcessBroker};
use ordercast_domain::money::Currency;
use ordercast_domain::rules::Rules;
use ordercast_engine::processor::TimedProcessor;
use ordercast_engine::{Engine, EngineConfig, EngineParts};
use ordercast_hub::{Hub, HubConfig, Seams};
use ordercast_server::{App, ServerConfig, serve};
use ordercast_store::read::ReadStore;
use ordercast_store::write::WriteStore;
use ordercast_store_sqlite::{SqliteOptions, open};
use serde_json::Value;
use tokio::sync::oneshot;

/// Opcodes of messages (RFC 6455 §5.2).
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
/// Long enough for a slow machine; only a defect waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a test changes before the server starts.
pub(crate) struct Setup {
    pub(crate) engine: EngineConfig,
    pub(crate) hub: HubConfig,
    pub(crate) server: ServerConfig,
}

/// A running server; dropping it stops it gracefully.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts on the SQLite store of `dir`.
    pub(crate) fn start(dir: &Path, change: impl FnOnce(&mut Setup)) -> Self {
        let (writer, reader) = open(&SqliteOptions::new(dir)).expect("a store");
        Self::start_on(writer, Arc::new(reader), change)
    }

    pub(crate) fn start_on(
        writer: impl WriteStore,
        store: Arc<dyn ReadStore>,
        change: impl FnOnce(&mut Setup),
    ) -> Self {
        let mut setup = Setup {
            engine: EngineConfig::new(Rules::standard(Currency::parse("USD").expect("a currency"))),
            hub: HubConfig::default(),
            server: ServerConfig { drain_timeout: Duration::from_secs(5), ..ServerConfig::default() },
        };
        change(&mut setup);
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let broker: Arc<dyn Broker> = Arc::new(InProcessBroker::new());
                let handle = tokio::runtime::Handle::current();
                let logs = Arc::new(Logs(Arc::clone(&store)));
                let seams = Seams::in_process(&setup.hub, logs, Arc::clone(&broker));
                let hub = Hub::start(setup.hub, seams, handle).await.expect("the hub starts");
                let processor = Arc::new(TimedProcessor::default());
                let parts = EngineParts { writer: Box::new(writer), reader: Arc::clone(&store), broker, processor };
                let engine = Engine::start(setup.engine, parts).await.expect("the engine starts");
                let app = App::new(engine, hub, store, setup.server);
                let listener = serve::bind(([127, 0, 0, 1], 0).into(), 128 * 1024).expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("the test waits");
                let stop = async {
                    let _ = stopped.await;
                };
                serve::serve(app, listener, stop).await.expect("it serves");
            });
        });
        let address = told.recv().expect("the server starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server stops without a panic");
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn socket(&self, path: &str) -> Socket {
        Socket::open(self.address, path).expect("the socket opens")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || std::thread::panicking(), "the server stops without a panic");
        }
    }
}

/// A `dyn ReadStore` where logs are asked for.
struct Logs(Arc<dyn ReadStore>);

impl ordercast_store::log::ReadLogs for Logs {
    fn log_states(&self) -> ordercast_store::log::ReadFuture<'_, Vec<ordercast_store::log::LogState>> {
        self.0.log_states()
    }

    fn log_page(
        &self,
        query: ordercast_store::log::PageQuery,
    ) -> ordercast_store::log::ReadFuture<'_, ordercast_store::log::LogPage> {
        self.0.log_page(query)
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The pointers of the fields that are wrong.
    pub(crate) fn pointers(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
    }
}

/// One keep-alive connection.
pub(crate) struct Client {
    stream: TcpStream,
    host: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, host: address.to_string() }
    }

    /// Another handle to the same connection, to send while an answer is read.
    pub(crate) fn another(&self) -> Self {
        Self { stream: self.stream.try_clone().expect("a handle"), host: self.host.clone() }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> Answer {
        self.request("POST", path, &["Content-Type: application/json"], body.as_bytes())
    }

    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        self.send(method, path, headers, body);
        self.answer()
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) {
        let host = if headers.iter().any(|header| header.starts_with("Host:")) {
            String::new()
        } else {
            format!("Host: {}\r\n", self.host)
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\n{host}Content-Length: {}\r\n", body.len());
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        self.stream.write_all(request.as_bytes()).expect("the head is taken");
        // A server that refuses early may close before it has read everything.
        let _ = self.stream.write_all(body);
    }

    /// Sends bytes as they are.
    pub(crate) fn start(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).expect("the bytes are taken");
    }

    pub(crate) fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the whole body");
        Answer { status, head, body }
    }

    /// The first chunk of a streamed body (RFC 9112 §7.1), after its head.
    pub(crate) fn read_chunk_after_head(&mut self) -> Vec<u8> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        self.read_chunk()
    }

    /// The next chunk of a streamed body.
    pub(crate) fn read_chunk(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.stream.read_exact(&mut byte).expect("a length");
            line.push(byte[0]);
        }
        let length = String::from_utf8_lossy(&line);
        let length = usize::from_str_radix(length.trim(), 16).expect("a length");
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).expect("a chunk");
        chunk.truncate(length);
        chunk
    }

    /// What comes next, without a frame; for streams.
    pub(crate) fn read_until(&mut self, needle: &str) -> String {
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        while !text.contains(needle) {
            let count = self.stream.read(&mut buffer).expect("more of the stream");
            assert!(count > 0, "the stream ended before {needle:?}: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        text
    }
}

/// A WebSocket client, as simple as can be.
pub(crate) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Opens a socket, or gives back the head of the refusal.
    pub(crate) fn open(address: SocketAddr, path: &str) -> Result<Self, String> {
        Self::open_with(address, path, "")
    }

    pub(crate) fn open_with(address: SocketAddr, path: &str, headers: &str) -> Result<Self, String> {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the head is taken");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        if !head.starts_with("HTTP/1.1 101") {
            return Err(head);
        }
        // The answer to the key that RFC 6455 §1.3 uses as its example.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        Ok(Self { stream })
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.send_frame(TEXT, text.as_bytes());
    }

    /// Sends a whole message of an opcode.
    pub(crate) fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..=0xFFFF => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        let mask = [1u8, 2, 3, 4];
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&frame).expect("the frame is taken");
    }

    /// The next text message, or the close code.
    pub(crate) fn next(&mut self) -> Result<Value, u16> {
        match self.next_frame() {
            Ok((TEXT, payload)) => Ok(serde_json::from_slice(&payload).expect("JSON")),
            Ok((other, _)) => panic!("an unexpected frame {other:#x}"),
            Err((code, _)) => Err(code),
        }
    }

    /// The next message with its opcode, or the close code and its reason. Pings are passed over.
    pub(crate) fn next_frame(&mut self) -> Result<(u8, Vec<u8>), (u16, String)> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).expect("a frame");
            let length = match head[1] {
                126 => {
                    let mut length = [0; 2];
                    self.stream.read_exact(&mut length).expect("a length");
                    usize::from(u16::from_be_bytes(length))
                }
                127 => {
                    let mut length = [0; 8];
                    self.stream.read_exact(&mut length).expect("a length");
                    usize::try_from(u64::from_be_bytes(length)).expect("a sane length")
                }
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).expect("a payload");
            match head[0] {
                0x81 | 0x82 => return Ok((head[0] & 0x0F, payload)),
                0x88 => {
                    let reason = String::from_utf8_lossy(&payload[2..]).into_owned();
                    return Err((u16::from_be_bytes([payload[0], payload[1]]), reason));
                }
                0x89 => {}
                other => panic!("an unexpected frame {other:#x}"),
            }
        }
    }

    /// The next message of a type.
    pub(crate) fn next_of(&mut self, kind: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.next().unwrap_or_else(|code| panic!("closed with {code} before {kind}"));
            if message["type"] == kind {
                return message;
            }
            assert!(Instant::now() < deadline, "no {kind} came");
        }
    }
}
