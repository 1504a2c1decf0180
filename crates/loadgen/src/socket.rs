//! A WebSocket client by hand (RFC 6455): text in both directions, pongs for pings, nothing else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::http::parse_head;

/// What the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text.
    Text(Vec<u8>),
    /// It closes, with its code if it gave one.
    Close(Option<u16>),
}

/// A connection.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    read_to: usize,
}

impl Socket {
    /// Connects to a path such as `/ws?channels=orders`; reads wait for `timeout` at the most.
    ///
    /// # Errors
    /// When nobody listens or the server refuses.
    pub fn connect(address: SocketAddr, path: &str, timeout: Duration) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        // The key proves nothing to a client that trusts its server; any 16 bytes do.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut socket = Self { stream, buffer: Vec::new(), read_to: 0 };
        loop {
            if let Some(head) = parse_head(&socket.buffer)? {
                if head.status != 101 {
                    return Err(io::Error::other(format!("the upgrade was answered with {}", head.status)));
                }
                socket.read_to = head.length;
                return Ok(socket);
            }
            socket.fill()?;
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, text: &str) -> io::Result<()> {
        self.send_frame(0x81, text.as_bytes())
    }

    fn send_frame(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        // Clients must mask; a mask of zeros masks with no change.
        let mut frame = vec![first];
        match u16::try_from(payload.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length.to_be_bytes()[1]),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => return Err(io::Error::new(ErrorKind::InvalidInput, "a frame of at most 64 KiB")),
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame)
    }

    /// The next message. Pings are answered on the way.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`] when nothing came in time, which may be tried again;
    /// anything else when the connection broke.
    pub fn receive(&mut self) -> io::Result<Message> {
        loop {
            while let Some((first, payload)) = self.take_frame() {
                match first {
                    0x81 => return Ok(Message::Text(payload)),
                    0x88 => {
                        return Ok(Message::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))));
                    }
                    0x89 => self.send_frame(0x8A, &payload)?,
                    0x8A => {}
                    _ => return Err(io::Error::new(ErrorKind::InvalidData, "a frame that no server sends")),
                }
            }
            self.fill()?;
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let rest = &self.buffer[self.read_to..];
        let (length, start) = match *rest.get(1)? {
            126 => (usize::from(u16::from_be_bytes(*rest.get(2..)?.first_chunk()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(*rest.get(2..)?.first_chunk()?)).ok()?, 10),
            length => (usize::from(length), 2),
        };
        let payload = rest.get(start..start + length)?.to_vec();
        let first = rest[0];
        self.read_to += start + length;
        Some((first, payload))
    }

    fn fill(&mut self) -> io::Result<()> {
        // What has been taken goes first, so that the buffer stays as small as what is still on its way.
        self.buffer.drain(..self.read_to);
        self.read_to = 0;
        let start = self.buffer.len();
        self.buffer.resize(start + 64 * 1024, 0);
        let count = self.stream.read(&mut self.buffer[start..]);
        self.buffer.truncate(start + count.as_ref().copied().unwrap_or(0));
        if count? == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
