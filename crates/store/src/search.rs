//! Search for orders by what people have at hand: a short number, the beginning or end of an id, a part of the customer's
//! name or of a SKU.

use ordercast_domain::order::{Details, Order, OrderSeq};

/// Longest text that is searched for, in bytes.
pub const MAX_SEARCH_BYTES: usize = 128;
/// Most orders that a search lists before all others because their number or the beginning of their id is the text. When
/// more ids begin so, only the number and the whole id go before, and the rest is listed by age.
pub const MAX_DIRECT: usize = 20;

/// What is searched for. Letters match in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSearch {
    /// As it was typed, without blanks around it.
    text: String,
    lowercase: String,
    number: Option<OrderSeq>,
    /// `#1042` is a number and nothing else.
    is_number_only: bool,
}

impl OrderSearch {
    /// `None` for a text that is blank or longer than [`MAX_SEARCH_BYTES`].
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_SEARCH_BYTES {
            return None;
        }
        let digits = text.strip_prefix('#').unwrap_or(text);
        // Rust reads a plus sign, too.
        let number = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None };
        let is_number_only = number.is_some() && text.starts_with('#');
        Some(Self { text: text.to_owned(), lowercase: text.to_lowercase(), number, is_number_only })
    }

    /// The number that the text is.
    pub fn number(&self) -> Option<OrderSeq> {
        self.number
    }

    /// What an id begins with that is meant, as it was typed.
    pub fn id_prefix(&self) -> Option<&str> {
        (!self.is_number_only).then_some(&*self.text)
    }

    /// Whether the number or the beginning of the id is the text: an index leads to such orders.
    pub fn is_direct(&self, seq: OrderSeq, id: &str) -> bool {
        self.number == Some(seq) || self.id_prefix().is_some_and(|prefix| id.starts_with(prefix))
    }

    /// Whether the number or the whole id is the text.
    pub fn is_named(&self, seq: OrderSeq, id: &str) -> bool {
        self.number == Some(seq) || self.id_prefix() == Some(id)
    }

    /// Whether an order is found.
    pub fn finds(&self, order: &Order, details: &Details) -> bool {
        if self.is_direct(order.seq, &order.id) {
            return true;
        }
        let holds = |text: &str| text.to_lowercase().contains(&self.lowercase);
        !self.is_number_only
            && (self.is_end_of(&order.id)
                || holds(&details.customer)
                || details.lines.iter().any(|line| holds(&line.sku)))
    }

    /// Whether an order may be found, by columns that are quick to read; `lines` is JSON text that holds the SKUs.
    /// Never false for an order that [`OrderSearch::finds`].
    pub fn may_find(&self, seq: OrderSeq, id: &str, customer: &str, lines: &str) -> bool {
        if self.is_direct(seq, id) {
            return true;
        }
        // JSON may spell these otherwise.
        let is_spelled_out = self.lowercase.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        let holds = |text: &str| text.to_lowercase().contains(&self.lowercase);
        !self.is_number_only && (!is_spelled_out || self.is_end_of(id) || holds(customer) || holds(lines))
    }

    fn is_end_of(&self, id: &str) -> bool {
        let id = id.to_lowercase();
        id.starts_with(&self.lowercase) || id.ends_with(&self.lowercase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_or_parts() {
        for (text, number, prefix) in [
            ("#1042", Some(1042), None),
            (" 1042 ", Some(1042), Some("1042")),
            ("#", None, Some("#")),
            ("+7", None, Some("+7")),
            ("99999999999999999999", None, Some("99999999999999999999")),
            ("A-1", None, Some("A-1")),
        ] {
            let search = OrderSearch::new(text).unwrap();
            assert_eq!((search.number(), search.id_prefix()), (number, prefix), "{text}");
        }
        assert_eq!(OrderSearch::new(" \t "), None);
        assert_eq!(OrderSearch::new(&"x".repeat(MAX_SEARCH_BYTES + 1)), None);
    }

    #[test]
    fn what_is_quick_to_read_never_hides_an_order() {
        for (text, id, customer, lines, found) in [
            ("anna", "o-1", "Anna Smith", "[]", true),
            ("ÉMILE", "o-1", "émile", "[]", true),
            ("cup", "o-1", "x", r#"[["blue-CUP",1,null,0,false]]"#, true),
            ("-1", "o-1", "x", "[]", true),
            ("O-", "o-1", "x", "[]", true),
            ("a\"b", "o-1", "x", r#"[["a\"b",1,null,0,false]]"#, true),
            ("#7", "o-7", "7", "[7]", false),
            ("tea", "o-1", "x", r#"[["cup",1,null,0,false]]"#, false),
        ] {
            let search = OrderSearch::new(text).unwrap();
            assert_eq!(search.may_find(1, id, customer, lines), found, "{text}");
        }
        assert!(OrderSearch::new("#7").unwrap().may_find(7, "x", "y", "[]"));
    }
}
