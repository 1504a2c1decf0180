//! The Centrifuge client protocol, version 2: what every Centrifuge SDK speaks.
//!
//! Messages are one set of structs ([`message`]) with two encodings ([`codec`]): JSON and Protobuf. Publications
//! take a shorter way ([`push`]): they are wrapped by concatenation around bodies that are stored once
//! ([`publication`]). Nothing here does I/O.
//!
//! Field numbers and names are the public schema's; codes and their meaning are in [`code`]; deltas between
//! publications in [`fossil`].

pub mod message;

pub mod codec;
pub mod publication;
pub mod push;

pub mod code;
pub mod fossil;
