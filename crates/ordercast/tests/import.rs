//! Orders go in at one end, by the real binary, and are in the store and with every subscriber at the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use harness::subscribers::{Goal, over_events, over_websocket};
use harness::{Server, ordercast, run, send_signal, stderr, stdout};
use serde_json::{Value, json};

/// Events of one order that goes straight through: accepted, started, done.
const EVENTS_PER_ORDER: u64 = 3;
const REAL_FILE: &str = "online_retail_2010-12_2011-08.csv.gz";
const WEBSOCKETS: usize = 50;
const STREAMS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(300);

/// Invoices of every kind: 40 sales, 5 cancellations, 3 write-offs, 1 bad debt, and lines that are none.
fn made_up_file() -> String {
    let mut text =
        "invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country\n".to_owned();
    for sale in 0..40 {
        for line in 0..=sale % 7 {
            let customer = if sale % 5 == 0 { String::new() } else { format!("{}", 17_000 + sale) };
            let month = 1 + sale % 2;
            writeln!(
                text,
                "{},S{line},\"TEA, no. {line}\",{},2011-0{month}-05T10:{sale:02}:00,0.335,{customer},France",
                9_000 + sale,
                line + 1
            )
            .unwrap();
        }
    }
    for at in 0..5 {
        writeln!(text, "C{},S1,TEA,-{},2011-02-06T10:00:00,1.25,17001,France", 9_100 + at, at + 1).unwrap();
    }
    for at in 0..3 {
        writeln!(text, "{},S1,damages,-7,2011-02-07T10:00:00,0,,United Kingdom", 9_200 + at).unwrap();
    }
    text.push_str("A9300,B,Adjust bad debt,1,2011-02-08T10:00:00,-11062.06,,United Kingdom\n");
    text.push_str("9400,S1,TEA,lots,2011-02-08T10:00:00,1,,France\n9500,S1,TEA,-1,2011-02-08T10:00:00,1,,France\n");
    text
}

fn import(file: &Path, url: &str, more: &[&str]) -> (i32, Value) {
    let mut args = vec!["import", file.to_str().unwrap(), "--url", url, "--report", "json"];
    args.extend_from_slice(more);
    let output = run(&args);
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {} {}", stdout(&output), stderr(&output)));
    (output.status.code().unwrap(), report)
}

fn count(report: &Value, kind: &str) -> (u64, u64) {
    let kind = &report["kinds"][kind];
    (kind["new"].as_u64().unwrap(), kind["already_there"].as_u64().unwrap())
}

fn verify(data_dir: &Path) {
    let output = run(&["verify", "--data-dir", data_dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn a_file_is_imported_once_however_often_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lines.csv");
    std::fs::write(&file, made_up_file()).unwrap();
    let server = Server::start(&dir.path().join("data"), &["--limits", "wholesale", "--currency", "GBP"]);

    let (code, first) = import(&file, &server.url, &[]);
    assert_eq!(code, 1, "two invoices cannot be imported: {first:#}");
    for (kind, expected) in [("sale", 40), ("cancellation", 5), ("write_off", 3), ("bad_debt", 1)] {
        assert_eq!(count(&first, kind), (expected, 0), "{kind}");
    }
    assert_eq!(first["refused"], json!([]));
    let skipped: Vec<_> = first["skipped"].as_array().unwrap().iter().map(|one| one["count"].clone()).collect();
    assert_eq!(skipped, [1, 1]);
    let sale = &first["kinds"]["sale"];
    let sum = |sums: &Value| sums["GBP"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    // Thousandths: the amounts have two digits, the roundings and the file three.
    assert_eq!(sum(&sale["amount"]) * 10 + sum(&sale["rounding"]), sum(&json!({"GBP": sale["in_file"]["amount"]})));

    server.wait_for_head(40 * EVENTS_PER_ORDER, PATIENCE);
    let (code, second) = import(&file, &server.url, &["--connections", "3"]);
    assert_eq!(code, 1);
    for (kind, expected) in [("sale", 40), ("cancellation", 5), ("write_off", 3), ("bad_debt", 1)] {
        assert_eq!(count(&second, kind), (0, expected), "{kind}");
    }
    assert_eq!(second["facts"]["amount_by_kind"], first["facts"]["amount_by_kind"]);
    assert_eq!(second["facts"]["by_month"], first["facts"]["by_month"]);
    assert_eq!(server.head(), 40 * EVENTS_PER_ORDER, "nothing happened twice");
    let data_dir = server.data_dir.clone();
    assert_eq!(server.stop(), 0);
    verify(&data_dir);
}

#[test]
fn orders_without_an_id_are_imported_once_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.ndjson");
    let order = r#"{"amount":9.99,"items":["tea"],"customer":"a","address":"b"}"#;
    let large = r#"{"id":"large","amount":10000.01,"items":["tea"],"customer":"a","address":"b"}"#;
    std::fs::write(&file, format!("{order}\n{order}\n{large}\nnonsense\n")).unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    for expected in [(2, 0), (0, 2)] {
        let (code, report) = import(&file, &server.url, &["--format", "orders-ndjson"]);
        assert_eq!((code, count(&report, "order")), (1, expected), "{report:#}");
        assert_eq!(report["refused"][0]["reason"], "invalid-order: /amount must be at most 10000 USD");
        assert_eq!(report["skipped"][0]["reason"], "a line that is no JSON object");
        assert_eq!(report["kinds"]["order"]["amount"]["USD"], "19.98");
    }
}

/// Prices and SKUs of a file are facts: today's catalogue neither changes nor refuses them.
#[test]
fn a_file_stands_beside_any_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, orders) = (dir.path().join("lines.csv"), dir.path().join("orders.ndjson"));
    std::fs::write(&lines, made_up_file()).unwrap();
    let order = r#"{"id":"n1","items":[{"sku":"S1","price":9},{"sku":"gone","price":1}],"customer":"a","address":"b"}"#;
    std::fs::write(&orders, order).unwrap();
    let server = Server::start(&dir.path().join("data"), &["--limits", "wholesale", "--currency", "GBP"]);
    let products = dir.path().join("products.json");
    std::fs::write(&products, "\u{feff}[{\"sku\":\"S1\",\"price\":0.5},{\"sku\":\"S2\",\"price\":0.335}]").unwrap();
    let output = run(&["products", "import", products.to_str().unwrap(), "--url", &server.url]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for expected in [(40, 0), (0, 40)] {
        let (_, report) = import(&lines, &server.url, &[]);
        assert_eq!(count(&report, "sale"), expected, "{report:#}");
        assert_eq!(report["refused"], json!([]));
    }
    let (code, report) = import(&orders, &server.url, &["--format", "orders-ndjson"]);
    assert_eq!((code, count(&report, "order")), (0, (1, 0)), "{report:#}");
    let stored = server.get("/orders/n1");
    assert_eq!(
        (&stored["amount"], &stored["price_override"]),
        (&json!(10.0), &json!("imported: the price of the day"))
    );
    let only_known = server.get("/orders/9000");
    assert!(only_known["price_override"].is_null(), "no price differs where no SKU is known: {only_known}");
    let data_dir = server.data_dir.clone();
    assert_eq!(server.stop(), 0);
    verify(&data_dir);
}

/// So many orders, one line each.
fn many_orders(count: u64) -> String {
    (0..count)
        .map(|at| {
            format!("{{\"id\":\"n{at}\",\"amount\":1.25,\"items\":[\"tea\"],\"customer\":\"a\",\"address\":\"b\"}}\n")
        })
        .collect()
}

/// An import in the background, slow because it has one connection.
fn spawn_import(file: &Path, url: &str) -> Child {
    let file = file.to_str().unwrap();
    let args = ["import", file, "--format", "orders-ndjson", "--url", url, "--report", "json", "--connections", "1"];
    ordercast(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn an_import_that_was_stopped_goes_on() {
    const ORDERS: u64 = 3_000;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.ndjson");
    std::fs::write(&file, many_orders(ORDERS)).unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    let import_1 = spawn_import(&file, &server.url);
    server.wait_for_head(30, PATIENCE);
    send_signal(&import_1, "INT");
    let output = import_1.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("Run the same command again to go on"), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (before, _) = count(&report, "order");
    assert!((1..ORDERS).contains(&before), "stopped in the middle, not after {before}");

    let (code, report) = import(&file, &server.url, &["--format", "orders-ndjson"]);
    assert_eq!((code, count(&report, "order")), (0, (ORDERS - before, before)));
    server.wait_for_head(ORDERS * EVENTS_PER_ORDER, PATIENCE);
}

#[test]
fn an_import_outlives_the_server() {
    const ORDERS: u64 = 3_000;
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let file = dir.path().join("orders.ndjson");
    std::fs::write(&file, many_orders(ORDERS)).unwrap();
    let server = Server::start(&data_dir, &[]);
    let address = server.address().to_owned();
    let import = spawn_import(&file, &server.url);
    server.wait_for_head(30, PATIENCE);
    server.kill();
    let server = Server::start_at(&address, &data_dir, &[]);
    let output = import.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The order whose answer was lost with the server is there already when it is sent again.
    let (new, already_there) = count(&report, "order");
    assert!(new + already_there == ORDERS && already_there <= 1, "{new} new, {already_there} already there");
    assert_eq!(server.stop(), 0);
    verify(&data_dir);
}

fn real_data() -> Option<PathBuf> {
    let named = std::env::var_os("ORDERCAST_REAL_DATA").map(PathBuf::from);
    let dir = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    Some(dir).filter(|dir| dir.join(REAL_FILE).exists() && dir.join("expected.json").exists())
}

#[test]
fn real_orders_reach_every_subscriber_exactly_once_and_add_up() {
    let Some(data) = real_data() else {
        // Written past the test runner, which would keep it for itself: a check that did not run must not look
        // like one that passed.
        let note = "NOT CHECKED: the real orders are not here; name their folder in ORDERCAST_REAL_DATA";
        writeln!(std::io::stderr(), "\n{note}").unwrap();
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), &["--limits", "wholesale", "--currency", "GBP"]);
    let head = 12_494 * EVENTS_PER_ORDER;
    let goal = Goal::new(head, PATIENCE);
    let sockets = (0..WEBSOCKETS).map(|_| over_websocket(server.address(), goal));
    // Every other stream hangs up now and then, and goes on where it was.
    let streams = (0..STREAMS).map(|at| over_events(&server.url, goal, (at % 2 == 1).then_some(7_001)));
    let subscribers: Vec<_> = sockets.chain(streams).collect();

    let expected = data.join("expected.json");
    let (code, report) = import(&data.join(REAL_FILE), &server.url, &["--expect", expected.to_str().unwrap()]);
    assert_eq!(report["expected"]["differences"], json!([]));
    assert!(report["expected"]["compared"].as_u64().unwrap() >= 70, "{:#}", report["expected"]);
    assert_eq!((code, count(&report, "sale")), (0, (12_494, 0)));

    for (at, subscriber) in subscribers.into_iter().enumerate() {
        assert_eq!(subscriber.join().unwrap(), Ok(head), "subscriber {at}");
    }
    assert_eq!(server.head(), head, "nothing came after what the subscribers saw");
    let data_dir = server.data_dir.clone();
    assert_eq!(server.stop(), 0);
    verify(&data_dir);
}
