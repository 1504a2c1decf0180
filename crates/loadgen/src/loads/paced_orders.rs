//! Orders at a fixed rate: from the moment one is due to its answer, and to its event at a subscriber.

use std::fmt;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::failure::LoadError;
use crate::json::{self, Frame};
use crate::measure::histogram::Histogram;
use crate::open_loop::{self, Schedule};
use crate::socket::{Message, Socket};
use crate::target::{Needs, Place, Target};

/// Connections that take turns; far more than orders are on their way at a time.
const CONNECTIONS: u64 = 32;
/// How long the subscriber waits for one message.
const POLL: Duration = Duration::from_millis(50);
/// How long it waits for the last ones.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct PacedOrders {
    /// The server.
    pub place: Place,
    /// Orders per second.
    pub rate: u64,
    /// For so long.
    pub duration: Duration,
    /// Worker slots of a private server.
    pub workers: u32,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Report {
    rate: u64,
    /// Orders answered with 201.
    pub orders: u64,
    /// From due to answered.
    pub answered: Histogram,
    /// From due to the event at the subscriber.
    pub received: Histogram,
    /// How much later the subscriber had the event than the sender its answer; often not at all.
    pub apart: Histogram,
    /// CPU of the server per order, in microseconds, if it is known.
    pub cpu_us: Option<f64>,
}

struct Times {
    schedule: Schedule,
    started: Instant,
    /// Microseconds after the start; 0 for never.
    answered_us: Vec<AtomicU64>,
    received_us: Vec<AtomicU64>,
    is_over: AtomicBool,
}

impl Times {
    fn us(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX)
    }
}

impl PacedOrders {
    /// Sends, and watches.
    ///
    /// # Errors
    /// When the server fails or refuses an order, or an event is missing.
    pub fn run(&self) -> Result<Report, LoadError> {
        let target = Target::open(&self.place, Needs { workers: self.workers, ..Needs::default() })?;
        let most = (self.duration.as_millis() as u64).saturating_mul(self.rate) / 1000;
        let first = target.orders_end()?.offset;
        let schedule = Schedule { rate: self.rate, most: most.max(1), connections: CONNECTIONS, first };
        let zeros = || (0..schedule.most).map(|_| AtomicU64::new(0)).collect();
        let mut socket = Socket::connect(target.address, "/ws?channels=orders", POLL)?;
        let mark = target.process.map(|process| process.cpu_mark()).transpose()?;
        let started = Instant::now();
        let (answered_us, received_us) = (zeros(), zeros());
        let times = Times { schedule, started, answered_us, received_us, is_over: AtomicBool::new(false) };
        let orders = std::thread::scope(|scope| {
            let watching = scope.spawn(|| watch(&mut socket, &times));
            let sent = open_loop::send(target.address, schedule, started, &times.is_over, &|answered| {
                if let Some(cell) = usize::try_from(answered.index).ok().and_then(|at| times.answered_us.get(at)) {
                    cell.store(times.us(answered.at), Relaxed);
                }
            });
            times.is_over.store(true, Relaxed);
            let watched = watching.join().map_err(|_| LoadError::new("the subscriber panicked"))?;
            // A sender that failed explains what the subscriber missed.
            sent.and_then(|orders| watched.map(|()| orders))
        })?;
        let cpu = target.process.zip(mark).map(|(process, mark)| process.cpu_since(&mark)).transpose()?;
        drop(socket);
        target.close()?;
        let cpu_us = cpu.map(|cpu| cpu.total_s * 1e6 / orders.max(1) as f64);
        Ok(self.report(orders, &times, cpu_us))
    }

    fn report(&self, orders: u64, times: &Times, cpu_us: Option<f64>) -> Report {
        let [mut answered, mut received, mut apart] = [(); 3].map(|()| Histogram::default());
        for (index, (answer, receipt)) in (0..).zip(times.answered_us.iter().zip(&times.received_us)) {
            let [answer, receipt] = [answer, receipt].map(|at| Duration::from_micros(at.load(Relaxed)));
            let due = times.schedule.due(index);
            answered.add(answer.saturating_sub(due));
            received.add(receipt.saturating_sub(due));
            // The event may be there before the answer is: both leave once the commit is durable.
            apart.add(receipt.saturating_sub(answer));
        }
        Report { rate: self.rate, orders, answered, received, apart, cpu_us }
    }
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
        let now = Instant::now();
        let frame: Frame<'_> = json::read("a frame", &text)?;
        let id = frame.order_id.as_deref().filter(|_| frame.kind == "order");
        let number = id.and_then(|id| id.strip_prefix("order-")?.parse::<u64>().ok());
        let index = number.and_then(|number| usize::try_from(number.checked_sub(times.schedule.first)?).ok());
        if let Some(received) = index.and_then(|index| times.received_us.get(index)) {
            received.store(times.us(now), Relaxed);
            left -= 1;
        }
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, orders, answered, received, apart, cpu_us } = self;
        writeln!(f, "{orders} orders at {rate} a second (open loop, counted from when each was due)")?;
        writeln!(f, "  due → answered  {answered}")?;
        writeln!(f, "  due → received  {received}")?;
        write!(f, "  received later than answered by  {apart}")?;
        cpu_us.map_or(Ok(()), |us| write!(f, "\n  {us:.1} CPU µs of the server per order"))
    }
}
