//! A closed loop over many connections on one thread: each sends its next order when the last is answered.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::failure::LoadError;
use crate::http::{parse_head, request_bytes};
use crate::orders;

/// How often is looked whether to stop when nothing is answered.
const POLL: Duration = Duration::from_millis(20);
/// Longest time without any answer, in turns.
const PATIENCE: u32 = 1_500;

/// What the driver and who started it share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Orders answered with 201.
    pub accepted: AtomicU64,
    /// Set to end the loop; what is under way is still answered.
    pub stop: AtomicBool,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    is_waiting: bool,
}

/// Sends the orders of these numbers until there are no more, or [`Shared::stop`] is set.
///
/// # Errors
/// When a connection breaks, or an order is not answered with 201.
pub fn drive(
    address: SocketAddr,
    connections: usize,
    mut numbers: Range<u64>,
    shared: &Shared,
) -> Result<(), LoadError> {
    let mut poll = Poll::new()?;
    let mut all = Vec::with_capacity(connections);
    for index in 0..connections {
        // Connected before the loop, so that the first order need not wait for it.
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        all.push(Connection { stream, buffer: Vec::new(), is_waiting: false });
    }
    for (connection, number) in all.iter_mut().zip(&mut numbers) {
        connection.send(number)?;
    }
    let mut events = Events::with_capacity(connections);
    let mut silent = 0;
    while all.iter().any(|connection| connection.is_waiting) {
        poll.poll(&mut events, Some(POLL))?;
        silent = if events.is_empty() { silent + 1 } else { 0 };
        if silent > PATIENCE {
            return Err(LoadError::new("the server has not answered for half a minute"));
        }
        for event in &events {
            let connection = &mut all[event.token().0];
            if connection.is_answered()? {
                shared.accepted.fetch_add(1, Relaxed);
                if let Some(number) = numbers.next().filter(|_| !shared.stop.load(Relaxed)) {
                    connection.send(number)?;
                }
            }
        }
    }
    Ok(())
}

impl Connection {
    fn send(&mut self, number: u64) -> io::Result<()> {
        let request = request_bytes("POST", "/orders", "", &orders::body(number));
        self.is_waiting = true;
        // One request is far below any socket's buffer, and the one before has been answered.
        let written = self.stream.write(&request)?;
        if written == request.len() { Ok(()) } else { Err(io::Error::other("a request did not fit the socket")) }
    }

    /// Reads what there is; whether the answer is complete, and good.
    fn is_answered(&mut self) -> Result<bool, LoadError> {
        let mut chunk = [0; 8 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(LoadError::new("the server closed a connection")),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(head) = parse_head(&self.buffer)? else { return Ok(false) };
        if self.buffer.len() < head.length + head.body_length {
            return Ok(false);
        }
        if head.status != 201 {
            let body = String::from_utf8_lossy(&self.buffer[head.length..]).into_owned();
            return Err(LoadError::new(format!("an order was answered with {}: {body}", head.status)));
        }
        self.buffer.clear();
        self.is_waiting = false;
        Ok(true)
    }
}
