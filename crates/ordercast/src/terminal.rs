//! Text of others on a terminal. Control characters in it would move the cursor, hide what follows or change its order:
//! they are shown as they are written in code, `\u{1b}`, and do nothing.
//!
//! JSON and files get their text as it is; JSON has escapes of its own.

use std::borrow::Cow;
use std::io::{self, Write};

/// Under what a further line of a field begins.
const INDENT: &str = "\n           ";

/// Whether a character does something instead of being seen: C0, C1, and those that set the direction of text (Unicode UAX
/// #9).
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text on one line.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |letter: char| {
        if is_control(letter) { letter.escape_default().to_string() } else { letter.to_string() }
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// A text of several lines, each further one under the first.
pub(crate) fn visible_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(visible).collect();
    lines.join(INDENT)
}

/// Output for people: what is written is visible, and line breaks are line breaks.
pub(crate) struct Visible<W>(pub(crate) W);

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    /// Each call has whole characters, as `write!` gives them.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.0.write_all(b"\n")?;
            }
            self.0.write_all(visible(line).as_bytes())?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_something_is_shown_instead() {
        for (text, seen) in [
            ("Zoë – 12 €, شارع", "Zoë – 12 €, شارع"),
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("a\u{9b}31mb\u{7f}", "a\\u{9b}31mb\\u{7f}"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\u{202e}fdp.exe\u{2066}", "\\u{202e}fdp.exe\\u{2066}"),
        ] {
            assert_eq!(visible(text), seen);
        }
        assert_eq!(visible_lines("1 Mill Lane\r\nBath\u{7}"), "1 Mill Lane\n           Bath\\u{7}");
        let mut out = Visible(Vec::new());
        let evil = "\u{1b}]0;x\u{7}";
        write!(out, "a\u{1b}{evil}\nb\n").unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "a\\u{1b}\\u{1b}]0;x\\u{7}\nb\n");
    }
}
