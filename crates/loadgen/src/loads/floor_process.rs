//! A floor as a process of its own, so that its CPU can be told from ours.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::failure::LoadError;
use crate::measure::process::Process;

/// What the floor says once it listens.
pub const READY: &str = "the floor listens on port ";

/// The running floor. It ends with this value, or with this process.
#[derive(Debug)]
pub struct FloorProcess {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl FloorProcess {
    /// Starts `program floor`, which writes to this number of sockets.
    ///
    /// # Errors
    /// When it does not start.
    pub fn writer(program: &Path, sockets: usize) -> Result<Self, LoadError> {
        Self::start(program, &["--sockets", &sockets.to_string()])
    }

    /// Starts `program floor --door`, which lets everybody in.
    ///
    /// # Errors
    /// When it does not start.
    pub fn doorkeeper(program: &Path) -> Result<Self, LoadError> {
        Self::start(program, &["--door"])
    }

    fn start(program: &Path, args: &[&str]) -> Result<Self, LoadError> {
        let mut command = Command::new(program);
        // It ends when its standard input does, which this process holds.
        command.arg("floor").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| LoadError::new(format!("{} does not start: {error}", program.display())))?;
        let stdout = child.stdout.take().ok_or_else(|| LoadError::new("no standard output"))?;
        let port = BufReader::new(stdout).lines().find_map(|line| line.ok()?.strip_prefix(READY)?.parse().ok());
        match port {
            Some(port) => Ok(Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) }),
            None => {
                let _ = child.kill();
                Err(LoadError::new(format!("the floor ended with {}", child.wait()?)))
            }
        }
    }

    /// Its process.
    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }
}

impl Drop for FloorProcess {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
