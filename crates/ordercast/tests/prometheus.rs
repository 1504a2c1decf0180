//! A real Prometheus, as Debian has it, reads what the server measures.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Server, send_signal};
use ordercast_loadgen::http::Http;
use serde_json::{Value, json};

const ORDERS: usize = 50;
const HISTOGRAMS: [&str; 3] = ["order_processing_latency_seconds", "commit_sync_seconds", "commit_size_commands"];
const PATIENCE: Duration = Duration::from_secs(60);

struct Prometheus {
    process: Child,
    address: String,
}

impl Prometheus {
    fn start(dir: &Path, target: &str) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("figures").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Prometheus, which scripts/setup installs");
        Self { process, address: free.to_string() }
    }

    /// The value of an expression, once it has one.
    fn value(&self, expression: &str) -> f64 {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(answer) = self.ask(&format!("/api/v1/query?query={encoded}")) {
                let value = &answer["data"]["result"][0]["value"][1];
                if let Some(value) = value.as_str().and_then(|value| value.parse::<f64>().ok()) {
                    return value;
                }
            }
            assert!(Instant::now() < deadline, "{expression} has no value");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn ask(&self, path: &str) -> std::io::Result<Value> {
        let mut http = Http::connect(self.address.parse().unwrap())?;
        let answer = http.ask("GET", path, "", "")?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        send_signal(&self.process, "TERM");
        let _ = self.process.wait();
    }
}

/// Places orders, and waits until their work is done.
fn place_orders(server: &Server) {
    let mut http = Http::connect(server.address().parse().unwrap()).unwrap();
    for number in 0..ORDERS {
        let body =
            json!({"id": format!("p-{number}"), "items": ["tea"], "amount": 2.5, "customer": "anna", "address": "x"});
        let answer = http.ask("POST", "/orders", "Content-Type: application/json\r\n", &body.to_string()).unwrap();
        assert_eq!(answer.status, 201);
    }
    // Accepted, claimed, completed.
    server.wait_for_head(3 * ORDERS as u64, PATIENCE);
}

fn metrics(address: &str, accept: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n{accept}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

#[test]
fn prometheus_computes_quantiles_of_every_histogram() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    place_orders(&server);
    let prometheus = Prometheus::start(dir.path(), server.address());
    for prefix in ["", "ordercast_"] {
        for name in HISTOGRAMS {
            let quantile = prometheus.value(&format!("histogram_quantile(0.95, {prefix}{name}_bucket)"));
            assert!(quantile.is_finite() && quantile > 0.0, "{prefix}{name}: {quantile}");
        }
        let total = prometheus.value(&format!("sum({prefix}orders_total{{status=\"completed\"}})"));
        assert!((total - ORDERS as f64).abs() < 0.5, "{prefix}orders_total: {total}");
    }
    let counted = prometheus.value("order_processing_latency_seconds_bucket{le=\"0.025\"}");
    assert!(counted >= 0.0, "a bound is found as one writes it");
}

#[test]
fn the_text_format_is_what_promtool_wants_and_open_metrics_is_for_those_who_ask() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    place_orders(&server);
    let (head, text) = metrics(server.address(), "");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which scripts/setup installs");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let found = promtool.wait_with_output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
    assert!(found.status.success() && told.is_empty(), "{told}");
    for line in ["order_processing_latency_seconds_bucket{le=\"+Inf\"} 50", "# TYPE ordercast_orders_total counter"] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    for bound in ["0.0001", "0.025", "0.05", "0.1", "60.0"] {
        assert!(text.contains(&format!("commit_sync_seconds_bucket{{le=\"{bound}\"}}")), "{bound} is not in\n{text}");
    }
    for (accept, is_open) in [
        ("Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n", true),
        ("Accept: application/openmetrics-text\r\n", true),
        ("Accept: text/plain, application/openmetrics-text;q=0.5\r\n", false),
        ("Accept: */*\r\n", false),
    ] {
        let (head, body) = metrics(server.address(), accept);
        assert_eq!(head.contains("application/openmetrics-text"), is_open, "{accept}{head}");
        assert_eq!(body.ends_with("# EOF\n"), is_open, "{accept}");
    }
}
