//! A client of HTTP/1.1 that keeps its connection: as little as a load generator needs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::failure::LoadError;
use crate::json;

/// Longest wait for anything; a server that takes longer counts as broken.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest head of an answer.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Whether it is marked as the repetition of an earlier one.
    pub is_replayed: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Bytes of the head, the empty line included.
    pub length: usize,
    /// Bytes of the body.
    pub body_length: usize,
    /// Whether the head says `Idempotency-Replayed: true`.
    pub is_replayed: bool,
}

/// Reads the head at the beginning of `bytes`; `None` when it is not all there yet.
///
/// # Errors
/// When it is no head of HTTP/1.1 with a `Content-Length`.
pub fn parse_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        let is_too_long = bytes.len() > MAX_HEAD_BYTES;
        return if is_too_long { Err(broken("the head of an answer does not end")) } else { Ok(None) };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| broken("a head that is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| broken("no status line"))?;
    let (mut body_length, mut is_replayed) = (None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body_length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("idempotency-replayed") {
            is_replayed = value.trim() == "true";
        }
    }
    let body_length = body_length.or((status == 101).then_some(0));
    let body_length = body_length.ok_or_else(|| broken("an answer without Content-Length"))?;
    Ok(Some(Head { status, length: end + 4, body_length, is_replayed }))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Bytes of a request with a JSON body; `headers` are whole lines.
pub fn request_bytes(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A connection.
#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is no HTTP/1.1. Whether the request was carried out is then
    /// not known.
    pub fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<Answer> {
        self.stream.write_all(&request_bytes(method, path, headers, body))?;
        loop {
            if let Some(head) = parse_head(&self.buffer)? {
                let end = head.length + head.body_length;
                if self.buffer.len() >= end {
                    let body = self.buffer[head.length..end].to_vec();
                    self.buffer.drain(..end);
                    return Ok(Answer { status: head.status, is_replayed: head.is_replayed, body });
                }
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let start = self.buffer.len();
        self.buffer.resize(start + 16 * 1024, 0);
        let count = self.stream.read(&mut self.buffer[start..]);
        self.buffer.truncate(start + count.as_ref().copied().unwrap_or(0));
        match count? {
            // Between two answers a server may close; within one it must not.
            0 if start > 0 => Err(broken("an answer broke off")),
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not 200 with such a document.
    pub fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, LoadError> {
        let answer = self.ask("GET", path, "", "")?;
        if answer.status != 200 {
            return Err(LoadError::new(format!("GET {path}: {}", answer.status)));
        }
        json::read(path, &answer.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_they_are_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nidempotency-replayed: true\r\n\r\n{\"a\":1}";
        for end in 0..text.len() - 7 {
            assert!(parse_head(&text[..end]).unwrap().is_none());
        }
        let head = parse_head(text).unwrap().unwrap();
        assert_eq!((head.status, head.body_length, head.is_replayed), (200, 7, true));
        assert_eq!(&text[head.length..], b"{\"a\":1}");
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(parse_head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
