//! The server's side of RFC 6455 after the upgrade, without any I/O: bytes in, messages out, and back.

mod decode;
mod encode;

pub use decode::{Decoder, Flow, Item, Violation};
pub use encode::{
    MAX_CLOSE_REASON_BYTES, close_frame, ping_frame, pong_frame, push_text_frame, text_frame, text_header,
};

/// Largest payload of a control frame, in bytes (RFC 6455 §5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FINAL: u8 = 0x80;
