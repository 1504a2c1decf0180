//! The log of the server, on stderr.
//!
//! Lines are written by a thread of their own: a terminal that is stopped or a pipe that nobody empties must not
//! hold the writer or a shard. What does not fit the queue is dropped and counted.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait to be written.
const QUEUE_LINES: usize = 4096;
/// How long the end of the program waits for them.
const FLUSH_POLLS: u32 = 100;
const FLUSH_POLL: Duration = Duration::from_millis(10);

/// The log, once started.
pub(crate) struct Log {
    lines: Lines,
}

/// Takes whole lines.
#[derive(Clone)]
struct Lines {
    queue: SyncSender<Vec<u8>>,
    waiting: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts logging what `filter` lets through.
    pub(crate) fn start(filter: &str) -> Self {
        let (queue, lines) = sync_channel(QUEUE_LINES);
        let log = Self { lines: Lines { queue, waiting: Arc::default(), dropped: Arc::default() } };
        let (waiting, dropped) = (Arc::clone(&log.lines.waiting), Arc::clone(&log.lines.dropped));
        std::thread::spawn(move || write(&lines, &waiting, &dropped));
        let filter = tracing_subscriber::EnvFilter::try_new(filter)
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
        let lines = log.lines.clone();
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || lines.clone());
        // Another subscriber may be set in tests; its choice stands.
        let _ = subscriber.with_ansi(io::stderr().is_terminal()).try_init();
        log
    }

    /// Waits, for a second at most, until what was logged is written.
    pub(crate) fn flush(&self) {
        for _ in 0..FLUSH_POLLS {
            if self.lines.waiting.load(Relaxed) == 0 {
                return;
            }
            std::thread::sleep(FLUSH_POLL);
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.waiting.fetch_add(1, Relaxed);
        if self.queue.try_send(line.to_vec()).is_err() {
            self.waiting.fetch_sub(1, Relaxed);
            self.dropped.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(lines: &Receiver<Vec<u8>>, waiting: &AtomicU64, dropped: &AtomicU64) {
    let mut out = io::stderr();
    for line in lines {
        // There is nobody to tell that the log cannot be written.
        let _ = out.write_all(&line);
        let lost = dropped.swap(0, Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "{lost} lines of the log were dropped: they came faster than they could be written");
        }
        waiting.fetch_sub(1, Relaxed);
    }
}
