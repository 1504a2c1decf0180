//! Subscribers that check what they see: every order event, in order, once.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const READ_TIMEOUT: Duration = Duration::from_millis(500);
/// The key and its answer of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OPCODE_TEXT: u8 = 1;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;

/// How far a subscriber follows the log, and for how long at most.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    offset: u64,
    deadline: Instant,
}

impl Goal {
    pub(crate) fn new(offset: u64, patience: Duration) -> Self {
        Self { offset, deadline: Instant::now() + patience }
    }

    fn is_open(&self, last: u64) -> bool {
        last < self.offset && Instant::now() < self.deadline
    }
}

/// What one subscriber saw: the last offset, when there was no hole and no repeat before it.
pub(crate) type Seen = Result<u64, String>;

#[derive(Default)]
struct Checker {
    last: u64,
}

impl Checker {
    /// Checks a frame; those that are no order events are none of its business.
    fn take(&mut self, frame: &str) -> Result<(), String> {
        if !frame.starts_with("{\"type\":\"order") {
            return Ok(());
        }
        let offset = frame.rsplit_once(",\"offset\":").and_then(|(_, rest)| rest.trim_end_matches('}').parse().ok());
        let offset: u64 = offset.ok_or_else(|| format!("an event without an offset: {frame}"))?;
        if offset != self.last + 1 {
            return Err(format!("offset {offset} after {}", self.last));
        }
        self.last = offset;
        Ok(())
    }
}

/// Subscribes over WebSocket; returns once the subscription stands.
pub(crate) fn over_websocket(address: &str, goal: Goal) -> JoinHandle<Seen> {
    let mut socket = WebSocket::connect(address).expect("the server takes a WebSocket");
    let mut frame = String::new();
    while !frame.starts_with("{\"type\":\"subscribed\"") {
        frame = socket.read(|| true).expect("the server says what is subscribed").expect("the socket stays open");
    }
    std::thread::spawn(move || {
        let mut checker = Checker::default();
        while goal.is_open(checker.last) {
            let last = checker.last;
            match socket.read(|| goal.is_open(last)).map_err(|error| format!("after {last}: {error}"))? {
                Some(frame) => checker.take(&frame)?,
                None => break,
            }
        }
        Ok(checker.last)
    })
}

struct WebSocket {
    reader: BufReader<TcpStream>,
}

impl WebSocket {
    fn connect(address: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        write!(
            stream,
            "GET /ws?channels=orders HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )?;
        let mut reader = BufReader::with_capacity(64 * 1024, stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Err(io::Error::other(format!("the handshake ended: {head}")));
            }
        }
        let is_good = head.starts_with("HTTP/1.1 101") && head.contains(ACCEPT);
        if is_good { Ok(Self { reader }) } else { Err(io::Error::other(head)) }
    }

    /// The next text; `None` when the server closed the socket or nobody waits any longer.
    fn read(&mut self, goes_on: impl Fn() -> bool) -> io::Result<Option<String>> {
        loop {
            let mut head = [0; 2];
            if !self.fill(&mut head, &goes_on)? {
                return Ok(None);
            }
            let length = match head[1] {
                126 => u64::from(u16::from_be_bytes(self.take()?)),
                127 => u64::from_be_bytes(self.take()?),
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.fill(&mut payload, &|| true)?;
            match head[0] & 15 {
                OPCODE_TEXT => return String::from_utf8(payload).map(Some).map_err(io::Error::other),
                OPCODE_PING => self.send(OPCODE_PONG, &payload)?,
                OPCODE_CLOSE => return Ok(None),
                _ => {}
            }
        }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, &|| true)?;
        Ok(bytes)
    }

    /// Fills a buffer over any number of timeouts; false when it is not to go on before the first byte.
    fn fill(&mut self, buffer: &mut [u8], goes_on: &dyn Fn() -> bool) -> io::Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if filled == 0 && !goes_on() {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Sends a short frame, masked as those of clients must be (RFC 6455 §5.3).
    fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        const MASK: [u8; 4] = [7, 11, 13, 17];
        let length = u8::try_from(payload.len()).map_err(io::Error::other)?;
        let mut frame = vec![0x80 | opcode, 0x80 | length];
        frame.extend_from_slice(&MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.reader.get_mut().write_all(&frame)
    }
}

/// Subscribes over Server-Sent Events; returns once the subscription stands. With `reconnect_every`, it hangs up
/// after so many events and goes on where it was.
pub(crate) fn over_events(url: &str, goal: Goal, reconnect_every: Option<u64>) -> JoinHandle<Seen> {
    let url = format!("{url}/events?channels=orders");
    let mut stream = EventStream::open(&url, None).expect("the server streams");
    while stream.next().expect("the server says what is subscribed").0 != "subscribed" {}
    std::thread::spawn(move || {
        let mut checker = Checker::default();
        let mut seen_here = 0;
        while goal.is_open(checker.last) {
            let Some((_, data)) = stream.next() else { break };
            let before = checker.last;
            checker.take(&data)?;
            seen_here += checker.last - before;
            if reconnect_every.is_some_and(|most| seen_here >= most) {
                seen_here = 0;
                let id = stream.id.clone();
                stream = EventStream::open(&url, id.as_deref()).ok_or("the server streams no more")?;
            }
        }
        Ok(checker.last)
    })
}

struct EventStream {
    lines: io::Lines<BufReader<ureq::BodyReader<'static>>>,
    id: Option<String>,
}

impl EventStream {
    fn open(url: &str, last_id: Option<&str>) -> Option<Self> {
        let mut request = ureq::get(url);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let body = request.call().ok()?.into_body().into_with_config().limit(u64::MAX).reader();
        Some(Self { lines: BufReader::with_capacity(64 * 1024, body).lines(), id: last_id.map(str::to_owned) })
    }

    /// The next event's name and data, both empty for the comment of a silent stream.
    fn next(&mut self) -> Option<(String, String)> {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let line = self.lines.next()?.ok()?;
            match line.split_once(": ") {
                Some(("id", id)) => self.id = Some(id.to_owned()),
                Some(("event", event)) => event.clone_into(&mut name),
                Some(("data", text)) => data.push_str(text),
                _ if line.is_empty() => return Some((name, data)),
                _ => {}
            }
        }
    }
}

#[test]
fn a_hole_and_a_repeat_are_found() {
    let event = |offset: u64| {
        format!("{{\"type\":\"order_update\",\"order\":{{}},\"channel\":\"orders\",\"offset\":{offset}}}")
    };
    for (offsets, seen) in [
        (&[1, 2, 3][..], Ok(3)),
        (&[1, 3], Err("offset 3 after 1")),
        (&[1, 1], Err("offset 1 after 1")),
        (&[2], Err("offset 2 after 0")),
    ] {
        let mut checker = Checker::default();
        checker.take("{\"type\":\"subscribed\",\"offset\":7}").expect("no event");
        let checked = offsets.iter().try_for_each(|offset| checker.take(&event(*offset)));
        assert_eq!(checked.map(|()| checker.last), seen.map_err(str::to_owned), "{offsets:?}");
    }
}
