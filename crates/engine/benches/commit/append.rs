//! The floors: append-only files that are synced once a batch.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::flight::{Spent, Window, fly, process_cpu_s};
use crate::report::Cell;

fn file_in(place: &Path) -> (tempfile::TempDir, File) {
    let dir = tempfile::tempdir_in(place).expect("a temporary folder");
    let file = File::create(dir.path().join("log")).expect("a new file");
    (dir, file)
}

/// One thread appends and syncs: nobody is handed over to it and nobody is answered.
pub(crate) fn bare(place: &Path, cell: Cell, duration: Duration) -> Spent {
    let (_dir, mut file) = file_in(place);
    let record = vec![b'x'; cell.bytes];
    let mut buffer = Vec::with_capacity(cell.batch * cell.bytes);
    let (started, cpu_before) = (Instant::now(), process_cpu_s());
    let mut orders = 0;
    while started.elapsed() < duration {
        buffer.clear();
        for _ in 0..cell.batch {
            buffer.extend_from_slice(&record);
        }
        file.write_all(&buffer).expect("room on the disk");
        file.sync_data().expect("a sync");
        orders += cell.batch as u64;
    }
    Spent { orders, wall: started.elapsed(), cpu_s: process_cpu_s() - cpu_before }
}

struct Submission {
    record: Box<[u8]>,
    window: Arc<Window>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<(VecDeque<Submission>, bool)>,
    arrived: Condvar,
}

/// The same submitters as the engine has hand their records to one thread, which appends, syncs and answers.
pub(crate) fn queued(place: &Path, cell: Cell, duration: Duration) -> Spent {
    let (_dir, file) = file_in(place);
    let queue = Arc::new(Queue::default());
    let appending = {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || append(file, &queue, cell.batch))
    };
    let template = vec![b'x'; cell.bytes];
    let spent = fly(duration, |number, window| {
        let mut record: Box<[u8]> = template.as_slice().into();
        record[..8].copy_from_slice(&number.to_le_bytes());
        let mut waiting = queue.waiting.lock().expect("no panic holds it");
        waiting.0.push_back(Submission { record, window });
        let was_empty = waiting.0.len() == 1;
        drop(waiting);
        if was_empty {
            queue.arrived.notify_one();
        }
    });
    queue.waiting.lock().expect("no panic holds it").1 = true;
    queue.arrived.notify_one();
    appending.join().expect("the appending thread does not panic");
    spent
}

fn append(mut file: File, queue: &Queue, most: usize) {
    let mut buffer = Vec::new();
    loop {
        let batch: Vec<Submission> = {
            let mut waiting = queue.waiting.lock().expect("no panic holds it");
            while waiting.0.is_empty() {
                if waiting.1 {
                    return;
                }
                waiting = queue.arrived.wait(waiting).expect("no panic holds it");
            }
            let count = waiting.0.len().min(most);
            waiting.0.drain(..count).collect()
        };
        buffer.clear();
        batch.iter().for_each(|submission| buffer.extend_from_slice(&submission.record));
        file.write_all(&buffer).expect("room on the disk");
        file.sync_data().expect("a sync");
        batch.iter().for_each(|submission| submission.window.answer());
    }
}
