//! The floor of storms: a program that lets everybody in and does nothing else.
//!
//! It accepts, answers the upgrade and the subscription with the same bytes for all, and forgets each client that leaves.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::failure::LoadError;

use super::{MAX_HEAD_BYTES, greeting, listen};

/// Readiness events taken from the kernel at once.
const POLL_EVENTS: usize = 1024;
/// The token of the listening socket; no connection has it.
const DOOR: Token = Token(usize::MAX);
/// How long nothing may happen before it ends by itself.
const PATIENCE: Duration = Duration::from_secs(600);

struct Guest {
    stream: TcpStream,
    is_greeted: bool,
}

/// Runs until nothing happens any more; its parent process ends it before that. `ready` gets the port.
///
/// # Errors
/// When the kernel gives no poll or no socket.
pub fn serve(ready: &mut dyn FnMut(u16)) -> Result<(), LoadError> {
    let listener = listen()?;
    let port = listener.local_addr()?.port();
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, DOOR, Interest::READABLE)?;
    ready(port);
    let (mut events, mut scratch, greeting) = (Events::with_capacity(POLL_EVENTS), vec![0; MAX_HEAD_BYTES], greeting());
    let (mut guests, mut free) = (Vec::<Option<Guest>>::new(), Vec::new());
    loop {
        match poll.poll(&mut events, Some(PATIENCE)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ if events.is_empty() => return Ok(()),
            _ => {}
        }
        for token in events.iter().map(mio::event::Event::token) {
            if token == DOOR {
                while let Ok((mut stream, _)) = listener.accept() {
                    let place = free.pop().unwrap_or(guests.len());
                    poll.registry().register(&mut stream, Token(place), Interest::READABLE)?;
                    if place == guests.len() {
                        guests.push(None);
                    }
                    guests[place] = Some(Guest { stream, is_greeted: false });
                }
            } else if guests[token.0].as_mut().is_some_and(|guest| !guest.listen(&mut scratch, &greeting)) {
                guests[token.0] = None;
                free.push(token.0);
            }
        }
    }
}

impl Guest {
    /// Reads what there is; whether it is still there.
    fn listen(&mut self, scratch: &mut [u8], greeting: &[u8]) -> bool {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return false,
                // A request is small and comes in one piece.
                Ok(_) if !self.is_greeted => {
                    self.is_greeted = true;
                    if self.stream.write_all(greeting).is_err() {
                        return false;
                    }
                }
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }
}
