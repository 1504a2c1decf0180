//! From the moment an order should be sent to its answer and to its event at a subscriber, at a fixed rate.
//!
//! The loop is open: orders are due at fixed moments, whatever became of those before, and a late one is
//! counted from when it was due. A server that stalls cannot hide that by being sent less.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::failure::LoadError;
use crate::http::Http;
use crate::json::{self, Frame};
use crate::orders;
use crate::server::Server;
use crate::socket::{Message, Socket};

use super::Effort;
use super::intake::Place;

/// Orders per second, over all connections.
const RATE: u64 = 500;
/// Connections that take turns; far more than orders are on their way at a time.
const CONNECTIONS: u64 = 32;
/// Worker slots.
const WORKERS: &str = "10";
/// How long the subscriber waits for one message.
const POLL: Duration = Duration::from_millis(50);
/// How long it waits for the last ones.
const PATIENCE: Duration = Duration::from_secs(10);

struct Times {
    started: Instant,
    answered_us: Vec<AtomicU64>,
    received_us: Vec<AtomicU64>,
    is_over: AtomicBool,
}

impl Times {
    fn due_us(number: usize) -> u64 {
        number as u64 * 1_000_000 / RATE
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Measures every place.
///
/// # Errors
/// When the server fails or refuses an order, or an event is missing.
pub fn run(binary: &Path, places: &[Place], effort: Effort, print: &mut dyn FnMut(&str)) -> Result<(), LoadError> {
    print(&format!("one order every {} µs (open loop), {WORKERS} workers, one subscriber of orders", 1_000_000 / RATE));
    for (name, place) in places {
        let times = measure(binary, place, effort)?;
        let answered = sorted(&times.answered_us, |number, at| at.saturating_sub(Times::due_us(number)));
        let received = sorted(&times.received_us, |number, at| at.saturating_sub(Times::due_us(number)));
        // The event may be there before the answer is: both leave once the commit is durable.
        let apart = sorted(&times.received_us, |number, at| at.saturating_sub(times.answered_us[number].load(Relaxed)));
        print(&format!("  {name}: due → answered  {}", quantiles(&answered)));
        print(&format!("  {name}: due → received  {}", quantiles(&received)));
        print(&format!("  {name}: received later than answered by  {}", quantiles(&apart)));
    }
    Ok(())
}

fn sorted(times: &[AtomicU64], of: impl Fn(usize, u64) -> u64) -> Vec<u64> {
    let mut all: Vec<_> = times.iter().enumerate().map(|(number, at)| of(number, at.load(Relaxed))).collect();
    all.sort_unstable();
    all
}

fn quantiles(sorted: &[u64]) -> String {
    let at = |thousandths: usize| {
        let index = (sorted.len() * thousandths / 1000).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or(0) as f64 / 1000.0
    };
    format!("p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, most {:.2} ms", at(500), at(990), at(999), at(1000))
}

fn measure(binary: &Path, place: &Path, effort: Effort) -> Result<Times, LoadError> {
    let dir = tempfile::Builder::new().prefix("ordercast-bench-").tempdir_in(place)?;
    let server = Server::start(binary, dir.path(), &["--workers", WORKERS], &[])?;
    let address = server.address;
    let count = usize::try_from(effort.open_loop.as_millis() as u64 * RATE / 1000).unwrap_or(1);
    let zeros = || (0..count).map(|_| AtomicU64::new(0)).collect();
    let mut socket = Socket::connect(address, "/ws?channels=orders", POLL)?;
    let times =
        Times { started: Instant::now(), answered_us: zeros(), received_us: zeros(), is_over: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&mut socket, &times));
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|first| {
                scope.spawn({
                    let times = &times;
                    move || send(address, first, times)
                })
            })
            .collect();
        for sender in senders {
            sender.join().map_err(|_| LoadError::new("a sender panicked"))??;
        }
        times.is_over.store(true, Relaxed);
        watching.join().map_err(|_| LoadError::new("the subscriber panicked"))?
    })?;
    server.terminate()?;
    Ok(times)
}

fn send(address: SocketAddr, first: u64, times: &Times) -> Result<(), LoadError> {
    let mut http = Http::connect(address)?;
    let mut number = usize::try_from(first).unwrap_or(0);
    while let Some(answered) = times.answered_us.get(number) {
        if let Some(wait) = Times::due_us(number).checked_sub(times.now_us()) {
            std::thread::sleep(Duration::from_micros(wait));
        }
        let answer = http.ask("POST", "/orders", "", &orders::body(number as u64))?;
        if answer.status != 201 {
            return Err(LoadError::new(format!("an order was answered with {}", answer.status)));
        }
        answered.store(times.now_us(), Relaxed);
        number += usize::try_from(CONNECTIONS).unwrap_or(1);
    }
    Ok(())
}

/// Notes when the first event of each order came.
fn watch(socket: &mut Socket, times: &Times) -> Result<(), LoadError> {
    let mut left = times.received_us.len();
    let mut over_since: Option<Instant> = None;
    while left > 0 {
        if times.is_over.load(Relaxed) && over_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return Err(LoadError::new(format!("{left} orders were never seen by the subscriber")));
        }
        let text = match socket.receive() {
            Ok(Message::Text(text)) => text,
            Ok(Message::Close(code)) => return Err(LoadError::new(format!("the subscriber was closed with {code:?}"))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error.into()),
        };
        let now = times.now_us();
        let frame: Frame<'_> = json::read("a frame", &text)?;
        let number = frame.order_id.as_deref().filter(|_| frame.kind == "order");
        let number = number.and_then(|id| id.strip_prefix("order-")?.parse::<usize>().ok());
        if let Some(received) = number.and_then(|number| times.received_us.get(number)) {
            received.store(now, Relaxed);
            left -= 1;
        }
    }
    Ok(())
}
