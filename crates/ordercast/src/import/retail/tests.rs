//! The quirks of real invoice lines, on made-up data.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ordercast_domain::money::Currency;
use serde_json::json;

use super::super::dates::Orders;
use super::super::parcel::{Kind, Parcel};
use super::super::source::Source;
use super::super::tally::FileTally;
use super::*;

const HEADER: &str = "invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country\n";

const WRITING: Writing = Writing { delimiter: None, has_decimal_comma: false, dates: Orders::ANY };

struct Read {
    parcels: Vec<Parcel>,
    tally: FileTally,
    facts: Facts,
    total: u64,
}

fn read_bytes(bytes: &[u8]) -> Read {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines.csv");
    std::fs::write(&path, bytes).unwrap();
    let (mut source, facts) = open(&path, Currency::parse("GBP").unwrap(), true, WRITING).unwrap();
    let parcels = std::iter::from_fn(|| source.next().unwrap()).collect();
    Read { parcels, tally: source.tally().clone(), facts, total: source.total() }
}

fn read(lines: &str) -> Read {
    read_bytes(format!("{HEADER}{lines}").as_bytes())
}

fn body(parcel: &Parcel) -> String {
    String::from_utf8(parcel.body.clone()).unwrap()
}

fn reasons(tally: &super::super::tally::Reasons) -> Vec<(&str, u64)> {
    tally.0.iter().map(|(reason, one)| (reason.as_str(), one.count)).collect()
}

#[test]
fn an_invoice_becomes_an_order_with_every_line() {
    let read = read(
        "536365,85123A,\"HEART, WHITE \"\"T\"\"\",6,2010-12-01T08:26:00,2.55,17850,United Kingdom\n\
         536365,POST,POSTAGE,1,2010-12-01T08:26:00,18.00,17850,United Kingdom\n\
         536365,85123A,\"HEART, WHITE \"\"T\"\"\",6,2010-12-01T08:26:00,2.55,17850,United Kingdom\n\
         536365,X,,2,2010-12-01T08:26:00,0,17850,United Kingdom\n\
         536365,Y,thirds,3,2010-12-01T08:26:00,0.335,17850,United Kingdom\n",
    );
    assert_eq!((read.parcels.len(), read.total), (1, 1));
    assert_eq!(
        body(&read.parcels[0]),
        r#"{"id":"536365","currency":"GBP","items":[{"sku":"85123A","quantity":6,"price":2.55,"untracked":true},{"sku":"POST","quantity":1,"price":18.00,"untracked":true},{"sku":"85123A","quantity":6,"price":2.55,"untracked":true},{"sku":"X","quantity":2,"price":0.00,"untracked":true},{"sku":"Y","quantity":3,"price":0.335,"untracked":true}],"price_override":"imported: the price of the day","customer":"17850","address":"United Kingdom","placed_at":"2010-12-01T08:26:00.000Z"}"#
    );
    let parcel = &read.parcels[0];
    assert_eq!((parcel.kind, parcel.lines, parcel.amount.unwrap().to_string()), (Kind::Sale, 5, "49.605".to_owned()));
    assert_eq!(parcel.month.as_deref(), Some("2010-12"));
}

#[test]
fn kinds_are_told_by_number_and_total() {
    let read = read(
        "1,a,,2,2011-01-01T10:00:00,1.5,,France\n\
         C2,a,,-2,2011-01-01T10:00:00,1.5,7,France\n\
         A3,B,Adjust bad debt,1,2011-01-01T10:00:00,-11062.06,,United Kingdom\n\
         4,a,damages,-5,2011-01-01T10:00:00,0,,United Kingdom\n\
         4,b,?,1,2011-01-01T10:00:00,0,,United Kingdom\n\
         5,a,,-1,2011-01-01T10:00:00,3,,United Kingdom\n\
         X6,a,,1,2011-01-01T10:00:00,3,,United Kingdom\n\
         CAFE-7,a,,1,2011-01-01T10:00:00,3,,United Kingdom\n\
         A-8,a,,1,2011-01-01T10:00:00,3,,United Kingdom\n\
         #9,a,,1,2011-01-01T10:00:00,3,,United Kingdom\n\
         C10,a,,1,2011-01-01T10:00:00,3,,United Kingdom\n\
         A11,B,Adjust bad debt,1,2011-01-01T10:00:00,3,,United Kingdom\n\
         N/12,a,,1,2011-01-01T10:00:00,3,,United Kingdom\n",
    );
    let kinds: Vec<_> = read.parcels.iter().map(|parcel| (parcel.id.as_str(), parcel.kind)).collect();
    let twelfth = super::super::numbers::id_of("N/12");
    let expected = [
        ("1", Kind::Sale),
        ("C2", Kind::Cancellation),
        ("A3", Kind::BadDebt),
        ("4", Kind::WriteOff),
        ("X6", Kind::Sale),
        ("CAFE-7", Kind::Sale),
        ("A-8", Kind::Sale),
        ("9", Kind::Sale),
        ("C10", Kind::Sale),
        ("A11", Kind::BadDebt),
        (&*twelfth, Kind::Sale),
    ];
    assert_eq!(kinds, expected, "a positive sum is a sale whatever its number begins with");
    let odd = [
        ("a cancellation's number and a positive sum: it is a sale", 1),
        ("a number of bad debt and a positive sum: it is bad debt that was restored, and no sale", 1),
        ("a number that is no id: the order has another, and the number in its notes", 2),
    ];
    assert_eq!(reasons(&read.tally.odd), odd);
    assert!(body(&read.parcels[10]).contains(r#""notes":"invoice N/12""#), "{}", body(&read.parcels[10]));
    assert!(body(&read.parcels[0]).contains(r#""customer":"guest","address":"France""#));
    assert_eq!(
        body(&read.parcels[1]),
        r#"{"id":"C2","kind":"cancellation","currency":"GBP","items":[{"sku":"a","quantity":-2,"price":1.50}],"customer":"7","placed_at":"2011-01-01T10:00:00.000Z"}"#
    );
    assert!(body(&read.parcels[2]).contains(r#""price":-11062.06}],"notes":"Adjust bad debt","#));
    assert!(body(&read.parcels[3]).contains(r#""notes":"damages; ?","#));
    let skipped = [("an invoice with a negative total whose number is no cancellation's (C and digits)", 1)];
    assert_eq!(reasons(&read.tally.skipped), skipped);
}

#[test]
fn lines_of_an_invoice_may_stand_apart_and_have_two_times() {
    let read = read(
        "1,a,,1,2011-01-03T10:01:00,1,,X\n\
         2,a,,1,2011-01-03T10:05:00,1,,X\n\
         1,b,,1,2011-01-03T10:00:00,1,,X\n",
    );
    let ids: Vec<_> = read.parcels.iter().map(|parcel| (parcel.id.as_str(), parcel.lines)).collect();
    assert_eq!(ids, [("2", 1), ("1", 2)], "an invoice goes out with its last line");
    assert!(body(&read.parcels[1]).contains(r#""placed_at":"2011-01-03T10:00:00.000Z""#), "the earlier time");
    assert_eq!(reasons(&read.tally.odd), [("lines with different times: the earliest is the invoice's", 1)]);
}

#[test]
fn lines_that_make_no_sense_are_counted_and_take_their_invoice_along() {
    let read = read(
        "1,a,,1,2011-01-03T10:00:00,1,,X\n\
         1,b,,many,2011-01-03T10:00:00,1,,X\n\
         1,c,,1,2011-01-03T10:00:00,1,,X\n\
         2,a,,1,2011-01-03T10:00:00,.5,,X\n\
         3,a,,1,yesterday,1,,X\n\
         4,a,1\n\
         ,a,,1,2011-01-03T10:00:00,1,,X\n\
         5,,,1,2011-01-03T10:00:00,1,,X\n\
         6,a,,1,2011-01-03T10:00:00,1,,X\n",
    );
    let ids: Vec<_> = read.parcels.iter().map(|parcel| parcel.id.as_str()).collect();
    assert_eq!(ids, ["6"], "an order without one of its lines would have a wrong amount");
    let skipped = [
        ("a line of an invoice of which another line is unreadable", 2),
        ("a line with 3 columns instead of 8", 1),
        ("invoice_date is no time such as 2010-12-01T08:26:00", 1),
        ("no invoice_no", 1),
        ("no stock_code", 1),
        ("quantity is no whole number", 1),
        ("unit_price is no price with at most six digits after the point (3,40 needs --decimal ,)", 1),
    ];
    assert_eq!(reasons(&read.tally.skipped), skipped);
    assert_eq!(read.tally.skipped.0["quantity is no whole number"].examples, ["line 3"]);
    assert_eq!(read.tally.skipped.count() + 1, 9, "every line is accounted for");
}

#[test]
fn files_may_be_compressed_and_have_the_original_columns() {
    let text = "\u{feff}InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
                1,a,caf\u{e9},1,12/1/2010 8:26,2.5,17850,X\n2,a,,1,12/13/2010 8:26,2.5,17850.0,X\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    for bytes in [text.as_bytes(), &gzip.finish().unwrap()] {
        let read = read_bytes(bytes);
        assert!(body(&read.parcels[0]).ends_with(r#""placed_at":"2010-12-01T08:26:00.000Z"}"#));
        assert!(body(&read.parcels[1]).contains(r#""customer":"17850""#), "{}", body(&read.parcels[1]));
        assert_eq!(read.facts.json()["csv_bytes"], json!(text.len()));
    }
    let sister = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n\
                  1,a,,1,2009-12-01 07:45:00,2.5,17850.0,X\n";
    assert_eq!(read_bytes(sister.as_bytes()).parcels[0].amount.unwrap().to_string(), "2.50");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(sister.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(read_bytes(&utf16).parcels, read_bytes(sister.as_bytes()).parcels);
    let semicolons = sister.replace(',', ";").replace("2.5;", "2,5;");
    let reasons_of = read_bytes(semicolons.as_bytes()).tally;
    assert!(reasons(&reasons_of.skipped)[0].0.contains("--decimal ,"), "{:?}", reasons_of.skipped);
    // The description is in an old encoding; it is not sent, so that does no harm.
    let mut latin = HEADER.as_bytes().to_vec();
    latin.extend_from_slice(b"1,a,caf\xe9 \xa32,1,2011-01-03T10:00:00,1,,X\n");
    assert_eq!(read_bytes(&latin).parcels.len(), 1);
}

/// What could be two days is neither, until a date of the file or the user says which.
#[test]
fn dates_that_could_be_two_days_are_refused() {
    let one = "1,a,,1,3/4/2011 10:00,1,,X\n";
    let alone = read(one);
    assert_eq!(alone.parcels.len(), 0);
    assert!(reasons(&alone.tally.skipped)[0].0.contains("--dates dmy"), "{:?}", alone.tally.skipped);
    for (other, day) in
        [("2,a,,1,25/12/2011 10:00,1,,X\n", "2011-04-03"), ("2,a,,1,12/25/2011 10:00,1,,X\n", "2011-03-04")]
    {
        let both = read(&format!("{one}{other}"));
        assert!(body(&both.parcels[0]).contains(day), "{}", body(&both.parcels[0]));
    }
}

#[test]
fn facts_are_those_of_the_whole_file() {
    let facts = read(
        "1,a,,1,2011-01-03T10:00:00,1.001,,X\n\
         1,a,,1,2011-01-03T10:00:00,1.001,,X\n\
         2,b,d,-3,2011-01-02T10:00:00,0,7,Y\n\
         A3,b,d,1,2011-01-04T10:00:00,-2,7,Y\n",
    )
    .facts
    .json();
    for (name, value) in [
        ("lines", json!(4)),
        ("first", json!("2011-01-02T10:00:00")),
        ("last", json!("2011-01-04T10:00:00")),
        ("stock_codes", json!(2)),
        ("customers", json!(1)),
        ("countries", json!(2)),
        ("lines_without_customer", json!(2)),
        ("lines_without_description", json!(2)),
        ("lines_qty_negative", json!(1)),
        ("lines_price_zero", json!(1)),
        ("lines_price_negative", json!(1)),
        ("prices_with_3_decimals", json!(2)),
        ("exact_duplicate_lines", json!(1)),
        ("sum_quantity", json!(0)),
        ("sum_amount_gbp", json!("0.002")),
    ] {
        assert_eq!(facts[name], value, "{name}");
    }
}

#[test]
fn sales_are_held_against_the_default_limits() {
    let many = |number: &str, lines: usize| format!("{number},a,,1,2011-01-03T10:00:00,1,9,X\n").repeat(lines);
    let read = read(&format!(
        "{}{}1,a,,1,2011-01-03T10:00:00,1000,,X\n2,a,,1,2011-01-03T10:00:00,1000.01,9,X\n\
         3,a,,1,2011-01-03T10:00:00,10000,9,X\n4,a,,1,2011-01-03T10:00:00,10000.01,9,X\n",
        many("50", 50),
        many("51", 51)
    ));
    let limits = read.tally.sales.limits;
    assert_eq!((limits.over_priority, limits.over_amount, limits.over_lines, limits.refused), (3, 1, 1, 2));
    assert_eq!((read.tally.sales.count, read.tally.sales.without_customer), (6, 1));
    assert_eq!([0, 50, 99].map(|percent| read.tally.sales.lines_at(percent)), [1, 1, 51]);
}

#[test]
fn a_file_with_other_columns_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.csv");
    std::fs::write(&path, "a,b\n1,2\n").unwrap();
    let error = open(&path, Currency::parse("GBP").unwrap(), false, WRITING).err().unwrap();
    assert!(error.to_string().contains("no column invoice_no; it has: a, b."), "{error}");
}
