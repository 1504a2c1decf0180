//! The server under load: a private one, started for the load and stopped after it, or one that runs already.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::failure::LoadError;
use crate::http::Http;
use crate::json::{LogPosition, OrderList};
use crate::measure::process::Process;
use crate::server::Server;

/// Connections that a server can take beyond those of the load: requests, publishers, a person who watches.
const SPARE_CONNECTIONS: usize = 200;
/// How often is looked at a server that one waits for.
const LOOK: Duration = Duration::from_millis(20);
/// Files that a process needs beside its connections.
const SPARE_FILES: u64 = 200;

/// Which server is loaded.
#[derive(Clone, Debug)]
pub enum Place {
    /// A new one.
    Private {
        /// The server's binary.
        binary: PathBuf,
        /// Where its folder is made.
        scratch: PathBuf,
    },
    /// One that runs; it must have room for what is done to it.
    Running {
        /// Where it listens, on loopback.
        address: SocketAddr,
        /// Its process, if CPU and memory are to be told.
        process: Option<Process>,
    },
}

/// What a load needs of a private server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs<'a> {
    /// Connections at a time.
    pub connections: usize,
    /// Worker slots.
    pub workers: u32,
    /// More settings, as in its settings file.
    pub settings: &'a str,
}

/// A server that can be loaded.
#[derive(Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process, if that is known.
    pub process: Option<Process>,
    /// Ends with the target, and before the folder it works in.
    server: Option<Server>,
    _dir: Option<TempDir>,
}

/// What `GET /ws/stats` says, as far as this crate looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SocketStats {
    /// Sockets and streams open.
    pub active: u64,
    /// Calls of the kernel that sent something.
    pub writes: u64,
    /// Events handed to the kernel.
    pub events_delivered: u64,
    /// Connections that are parked.
    pub parked: u64,
    /// Times that a connection was parked.
    pub parked_total: u64,
    /// Events that slow subscribers will never get.
    pub dropped: u64,
    /// Broken protocols, failed reads, panics.
    pub errors: u64,
    /// Reads because an announcement was lost.
    pub repairs: u64,
}

/// The address in `http://127.0.0.1:8080`.
///
/// # Errors
/// When it is no such address, or not on loopback: load is for this machine only.
pub fn parse_url(url: &str) -> Result<SocketAddr, LoadError> {
    let place = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/').replace("localhost", "127.0.0.1"));
    let address: Option<SocketAddr> = place.and_then(|place| place.parse().ok());
    match address {
        Some(address) if address.ip().is_loopback() => Ok(address),
        Some(address) => Err(LoadError::new(format!("{address} is not this machine; load stays on loopback"))),
        None => Err(LoadError::new(format!("{url} is no address such as http://127.0.0.1:8080"))),
    }
}

/// Lets this process, and those it starts, have this number of connections.
///
/// # Errors
/// When the system allows fewer.
pub fn allow_connections(count: usize) -> Result<(), LoadError> {
    let needed = count as u64 + SPARE_FILES;
    let allowed = rlimit::increase_nofile_limit(u64::MAX)?;
    if allowed < needed {
        let advice = "ask for less, or raise the hard limit (ulimit -Hn)";
        return Err(LoadError::new(format!("{needed} open files are needed and {allowed} are allowed: {advice}")));
    }
    Ok(())
}

impl Target {
    /// Starts a private server, or takes the one that runs.
    ///
    /// # Errors
    /// When it does not start, or the limit of connections is too low.
    pub fn open(place: &Place, needs: Needs<'_>) -> Result<Self, LoadError> {
        allow_connections(needs.connections)?;
        let (binary, scratch) = match place {
            Place::Private { binary, scratch } => (binary, scratch),
            Place::Running { address, process } => {
                return Ok(Self { address: *address, process: *process, server: None, _dir: None });
            }
        };
        let dir = tempfile::Builder::new().prefix("ordercast-load-").tempdir_in(scratch)?;
        let config = dir.path().join("load.toml");
        std::fs::write(&config, needs.settings)?;
        let data_dir = dir.path().join("data");
        let connections = (needs.connections + SPARE_CONNECTIONS).to_string();
        let workers = needs.workers.to_string();
        let config = config.to_str().ok_or_else(|| LoadError::new("a folder whose name is no text"))?;
        let args = ["--workers", &workers, "--max-connections", &connections, "--config", config];
        let server = Server::start(binary, &data_dir, &args, &[])?;
        Ok(Self { address: server.address, process: Some(server.process()), server: Some(server), _dir: Some(dir) })
    }

    /// A connection for requests.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn http(&self) -> Result<Http, LoadError> {
        Ok(Http::connect(self.address)?)
    }

    /// What the hub counts.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn socket_stats(&self) -> Result<SocketStats, LoadError> {
        self.http()?.get("/ws/stats")
    }

    /// Waits until at most this number of sockets and streams are open.
    ///
    /// # Errors
    /// When `patience` is over.
    pub fn wait_until_left(&self, most: u64, patience: Duration) -> Result<(), LoadError> {
        let started = Instant::now();
        let mut http = self.http()?;
        loop {
            let active = http.get::<SocketStats>("/ws/stats")?.active;
            if active <= most {
                return Ok(());
            }
            if started.elapsed() > patience {
                return Err(LoadError::new(format!("the server holds {active} connections of {most} that are there")));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Where the log of orders ends.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn orders_end(&self) -> Result<LogPosition, LoadError> {
        Ok(self.http()?.get::<OrderList>("/orders?limit=1")?.as_of.orders)
    }

    /// Stops a private server.
    ///
    /// # Errors
    /// When it does not stop in time, or not well.
    pub fn close(self) -> Result<(), LoadError> {
        let Some(server) = self.server else { return Ok(()) };
        let ended = server.terminate()?;
        if ended.status.success() {
            return Ok(());
        }
        Err(LoadError::new(format!("the server ended with {}: {}", ended.status, ended.errors.trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_stays_on_this_machine() {
        for (url, port) in [
            ("http://127.0.0.1:8080", Some(8080)),
            ("http://localhost:81/", Some(81)),
            ("http://[::1]:82", Some(82)),
            ("http://192.0.2.1:80", None),
            ("http://127.0.0.1", None),
            ("127.0.0.1:80", None),
        ] {
            let address = parse_url(url).map(|address| (address.ip().is_loopback(), address.port())).ok();
            assert_eq!(address, port.map(|port| (true, port)), "{url}");
        }
    }
}
