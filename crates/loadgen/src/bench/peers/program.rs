//! The client of a peer: a program in Node that loads it and says what it did.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::failure::LoadError;
use crate::measure::process::Process;

use super::reading::{Phase, Reading};

/// How long a part of a round may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Lines of a program that wait to be read; it says a few in all.
const MOST_LINES: usize = 16;

/// What everybody is loaded with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Who is loaded.
    pub(super) name: &'static str,
    /// Producers that wait for their answers.
    pub(super) producers: usize,
    /// How long they produce.
    pub(super) window: Duration,
}

/// Why no program can run with this package, and how that is mended.
pub(super) fn is_missing(programs: &Path, package: &str) -> Option<String> {
    if !runs("node") {
        return Some("Node.js is missing; install version 20 or newer from https://nodejs.org".to_owned());
    }
    let is_there = programs.join("node_modules").join(package).is_dir();
    (!is_there).then(|| format!("the package {package} is missing; run npm ci in {}", programs.display()))
}

/// Whether a command is there and tells its version.
pub(super) fn runs(command: &str) -> bool {
    let status = Command::new(command).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A program that runs; it is ended when this is dropped.
pub(super) struct Program {
    child: Child,
    said: Receiver<String>,
}

impl Program {
    /// Starts `script` against a server on a port of loopback; `settings` are the peer's own.
    pub(super) fn start(script: &Path, port: u16, load: &Load, settings: &[u64]) -> Result<Self, LoadError> {
        let window_ms = load.window.as_millis() as u64;
        let arguments = [u64::from(port), load.producers as u64, window_ms].into_iter().chain(settings.iter().copied());
        let mut child = Command::new("node")
            .arg(script)
            .args(arguments.map(|number| number.to_string()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| LoadError::new(format!("node does not start: {error}")))?;
        let stdout = child.stdout.take().ok_or_else(|| LoadError::new("no standard output"))?;
        let (lines, said) = sync_channel(MOST_LINES);
        // It ends with the program, or when nobody listens any more.
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).all(|line| lines.send(line).is_ok())
        });
        Ok(Self { child, said })
    }

    /// Follows the program through its phases, and reads the CPU of the server at the end of each.
    pub(super) fn measure(self, load: &Load, server: Process, phases: &[Phase]) -> Result<Vec<Reading>, LoadError> {
        self.next("ready")?;
        let mut before_s = server.tree_cpu_s()?;
        let mut readings = Vec::new();
        for &phase in phases {
            let (orders, wall) = self.next(phase.word())?;
            let now_s = server.tree_cpu_s()?;
            readings.push(Reading::new(load.name, phase, orders, wall, now_s - before_s));
            before_s = now_s;
        }
        Ok(readings)
    }

    /// The next line: a word, a count and seconds.
    fn next(&self, word: &str) -> Result<(u64, Duration), LoadError> {
        let line = self.said.recv_timeout(PATIENCE).unwrap_or_else(|_| "nothing".to_owned());
        parse(&line, word)
            .ok_or_else(|| LoadError::new(format!("the peer's program said {line:?} in place of {word:?}")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str, word: &str) -> Option<(u64, Duration)> {
    let mut words = line.strip_prefix(word)?.split_whitespace();
    let (count, seconds) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((count, Duration::try_from_secs_f64(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_word_a_count_and_seconds() {
        for (line, expected) in [
            ("accepted 12 0.5 0.25", Some((12, Duration::from_millis(500)))),
            ("accepted 0 0", Some((0, Duration::ZERO))),
            ("accepted 12", None),
            ("accepted 12 -1 0", None),
            ("accepted -12 1 0", None),
            ("drained 12 0.5 0.25", None),
            ("", None),
        ] {
            assert_eq!(parse(line, "accepted"), expected, "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_how_to_get_it() {
        let empty = tempfile::tempdir().unwrap();
        let said = is_missing(empty.path(), "bullmq").unwrap();
        assert!(said.contains("npm ci in") || said.contains("nodejs.org"), "{said}");
        assert!(!runs("ordercast-no-such-command"));
    }
}
