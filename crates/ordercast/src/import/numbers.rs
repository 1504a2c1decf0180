//! The id of an order from the number that a file gives it.

use ordercast_domain::product::hex;
use sha2::{Digest, Sha256};

/// Longest id, in bytes (docs/orders.md).
const MAX_ID_BYTES: usize = 64;
/// Hexadecimal digits that tell apart numbers which would become one id.
const MARK_DIGITS: usize = 8;
/// Ids that are taken by routes.
const TAKEN: [&str; 4] = ["bulk", "retry", ".", ".."];

/// An id for a number: the number itself where it is one, without the `#` that shops put before it. Otherwise what an id
/// cannot have becomes `-`, and some digits of a hash keep two numbers apart: `A/1` is `A-1-` and eight digits.
pub(super) fn id_of(number: &str) -> String {
    let plain = number.strip_prefix('#').unwrap_or(number);
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !plain.is_empty() && plain.len() <= MAX_ID_BYTES && plain.bytes().all(is_fine) && !TAKEN.contains(&plain) {
        return plain.to_owned();
    }
    let most = MAX_ID_BYTES - MARK_DIGITS - 1;
    let mapped = plain.chars().map(|letter| if letter.is_ascii() && is_fine(letter as u8) { letter } else { '-' });
    let mark = &hex(&Sha256::digest(number))[..MARK_DIGITS];
    format!("{}-{mark}", mapped.take(most).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_ids_that_stay_apart() {
        for (number, id) in [("1002", "1002"), ("#1002", "1002"), ("S00012", "S00012"), ("CAFE-1001", "CAFE-1001")] {
            assert_eq!(id_of(number), id);
        }
        let ids: Vec<_> = ["A/1", "A 1", "Ä1", "#", "bulk", &"9".repeat(65)].into_iter().map(id_of).collect();
        for id in &ids {
            assert!(
                id.len() <= MAX_ID_BYTES
                    && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
                "{id}"
            );
        }
        assert!(ids[0].starts_with("A-1-") && ids[0] != ids[1], "{ids:?}");
    }
}
