//! Files as people have them, imported by the real binary: each is counted to the digit, one file twice is one, and two files
//! with the same lines are two.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::path::{Path, PathBuf};

use harness::{Server, run, stderr, stdout};
use serde_json::{Value, json};

const RETAIL: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n\
536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom\n\
C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527,United Kingdom\n";
const SISTER: &str = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n\
489434,85048,GLASS BALL,12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom\n\
489434,22041,RECORD FRAME,48,2009-12-01 07:45:00,2.10,13085.0,United Kingdom\n";
const SHOP: &str = "Name,Email,Financial Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Shipping Address1,Shipping City,Shipping Zip,Notes,Id\n\
#1001,anna@example.com,paid,GBP,699.00,85.00,91.17,784.00,0.00,2021-05-13 11:01:12 +0200,1,Mattress,699.00,MAT-1,1 Mill Lane,Bath,'4001,\"wrap\n\nplease\",1\n\
#1002,ben@example.com,paid,GBP,928.00,0.00,121.04,928.00,0.00,2021-05-13 15:15:21 +0200,1,Sheet,229.00,20460,2 Hill Road,Bath,'7950,,2\n\
#1002,ben@example.com,,,,,,,,2021-05-13 15:15:21 +0200,1,Mattress,699.00,MAT-1,,,,,\n";
const TILL: &str =
    "Beleg;Artikel;Menge;Preis;Tag\nR-1;espresso;2;2,20;01.12.2026\n;latte;1;3,40;\nR-2;tee;1;2,90;01.12.2026\n";
const LINES: &str = "{\"items\":[{\"sku\":\"espresso\",\"quantity\":1,\"price\":2.20}],\"customer\":\"walk-in\",\"address\":\"counter\"}\n\
{\"items\":[{\"sku\":\"latte\",\"quantity\":1,\"price\":3.40}],\"customer\":\"walk-in\",\"address\":\"counter\"}\n";

struct Shop {
    dir: tempfile::TempDir,
    server: Server,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(&dir.path().join("data"), &["--currency", "GBP", "--workers", "0"]);
        Self { dir, server }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The exit code, and how many orders were new and already there.
    fn import(&self, file: &Path, more: &[&str]) -> (i32, u64, u64) {
        let mut args = vec!["import", file.to_str().unwrap(), "--url", &self.server.url, "--report", "json"];
        args.extend_from_slice(more);
        let output = run(&args);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", stdout(&output), stderr(&output)));
        let sum = |name: &str| ["sale", "order"].iter().filter_map(|kind| report["kinds"][kind][name].as_u64()).sum();
        (output.status.code().unwrap(), sum("new"), sum("already_there"))
    }

    /// The number of orders, and the sum of their amounts in hundredths.
    fn stored(&self) -> (usize, i64) {
        let orders = self.server.get("/orders?limit=500")["orders"].as_array().unwrap().clone();
        let amounts = orders.iter().map(|order| (order["amount"].as_f64().unwrap() * 100.0).round() as i64);
        (orders.len(), amounts.sum())
    }
}

#[test]
fn five_formats_are_recognized_and_counted_to_the_digit() {
    let till = ["--columns", "id=Beleg,sku=Artikel,quantity=Menge,price=Preis,placed_at=Tag", "--decimal", ","];
    for (name, text, more, orders, hundredths) in [
        ("retail.csv", RETAIL.to_owned(), &[][..], 1, 3_564),
        ("sister.csv", SISTER.to_owned(), &[], 1, 18_420),
        ("shop.csv", SHOP.to_owned(), &[], 2, 171_200),
        ("till.csv", TILL.to_owned(), &till, 2, 1_070),
        ("lines.ndjson", LINES.to_owned(), &[], 2, 560),
        ("array.json", format!("[{}]", LINES.trim().replace('\n', ",")), &[], 2, 560),
    ] {
        let shop = Shop::open();
        let file = shop.file(name, &text);
        assert_eq!(shop.import(&file, more), (0, orders, 0), "{name}");
        assert_eq!(shop.stored(), (orders as usize, hundredths), "{name}");
        let renamed = shop.file(&format!("again-{name}"), &text);
        assert_eq!(shop.import(&renamed, more), (0, 0, orders), "{name}: the same file is one, whatever its name");
        let utf16: Vec<u8> = [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        let marked = [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat();
        for (what, bytes) in [("UTF-16", utf16), ("a byte order mark", marked)] {
            let file = shop.file(&format!("other-{name}"), bytes);
            assert_eq!(shop.import(&file, more), (0, 0, orders), "{name} in {what} is the same text");
        }
        assert_eq!(shop.stored(), (orders as usize, hundredths), "{name}");
    }
}

#[test]
fn two_files_with_the_same_lines_are_two() {
    let shop = Shop::open();
    let monday = shop.file("monday.ndjson", LINES);
    let tuesday = shop.file("tuesday.ndjson", LINES.replace("latte", "tea"));
    assert_eq!(shop.import(&monday, &[]), (0, 2, 0));
    assert_eq!(shop.import(&tuesday, &[]), (0, 2, 0), "Tuesday's espresso is another than Monday's");
    assert_eq!(shop.import(&monday, &[]), (0, 0, 2));
    assert_eq!(shop.stored().0, 4);
    // A file that grows has a name for what it is.
    let till = shop.file("till.ndjson", LINES);
    assert_eq!(shop.import(&till, &["--source", "till-1"]), (0, 2, 0));
    let till = shop.file("till.ndjson", LINES.repeat(2));
    assert_eq!(shop.import(&till, &["--source", "till-1"]), (0, 2, 2));
}

#[test]
fn numbers_of_any_kind_are_sales() {
    let shop = Shop::open();
    let text = "invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country\n\
        CAFE-1001,latte,Latte,2,2026-11-30T08:00:00,3.40,anna,DE\n#1002,latte,Latte,2,2026-11-30T08:05:00,3.40,ben,DE\n\
        S00012,latte,Latte,2,2026-11-30T08:06:00,3.40,cleo,DE\nA-77,latte,Latte,2,2026-11-30T08:06:00,3.40,dora,DE\n\
        1003,latte,Latte,2,2026-11-30T08:07:00,3.40,emil,DE\n";
    assert_eq!(shop.import(&shop.file("numbers.csv", text), &["--currency", "EUR"]), (0, 5, 0));
    assert_eq!(shop.stored(), (5, 3_400));
    assert_eq!(shop.server.get("/orders?q=%231002")["orders"], json!([]), "that is an order's short number");
    assert_eq!(shop.server.get("/orders?q=1002")["orders"][0]["id"], "1002");
}

#[test]
fn what_cannot_be_read_says_why_and_how_to_mend_it() {
    let shop = Shop::open();
    for (name, bytes, more, says) in [
        (
            "other.csv",
            &b"Nr,Article\n1,x\n"[..],
            &[][..],
            "has columns of no known format: Nr, Article. Say which column",
        ),
        (
            "other.csv",
            b"Nr,Article\n1,x\n",
            &["--format", "online-retail"],
            "no column invoice_no; it has: Nr, Article",
        ),
        (
            "other.csv",
            b"Nr,Article\n1,x\n",
            &["--columns", "sku=Item,price=P"],
            "it has no column \"Item\" for sku; it has: Nr, Article",
        ),
        ("cut.json", b"[{\"items\":", &[], "the array has no end"),
        ("empty.csv", b"", &[], "is empty"),
    ] {
        let file = shop.file(name, bytes);
        let mut args = vec!["import", file.to_str().unwrap(), "--url", &shop.server.url];
        args.extend_from_slice(more);
        let output = run(&args);
        assert_ne!(output.status.code(), Some(0), "{name}");
        assert!(stderr(&output).contains(says), "{name}: {}", stderr(&output));
    }
    let latin = shop.file("latin.csv", b"Nr,Article,Price\n1,caf\xe9,2\n2,tea,2\n");
    let columns = ["--columns", "id=Nr,sku=Article,price=Price"];
    assert_eq!(shop.import(&latin, &columns), (1, 1, 0), "the rest is stored");
    let dates = shop.file("dates.csv", "Nr,Article,Price,Day\n1,tea,2,03/04/2026\n");
    let columns = ["--columns", "id=Nr,sku=Article,price=Price,placed_at=Day"];
    assert_eq!(shop.import(&dates, &columns), (1, 0, 0), "it could be two days");
    assert_eq!(shop.import(&dates, &[&columns[..], &["--dates", "dmy"]].concat()), (0, 1, 0));
    assert_eq!(shop.server.get("/orders/1")["placed_at"], "2026-04-03T00:00:00.000Z");
}
