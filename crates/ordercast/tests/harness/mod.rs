//! The real binary, started on a free port with a folder of its own, and clients to watch it with.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) mod subscribers;

const BINARY: &str = env!("CARGO_BIN_EXE_ordercast");
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The binary with arguments, away from the settings of whoever runs the tests.
pub(crate) fn ordercast(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    for name in ["PORT", "REDIS_URL", "WEBSOCKET_MAX_CONNECTIONS"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORDERCAST_")) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// Runs the binary to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    ordercast(args).output().expect("the binary can be started")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Sends a signal by name.
pub(crate) fn send_signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill can be run");
    assert!(sent.success(), "{signal} to {pid}");
}

/// A server that is stopped when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub url: String,
    pub data_dir: PathBuf,
}

impl Server {
    pub(crate) fn start(data_dir: &Path, args: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", data_dir, args)
    }

    pub(crate) fn start_at(listen: &str, data_dir: &Path, args: &[&str]) -> Self {
        let dir = data_dir.to_str().expect("a temporary folder has a UTF-8 name");
        let mut command = ordercast(&["serve", "--listen", listen, "--data-dir", dir, "--log", "warn"]);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().expect("the server can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let url = lines.find_map(|line| line.ok()?.strip_prefix("listening on ").map(str::to_owned));
        let url = url.expect("the server says where it listens before it ends");
        // Read on, so that the server never waits for a full pipe.
        std::thread::spawn(move || lines.count());
        Self { child, url, data_dir: data_dir.to_path_buf() }
    }

    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let body =
            ureq::get(format!("{}{path}", self.url)).call().and_then(|mut answer| answer.body_mut().read_to_vec());
        serde_json::from_slice(&body.expect("the server answers")).expect("the answer is JSON")
    }

    /// The offset of the last order event.
    pub(crate) fn head(&self) -> u64 {
        self.get("/orders?limit=1")["as_of"]["orders"]["offset"].as_u64().expect("a list says where it stands")
    }

    /// Waits until the log of orders has come to an offset.
    pub(crate) fn wait_for_head(&self, head: u64, patience: Duration) {
        let started = Instant::now();
        while self.head() < head {
            assert!(started.elapsed() < patience, "the log is at {} of {head} after {patience:?}", self.head());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server as a power cut would: it gets no chance to do anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server can be waited for");
    }

    /// Asks the server to stop, as a supervisor does, and waits until it has.
    pub(crate) fn stop(mut self) -> i32 {
        send_signal(&self.child, "TERM");
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the server can be waited for") {
                return status.code().unwrap_or(-1);
            }
            assert!(started.elapsed() < STOP_TIMEOUT, "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
