//! The log of the server, on stderr.
//!
//! Lines are written by a thread of their own: a terminal that is stopped or a pipe that nobody empties must not
//! hold the writer or a shard. Lines have a maximum length, and the queue a maximum of lines and bytes; what does not
//! fit is dropped and counted.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait to be written.
const QUEUE_LINES: usize = 4096;
/// Bytes of lines that wait to be written.
const QUEUE_BYTES: u64 = 4 * 1024 * 1024;
/// Longest line, in bytes; the rest of a longer one is cut off.
const MAX_LINE_BYTES: usize = 4 * 1024;
/// What stands for the rest of a line.
const CUT: &[u8] = " … (cut)\n".as_bytes();
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
    waiting_bytes: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts logging what `filter` lets through.
    pub(crate) fn start(filter: &str) -> Self {
        let (queue, lines) = sync_channel(QUEUE_LINES);
        let log = Self { lines: Lines::new(queue) };
        let counts = log.lines.clone_counts();
        std::thread::spawn(move || write(&lines, &counts));
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

/// What is counted of the lines, shared with the thread that writes them.
struct Counts {
    waiting: Arc<AtomicU64>,
    waiting_bytes: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    fn new(queue: SyncSender<Vec<u8>>) -> Self {
        Self { queue, waiting: Arc::default(), waiting_bytes: Arc::default(), dropped: Arc::default() }
    }

    fn clone_counts(&self) -> Counts {
        let Self { queue: _, waiting, waiting_bytes, dropped } = self.clone();
        Counts { waiting, waiting_bytes, dropped }
    }

    /// Queues a line, unless too many lines or bytes wait.
    fn push(&self, line: Vec<u8>) {
        let bytes = line.len() as u64;
        self.waiting.fetch_add(1, Relaxed);
        let before = self.waiting_bytes.fetch_add(bytes, Relaxed);
        if before + bytes > QUEUE_BYTES || self.queue.try_send(line).is_err() {
            self.waiting.fetch_sub(1, Relaxed);
            self.waiting_bytes.fetch_sub(bytes, Relaxed);
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// A line, cut to the longest that is kept. A cut never falls inside a character.
fn shortened(line: &[u8]) -> Vec<u8> {
    if line.len() <= MAX_LINE_BYTES {
        return line.to_vec();
    }
    let mut end = MAX_LINE_BYTES - CUT.len();
    while end > 0 && line[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    [&line[..end], CUT].concat()
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(shortened(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(lines: &Receiver<Vec<u8>>, counts: &Counts) {
    let mut out = io::stderr();
    for line in lines {
        // There is nobody to tell that the log cannot be written.
        let _ = out.write_all(&line);
        let lost = counts.dropped.swap(0, Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "{lost} lines of the log were dropped: they came faster than they could be written");
        }
        counts.waiting_bytes.fetch_sub(line.len() as u64, Relaxed);
        counts.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(shortened(b"short\n"), b"short\n");
        for long in ["x".repeat(200_000), "é".repeat(100_000), format!("a{}", "é".repeat(100_000))] {
            let cut = String::from_utf8(shortened(long.as_bytes())).expect("whole characters");
            assert!(cut.len() <= MAX_LINE_BYTES && cut.len() > MAX_LINE_BYTES - CUT.len() - 4, "{}", cut.len());
            assert!(cut.ends_with(" … (cut)\n"));
        }
    }

    #[test]
    fn a_log_that_nobody_empties_is_bounded_by_its_bytes() {
        let (queue, lines) = sync_channel(QUEUE_LINES);
        let log = Lines::new(queue);
        for _ in 0..2 * QUEUE_LINES {
            log.push(vec![b'x'; MAX_LINE_BYTES]);
        }
        let kept: usize = lines.try_iter().map(|line| line.len()).sum();
        assert_eq!(kept as u64, QUEUE_BYTES, "as many whole lines as fit");
        assert_eq!(log.dropped.load(Relaxed) as usize, 2 * QUEUE_LINES - kept / MAX_LINE_BYTES);
    }
}
