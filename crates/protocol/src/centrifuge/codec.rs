//! Frames: several messages in one WebSocket message or HTTP body, in either encoding.

use std::fmt;

use prost::Message;

use super::message::{Command, EmulationRequest, Reply};
use crate::json::nesting_depth;
use crate::limits::MAX_NESTING;

/// Most commands of one frame (malformed beyond). An SDK that comes back sends one for each subscription.
pub const MAX_COMMANDS_PER_FRAME: usize = 1_024;

/// How messages stand in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON objects with a line feed between them.
    Json,
    /// Protobuf messages, each after its length as a varint.
    Protobuf,
}

impl Encoding {
    /// A reply without content, as it stands in a frame: the server's ping, and the client's pong.
    pub fn ping(self) -> &'static [u8] {
        match self {
            Self::Json => b"{}",
            Self::Protobuf => b"\0",
        }
    }
}

/// What is wrong with a frame of a client. The connection ends with
/// [`BadRequest`](super::code::Disconnect::BadRequest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The frame, or one of its lines, holds nothing.
    Empty,
    /// More than [`MAX_COMMANDS_PER_FRAME`].
    TooManyCommands,
    /// JSON nested deeper than [`MAX_NESTING`].
    TooDeep,
    /// One of the messages is not what the encoding says; in words.
    Message(String),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a frame or a line without a command"),
            Self::TooManyCommands => write!(f, "more than {MAX_COMMANDS_PER_FRAME} commands in one frame"),
            Self::TooDeep => write!(f, "nested deeper than {MAX_NESTING} levels"),
            Self::Message(detail) => f.write_str(detail),
        }
    }
}

impl std::error::Error for Malformed {}

/// Reads the commands of a frame, in their order.
///
/// # Errors
/// [`Malformed`] when any of them is; none is to be carried out then.
pub fn decode_commands(encoding: Encoding, frame: &[u8]) -> Result<Vec<Command>, Malformed> {
    match encoding {
        Encoding::Json => decode_lines(frame),
        Encoding::Protobuf => decode_delimited(frame),
    }
}

/// One line feed may end the frame; any other empty line is an error.
fn decode_lines(frame: &[u8]) -> Result<Vec<Command>, Malformed> {
    let mut commands = Vec::new();
    for line in frame.strip_suffix(b"\n").unwrap_or(frame).split(|&byte| byte == b'\n') {
        if commands.len() == MAX_COMMANDS_PER_FRAME {
            return Err(Malformed::TooManyCommands);
        }
        commands.push(decode_object(line)?);
    }
    Ok(commands)
}

fn decode_object<'de, T: serde::Deserialize<'de>>(json: &'de [u8]) -> Result<T, Malformed> {
    match json.trim_ascii_start().first() {
        None => return Err(Malformed::Empty),
        Some(b'{') => {}
        // The library would take an array for the fields in their order.
        Some(_) => return Err(Malformed::Message("a message must be a JSON object".to_owned())),
    }
    if nesting_depth(json) > MAX_NESTING {
        return Err(Malformed::TooDeep);
    }
    serde_json::from_slice(json).map_err(|error| Malformed::Message(error.to_string()))
}

fn decode_delimited(mut frame: &[u8]) -> Result<Vec<Command>, Malformed> {
    if frame.is_empty() {
        return Err(Malformed::Empty);
    }
    let broken = |error: prost::DecodeError| Malformed::Message(error.to_string());
    let mut commands = Vec::new();
    while !frame.is_empty() {
        if commands.len() == MAX_COMMANDS_PER_FRAME {
            return Err(Malformed::TooManyCommands);
        }
        let length = prost::decode_length_delimiter(&mut frame).map_err(broken)?;
        let Some((message, rest)) = frame.split_at_checked(length) else {
            return Err(Malformed::Message("the frame ends inside a message".to_owned()));
        };
        commands.push(Command::decode(message).map_err(broken)?);
        frame = rest;
    }
    Ok(commands)
}

/// Reads what was posted to `/emulation`. Its commands are in the session's encoding, which is the same.
///
/// # Errors
/// [`Malformed`]
pub fn decode_emulation(encoding: Encoding, body: &[u8]) -> Result<EmulationRequest, Malformed> {
    match encoding {
        Encoding::Json => decode_object(body),
        Encoding::Protobuf => EmulationRequest::decode(body).map_err(|error| Malformed::Message(error.to_string())),
    }
}

/// Appends a reply as it stands in a frame: a JSON object without a line feed, or a Protobuf message after
/// its length.
pub fn encode_reply(encoding: Encoding, reply: &Reply, out: &mut Vec<u8>) {
    let written = match encoding {
        Encoding::Json => serde_json::to_writer(&mut *out, reply).is_ok(),
        Encoding::Protobuf => reply.encode_length_delimited(out).is_ok(),
    };
    debug_assert!(written, "a Vec takes everything, and every reply has an encoding");
}

/// Appends an encoded reply to a frame that may hold others.
pub fn append_encoded(encoding: Encoding, reply: &[u8], frame: &mut Vec<u8>) {
    separate(encoding, frame);
    frame.extend_from_slice(reply);
}

/// Appends a reply to a frame that may hold others.
pub fn append_reply(encoding: Encoding, reply: &Reply, frame: &mut Vec<u8>) {
    separate(encoding, frame);
    encode_reply(encoding, reply, frame);
}

fn separate(encoding: Encoding, frame: &mut Vec<u8>) {
    if encoding == Encoding::Json && !frame.is_empty() {
        frame.push(b'\n');
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
