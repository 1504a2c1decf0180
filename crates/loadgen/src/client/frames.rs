//! Frames of a WebSocket as a client sees them (RFC 6455 §5): cut from what comes, and made from what goes.

use std::io::{self, ErrorKind};

/// First byte of a frame: the only one of its message.
const FIN: u8 = 0x80;
/// First byte: the payload is compressed (RFC 7692 §6).
const COMPRESSED: u8 = 0x40;
/// Second byte: the payload is masked, as that of clients must be.
const MASKED: u8 = 0x80;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Longest frame that is believed: more than any server here sends.
const MAX_FRAME_BYTES: u64 = 16 * 1024 * 1024;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole text.
    Text,
    /// A whole message of bytes.
    Binary,
    /// The end.
    Close,
    /// To be answered by a pong with the same payload.
    Ping,
    /// The answer to a ping.
    Pong,
}

/// A frame of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// Whether the payload has to be inflated.
    pub is_compressed: bool,
    /// What it carries.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// The code of a close frame, if it gives one.
    pub fn close_code(&self) -> Option<u16> {
        self.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }
}

/// Bytes of the frame that begins `bytes`, header included; `None` when even that cannot be told yet.
fn frame_length(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let (Some(&first), Some(&second)) = (bytes.first(), bytes.get(1)) else { return Ok(None) };
    if first & FIN == 0 || second & MASKED != 0 {
        return Err(broken("a frame that no server sends: in pieces, or masked"));
    }
    let (header, length) = match second {
        126 => (4, bytes.get(2..4).and_then(|at| at.first_chunk()).map(|at| u64::from(u16::from_be_bytes(*at)))),
        127 => (10, bytes.get(2..10).and_then(|at| at.first_chunk()).map(|at| u64::from_be_bytes(*at))),
        short => (2, Some(u64::from(short))),
    };
    match length {
        None => Ok(None),
        Some(length) if length > MAX_FRAME_BYTES => Err(broken("a frame longer than any that a server sends")),
        Some(length) => Ok(Some((header, header + length as usize))),
    }
}

/// The frame that begins `bytes`, and its length with its header; `None` when it is not all there.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when no server sends such a frame.
pub fn first_frame(bytes: &[u8]) -> io::Result<Option<(Frame<'_>, usize)>> {
    let Some((header, end)) = frame_length(bytes)? else { return Ok(None) };
    let Some(payload) = bytes.get(header..end) else { return Ok(None) };
    let kind = match bytes[0] & 0x0F {
        TEXT => Kind::Text,
        BINARY => Kind::Binary,
        CLOSE => Kind::Close,
        PING => Kind::Ping,
        PONG => Kind::Pong,
        _ => return Err(broken("a frame of an unknown kind")),
    };
    Ok(Some((Frame { kind, is_compressed: bytes[0] & COMPRESSED != 0, payload }, end)))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Cuts frames out of what is read, piece by piece. Between frames it holds no memory.
#[derive(Debug, Default)]
pub struct Cutter {
    /// The beginning of a frame whose end has not come.
    begun: Vec<u8>,
}

impl Cutter {
    /// Takes what was read and gives every frame that ends in it.
    ///
    /// # Errors
    /// When no server sends such a frame, and whatever `visit` says.
    pub fn feed(&mut self, mut input: &[u8], visit: &mut dyn FnMut(Frame<'_>) -> io::Result<()>) -> io::Result<()> {
        while !self.begun.is_empty() && !input.is_empty() {
            // Only what ends the begun frame is copied.
            let missing = match frame_length(&self.begun)? {
                Some((_, length)) => length - self.begun.len(),
                None => 1,
            };
            let (now, later) = input.split_at(missing.min(input.len()));
            self.begun.extend_from_slice(now);
            input = later;
            if let Some((frame, _)) = first_frame(&self.begun)? {
                visit(frame)?;
                self.begun = Vec::new();
            }
        }
        while let Some((frame, length)) = first_frame(input)? {
            visit(frame)?;
            input = &input[length..];
        }
        if !input.is_empty() {
            self.begun = input.to_vec();
        }
        Ok(())
    }
}

/// Appends a text to be sent.
pub fn push_text(payload: &[u8], out: &mut Vec<u8>) {
    push(TEXT, payload, out);
}

/// Appends the answer to a ping.
pub fn push_pong(payload: &[u8], out: &mut Vec<u8>) {
    push(PONG, payload, out);
}

/// Appends the end, with a code.
pub fn push_close(code: u16, out: &mut Vec<u8>) {
    push(CLOSE, &code.to_be_bytes(), out);
}

fn push(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(FIN | kind);
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(MASKED | short),
        (_, Ok(medium)) => {
            out.push(MASKED | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    // Clients must mask; a mask of zeros masks without a change.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames as a server writes them: short, medium, long, compressed, close.
    fn wire() -> Vec<u8> {
        let mut wire = vec![0x81, 2, b'h', b'i', 0xC1, 126, 1, 0];
        wire.extend([b'c'; 256]);
        wire.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        wire.extend(vec![b'b'; 65_536]);
        wire.extend([0x89, 0, 0x88, 2, 3, 0xE9]);
        wire
    }

    #[test]
    fn frames_are_cut_whatever_the_pieces() {
        let wire = wire();
        for piece in [1, 2, 3, 7, 255, 4_096, wire.len()] {
            let (mut cutter, mut seen) = (Cutter::default(), Vec::new());
            for part in wire.chunks(piece) {
                let visit = &mut |frame: Frame<'_>| {
                    seen.push((frame.kind, frame.is_compressed, frame.payload.len(), frame.close_code()));
                    Ok(())
                };
                cutter.feed(part, visit).unwrap();
            }
            let seen: Vec<_> = seen.iter().map(|(kind, compressed, length, _)| (*kind, *compressed, *length)).collect();
            let expected = [
                (Kind::Text, false, 2),
                (Kind::Text, true, 256),
                (Kind::Binary, false, 65_536),
                (Kind::Ping, false, 0),
                (Kind::Close, false, 2),
            ];
            assert_eq!(seen, expected, "pieces of {piece}");
            assert!(cutter.begun.is_empty());
        }
        assert_eq!(first_frame(&[0x88, 2, 3, 0xE9]).unwrap().unwrap().0.close_code(), Some(1001));
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        for wire in
            [&[0x01, 1, b'x'][..], &[0x81, 0x81, 0, 0, 0, 0, b'x'], &[0x83, 0], &[0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0]]
        {
            assert!(Cutter::default().feed(wire, &mut |_| Ok(())).is_err(), "{wire:?}");
        }
    }

    #[test]
    fn every_length_is_written_so_that_it_is_read() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let mut out = Vec::new();
            push_text(&vec![b'x'; length], &mut out);
            // A server reads it unmasked.
            let at = out.len() - length - 4;
            out.drain(at..at + 4);
            out[1] &= !MASKED;
            let (frame, end) = first_frame(&out).unwrap().unwrap();
            assert_eq!((frame.kind, frame.payload.len(), end), (Kind::Text, length, out.len()));
        }
    }
}
