//! The floor of durable intake: a thread that does nothing but append and sync.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::failure::LoadError;
use crate::measure::process::Process;

/// What a measurement gave.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// CPU per order, in microseconds, kernel included.
    pub cpu_us: f64,
    /// Orders per second.
    pub rate: f64,
}

/// Appends `bytes` per order and syncs once every `batch` orders, in `place`, for `duration`. Nothing else may
/// run in this process.
///
/// # Errors
/// When the file cannot be written.
pub fn append(place: &Path, batch: usize, bytes: usize, duration: Duration) -> Result<Figure, LoadError> {
    let mut file = tempfile::tempfile_in(place)?;
    let record = vec![b'x'; bytes];
    let mut buffer = Vec::with_capacity(batch * bytes);
    let (started, cpu_before) = (Instant::now(), Process::own().cpu_s()?);
    let mut orders = 0u64;
    while started.elapsed() < duration {
        buffer.clear();
        (0..batch).for_each(|_| buffer.extend_from_slice(&record));
        file.write_all(&buffer)?;
        file.sync_data()?;
        orders += batch as u64;
    }
    let orders = orders as f64;
    let cpu_s = Process::own().cpu_s()? - cpu_before;
    Ok(Figure { cpu_us: cpu_s * 1e6 / orders, rate: orders / started.elapsed().as_secs_f64() })
}
