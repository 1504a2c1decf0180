//! CPU of a server that is many processes, some of which have ended.

use std::collections::BTreeMap;
use std::fs;

use crate::failure::LoadError;

use super::process::{Process, TICKS_PER_S};

/// What `/proc/PID/stat` says, as far as this file looks; CPU in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    /// Of the process itself, the threads that have ended included.
    own: u64,
    /// Of its children that have ended, and of theirs.
    ended: u64,
}

impl Process {
    /// CPU seconds so far, kernel included: of this process, its children and theirs, also those that have ended.
    ///
    /// # Errors
    /// When it is gone.
    pub fn tree_cpu_s(self) -> Result<f64, LoadError> {
        let mut children: BTreeMap<u32, Vec<Stat>> = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            // A process may end between the listing and the look; then its parent has its CPU.
            let stat = entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(read);
            if let Some(stat) = stat {
                children.entry(stat.parent).or_default().push(stat);
            }
        }
        let root = read(self.pid).ok_or_else(|| LoadError::new(format!("process {} is gone", self.pid)))?;
        let (mut left, mut sum_s) = (vec![root], 0.0);
        while let Some(stat) = left.pop() {
            sum_s += own_s(stat) + stat.ended as f64 / TICKS_PER_S;
            left.extend(children.remove(&stat.pid).unwrap_or_default());
        }
        Ok(sum_s)
    }
}

fn read(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(text: &str) -> Option<Stat> {
    // The name in parentheses may hold anything, so fields are counted behind it: state, parent, …
    let (start, fields) = text.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        pid: start.split(' ').next()?.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        ended: ticks(13)? + ticks(14)?,
    })
}

/// CPU of one process. Ticks are cut off, which over a hundred processes is a second; the scheduler counts threads that
/// live in nanoseconds.
fn own_s(stat: Stat) -> f64 {
    let mut ran_ns = 0_u64;
    let tasks = fs::read_dir(format!("/proc/{}/task", stat.pid)).into_iter().flatten().flatten();
    for task in tasks {
        let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        ran_ns += schedstat.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    (ran_ns as f64 / 1e9).max(stat.own as f64 / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 5";
        assert_eq!(parse(text), Some(Stat { pid: 42, parent: 7, own: 120, ended: 7 }));
        assert_eq!(parse("42 (a) S 7"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn children_count_whether_they_live_or_have_ended() {
        // A child that has ended, one that lives, and the shell itself, each busy for a while.
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let script = format!("sh -c '{busy}'; sh -c '{busy}; echo; read x' <&3 & {busy}; wait");
        let mut shell = Command::new("sh")
            .args(["-c", &format!("exec 3<&0; {script}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let process = Process { pid: shell.id() };
        BufReader::new(shell.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let (tree, own) = (process.tree_cpu_s().unwrap(), process.cpu_s().unwrap());
        assert!(tree > own, "{tree} of all, {own} of the shell");
        shell.stdin.take().unwrap().write_all(b"\n").unwrap();
        shell.wait().unwrap();
        assert!(process.tree_cpu_s().is_err());
    }
}
