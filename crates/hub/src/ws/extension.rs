//! Whether messages may be compressed: what RFC 7692 §7.1 calls the negotiation, as a function of the headers.

use std::borrow::Cow;

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
/// An offer with more of them repeats one or has one that does not exist (RFC 7692 §7.1).
const MAX_PARAMETERS: usize = 4;
/// The window of the compressor, as a power of two: it cannot be made smaller, and a frame is shared by
/// clients whatever they asked for.
const WINDOW_BITS: u8 = 15;
/// The smallest window that there is (RFC 7692 §7.1.2).
const MIN_WINDOW_BITS: u8 = 8;

/// What a client and this server have agreed on. Neither side ever keeps its window from one message to the
/// next: so a frame is compressed once for all who get it, and no connection holds a compressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The client named the largest window that it can read, and it has to be named back.
    names_window: bool,
}

impl Agreement {
    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub fn answer(&self) -> String {
        let answer = format!("{NAME}; {SERVER_NO_CONTEXT_TAKEOVER}; {CLIENT_NO_CONTEXT_TAKEOVER}");
        if self.names_window { format!("{answer}; {SERVER_MAX_WINDOW_BITS}={WINDOW_BITS}") } else { answer }
    }
}

/// Takes the first offer of `permessage-deflate` that can be met, of all lines of `Sec-WebSocket-Extensions` in
/// their order; other extensions are passed over. `None` when there is none, or when a line breaks the grammar
/// of RFC 6455 §9.1: nobody knows then what was offered.
pub fn negotiate<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Agreement> {
    let mut agreement = None;
    for line in lines {
        let mut cursor = Cursor { rest: line };
        loop {
            // A list may have empty elements (RFC 9110 §5.6.1.2).
            while cursor.skip(',') {}
            if cursor.rest.is_empty() {
                break;
            }
            let offered = offer(&mut cursor)?;
            agreement = agreement.or(offered);
            if !cursor.rest.is_empty() && !cursor.skip(',') {
                return None;
            }
        }
    }
    agreement
}

/// One extension with its parameters. The outer `None` breaks the grammar, the inner one is an offer that
/// cannot be met.
fn offer(cursor: &mut Cursor<'_>) -> Option<Option<Agreement>> {
    let name = cursor.token()?;
    let mut parameters = Vec::new();
    let mut is_short = true;
    while cursor.skip(';') {
        let parameter = (cursor.token()?, if cursor.skip('=') { Some(cursor.value()?) } else { None });
        is_short = parameters.len() < MAX_PARAMETERS;
        if is_short {
            parameters.push(parameter);
        }
    }
    Some(if name == NAME && is_short { meet(&parameters) } else { None })
}

/// The rules of RFC 7692 §7.1: no parameter twice, none that does not exist, none with a value that is wrong.
fn meet(parameters: &[(&str, Option<Cow<'_, str>>)]) -> Option<Agreement> {
    let mut agreement = Agreement { names_window: false };
    for (index, (name, value)) in parameters.iter().enumerate() {
        if parameters[..index].iter().any(|(earlier, _)| earlier == name) {
            return None;
        }
        match (*name, value) {
            (SERVER_NO_CONTEXT_TAKEOVER | CLIENT_NO_CONTEXT_TAKEOVER | CLIENT_MAX_WINDOW_BITS, None) => {}
            // A smaller window of the client is its own affair: every one can be read.
            (CLIENT_MAX_WINDOW_BITS, Some(bits)) => {
                window_bits(bits)?;
            }
            (SERVER_MAX_WINDOW_BITS, Some(bits)) if window_bits(bits)? >= WINDOW_BITS => agreement.names_window = true,
            _ => return None,
        }
    }
    Some(agreement)
}

/// A number without leading zeros, from 8 to 15 (RFC 7692 §7.1.2).
fn window_bits(text: &str) -> Option<u8> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|bits| is_plain && (MIN_WINDOW_BITS..=WINDOW_BITS).contains(bits))
}

/// Reads a line; spaces may stand around everything.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Whether the mark was there.
    fn skip(&mut self, mark: char) -> bool {
        self.skip_spaces();
        let after = self.rest.strip_prefix(mark);
        self.rest = after.unwrap_or(self.rest);
        self.skip_spaces();
        after.is_some()
    }

    fn token(&mut self) -> Option<&'a str> {
        let (token, rest) = self.rest.split_at(self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        self.skip_spaces();
        Some(token).filter(|token| !token.is_empty())
    }

    /// A token, or a quoted string that holds one (RFC 6455 §9.1).
    fn value(&mut self) -> Option<Cow<'a, str>> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self.token().map(Cow::Borrowed);
        };
        let mut value = String::new();
        let mut characters = quoted.chars();
        loop {
            let character = match characters.next()? {
                '"' => break,
                '\\' => characters.next()?,
                character => character,
            };
            value.push(character);
        }
        self.rest = characters.as_str();
        self.skip_spaces();
        let is_one = !value.is_empty() && value.chars().all(is_token);
        is_one.then_some(Cow::Owned(value))
    }
}

/// RFC 9110 §5.6.2.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Option<&str> = Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    const WITH_WINDOW: Option<&str> =
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15");

    fn check(lines: &[&str], expected: Option<&str>) {
        let answer = negotiate(lines.iter().copied()).map(|agreement| agreement.answer());
        assert_eq!(answer.as_deref(), expected, "{lines:?}");
    }

    #[test]
    fn offers_that_can_be_met() {
        check(&["permessage-deflate"], PLAIN);
        check(&["  permessage-deflate\t;  client_max_window_bits  "], PLAIN);
        check(&["permessage-deflate; client_max_window_bits=8"], PLAIN);
        check(&["permessage-deflate; client_max_window_bits=\"10\""], PLAIN);
        check(&["permessage-deflate; client_max_window_bits = \"1\\0\""], PLAIN);
        check(&["permessage-deflate;server_no_context_takeover;client_no_context_takeover"], PLAIN);
        check(&["permessage-deflate; server_max_window_bits=15"], WITH_WINDOW);
        check(&["permessage-deflate; server_max_window_bits=\"15\"; client_max_window_bits=9"], WITH_WINDOW);
    }

    #[test]
    fn the_first_that_can_be_met_is_taken() {
        check(&["permessage-bzip2, x; y=\"a\\bc\", permessage-deflate"], PLAIN);
        check(&["permessage-deflate; server_max_window_bits=10, permessage-deflate"], PLAIN);
        check(
            &["permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=15"],
            WITH_WINDOW,
        );
        check(&["permessage-deflate", "permessage-deflate; server_max_window_bits=15"], PLAIN);
        check(&["permessage-deflate; what, permessage-deflate"], PLAIN);
        check(&[",, permessage-deflate,", "", " , "], PLAIN);
    }

    #[test]
    fn offers_that_cannot_be_met_are_declined() {
        for parameters in [
            "server_max_window_bits=8",
            "server_max_window_bits=14",
            "server_max_window_bits",
            "server_max_window_bits=16",
            "server_max_window_bits=7",
            "server_max_window_bits=015",
            "server_max_window_bits=+15",
            "server_max_window_bits=1500000000000000000000",
            "server_max_window_bits=x",
            "client_max_window_bits=16",
            "client_max_window_bits=7",
            "client_max_window_bits=08",
            "client_max_window_bits=\"+8\"",
            "server_no_context_takeover=1",
            "client_no_context_takeover=\"true\"",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=10",
            "server_max_window_bits=15; server_max_window_bits=15",
            "Server_No_Context_Takeover",
            "unknown",
            "client_max_window_bits; a; b; c; d; e; f",
        ] {
            check(&[&format!("permessage-deflate; {parameters}")], None);
        }
        check(&[], None);
        check(&[""], None);
        check(&["permessage-deflate2"], None);
        check(&["x-webkit-deflate-frame"], None);
    }

    #[test]
    fn lines_that_break_the_grammar_offer_nothing() {
        for line in [
            "permessage-deflate;",
            "permessage-deflate; ;",
            "permessage-deflate; =",
            "permessage-deflate client_max_window_bits",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; client_max_window_bits=\"\"",
            "permessage-deflate; client_max_window_bits=\"10",
            "permessage-deflate; client_max_window_bits=\"10\\",
            "permessage-deflate; client_max_window_bits=\"1 0\"",
            "permessage-deflate; client_max_window_bits=\"10\"x",
            "permessage-deflate, ä",
            "\"permessage-deflate\"",
            "(permessage-deflate)",
        ] {
            check(&[line], None);
            check(&["permessage-deflate", line], None);
        }
    }

    proptest! {
        #[test]
        fn any_line_has_an_answer(
            lines in prop::collection::vec("[ ,;=\"\\\\a10]{0,12}(permessage-deflate)?[ ,;=\"\\\\a15_]{0,12}|\\PC{0,20}", 0..4),
        ) {
            let answer = negotiate(lines.iter().map(String::as_str)).map(|agreement| agreement.answer());
            prop_assert!([None, PLAIN, WITH_WINDOW].contains(&answer.as_deref()));
        }
    }
}
