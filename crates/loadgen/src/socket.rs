//! One WebSocket client that waits (RFC 6455): texts in both directions, pongs for pings, nothing else.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::frames::{Cutter, Frame, Kind, push_pong, push_text};
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
    scratch: Vec<u8>,
    cutter: Cutter,
    heard: VecDeque<Message>,
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
        let scratch = vec![0; 64 * 1024];
        let mut socket = Self { stream, scratch, cutter: Cutter::default(), heard: VecDeque::new() };
        let mut answer = Vec::new();
        loop {
            let count = socket.read()?;
            answer.extend_from_slice(&socket.scratch[..count]);
            let Some(head) = parse_head(&answer)? else { continue };
            if head.status != 101 {
                return Err(io::Error::other(format!("the upgrade was answered with {}", head.status)));
            }
            socket.hear(&answer[head.length..])?;
            return Ok(socket);
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, text: &str) -> io::Result<()> {
        self.send_together(&[text])
    }

    /// Sends texts, each a frame of its own, in one write.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send_together(&mut self, texts: &[impl AsRef<str>]) -> io::Result<()> {
        let mut frames = Vec::new();
        texts.iter().for_each(|text| push_text(text.as_ref().as_bytes(), &mut frames));
        self.stream.write_all(&frames)
    }

    /// The next message. Pings are answered on the way.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`] when nothing came in time, which may be tried again;
    /// anything else when the connection broke.
    pub fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return Ok(message);
            }
            let count = self.read()?;
            let input = std::mem::take(&mut self.scratch);
            let heard = self.hear(&input[..count]);
            self.scratch = input;
            heard?;
        }
    }

    /// The next message of those that came together with the last, if there is one.
    pub fn heard(&mut self) -> Option<Message> {
        self.heard.pop_front()
    }

    fn read(&mut self) -> io::Result<usize> {
        match self.stream.read(&mut self.scratch)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }

    fn hear(&mut self, input: &[u8]) -> io::Result<()> {
        let Self { cutter, heard, .. } = self;
        let mut pongs = Vec::new();
        cutter.feed(input, &mut |frame: Frame<'_>| {
            match frame.kind {
                Kind::Text if !frame.is_compressed => heard.push_back(Message::Text(frame.payload.to_vec())),
                Kind::Close => heard.push_back(Message::Close(frame.close_code())),
                Kind::Ping => push_pong(frame.payload, &mut pongs),
                Kind::Pong => {}
                Kind::Text | Kind::Binary => {
                    return Err(io::Error::new(ErrorKind::InvalidData, "a frame that this server does not send"));
                }
            }
            Ok(())
        })?;
        self.stream.write_all(&pongs)
    }
}
