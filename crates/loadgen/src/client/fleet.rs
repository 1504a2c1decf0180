//! Many WebSockets on one poll loop.
//!
//! Each member is dialled from a loopback address of its own choice, so that ports do not run out, upgrades, says
//! its first message, answers pings, and may stop reading, leave in several ways and come back. What it hears is
//! passed on as it comes; nothing is kept but the beginning of a frame.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use crate::failure::LoadError;
use crate::http::parse_head;

use super::frames::{Cutter, Frame, Kind, push_close, push_pong, push_text};
use super::inflate::{Inflater, OFFER};

/// Loopback addresses that members come from in turn. Each has some 28,000 ports, of which those that were closed
/// first stay taken for a minute.
const SOURCES: usize = 240;
/// Bytes read at once.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Reads of one member before the others have their turn.
const READS_PER_TURN: usize = 8;
/// Readiness events taken from the kernel at once.
const POLL_EVENTS: usize = 1024;
/// The code of a client that leaves (RFC 6455 §7.4.1).
const NORMAL_CLOSURE: u16 = 1000;

/// What happened to a member.
#[derive(Debug)]
pub enum Happening<'a> {
    /// It is connected and upgraded.
    Opened,
    /// It heard a text.
    Text(&'a [u8]),
    /// Its connection is gone, by no wish of its own.
    Ended(Ending),
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ending {
    /// The server closed it, with its code if it gave one.
    Closed(Option<u16>),
    /// It broke, or the server said something that no server says.
    Broken(io::Error),
}

/// How a member leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// RST, as from a process that died or a network that is gone.
    Reset,
    /// FIN, without a word.
    Finish,
    /// A close frame, then FIN.
    Goodbye,
}

/// What was read by all members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Calls of the kernel that read something.
    pub reads: u64,
    /// Frames with a text.
    pub frames: u64,
    /// Bytes of all kinds.
    pub bytes: u64,
}

/// How the members of a fleet connect.
#[derive(Clone, Copy, Debug)]
pub struct Dialling {
    /// The server.
    pub address: SocketAddr,
    /// The path of the upgrade.
    pub path: &'static str,
    /// Whether compression is asked for; it is an error when the server does not agree.
    pub is_compressed: bool,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Away,
    /// Connecting and upgrading; the answer so far.
    Opening(Vec<u8>),
    Open,
}

#[derive(Debug, Default)]
struct Member {
    stream: Option<TcpStream>,
    stage: Stage,
    cutter: Cutter,
    outgoing: Vec<u8>,
    /// What it says once it is upgraded.
    first: Vec<u8>,
    is_deaf: bool,
}

/// The members, by number.
#[derive(Debug)]
pub struct Fleet {
    poll: Poll,
    events: Events,
    members: Vec<Member>,
    dialling: Dialling,
    scratch: Vec<u8>,
    inflater: Inflater,
    /// Those with more to read than one turn gives them.
    again: Vec<usize>,
    traffic: Traffic,
}

impl Fleet {
    /// This number of members, none connected.
    ///
    /// # Errors
    /// When the kernel gives no poll.
    pub fn new(count: usize, dialling: Dialling) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(POLL_EVENTS),
            members: (0..count).map(|_| Member::default()).collect(),
            dialling,
            scratch: vec![0; SCRATCH_BYTES],
            inflater: Inflater::default(),
            again: Vec::new(),
            traffic: Traffic::default(),
        })
    }

    /// What was read so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Whether the member has a connection, upgraded or not.
    pub fn is_connected(&self, index: usize) -> bool {
        self.members[index].stream.is_some()
    }

    /// How many are connecting or upgrading.
    pub fn opening(&self) -> usize {
        self.members.iter().filter(|member| matches!(member.stage, Stage::Opening(_))).count()
    }

    /// Begins to connect a member that is away. `first` is said as soon as it is upgraded. `receive_bytes` makes
    /// the kernel's buffer small, so that a member that stops reading is soon felt.
    ///
    /// # Errors
    /// When there are no files or ports left.
    pub fn dial(&mut self, index: usize, first: &str, receive_bytes: Option<usize>) -> io::Result<()> {
        let mut stream = connect_from(index, self.dialling.address, receive_bytes)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(index), interest)?;
        let member = &mut self.members[index];
        *member = Member { stream: Some(stream), stage: Stage::Opening(Vec::new()), ..Member::default() };
        push_text(first.as_bytes(), &mut member.first);
        member.outgoing = self.dialling.request();
        Ok(())
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, index: usize, text: &[u8]) -> io::Result<()> {
        let member = &mut self.members[index];
        push_text(text, &mut member.outgoing);
        member.flush()
    }

    /// Stops reading, or goes on. A connection that is gone is neither.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_deaf(&mut self, index: usize, is_deaf: bool) -> io::Result<()> {
        let member = &mut self.members[index];
        let Some(stream) = &mut member.stream else { return Ok(()) };
        member.is_deaf = is_deaf;
        let interest = if is_deaf { Interest::WRITABLE } else { Interest::READABLE | Interest::WRITABLE };
        self.poll.registry().reregister(stream, Token(index), interest)
    }

    /// Ends a member's connection, if it has one.
    pub fn leave(&mut self, index: usize, how: Leave) {
        let member = &mut self.members[index];
        if how == Leave::Goodbye && matches!(member.stage, Stage::Open) {
            push_close(NORMAL_CLOSURE, &mut member.outgoing);
            // It leaves whether the server hears it or not.
            let _ = member.flush();
        }
        if let Some(stream) = member.stream.take().filter(|_| how == Leave::Reset) {
            // Closing with unsent or no lingering data sends RST.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        *member = Member::default();
    }

    /// Says that nothing more will be sent, and reads on until the server has finished too.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn half_close(&mut self, index: usize) -> io::Result<()> {
        self.members[index].stream.as_ref().map_or(Ok(()), |stream| stream.shutdown(Shutdown::Write))
    }

    /// Waits for something to happen, and passes on all that did. Only the members' reading is bounded by the turn:
    /// a connection with more is read on in the next one.
    ///
    /// # Errors
    /// When the kernel refuses to poll, and whatever `on` says.
    pub fn turn(
        &mut self,
        timeout: Duration,
        on: &mut dyn FnMut(usize, Happening<'_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let timeout = if self.again.is_empty() { timeout } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for index in std::mem::take(&mut self.again) {
            self.serve(index, false, on)?;
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let served = events.iter().try_for_each(|event| {
            let index = event.token().0;
            let flushed = if event.is_writable() { self.members[index].flush() } else { Ok(()) };
            if let Err(error) = flushed {
                return self.members[index].end(index, Ending::Broken(error), on);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                return self.serve(index, event.is_read_closed() || event.is_error(), on);
            }
            Ok(())
        });
        self.events = events;
        served
    }

    /// Reads what there is for a member. With `to_the_end` a short read is not taken for the last one.
    fn serve(
        &mut self,
        index: usize,
        to_the_end: bool,
        on: &mut dyn FnMut(usize, Happening<'_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        for _ in 0..READS_PER_TURN {
            let member = &mut self.members[index];
            let Some(stream) = member.stream.as_mut().filter(|_| !member.is_deaf) else { return Ok(()) };
            let count = match stream.read(&mut self.scratch) {
                Ok(0) => return member.end(index, Ending::Closed(None), on),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return member.end(index, Ending::Broken(error), on),
            };
            self.traffic.reads += 1;
            self.traffic.bytes += count as u64;
            self.hear(index, count, on)?;
            // A short read has emptied the socket; what comes later is told by the poll again.
            if count < SCRATCH_BYTES && !to_the_end {
                return Ok(());
            }
        }
        self.again.push(index);
        Ok(())
    }

    fn hear(
        &mut self,
        index: usize,
        count: usize,
        on: &mut dyn FnMut(usize, Happening<'_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let Self { members, scratch, inflater, traffic, dialling, .. } = self;
        let member = &mut members[index];
        let mut input = &scratch[..count];
        let rest;
        if let Stage::Opening(head) = &mut member.stage {
            head.extend_from_slice(input);
            match dialling.answered(head) {
                Ok(None) => return Ok(()),
                Ok(Some(length)) => rest = head.split_off(length),
                Err(error) => return member.end(index, Ending::Broken(error), on),
            }
            member.stage = Stage::Open;
            member.outgoing.append(&mut member.first);
            member.first = Vec::new();
            if let Err(error) = member.flush() {
                return member.end(index, Ending::Broken(error), on);
            }
            on(index, Happening::Opened)?;
            input = &rest;
        }
        let mut hearing = Hearing { index, pongs: Vec::new(), ended: None, failure: None, frames: 0, on };
        let cut = member.cutter.feed(input, &mut |frame| hearing.take(frame, inflater));
        let Hearing { pongs, ended, failure, frames, on, .. } = hearing;
        traffic.frames += frames;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if let Some(code) = ended {
            return member.end(index, Ending::Closed(code), on);
        }
        let answered = cut.and_then(|()| {
            pongs.iter().for_each(|payload| push_pong(payload, &mut member.outgoing));
            member.flush()
        });
        match answered {
            Err(error) => member.end(index, Ending::Broken(error), on),
            Ok(()) => Ok(()),
        }
    }
}

/// What the frames of one read say.
struct Hearing<'a> {
    index: usize,
    pongs: Vec<Vec<u8>>,
    ended: Option<Option<u16>>,
    failure: Option<LoadError>,
    frames: u64,
    on: &'a mut dyn FnMut(usize, Happening<'_>) -> Result<(), LoadError>,
}

impl Hearing<'_> {
    fn take(&mut self, frame: Frame<'_>, inflater: &mut Inflater) -> io::Result<()> {
        if self.ended.is_some() || self.failure.is_some() {
            return Ok(());
        }
        match frame.kind {
            Kind::Text => {
                self.frames += 1;
                let text = if frame.is_compressed { inflater.inflate(frame.payload)? } else { frame.payload };
                self.failure = (self.on)(self.index, Happening::Text(text)).err();
            }
            Kind::Binary => return Err(io::Error::other("bytes, where texts are spoken")),
            Kind::Close => self.ended = Some(frame.close_code()),
            Kind::Ping => self.pongs.push(frame.payload.to_vec()),
            Kind::Pong => {}
        }
        Ok(())
    }
}

impl Member {
    fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.outgoing.is_empty() {
            match stream.write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing = Vec::new();
        Ok(())
    }

    fn end(
        &mut self,
        index: usize,
        how: Ending,
        on: &mut dyn FnMut(usize, Happening<'_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        *self = Self::default();
        on(index, Happening::Ended(how))
    }
}

impl Dialling {
    fn request(&self) -> Vec<u8> {
        let Self { address, path, .. } = self;
        let offer = match self.is_compressed {
            true => format!("Sec-WebSocket-Extensions: {OFFER}\r\n"),
            false => String::new(),
        };
        // The key proves nothing to a client that trusts its server; any 16 bytes do.
        format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{offer}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        .into_bytes()
    }

    /// The length of the answer's head once it is all there.
    fn answered(&self, head: &[u8]) -> io::Result<Option<usize>> {
        let Some(parsed) = parse_head(head)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&head[..parsed.length]).to_ascii_lowercase();
        if parsed.status != 101 {
            return Err(io::Error::other(format!("the upgrade was answered with {}", parsed.status)));
        }
        if self.is_compressed != text.contains("permessage-deflate") {
            return Err(io::Error::other("the server does not compress as it was asked"));
        }
        Ok(Some(parsed.length))
    }
}

fn connect_from(index: usize, address: SocketAddr, receive_bytes: Option<usize>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    // Of IPv6's loopback there is only one.
    if address.is_ipv4() {
        let source = Ipv4Addr::new(127, 0, 0, 2 + (index % SOURCES) as u8);
        // A port may be taken again while its last connection is only remembered.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.kind() != ErrorKind::WouldBlock && !is_in_progress(&error) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}
