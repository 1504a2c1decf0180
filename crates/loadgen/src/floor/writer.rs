//! The floor of deliveries: a program that holds sockets and does nothing but write the same bytes to each.
//!
//! One more connection tells it what to write: two numbers of 32 bits, how many frames and how long their
//! payload is. It answers nothing and reads nothing from those it writes to.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::failure::LoadError;

use super::{CHANNEL, MAX_HEAD_BYTES, greeting, listen, path_of};

/// The path by which a connection says that it is the one that tells what to write.
pub const CONTROL_PATH: &str = "/control";
/// How long it waits for the head of a request, and for a socket that takes no more.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes that it is asked to write to one socket at once.
const MAX_WRITE_BYTES: usize = 16 * 1024 * 1024;

/// Runs until the connection that tells what to write is closed. `ready` gets the port.
///
/// # Errors
/// When a connection breaks, or nobody comes.
pub fn serve(sockets: usize, ready: &mut dyn FnMut(u16)) -> Result<(), LoadError> {
    let listener = listen()?;
    ready(listener.local_addr()?.port());
    let mut all = Vec::with_capacity(sockets);
    let mut control = None;
    while all.len() < sockets || control.is_none() {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if request_path(&mut stream)? == CONTROL_PATH {
            stream.set_read_timeout(None)?;
            control = Some(stream);
        } else {
            stream.write_all(&greeting())?;
            all.push(stream);
        }
    }
    let mut control = control.ok_or_else(|| LoadError::new("nobody tells the floor what to do"))?;
    let mut offset = 0;
    let mut order = [0; 8];
    let mut frames = Vec::new();
    while read_order(&mut control, &mut order)? {
        let [count, length] =
            [&order[..4], &order[4..]].map(|part| part.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
        frames.clear();
        for _ in 0..count {
            offset += 1;
            push_frame(offset, length as usize, &mut frames)?;
        }
        for socket in &mut all {
            socket.write_all(&frames)?;
        }
    }
    Ok(())
}

/// The bytes that ask for `count` frames with payloads of `length` bytes.
pub fn order(count: u32, length: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&count.to_be_bytes());
    bytes[4..].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// Whether there is one more.
fn read_order(control: &mut TcpStream, order: &mut [u8; 8]) -> io::Result<bool> {
    match control.read_exact(order) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
        read => read.map(|()| true),
    }
}

fn request_path(stream: &mut TcpStream) -> Result<String, LoadError> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if head.len() > MAX_HEAD_BYTES {
            return Err(LoadError::new("a request without an end"));
        }
    }
    Ok(path_of(&head))
}

/// Appends a frame as the server's are, with a payload of exactly `length` bytes, or of as many as it needs.
fn push_frame(offset: u64, length: usize, out: &mut Vec<u8>) -> Result<(), LoadError> {
    let (before, after) = ("{\"pad\":\"", format!("\",\"channel\":\"{CHANNEL}\",\"offset\":{offset}}}"));
    let pad = length.saturating_sub(before.len() + after.len());
    let length = before.len() + pad + after.len();
    match u16::try_from(length) {
        Ok(short) if short < 126 => out.extend([0x81, short as u8]),
        Ok(medium) => {
            out.extend([0x81, 126]);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        Err(_) => return Err(LoadError::new("the floor writes frames of at most 64 KiB")),
    }
    out.extend_from_slice(before.as_bytes());
    out.resize(out.len() + pad, b'x');
    out.extend_from_slice(after.as_bytes());
    if out.len() > MAX_WRITE_BYTES { Err(LoadError::new("too much for one write")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use crate::client::dialect::{Dialect, Heard};
    use crate::client::frames::first_frame;

    use super::*;

    #[test]
    fn frames_have_the_length_that_is_asked_for() {
        for length in [60, 125, 126, 200, 5_000] {
            let mut out = Vec::new();
            push_frame(1_234, length, &mut out).unwrap();
            let (frame, end) = first_frame(&out).unwrap().unwrap();
            assert_eq!((frame.payload.len(), end), (length, out.len()));
            let mut heard = Vec::new();
            Dialect::Plain
                .read(frame.payload, &mut |what| {
                    heard.push(what);
                    Ok(())
                })
                .unwrap();
            assert_eq!(heard, [Heard::Event(1_234)]);
        }
        assert!(push_frame(1, 70_000, &mut Vec::new()).is_err());
    }
}
