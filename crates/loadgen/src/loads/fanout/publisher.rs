//! Who publishes: to the server over one WebSocket, or by telling the floor.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::dialect::{Dialect, Heard};
use crate::dice::Dice;
use crate::failure::LoadError;
use crate::floor::writer;
use crate::http::request_bytes;
use crate::orders;
use crate::socket::{Message, Socket};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Commands are put into frames of about this size at the most.
const MAX_FRAME_BYTES: usize = 60 * 1024;

/// Publishes messages that lead to one event each.
pub trait Publish: Send {
    /// Publishes this number at once, in one write.
    ///
    /// # Errors
    /// When the connection breaks.
    fn publish(&mut self, count: u32) -> Result<(), LoadError>;

    /// Waits until all that were published are answered.
    ///
    /// # Errors
    /// When one is refused, or the connection breaks.
    fn confirm(&mut self) -> Result<(), LoadError>;

    /// Changes the length of the publications by this number of bytes, where that is possible.
    fn lengthen(&mut self, _by: i64) {}
}

/// Publishes to an application channel, many commands in one frame of the Centrifuge protocol.
#[derive(Debug)]
pub struct Messages {
    link: Link,
    channel: String,
    pad: usize,
    next: u64,
}

/// Places orders over `/ws`: each becomes an event of the log `orders` once it is durable.
#[derive(Debug)]
pub struct Orders {
    link: Link,
    next: u64,
}

/// Tells the floor what to write.
#[derive(Debug)]
pub struct Floor {
    control: TcpStream,
    /// Bytes of the payload of each frame.
    pub payload_bytes: u32,
}

#[derive(Debug)]
struct Link {
    socket: Socket,
    dialect: Dialect,
    open: u64,
}

impl Link {
    fn connect(address: SocketAddr, dialect: Dialect) -> Result<Self, LoadError> {
        let mut socket = Socket::connect(address, dialect.path(), PATIENCE)?;
        if !dialect.hello().is_empty() {
            socket.send(dialect.hello())?;
        }
        Ok(Self { socket, dialect, open: 0 })
    }

    fn confirm(&mut self) -> Result<(), LoadError> {
        while self.open > 0 {
            let text = match self.socket.receive()? {
                Message::Text(text) => text,
                Message::Close(code) => return Err(LoadError::new(format!("the publisher was closed: {code:?}"))),
            };
            let mut is_pinged = false;
            self.dialect.read(&text, &mut |heard| {
                match heard {
                    Heard::Done => self.open = self.open.saturating_sub(1),
                    Heard::Refused(why) => return Err(LoadError::new(format!("the publisher was refused: {why}"))),
                    Heard::Ping => is_pinged = true,
                    _ => {}
                }
                Ok(())
            })?;
            if is_pinged {
                self.socket.send("{}")?;
            }
        }
        Ok(())
    }
}

impl Messages {
    /// Connects; the messages carry `pad` bytes and what is around them.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect(address: SocketAddr, channel: &str, pad: usize) -> Result<Self, LoadError> {
        let link = Link::connect(address, Dialect::CentrifugeJson)?;
        Ok(Self { link, channel: channel.to_owned(), pad, next: 2 })
    }
}

impl Publish for Messages {
    fn publish(&mut self, count: u32) -> Result<(), LoadError> {
        // Hexadecimal digits: as plain as what people send, and no easier to compress.
        let mut dice = Dice::new(self.next, 0);
        let mut pad: String = (0..self.pad.div_ceil(16)).map(|_| format!("{:016x}", dice.roll())).collect();
        pad.truncate(self.pad);
        let commands: Vec<_> = (0..u64::from(count))
            .map(|at| {
                let (id, channel) = (self.next + at, &self.channel);
                format!("{{\"id\":{id},\"publish\":{{\"channel\":\"{channel}\",\"data\":{{\"pad\":\"{pad}\"}}}}}}")
            })
            .collect();
        self.next += u64::from(count);
        self.link.open += u64::from(count);
        // The server takes frames of 64 KiB by default.
        let in_frame = (MAX_FRAME_BYTES / (self.pad + 100)).max(1);
        let frames: Vec<_> = commands.chunks(in_frame).map(|commands| commands.join("\n")).collect();
        Ok(self.link.socket.send_together(&frames)?)
    }

    fn confirm(&mut self) -> Result<(), LoadError> {
        self.link.confirm()
    }

    fn lengthen(&mut self, by: i64) {
        self.pad = usize::try_from(i64::try_from(self.pad).unwrap_or(i64::MAX).saturating_add(by)).unwrap_or(0);
    }
}

impl Orders {
    /// Connects.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect(address: SocketAddr) -> Result<Self, LoadError> {
        // Rising ids of its own, that no order of an earlier run has.
        let next = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as u64 * 1000);
        Ok(Self { link: Link::connect(address, Dialect::Plain)?, next })
    }
}

impl Publish for Orders {
    fn publish(&mut self, count: u32) -> Result<(), LoadError> {
        let order = |at| orders::body(self.next + at).replacen('{', "{\"type\":\"order\",", 1);
        let texts: Vec<_> = (0..u64::from(count)).map(order).collect();
        self.next += u64::from(count);
        self.link.open += u64::from(count);
        Ok(self.link.socket.send_together(&texts)?)
    }

    fn confirm(&mut self) -> Result<(), LoadError> {
        self.link.confirm()
    }
}

impl Floor {
    /// Connects as the one who tells.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr, payload_bytes: u32) -> Result<Self, LoadError> {
        let mut control = TcpStream::connect(address)?;
        control.set_nodelay(true)?;
        control.write_all(&request_bytes("GET", writer::CONTROL_PATH, "", ""))?;
        Ok(Self { control, payload_bytes })
    }
}

impl Publish for Floor {
    fn publish(&mut self, count: u32) -> Result<(), LoadError> {
        Ok(self.control.write_all(&writer::order(count, self.payload_bytes))?)
    }

    fn confirm(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}
