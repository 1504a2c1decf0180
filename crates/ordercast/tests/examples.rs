//! The example workers, as they stand, against the real binary.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ordercast_loadgen::http::Http;
use ordercast_loadgen::server::Server;

const DEADLINE: Duration = Duration::from_secs(30);

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Ends the worker with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn order(http: &mut Http, id: &str) {
    let body = format!(
        "{{\"id\":\"{id}\",\"amount\":5,\"items\":[\"tea \\\"] }} of the house\"],\"customer\":\"Ada\",\"address\":\"1 Main St\"}}"
    );
    assert_eq!(http.ask("POST", "/orders", "", &body).unwrap().status, 201);
}

fn wait_for(http: &mut Http, id: &str, status: &str) -> serde_json::Value {
    let started = Instant::now();
    loop {
        let order: serde_json::Value = http.get(&format!("/orders/{id}")).unwrap();
        if order["status"] == status {
            return order;
        }
        assert!(started.elapsed() < DEADLINE, "{id} is {} and not {status}", order["status"]);
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(program: Command) -> Running {
    let mut program = program;
    Running(program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn server(dir: &Path) -> Server {
    Server::start(Path::new(env!("CARGO_BIN_EXE_ordercast")), dir, &["--workers", "0"], &[]).unwrap()
}

#[test]
fn the_shell_worker_ends_orders_as_its_command_says() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let mut http = Http::connect(server.address).unwrap();
    ["fine", "bad", "later"].into_iter().for_each(|id| order(&mut http, id));
    let mut program = Command::new(example("worker.sh"));
    let script = "order=$(cat); case $order in *'\"id\":\"bad\"'*) exit 3 ;; *'\"id\":\"later\"'*) exit 75 ;; esac";
    program.arg(format!("http://{}", server.address)).args(["shell-1", "sh", "-c", script]);
    let worker = start(program);
    assert_eq!(wait_for(&mut http, "fine", "completed")["processing"]["worker"], "shell-1");
    assert_eq!(wait_for(&mut http, "bad", "failed")["last_error"], "the command ended with 3");
    wait_for(&mut http, "later", "retrying");
    drop(worker);
    server.terminate().unwrap();
}

#[test]
fn the_python_worker_completes_orders() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let mut http = Http::connect(server.address).unwrap();
    let mut program = Command::new("python3");
    program.arg(example("worker.py")).args(["--name", "python-1", "--url", &format!("http://{}", server.address)]);
    let worker = start(program);
    for number in 0..20 {
        order(&mut http, &format!("o{number}"));
    }
    for number in 0..20 {
        let order = wait_for(&mut http, &format!("o{number}"), "completed");
        assert_eq!((&order["processing"]["worker"], &order["attempts"]), (&"python-1".into(), &1.into()));
    }
    drop(worker);
    server.terminate().unwrap();
}
