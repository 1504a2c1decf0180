//! The server's side of RFC 6455 and RFC 7692 after the upgrade, without any I/O: bytes in, messages out,
//! and back. [`negotiate`] is the part of the upgrade that decides whether messages may be compressed.

mod decode;
mod deflate;
mod encode;
mod extension;
mod header;
pub mod invariants;

pub use decode::{Decoder, Flow, Item, Violation};
pub use deflate::{Deflater, Inflater};
pub use encode::{
    MAX_CLOSE_REASON_BYTES, binary_frame, binary_header, close_frame, frame, header, ping_frame, pong_frame,
    push_binary_frame, push_frame, push_text_frame, text_frame, text_header,
};
pub use extension::{Agreement, negotiate};
pub use header::{MAX_CONTROL_BYTES, Opcode};
