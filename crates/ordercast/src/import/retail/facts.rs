//! What can be said of the lines of a file as they are, under the names of `expected.json`.

use std::collections::HashSet;

use jiff::civil::DateTime;
use ordercast_domain::money::MILLIONTHS;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::rows::Row;
use crate::exact::Exact;

/// Sizes and checksums of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct FileSums {
    pub(super) csv_bytes: u64,
    pub(super) csv_sha256: String,
    /// Of the compressed file, if it is.
    pub(super) gz: Option<(u64, String)>,
}

/// Counts and sums over the lines of a whole file.
#[derive(Clone, Debug, Default)]
pub(in crate::import) struct Facts {
    pub(super) file_name: String,
    pub(super) sums: Option<FileSums>,
    /// Digests of the lines seen, when copies are counted.
    seen: Option<HashSet<[u8; 16]>>,
    copies: u64,
    lines: u64,
    first: Option<DateTime>,
    last: Option<DateTime>,
    stock_codes: HashSet<String>,
    customers: HashSet<String>,
    countries: HashSet<String>,
    without_customer: u64,
    without_description: u64,
    quantity_negative: u64,
    price_zero: u64,
    price_negative: u64,
    price_of_three_decimals: u64,
    quantity: i128,
    amount: Exact,
}

impl Facts {
    /// With `count_copies`, exact copies of lines are counted, which needs memory for every line.
    pub(super) fn new(file_name: String, count_copies: bool) -> Self {
        Self { file_name, seen: count_copies.then(HashSet::new), ..Self::default() }
    }

    /// Adds a line; `fields` is the line as it stands in the file.
    pub(super) fn add<'a>(&mut self, row: &Row, fields: impl Iterator<Item = &'a [u8]>) {
        self.lines += 1;
        self.first = Some(self.first.map_or(row.placed_at, |first| first.min(row.placed_at)));
        self.last = Some(self.last.map_or(row.placed_at, |last| last.max(row.placed_at)));
        note(&mut self.stock_codes, &row.sku);
        note(&mut self.customers, &row.customer);
        note(&mut self.countries, &row.country);
        self.without_customer += u64::from(row.customer.is_empty());
        self.without_description += u64::from(row.description.is_empty());
        self.quantity_negative += u64::from(row.quantity < 0);
        self.price_zero += u64::from(row.price == 0);
        self.price_negative += u64::from(row.price < 0);
        let (of_hundredths, of_thousandths) = (MILLIONTHS / 100, MILLIONTHS / 1000);
        let has_three = row.price % of_hundredths != 0 && row.price % of_thousandths == 0;
        self.price_of_three_decimals += u64::from(has_three);
        self.quantity += i128::from(row.quantity);
        self.amount += Exact::of_line(row.quantity, row.price);
        if let Some(seen) = &mut self.seen {
            self.copies += u64::from(!seen.insert(digest(fields)));
        }
    }

    /// The facts under the names of `expected.json`.
    pub(in crate::import) fn json(&self) -> Map<String, Value> {
        let time = |at: Option<DateTime>| at.map(|at| at.to_string());
        let facts = json!({
            "file": self.file_name,
            "lines": self.lines,
            "first": time(self.first),
            "last": time(self.last),
            "stock_codes": self.stock_codes.len(),
            "customers": self.customers.len(),
            "countries": self.countries.len(),
            "lines_without_customer": self.without_customer,
            "lines_without_description": self.without_description,
            "lines_qty_negative": self.quantity_negative,
            "lines_price_zero": self.price_zero,
            "lines_price_negative": self.price_negative,
            "prices_with_3_decimals": self.price_of_three_decimals,
            "sum_quantity": i64::try_from(self.quantity).ok(),
            "sum_amount_gbp": self.amount.to_string(),
        });
        let Value::Object(mut facts) = facts else { return Map::new() };
        if self.seen.is_some() {
            facts.insert("exact_duplicate_lines".to_owned(), self.copies.into());
        }
        if let Some(sums) = &self.sums {
            facts.insert("csv_bytes".to_owned(), sums.csv_bytes.into());
            facts.insert("csv_sha256".to_owned(), sums.csv_sha256.clone().into());
            if let Some((bytes, sha256)) = &sums.gz {
                facts.insert("gz_bytes".to_owned(), (*bytes).into());
                facts.insert("gz_sha256".to_owned(), sha256.clone().into());
            }
        }
        facts
    }
}

fn note(set: &mut HashSet<String>, value: &str) {
    if !value.is_empty() && !set.contains(value) {
        set.insert(value.to_owned());
    }
}

/// Half of a SHA-256: short enough to keep for every line, long enough never to meet twice.
fn digest<'a>(fields: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field);
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.finalize()[..16]);
    digest
}
