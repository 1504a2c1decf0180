//! What a process uses, as the kernel tells it in `/proc`.

use std::collections::BTreeMap;
use std::fs;

use crate::failure::LoadError;

/// Ticks of the kernel's CPU clock per second; Linux tells programs 100, whatever its own.
pub(super) const TICKS_PER_S: f64 = 100.0;

/// A process of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
}

/// CPU that was used up to a moment.
#[derive(Clone, Debug, Default)]
pub struct CpuMark {
    /// By thread: its name, and what it ran, in nanoseconds.
    threads: BTreeMap<u32, (String, u64)>,
    /// All of the process, in steps of 10 ms; those that have ended are in it.
    process_s: f64,
}

/// CPU that was used between two moments, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cpu {
    /// All threads.
    pub total_s: f64,
    /// The hub's alone: those called `hub-N`.
    pub hub_s: f64,
}

/// Memory that is resident, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub resident: u64,
    /// What is mapped by nobody else.
    pub private: u64,
    /// What no file is behind: heaps and stacks.
    pub anonymous: u64,
}

impl Process {
    /// This one.
    pub fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// CPU so far, kernel included.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_mark(self) -> Result<CpuMark, LoadError> {
        let mut mark = CpuMark { process_s: self.cpu_s()?, ..CpuMark::default() };
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let task = task?;
            let thread = task.file_name().to_string_lossy().parse();
            let read = |name: &str| fs::read_to_string(task.path().join(name));
            // A thread may end between the listing and the look.
            if let (Ok(thread), Ok(name), Ok(stat)) = (thread, read("comm"), read("schedstat")) {
                let ran_ns = stat.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0);
                mark.threads.insert(thread, (name.trim_end().to_owned(), ran_ns));
            }
        }
        Ok(mark)
    }

    /// CPU since a moment.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_since(self, before: &CpuMark) -> Result<Cpu, LoadError> {
        Ok(self.cpu_mark()?.since(before))
    }

    /// CPU seconds so far, in steps of 10 ms: all threads, also those that have ended.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_s(self) -> Result<f64, LoadError> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The name in parentheses may hold anything, so fields are counted behind it: utime and stime.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(ticks as f64 / TICKS_PER_S)
    }

    /// Resident memory, by kind. The kernel walks all pages for it: not for a hundred times a second.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(self) -> Result<Memory, LoadError> {
        Ok(parse_rollup(&fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?))
    }

    /// Resident bytes by `statm`, which costs nothing and may lag by some pages a thread.
    ///
    /// # Errors
    /// When it is gone.
    pub fn resident(self) -> Result<u64, LoadError> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid))?;
        let pages: u64 = statm.split(' ').nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
        Ok(pages * rustix::param::page_size() as u64)
    }
}

impl CpuMark {
    fn since(&self, before: &Self) -> Cpu {
        let mut cpu = Cpu::default();
        for (thread, (name, ran_ns)) in &self.threads {
            let earlier = before.threads.get(thread).map_or(0, |(_, ran_ns)| *ran_ns);
            let s = ran_ns.saturating_sub(earlier) as f64 / 1e9;
            cpu.total_s += s;
            cpu.hub_s += if name.starts_with("hub-") { s } else { 0.0 };
        }
        // What a thread ran that has ended is known only in ticks.
        if before.threads.keys().any(|thread| !self.threads.contains_key(thread)) {
            cpu.total_s = cpu.total_s.max(self.process_s - before.process_s);
        }
        cpu
    }
}

fn parse_rollup(text: &str) -> Memory {
    let mut memory = Memory::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(kib)) = (words.next(), words.next().and_then(|word| word.parse::<u64>().ok())) else {
            continue;
        };
        match name {
            "Rss:" => memory.resident = kib * 1024,
            "Private_Clean:" | "Private_Dirty:" => memory.private += kib * 1024,
            "Anonymous:" => memory.anonymous = kib * 1024,
            _ => {}
        }
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let own = Process::own();
        let before = own.cpu_mark().unwrap();
        let mut sum = 0u64;
        while own.cpu_since(&before).unwrap().total_s < 0.002 {
            sum = (0..100_000).fold(sum, |sum, number| sum.wrapping_mul(31) ^ number);
        }
        assert_eq!(own.cpu_since(&before).unwrap().hub_s, 0.0);
        let memory = own.memory().unwrap();
        assert!(memory.resident >= memory.anonymous && memory.anonymous > 0 && memory.private > 0);
        assert!(own.resident().unwrap() > 0);
        assert!(Process { pid: 0 }.memory().is_err());
    }

    #[test]
    fn threads_are_told_apart_by_name() {
        let mark = |threads: &[(u32, &str, u64)], process_s| CpuMark {
            threads: threads.iter().map(|(id, name, ns)| (*id, ((*name).to_owned(), *ns))).collect(),
            process_s,
        };
        let before = mark(&[(1, "ordercast", 5_000_000), (2, "hub-0", 1_000_000)], 1.0);
        let now = mark(&[(1, "ordercast", 6_000_000), (2, "hub-0", 4_000_000), (3, "hub-1", 2_000_000)], 1.0);
        let cpu = now.since(&before);
        assert!((cpu.total_s - 0.006).abs() < 1e-9 && (cpu.hub_s - 0.005).abs() < 1e-9, "{cpu:?}");
        let ended = mark(&[(2, "hub-0", 4_000_000)], 1.5).since(&before);
        assert!((ended.total_s - 0.5).abs() < 1e-9, "{ended:?}");
    }

    #[test]
    fn a_rollup_is_read() {
        let text = "55e8-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  1000 kB\nPrivate_Clean: 1 kB\nPrivate_Dirty: 2 kB\n\
                    Anonymous:  900 kB\nAnonHugePages: 7 kB\n";
        let expected = Memory { resident: 1_024_000, private: 3_072, anonymous: 921_600 };
        assert_eq!(parse_rollup(text), expected);
    }
}
