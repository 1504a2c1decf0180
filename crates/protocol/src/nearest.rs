//! The name that was meant by one that is not known.

/// Longest names that are compared letter by letter, in characters; of longer ones only the case is looked past.
const MAX_COMPARED: usize = 64;

/// The field that an unknown name was most likely meant to be, if any is near: the same but for case and separators, a
/// few letters off, or an abbreviation such as `qty` for `quantity`.
pub fn nearest_field<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = plain(name);
    let same = known.iter().find(|field| self::plain(field) == plain);
    let by_distance = || nearest(name, known.iter().copied(), plain.chars().count() / 3);
    let abbreviated = || known.iter().copied().find(|field| is_abbreviation(&plain, &self::plain(field)));
    same.copied().or_else(by_distance).or_else(abbreviated)
}

/// The candidate with the fewest letters added, dropped, swapped or changed, `most` of them at the most. Of several it is
/// the first. Case and separators do not count.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>, most: usize) -> Option<&'a str> {
    let wanted: Vec<char> = plain(name).chars().take(MAX_COMPARED + 1).collect();
    if wanted.is_empty() || wanted.len() > MAX_COMPARED {
        return None;
    }
    // With every letter changed it is another name.
    let mut most = most.min(wanted.len() - 1);
    let mut rows = Rows::default();
    let mut best = None;
    for candidate in candidates {
        // A letter has one byte at least and four at most.
        if candidate.len() + most < wanted.len() || candidate.len() > 4 * (wanted.len() + most) + most {
            continue;
        }
        let letters: Vec<char> = plain(candidate).chars().collect();
        if letters.len().abs_diff(wanted.len()) > most || letters.is_empty() {
            continue;
        }
        let distance = rows.distance(&wanted, &letters);
        if distance < most + usize::from(best.is_none()) {
            best = Some(candidate);
            most = distance;
            if distance == 0 {
                break;
            }
        }
    }
    best
}

/// A name without case and separators.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| !matches!(letter, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

/// Whether all letters of `short` stand in `long` in their order, the first in front.
fn is_abbreviation(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    let begins_alike = short.chars().next() == long.chars().next();
    begins_alike && short.len() >= 2 && short.chars().all(|letter| rest.any(|other| other == letter))
}

/// Rows of the table of the restricted edit distance (with swaps of neighbours), kept between comparisons.
#[derive(Default)]
struct Rows {
    before_last: Vec<usize>,
    last: Vec<usize>,
    current: Vec<usize>,
}

impl Rows {
    fn distance(&mut self, from: &[char], to: &[char]) -> usize {
        self.last.clear();
        self.last.extend(0..=to.len());
        self.before_last.clone_from(&self.last);
        for (row, letter) in from.iter().enumerate() {
            self.current.clear();
            self.current.push(row + 1);
            for (column, other) in to.iter().enumerate() {
                let changed = self.last[column] + usize::from(letter != other);
                let mut least = changed.min(self.last[column + 1] + 1).min(self.current[column] + 1);
                if row > 0 && column > 0 && *letter == to[column - 1] && from[row - 1] == *other {
                    least = least.min(self.before_last[column - 1] + 1);
                }
                self.current.push(least);
            }
            std::mem::swap(&mut self.before_last, &mut self.last);
            std::mem::swap(&mut self.last, &mut self.current);
        }
        self.last[to.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_near_are_found() {
        const FIELDS: [&str; 8] =
            ["id", "amount", "currency", "quantity", "run_at", "price", "customer", "idempotency_key"];
        for (name, meant) in [
            ("runAt", Some("run_at")),
            ("Currency", Some("currency")),
            ("qty", Some("quantity")),
            ("quantiy", Some("quantity")),
            ("quanitty", Some("quantity")),
            ("prise", Some("price")),
            ("costumer", Some("customer")),
            ("idempotencyKey", Some("idempotency_key")),
            ("cust", Some("customer")),
            ("weight", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest_field(name, &FIELDS), meant, "{name}");
        }
    }

    #[test]
    fn the_nearest_of_many_is_found() {
        let skus = ["tea-green", "tea-black", "espresso", "Flat White", "7"];
        for (name, meant) in [
            ("tea-grean", Some("tea-green")),
            ("expresso", Some("espresso")),
            ("flat-white", Some("Flat White")),
            ("chocolate", None),
            ("9", None),
        ] {
            assert_eq!(nearest(name, skus.into_iter(), 2), meant, "{name}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), skus.into_iter(), 2), None);
    }
}
