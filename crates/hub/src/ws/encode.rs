//! Frames from the server: never masked, never fragmented. [`super::Deflater`] makes those that are compressed.

use bytes::Bytes;

use super::header::{CLOSE, FINAL, MAX_CONTROL_BYTES, Opcode, PING, PONG, push_header};

/// Longest reason of a close frame, in bytes: a control frame less the code.
pub const MAX_CLOSE_REASON_BYTES: usize = MAX_CONTROL_BYTES - 2;

/// Longest header of a frame from a server, in bytes.
const MAX_HEADER_BYTES: usize = 10;

/// Appends a frame. The payload of a text must be UTF-8.
pub fn push_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    push_header(FINAL | opcode as u8, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a text frame. `payload` must be UTF-8.
pub fn push_text_frame(payload: &[u8], out: &mut Vec<u8>) {
    push_frame(Opcode::Text, payload, out);
}

/// Appends a binary frame.
pub fn push_binary_frame(payload: &[u8], out: &mut Vec<u8>) {
    push_frame(Opcode::Binary, payload, out);
}

/// A frame. The payload of a text must be UTF-8.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + MAX_HEADER_BYTES);
    push_frame(opcode, payload, &mut out);
    out.into()
}

/// A text frame. `payload` must be UTF-8.
pub fn text_frame(payload: &[u8]) -> Bytes {
    frame(Opcode::Text, payload)
}

/// A binary frame.
pub fn binary_frame(payload: &[u8]) -> Bytes {
    frame(Opcode::Binary, payload)
}

/// The header of a frame whose payload of `len` bytes is sent apart.
pub fn header(opcode: Opcode, len: usize) -> Bytes {
    let mut out = Vec::with_capacity(MAX_HEADER_BYTES);
    push_header(FINAL | opcode as u8, len, &mut out);
    out.into()
}

/// The header of a text frame whose payload of `len` bytes is sent apart.
pub fn text_header(len: usize) -> Bytes {
    header(Opcode::Text, len)
}

/// The header of a binary frame whose payload of `len` bytes is sent apart.
pub fn binary_header(len: usize) -> Bytes {
    header(Opcode::Binary, len)
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
    push_header(FINAL | opcode, payload.len(), &mut out);
    out.extend_from_slice(payload);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form() {
        for (len, lengths) in [
            (0, vec![0]),
            (125, vec![125]),
            (126, vec![126, 0, 126]),
            (65_535, vec![126, 0xff, 0xff]),
            (65_536, vec![127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let payload = vec![b'x'; len];
            for (first, frame, apart) in
                [(0x81, text_frame(&payload), text_header(len)), (0x82, binary_frame(&payload), binary_header(len))]
            {
                let expected = [&[first][..], &lengths, &payload].concat();
                assert!(frame == expected, "{first:x} of {len}");
                assert_eq!(apart, [&[first][..], &lengths].concat());
            }
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
