//! The real server on a disk that fails, fills up, is taken or is left in the middle of things.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use ordercast_loadgen::bench::{Bench, Effort};
use ordercast_loadgen::server::{Ended, Server, verify};
use ordercast_loadgen::socket::{Message, Socket};
use ordercast_loadgen::torture::Torture;
use support::{FailingDisk, Told, assert_kept, load};

const BINARY: &str = env!("CARGO_BIN_EXE_ordercast");
/// How long a load runs before something happens to the server.
const LOAD: Duration = Duration::from_millis(500);
/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(data_dir: &Path, env: &[(&str, &str)]) -> Server {
    Server::start(Path::new(BINARY), data_dir, &[], env).unwrap()
}

/// Loads a server, does something to it meanwhile, and gives what the load was told.
fn load_and(address: SocketAddr, what: impl FnOnce()) -> Told {
    let is_broken = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| load(address, &is_broken));
        std::thread::sleep(LOAD);
        what();
        is_broken.store(true, SeqCst);
        loading.join().unwrap()
    })
}

fn assert_clean(data_dir: &Path, told: &Told) {
    let server = start(data_dir, &[]);
    assert_kept(server.address, told);
    assert!(server.terminate().unwrap().status.success());
    assert_eq!(verify(Path::new(BINARY), data_dir).unwrap(), None);
}

fn break_the_disk(fault: &'static str) {
    let dir = tempfile::tempdir().unwrap();
    let disk = FailingDisk::new(dir.path(), fault);
    let server = start(disk.data_dir(), &disk.env());
    let told = load_and(server.address, || disk.break_down());
    let Ended { status, errors } = server.wait(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(74), "{errors}");
    assert!(errors.contains("Nothing that was acknowledged is lost"), "{errors}");
    assert!(told.acknowledged.len() > 10, "the load was real: {}", told.acknowledged.len());
    assert_eq!(told.after_break, Vec::<String>::new(), "nothing is promised on a broken disk");
    assert_eq!(told.wrong, Vec::<String>::new());
    assert_clean(disk.data_dir(), &told);
}

#[test]
fn a_failed_sync_stops_the_server_and_loses_nothing() {
    break_the_disk("FAULT_SYNC");
}

#[test]
fn a_full_disk_stops_the_server_and_loses_nothing() {
    break_the_disk("FAULT_FULL");
}

#[test]
fn a_second_server_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path(), &[]);
    let second = Server::start(Path::new(BINARY), dir.path(), &[], &[]).unwrap_err().to_string();
    assert!(second.contains("exit status: 75"), "{second}");
    assert!(second.contains(dir.path().to_str().unwrap()), "it names the folder: {second}");
    let told = load_and(first.address, || drop(first.terminate().unwrap()));
    assert!(!told.acknowledged.is_empty(), "the first is untouched");
}

#[test]
fn a_stop_under_load_answers_or_refuses_everything() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    let address = server.address;
    let watching = std::thread::spawn(move || {
        let mut socket = Socket::connect(address, "/ws?channels=orders", PATIENCE).unwrap();
        loop {
            match socket.receive().unwrap() {
                Message::Text(_) => {}
                Message::Close(code) => return code,
            }
        }
    });
    let mut ended = None;
    let told = load_and(address, || ended = Some(server.terminate().unwrap()));
    let Ended { status, errors } = ended.unwrap();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert_eq!(watching.join().unwrap(), Some(1001), "sockets are told that the server goes away");
    assert!(told.acknowledged.len() > 10, "the load was real: {}", told.acknowledged.len());
    assert_eq!(told.wrong, Vec::<String>::new(), "answered, or refused, or closed between two answers");
    assert_eq!(verify(Path::new(BINARY), dir.path()).unwrap(), None);
    assert_clean(dir.path(), &told);
}

#[test]
fn three_kills_lose_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let torture =
        Torture { binary: BINARY.into(), count: 3, seed: 1, workers: 10, scratch: scratch.path().to_path_buf() };
    let report = torture.run(&mut |_| {}).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.acknowledged > 0 && report.resumed >= 3 && report.verified == 3, "{report}");
}

#[test]
fn the_benchmarks_run() {
    let scratch = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    let place = scratch.path().to_path_buf();
    let bench = Bench { binary: BINARY.into(), scratch: place, floor: None, effort: Effort::QUICK };
    bench.run(&mut |line| lines.push(line.to_owned())).unwrap();
    let text = lines.join("\n");
    for part in ["CPU µs/order", "append floor", "256 workers", "due → received"] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(!text.contains("NaN"), "{text}");
}
