//! A disk that can be broken, and a load that notes what it was promised.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use ordercast_loadgen::dice::Dice;
use ordercast_loadgen::http::Http;
use ordercast_loadgen::json::{self, OrderAnswer};
use ordercast_loadgen::orders::{self, Order};

const CONNECTIONS: u64 = 8;
/// No connection sends more, whatever happens.
const MOST_ORDERS: u64 = 50_000;

/// A disk that fails the store's calls once it is told to.
pub(crate) struct FailingDisk {
    shim: PathBuf,
    flag: PathBuf,
    data_dir: PathBuf,
    fault: &'static str,
}

impl FailingDisk {
    /// `fault` is `FAULT_SYNC` or `FAULT_FULL`; everything is made in `dir`.
    pub(crate) fn new(dir: &Path, fault: &'static str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/failing_disk.c");
        let shim = dir.join("failing_disk.so");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl").output();
        let built = built.expect("a C compiler, which the bundled SQLite needs too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        // The folder by its own name, as /proc tells it.
        let data_dir = dir.canonicalize().unwrap().join("data");
        Self { shim, flag: dir.join("broken"), data_dir, fault }
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The environment of a server on this disk.
    pub(crate) fn env(&self) -> [(&'static str, &str); 3] {
        let text = |path: &'_ Path| path.to_str().map(str::to_owned).unwrap().leak() as &str;
        [("LD_PRELOAD", text(&self.shim)), ("FAULT_DIR", text(&self.data_dir)), (self.fault, text(&self.flag))]
    }

    /// From now on it fails.
    pub(crate) fn break_down(&self) {
        std::fs::write(&self.flag, "").unwrap();
    }
}

/// What a load was told.
#[derive(Default)]
pub(crate) struct Told {
    /// Acknowledged: id and order.
    pub(crate) acknowledged: Vec<(String, Order)>,
    /// Those of them that were sent after the break.
    pub(crate) after_break: Vec<String>,
    /// Neither acknowledged nor refused.
    pub(crate) open: Vec<Order>,
    /// Answered with 503.
    pub(crate) refused: usize,
    /// Anything that must not happen.
    pub(crate) wrong: Vec<String>,
}

/// Loads a server until its connections end or it refuses; `is_broken` is set once nothing that is sent can be
/// promised any more.
pub(crate) fn load(address: SocketAddr, is_broken: &AtomicBool) -> Told {
    let told = Mutex::new(Told::default());
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let told = &told;
            scope.spawn(move || one(address, connection, is_broken, told));
        }
    });
    told.into_inner().unwrap()
}

fn one(address: SocketAddr, connection: u64, is_broken: &AtomicBool, told: &Mutex<Told>) {
    let mut dice = Dice::new(7, connection);
    let mut http = Http::connect(address).unwrap();
    for number in 0..MOST_ORDERS {
        let order = orders::make(&format!("f-{connection}-{number}"), &mut dice);
        let was_broken = is_broken.load(SeqCst);
        let answer = http.ask("POST", "/orders", &order.headers(), &order.body);
        let mut told = told.lock().unwrap();
        match answer {
            Ok(answer) if answer.status == 201 => {
                let id = json::read::<OrderAnswer<'_>>("an order", &answer.body).unwrap().id.into_owned();
                if was_broken {
                    told.after_break.push(id.clone());
                }
                told.acknowledged.push((id, order));
            }
            Ok(answer) if answer.status == 503 => {
                told.refused += 1;
                told.open.push(order);
                return;
            }
            Ok(answer) => return told.wrong.push(format!("an order was answered with {}", answer.status)),
            Err(error) if is_end(&error) => return told.open.push(order),
            Err(error) => return told.wrong.push(error.to_string()),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// Everything acknowledged is there with its amount, and what is open can be sent again.
pub(crate) fn assert_kept(address: SocketAddr, told: &Told) {
    let mut http = Http::connect(address).unwrap();
    for (id, order) in &told.acknowledged {
        let answer = http.ask("GET", &format!("/orders/{id}"), "", "").unwrap();
        assert_eq!(answer.status, 200, "{id} was acknowledged");
        let read: OrderAnswer<'_> = json::read("an order", &answer.body).unwrap();
        assert_eq!(read.amount.get(), order.amount, "{id}");
    }
    for order in &told.open {
        let answer = http.ask("POST", "/orders", &order.headers(), &order.body).unwrap();
        assert!(answer.status == 201 || (answer.status == 200 && answer.is_replayed), "{}", answer.status);
    }
}
