//! Data directories that earlier versions wrote: this version opens them, and what they held is there.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Server, run, stderr, stdout};
use serde_json::Value;

/// How long a server may take to recover.
const PATIENCE: Duration = Duration::from_secs(10);

/// Unpacks a data directory into a folder of its own.
fn unpacked(name: &str, into: &Path) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/written-by-0.1.0");
    let folder = into.join(name);
    std::fs::create_dir(&folder).unwrap();
    let archive = data.join(format!("{name}.tar.gz"));
    let status = Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(&folder).status().unwrap();
    assert!(status.success(), "{name}");
    folder
}

fn assert_clean(data_dir: &Path) {
    let output = run(&["verify", "--data-dir", data_dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

/// Each order's id, status and attempts, by id.
fn orders(server: &Server) -> Vec<(String, String, u64)> {
    let list = server.get("/orders?limit=500");
    let row = |order: &Value| {
        let text = |field: &str| order[field].as_str().unwrap().to_owned();
        (text("id"), text("status"), order["attempts"].as_u64().unwrap())
    };
    let mut orders: Vec<_> = list["orders"].as_array().unwrap().iter().map(row).collect();
    orders.sort();
    orders
}

fn count(orders: &[(String, String, u64)], status: &str) -> usize {
    orders.iter().filter(|order| order.1 == status).count()
}

fn epoch(server: &Server) -> String {
    server.get("/orders?limit=1")["as_of"]["orders"]["epoch"].as_str().unwrap().to_owned()
}

/// Looks at the orders until so many are pending: recovery is the first commit, and a server listens before it.
fn orders_once_pending(server: &Server, expected: usize) -> Vec<(String, String, u64)> {
    let started = Instant::now();
    loop {
        let orders = orders(server);
        if count(&orders, "pending") == expected || started.elapsed() > PATIENCE {
            return orders;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a server that works on nothing, looks, stops it, and checks the store; twice, for the first start migrates.
fn look_twice(data_dir: &Path, look: impl Fn(&Server)) {
    for _ in 0..2 {
        let server = Server::start(data_dir, &["--workers", "0"]);
        look(&server);
        assert_eq!(server.stop(), 0);
        assert_clean(data_dir);
    }
}

#[test]
fn an_empty_store_of_0_1_0() {
    let dir = tempfile::tempdir().unwrap();
    look_twice(&unpacked("empty", dir.path()), |server| assert_eq!(orders(server), []));
}

#[test]
fn a_used_store_of_0_1_0() {
    let dir = tempfile::tempdir().unwrap();
    look_twice(&unpacked("used", dir.path()), |server| {
        assert_eq!(epoch(server), "9c0a3372be944f8e", "an upgrade is no other store");
        let orders = orders(server);
        for (status, expected) in [
            ("cancelled", 2),
            ("completed", 3),
            ("failed", 1),
            ("fulfilled", 1),
            ("held", 3),
            ("partially_fulfilled", 1),
            ("pending", 8),
            ("rejected", 1),
            ("retrying", 1),
            ("scheduled", 1),
        ] {
            assert_eq!(count(&orders, status), expected, "{status}: {orders:?}");
        }
        let priced = server.get("/orders/priced");
        assert_eq!((&priced["amount"], &priced["charges"][0]["name"]), (&8.4.into(), &"VAT".into()), "{priced}");
        let products = server.get("/products");
        let stock = |at: usize| products["products"][at]["stock"].as_i64();
        assert_eq!((stock(0), stock(1), stock(2)), (Some(45), None, Some(997)), "{products}");
        assert_eq!(server.get("/adjustments")["adjustments"][0]["id"], "C1");
        assert_eq!(server.get("/queues")["pauses"][0]["reason"], "unpaid");
        assert_eq!(server.head(), 47, "nothing happened to them");
    });
}

#[test]
fn a_store_of_0_1_0_that_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    look_twice(&unpacked("killed", dir.path()), |server| {
        assert_eq!(epoch(server), "8030a0cf60ae4c95");
        let orders = orders_once_pending(server, 7);
        assert!(orders.iter().any(|(id, ..)| id == "last"), "the WAL holds what was acknowledged: {orders:?}");
        let pending: Vec<_> = orders.iter().filter(|order| order.1 == "pending").collect();
        assert!(pending.iter().all(|order| order.2 == 0), "no attempt is charged: {pending:?}");
        let active = |order: &&(String, String, u64)| order.1 == "processing" || order.1 == "expedited";
        assert_eq!(orders.iter().filter(active).count(), 2, "a lease has its whole length at a start: {orders:?}");
        assert_eq!(pending.len(), 7, "what workers in the process had is back: {orders:?}");
    });
}
