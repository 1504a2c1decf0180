//! Frames from the server: never masked, never fragmented.

use bytes::Bytes;

use super::{CLOSE, FINAL, MAX_CONTROL_BYTES, PING, PONG, TEXT};

/// Longest reason of a close frame, in bytes: a control frame less the code.
pub const MAX_CLOSE_REASON_BYTES: usize = MAX_CONTROL_BYTES - 2;

/// Appends a text frame. `payload` must be UTF-8.
pub fn push_text_frame(payload: &[u8], out: &mut Vec<u8>) {
    push_header(TEXT, payload.len(), out);
    out.extend_from_slice(payload);
}

/// A text frame. `payload` must be UTF-8.
pub fn text_frame(payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + 10);
    push_text_frame(payload, &mut out);
    out.into()
}

/// The header of a text frame whose payload of `len` bytes is sent apart.
pub fn text_header(len: usize) -> Bytes {
    let mut out = Vec::with_capacity(10);
    push_header(TEXT, len, &mut out);
    out.into()
}

/// A ping without payload.
pub fn ping_frame() -> Bytes {
    Bytes::from_static(&[FINAL | PING, 0])
}

/// The answer to a ping of this payload, of which at most [`MAX_CONTROL_BYTES`] are sent.
pub fn pong_frame(payload: &[u8]) -> Bytes {
    control_frame(PONG, &payload[..payload.len().min(MAX_CONTROL_BYTES)])
}

/// A close frame. Without a code it has no payload; a reason beyond [`MAX_CLOSE_REASON_BYTES`] is cut.
pub fn close_frame(code: Option<u16>, reason: &str) -> Bytes {
    let Some(code) = code else {
        return control_frame(CLOSE, &[]);
    };
    let reason = &reason[..reason.floor_char_boundary(MAX_CLOSE_REASON_BYTES)];
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    control_frame(CLOSE, &payload)
}

fn control_frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + 2);
    push_header(opcode, payload.len(), &mut out);
    out.extend_from_slice(payload);
    out.into()
}

fn push_header(opcode: u8, len: usize, out: &mut Vec<u8>) {
    out.push(FINAL | opcode);
    if len <= MAX_CONTROL_BYTES {
        out.push(len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(126);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form() {
        for (len, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = text_frame(&vec![b'x'; len]);
            assert_eq!(frame.len(), header.len() + len);
            assert_eq!(frame[..header.len()], header);
            assert_eq!(text_header(len), header);
        }
    }

    #[test]
    fn closes_are_cut_at_a_character() {
        assert_eq!(close_frame(None, "ignored"), &[0x88, 0][..]);
        assert_eq!(close_frame(Some(1001), "bye"), &b"\x88\x05\x03\xe9bye"[..]);
        let frame = close_frame(Some(1001), &"ä".repeat(100));
        assert_eq!(frame.len(), 2 + 2 + 122);
    }
}
