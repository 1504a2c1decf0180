//! Rust tokens as a flat list, for rules that must also see into macro calls, which `syn` leaves
//! unparsed.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token. Brackets are tokens of their own; punctuation comes one character at a time, so `::` is
/// two tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The token as written.
    pub text: String,
    /// Line in the file, counted from 1.
    pub line: usize,
}

impl Token {
    /// Whether this is an identifier or a keyword.
    #[must_use]
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// All tokens of `stream` in order.
#[must_use]
pub fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push_all(stream, &mut tokens);
    tokens
}

/// Whether `tokens` begins with exactly these texts.
#[must_use]
pub fn begins_with(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// The tokens inside the bracket that opens at `tokens[0]`; empty when none opens there.
#[must_use]
pub fn inside_bracket(tokens: &[Token]) -> &[Token] {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return tokens.get(1..index).unwrap_or_default();
        }
    }
    &[]
}

fn push_all(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                push_all(group.stream(), tokens);
                let line = group.span_close().start().line;
                tokens.push(Token { text: close.to_owned(), line });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}
