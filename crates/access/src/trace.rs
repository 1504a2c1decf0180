//! The trace that a request belongs to.

use std::fmt;

/// Length of a trace id, in bytes (W3C Trace Context §3.2.2.3).
const BYTES: usize = 16;
/// Length of a version, of a parent id and of flags in hexadecimal digits, and of the whole header of version 00.
const VERSION_DIGITS: usize = 2;
const PARENT_DIGITS: usize = 16;
const FLAG_DIGITS: usize = 2;
/// The version that is not to be used.
const NO_VERSION: &str = "ff";

/// The id of a distributed trace (W3C Trace Context): what a client sent in `traceparent`, or none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Trace([u8; BYTES]);

impl Trace {
    /// No trace.
    pub const NONE: Self = Self([0; BYTES]);

    /// The trace of a header `traceparent`; none when the header is not as the standard says.
    pub fn of_traceparent(header: &str) -> Self {
        Self::parse(header).unwrap_or(Self::NONE)
    }

    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let is_right = is_hex(version, VERSION_DIGITS)
            && version != NO_VERSION
            && is_hex(id, 2 * BYTES)
            && is_hex(parent, PARENT_DIGITS)
            && is_hex(flags, FLAG_DIGITS)
            // Later versions may have more parts.
            && (version != "00" || parts.next().is_none());
        if !is_right {
            return None;
        }
        let mut bytes = [0; BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(id.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Whether there is no trace.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

impl fmt::Display for Trace {
    /// 32 hexadecimal digits; nothing when there is no trace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return Ok(());
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_taken_from_a_header_that_is_in_order() {
        const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (header, id) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ID),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", ID),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", ""),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", ""),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", ""),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", ""),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""),
            ("", ""),
        ] {
            assert_eq!(Trace::of_traceparent(header).to_string(), id, "{header}");
        }
    }
}
