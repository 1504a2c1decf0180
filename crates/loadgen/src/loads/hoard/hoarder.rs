//! One client that does everything except read.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::frames::push_text;
use crate::orders;

/// What the kernel keeps for a client that does not read, in bytes.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024;
/// Where they come from.
const OWN_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How long a connection may take to stand.
const CONNECT_TIME: Duration = Duration::from_secs(1);
/// Bytes of a message that never becomes whole.
const PART_OF_A_MESSAGE: usize = 200_000;
/// Bytes of a body that never becomes whole.
const PART_OF_A_BODY: usize = 900_000;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Subscribes from the start and leaves, again and again.
    Subscriber,
    /// Asks for what was, how things stand and who is there.
    Asker,
    /// Asks by the Centrifuge protocol.
    Centrifuge,
    /// Places orders, and repeats them.
    Buyer,
    /// Opens a stream of everything.
    Stream,
    /// Asks for the longest lists, many in a row.
    Lister,
    /// Sends most of a message.
    HalfMessage,
    /// Sends most of a body.
    HalfBody,
    /// Sends some lines of many.
    Uploader,
    /// Waits for work.
    Worker,
}

const KINDS: [Kind; 10] = [
    Kind::Subscriber,
    Kind::Asker,
    Kind::Centrifuge,
    Kind::Buyer,
    Kind::Stream,
    Kind::Lister,
    Kind::HalfMessage,
    Kind::HalfBody,
    Kind::Uploader,
    Kind::Worker,
];

/// The client.
pub(super) struct Hoarder {
    kind: Kind,
    number: u64,
    round: u64,
    stream: Option<TcpStream>,
    /// What is still to be sent.
    unsent: Vec<u8>,
}

impl Hoarder {
    pub(super) fn new(number: u64) -> Self {
        let kind = KINDS[(number % KINDS.len() as u64) as usize];
        Self { kind, number, round: 0, stream: None, unsent: Vec::new() }
    }

    /// Goes on with what it does; comes back when the server has closed. Gives the bytes that the server took.
    pub(super) fn go_on(&mut self, address: SocketAddr) -> usize {
        if self.stream.is_none() {
            self.stream = connect(address).ok();
            self.unsent = self.opening();
        }
        if self.unsent.is_empty() {
            self.round += 1;
            self.unsent = self.next();
        }
        let Some(stream) = &mut self.stream else { return 0 };
        match stream.write(&self.unsent) {
            Ok(count) => {
                self.unsent.drain(..count);
                count
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.stream = None;
                0
            }
        }
    }

    fn opening(&self) -> Vec<u8> {
        match self.kind {
            Kind::Subscriber | Kind::Asker | Kind::Buyer => upgrade("/ws"),
            Kind::HalfMessage => [upgrade("/ws?channels="), half_message()].concat(),
            Kind::Centrifuge => {
                let mut out = upgrade("/connection/websocket");
                push_text(br#"{"id":1,"connect":{}}"#, &mut out);
                out
            }
            Kind::Stream => get("/events?channels=orders,products,stats"),
            Kind::Lister => get("/orders?limit=500"),
            Kind::HalfBody => {
                let head = request("POST", "/orders", "Content-Type: application/json\r\nContent-Length: 1000000\r\n");
                [head, vec![b' '; PART_OF_A_BODY]].concat()
            }
            Kind::Uploader => {
                request("POST", "/orders/bulk", "Content-Type: application/x-ndjson\r\nContent-Length: 100000000\r\n")
            }
            Kind::Worker => {
                let body = r#"{"worker":"hoarder","capacity":1,"wait_s":30}"#;
                let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
                [request("POST", "/work/claim", &length), body.into()].concat()
            }
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut say = |text: &str| push_text(text.as_bytes(), &mut out);
        match self.kind {
            Kind::Subscriber => {
                say(r#"{"type":"subscribe","channels":["orders"],"since":{"orders":{"epoch":"none","offset":0}}}"#);
                say(r#"{"type":"unsubscribe","channels":["orders"]}"#);
                say(r#"{"type":"subscribe","channels":["orders","products"],"snapshot":true}"#);
            }
            Kind::Asker => (0..20).for_each(|_| {
                say(r#"{"type":"history","channel":"orders","limit":500}"#);
                say(r#"{"type":"subscribe","channels":["orders"],"snapshot":true}"#);
                say(r#"{"type":"ping"}"#);
            }),
            Kind::Centrifuge => (0..20).for_each(|nth| {
                let id = self.round * 100 + nth + 2;
                say(&format!(r#"{{"id":{id},"history":{{"channel":"orders","limit":300}}}}"#));
                say(&format!(r#"{{"id":{},"rpc":{{"method":"orders.list","data":{{"limit":500}}}}}}"#, id + 50));
            }),
            Kind::Buyer => {
                // Each order is sent twice: the server has to read the stored order for the second answer.
                let number = 1_000_000_000 + self.number * 1_000_000 + self.round / 2;
                say(&format!(r#"{{"type":"order","ref":"r",{}"#, &orders::body(number)[1..]));
            }
            Kind::Lister => (0..20).for_each(|_| out.extend(get("/orders?limit=500"))),
            Kind::Uploader => {
                let number = 500_000_000_000 + self.number * 1_000_000 + self.round * 10;
                (0..5).for_each(|nth| out.extend_from_slice(format!("{}\n", orders::body(number + nth)).as_bytes()));
            }
            Kind::Stream | Kind::HalfMessage | Kind::HalfBody | Kind::Worker => {}
        }
        out
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    if address.is_ipv4() {
        // Another client than those that come fresh: what one address may have under way is bounded.
        socket.bind(&SocketAddr::from((OWN_ADDRESS, 0)).into())?;
    }
    socket.connect_timeout(&address.into(), CONNECT_TIME)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn request(method: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n").into_bytes()
}

fn get(path: &str) -> Vec<u8> {
    request("GET", path, "")
}

fn upgrade(path: &str) -> Vec<u8> {
    let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n";
    request("GET", path, headers)
}

/// The head of a message that is longer than what follows, with a mask of zeros.
fn half_message() -> Vec<u8> {
    let mut out = vec![0x81, 0x80 | 127];
    out.extend_from_slice(&(PART_OF_A_MESSAGE as u64 + 1).to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.resize(out.len() + PART_OF_A_MESSAGE, b'x');
    out
}
