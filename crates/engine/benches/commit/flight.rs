//! Submitters that keep a fixed number of orders in flight, and the clocks around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Orders that wait for their answer at any time.
pub(crate) const IN_FLIGHT: usize = 1_024;
/// Threads that submit.
const SUBMITTERS: usize = 2;
/// What is left in flight when a submitter wakes and fills up again: it works while the writer does.
const REFILL_AT: usize = IN_FLIGHT / SUBMITTERS / 2;
/// Ticks of the kernel's CPU clock per second, on every Linux.
const TICKS_PER_S: f64 = 100.0;

/// One submitter's orders in flight.
pub(crate) struct Window {
    waiting: AtomicUsize,
    answered: AtomicU64,
    submitter: Thread,
}

impl Window {
    /// One order is answered.
    pub(crate) fn answer(&self) {
        self.answered.fetch_add(1, Relaxed);
        if self.waiting.fetch_sub(1, SeqCst) == REFILL_AT {
            self.submitter.unpark();
        }
    }
}

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) orders: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu_s: f64,
}

/// CPU seconds of all threads of this process so far, kernel included.
pub(crate) fn process_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    // The name in parentheses may hold anything, so fields are counted behind it.
    let fields = stat.rsplit_once(')').expect("a stat line").1;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
    ticks as f64 / TICKS_PER_S
}

/// Submits for `duration` and waits until everything is answered. `submit` is called with a rising number.
pub(crate) fn fly(duration: Duration, submit: impl Fn(u64, Arc<Window>) + Send + Sync) -> Spent {
    let stop = AtomicBool::new(false);
    let (started, cpu_before) = (Instant::now(), process_cpu_s());
    let orders = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SUBMITTERS as u64)
            .map(|number| {
                let (submit, stop) = (&submit, &stop);
                scope.spawn(move || submitter(number, stop, submit))
            })
            .collect();
        std::thread::sleep(duration);
        stop.store(true, Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("no submitter panics")).sum()
    });
    Spent { orders, wall: started.elapsed(), cpu_s: process_cpu_s() - cpu_before }
}

fn submitter(number: u64, stop: &AtomicBool, submit: &(impl Fn(u64, Arc<Window>) + Sync)) -> u64 {
    let window = Arc::new(Window {
        waiting: AtomicUsize::new(0),
        answered: AtomicU64::new(0),
        submitter: std::thread::current(),
    });
    let mut next = number;
    while !stop.load(Relaxed) {
        while window.waiting.load(SeqCst) < IN_FLIGHT / SUBMITTERS {
            window.waiting.fetch_add(1, SeqCst);
            submit(next, Arc::clone(&window));
            next += SUBMITTERS as u64;
        }
        // Whoever was answered in between leaves its token, so that nothing is missed.
        std::thread::park_timeout(Duration::from_millis(100));
    }
    while window.waiting.load(SeqCst) > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    window.answered.load(Relaxed)
}
