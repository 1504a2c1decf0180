//! A file with one order body of `POST /orders` per line.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::intake::{Form, OrderRequest, parse_order};
use ordercast_protocol::limits::MAX_BODY_BYTES;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::input::{self, SourceId};
use super::parcel::{Kind, PRICE_OVERRIDE, Parcel};
use super::source::Source;
use super::tally::FileTally;
use crate::encoding::HOW_TO_CONVERT;
use crate::exact::Exact;

/// Names of fields as they stand in JSON.
const PRICE_OVERRIDE_NAME: &str = "\"price_override\"";
const UNTRACKED_NAME: &str = "\"untracked\"";

/// A file of orders, line by line.
pub(super) struct NdjsonSource {
    input: BufReader<Box<dyn Read>>,
    line: u64,
    total: u64,
    source: SourceId,
    tally: FileTally,
}

/// Opens a file and counts its lines.
pub(super) fn open(path: &Path, source: SourceId) -> io::Result<NdjsonSource> {
    let mut counting = NdjsonSource::new(input::open(path)?, source.clone());
    let mut text = Vec::new();
    while let Some(size) = counting.read_line(&mut text)? {
        counting.total += u64::from(size > 0);
    }
    Ok(NdjsonSource { total: counting.total, ..NdjsonSource::new(input::open(path)?, source) })
}

impl Source for NdjsonSource {
    fn total(&self) -> u64 {
        self.total
    }

    fn next(&mut self) -> io::Result<Option<Parcel>> {
        let mut text = Vec::new();
        while let Some(size) = self.read_line(&mut text)? {
            if size == 0 {
                continue;
            }
            if size > MAX_BODY_BYTES as u64 {
                self.skip(format!("a line of more than {MAX_BODY_BYTES} bytes"));
                continue;
            }
            match self.parcel_of(&text) {
                Ok(parcel) => return Ok(Some(parcel)),
                Err(reason) => self.skip(reason),
            }
        }
        Ok(None)
    }

    fn tally(&self) -> &FileTally {
        &self.tally
    }
}

impl NdjsonSource {
    fn new(input: Box<dyn Read>, source: SourceId) -> Self {
        Self { input: BufReader::new(input), line: 0, total: 0, source, tally: FileTally::default() }
    }

    /// Reads a line without the space around it; gives its size, or `None` at the end. Of a line that is too
    /// long, only the size is right: the rest of it is read past.
    fn read_line(&mut self, text: &mut Vec<u8>) -> io::Result<Option<u64>> {
        text.clear();
        let most = MAX_BODY_BYTES as u64 + 2;
        let read = self.input.by_ref().take(most).read_until(b'\n', text)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if read as u64 == most && !text.ends_with(b"\n") {
            let rest = self.input.skip_until(b'\n')?;
            return Ok(Some(most + rest as u64));
        }
        let trimmed = text.trim_ascii();
        let start = trimmed.as_ptr().addr() - text.as_ptr().addr();
        let end = start + trimmed.len();
        text.truncate(end);
        text.drain(..start);
        Ok(Some(text.len() as u64))
    }

    fn skip(&mut self, reason: String) {
        let line = self.line;
        self.tally.skipped.add(reason, || format!("line {line}"));
    }

    fn parcel_of(&mut self, text: &[u8]) -> Result<Parcel, String> {
        let parcel = parcel_of(text, self.line, &self.source)?;
        self.tally.kinds.entry(Kind::Order).or_default().add(parcel.lines, Exact::default());
        Ok(parcel)
    }
}

/// An order body of a file goes out as it is, but for what lets its prices and SKUs stand beside any catalogue; it is read
/// here only for its id and its time. What is wrong with a field is the server's to say. `place` is where it stands: it
/// keeps two orders apart that are alike in every field.
pub(super) fn parcel_of(text: &[u8], place: u64, source: &SourceId) -> Result<Parcel, String> {
    let order = match parse_order(text, Form::Body) {
        Ok(order) => order,
        Err(_) if std::str::from_utf8(text).is_err() => {
            return Err(format!("text that is not UTF-8; {HOW_TO_CONVERT}"));
        }
        Err(error) if error.code == ErrorCode::MalformedJson => {
            return Err("a line that is no JSON object".to_owned());
        }
        Err(_) => Default::default(),
    };
    let lines = order.items.len() as u64;
    Ok(Parcel {
        kind: Kind::Order,
        id: order.id.as_deref().map_or_else(|| format!("line {place}"), str::to_owned),
        idempotency_key: order.id.is_none().then(|| source.key(place)),
        amount: None,
        lines,
        month: None,
        placed_at_ms: order.placed_at_ms,
        body: standing_for_itself(text, &order),
    })
}

#[derive(Deserialize)]
struct Items<'a> {
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
}

/// An order of a file, whose prices and SKUs are facts: it says so where it does not yet.
fn standing_for_itself(text: &[u8], order: &OrderRequest<'_>) -> Vec<u8> {
    let Ok(Items { items }) = serde_json::from_slice::<Items<'_>>(text) else { return text.to_vec() };
    let mut places = Vec::new();
    let has_prices = order.items.iter().any(|item| item.price.is_some());
    if has_prices && !contains(text, PRICE_OVERRIDE_NAME) {
        let reason = format!("{PRICE_OVERRIDE_NAME}:\"{PRICE_OVERRIDE}\",");
        places.extend(text.iter().position(|byte| *byte == b'{').map(|at| (at + 1, reason)));
    }
    // Those that are not understood are refused anyway.
    for (item, _) in items.iter().zip(&order.items).filter(|(_, known)| !known.plain) {
        if !contains(item.get().as_bytes(), UNTRACKED_NAME) {
            let start = item.get().as_ptr().addr() - text.as_ptr().addr();
            places.push((start + 1, format!("{UNTRACKED_NAME}:true,")));
        }
    }
    let more: usize = places.iter().map(|(_, text)| text.len()).sum();
    if text.len() + more > MAX_BODY_BYTES {
        return text.to_vec();
    }
    let (mut body, mut done) = (Vec::with_capacity(text.len() + more), 0);
    for (at, insert) in places {
        body.extend_from_slice(&text[done..at]);
        body.extend_from_slice(insert.as_bytes());
        done = at;
    }
    body.extend_from_slice(&text[done..]);
    body
}

fn contains(text: &[u8], name: &str) -> bool {
    text.windows(name.len()).any(|window| window == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcels(text: &str) -> (Vec<Parcel>, FileTally, u64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orders.ndjson");
        std::fs::write(&path, text).unwrap();
        let mut source = open(&path, SourceId::of(&path).unwrap()).unwrap();
        let parcels = std::iter::from_fn(|| source.next().unwrap()).collect();
        (parcels, source.tally().clone(), source.total())
    }

    #[test]
    fn lines_go_out_as_they_are() {
        let text = "\u{feff} {\"id\":\"a\",\"amount\":1.50,\"items\":[\"x\"],\"placed_at\":\"1970-01-01T00:00:01Z\"}\r\n\n{\"amount\":2}\n{\"amount\":2}";
        let (parcels, tally, total) = parcels(text);
        assert_eq!((parcels.len(), total, tally.skipped.count()), (3, 3, 0));
        assert_eq!(parcels[0].body, text.lines().next().unwrap().trim_start_matches('\u{feff}').trim().as_bytes());
        assert_eq!((parcels[0].id.as_str(), parcels[0].placed_at_ms, parcels[0].lines), ("a", Some(1_000), 1));
        assert_eq!(parcels[0].idempotency_key, None);
        let keys: Vec<_> = parcels[1..].iter().map(|parcel| parcel.idempotency_key.clone().unwrap()).collect();
        assert_ne!(keys[0], keys[1], "two orders alike are two orders");
        assert!(keys[0].starts_with("import-") && keys[0].ends_with("-3"));
    }

    #[test]
    fn prices_and_skus_of_a_file_stand_for_themselves() {
        for (line, body) in [
            (r#"{"items":["a"],"amount":1}"#, r#"{"items":["a"],"amount":1}"#),
            (
                r#"{ "items":[{"sku":"a"}, "b",{ "sku":"c"}],"amount":1}"#,
                r#"{ "items":[{"untracked":true,"sku":"a"}, "b",{"untracked":true, "sku":"c"}],"amount":1}"#,
            ),
            (
                r#"{"items":[{"sku":"a","price":1}]}"#,
                r#"{"price_override":"imported: the price of the day","items":[{"untracked":true,"sku":"a","price":1}]}"#,
            ),
            (
                r#"{"items":[{"sku":"a","price":1,"untracked":false}],"price_override":null}"#,
                r#"{"items":[{"sku":"a","price":1,"untracked":false}],"price_override":null}"#,
            ),
            (r#"{"items":[{"sku":"a","qty":1}]}"#, r#"{"items":[{"sku":"a","qty":1}]}"#),
        ] {
            let (parcels, ..) = parcels(line);
            assert_eq!(String::from_utf8_lossy(&parcels[0].body), body);
        }
    }

    #[test]
    fn what_is_no_order_is_counted() {
        let long = "x".repeat(2 * MAX_BODY_BYTES);
        let (parcels, tally, total) = parcels(&format!("{{\n{long}\nnonsense\n{{\"id\":7}}\n[1]\n"));
        assert_eq!((parcels.len(), total), (2, 5), "a wrong field is for the server to refuse");
        let reasons: Vec<_> = tally.skipped.0.iter().map(|(reason, one)| (reason.as_str(), one.count)).collect();
        assert_eq!(reasons, [("a line of more than 1048576 bytes", 1), ("a line that is no JSON object", 2)]);
        assert_eq!(tally.skipped.0["a line that is no JSON object"].examples, ["line 1", "line 3"]);
    }
}
