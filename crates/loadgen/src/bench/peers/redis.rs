//! A private Redis that syncs before it answers.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::LoadError;
use crate::measure::process::Process;
use crate::server::free_port;

use super::program::runs;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// Why there is none, and how that is mended.
pub(super) fn is_missing() -> Option<String> {
    (!runs("redis-server")).then(|| "redis-server is missing; on Debian: apt-get install redis-server".to_owned())
}

/// It runs until this is dropped.
pub(super) struct Redis {
    child: Child,
    pub(super) port: u16,
}

impl Redis {
    pub(super) fn start(dir: &Path) -> Result<Self, LoadError> {
        let port = free_port()?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--loglevel", "warning", "--dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| LoadError::new(format!("redis-server does not start: {error}")))?;
        let redis = Self { child, port };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if started.elapsed() > PATIENCE {
                return Err(LoadError::new("redis-server does not listen"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(redis)
    }

    /// Its process; what rewrites its file is a child of it.
    pub(super) fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
