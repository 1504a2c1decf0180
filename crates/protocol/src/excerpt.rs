//! Text of clients in errors and in the log: only its beginning is repeated.

use std::borrow::Cow;

/// Longest piece of a client's text that an error or the log repeats, in bytes.
pub const MAX_EXCERPT_BYTES: usize = 64;

/// The text as it may be repeated: whole if it is short, else its beginning and an ellipsis.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    cut(text, MAX_EXCERPT_BYTES)
}

/// As [`excerpt`], with another length. A cut never falls inside a character.
pub fn cut(text: &str, max_bytes: usize) -> Cow<'_, str> {
    if text.len() <= max_bytes {
        return Cow::Borrowed(text);
    }
    let mut end = max_bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        for (text, expected) in [
            ("short".to_owned(), "short".to_owned()),
            ("x".repeat(64), "x".repeat(64)),
            ("x".repeat(65), format!("{}…", "x".repeat(64))),
            (format!("x{}", "é".repeat(100)), format!("x{}…", "é".repeat(31))),
        ] {
            assert_eq!(excerpt(&text), expected);
        }
    }
}
