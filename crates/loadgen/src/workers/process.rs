//! A worker process: claims orders, works for a moment on each, and says what the server answered.
//!
//! Each line that it writes is what it was told of one order: `done` (200), `stale` (409: somebody else has it) or
//! `unsure` (no answer came; it asks again, and gets the same answer again).

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use crate::dice::Dice;
use crate::failure::LoadError;
use crate::http::Http;

/// Orders that it claims at a time.
const CAPACITY: u32 = 4;
/// Longest work on one order.
const WORK_MS: u64 = 120;
/// How often it shows that it lives; a lease is 6 s.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Pause before it tries to reach the server again.
const RETRY: Duration = Duration::from_millis(50);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Process {
    /// The name it claims under.
    pub name: String,
    /// Where the server's address stands, which changes when the server is started again.
    pub address_file: PathBuf,
    /// Where chance begins.
    pub seed: u64,
}

#[derive(Deserialize)]
struct Claimed {
    lease: Option<String>,
    orders: Vec<ClaimedOrder>,
}

#[derive(Deserialize)]
struct ClaimedOrder {
    token: u32,
    order: Id,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

type Lease = Arc<Mutex<Option<String>>>;

impl Process {
    /// Works until it is killed.
    ///
    /// # Errors
    /// When nobody reads what it says.
    pub fn run(&self) -> Result<(), LoadError> {
        let lease = Lease::default();
        let (shared, address_file) = (Arc::clone(&lease), self.address_file.clone());
        std::thread::spawn(move || beat(&address_file, &shared));
        let mut dice = Dice::new(self.seed, 2);
        loop {
            let Some(mut http) = connect(&self.address_file) else { continue };
            // An answer that cannot be had means a new connection, to a new server perhaps.
            while let Ok(orders) = self.claim(&mut http, &lease) {
                let Some(held) = lease.lock().unwrap_or_else(PoisonError::into_inner).clone() else { continue };
                for ClaimedOrder { token, order } in orders {
                    std::thread::sleep(Duration::from_millis(dice.within(0, WORK_MS)));
                    self.complete(&mut http, &order.id, (&held, token))?;
                }
            }
        }
    }

    fn claim(&self, http: &mut Http, lease: &Lease) -> Result<Vec<ClaimedOrder>, LoadError> {
        let held = lease.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let under = held.map(|lease| format!(",\"lease\":\"{lease}\"")).unwrap_or_default();
        let body = format!("{{\"worker\":\"{}\",\"capacity\":{CAPACITY},\"wait_s\":1{under}}}", self.name);
        let answer = http.ask("POST", "/work/claim", "", &body)?;
        let mut lease = lease.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.status != 200 {
            // The lease has ended; the next claim begins another.
            *lease = None;
            return Ok(Vec::new());
        }
        let claimed: Claimed =
            serde_json::from_slice(&answer.body).map_err(|error| LoadError::new(error.to_string()))?;
        *lease = claimed.lease;
        Ok(claimed.orders)
    }

    /// Says that the work is done until an answer comes.
    fn complete(&self, http: &mut Http, id: &str, (lease, token): (&str, u32)) -> Result<(), LoadError> {
        let (path, body) = (format!("/work/{id}/complete"), format!("{{\"lease\":\"{lease}\",\"token\":{token}}}"));
        loop {
            let said = match http.ask("POST", &path, "", &body) {
                Ok(answer) if answer.status == 200 => "done",
                Ok(answer) if answer.status == 409 => "stale",
                Ok(answer) => return Err(LoadError::new(format!("{path} was answered with {}", answer.status))),
                Err(_) => "unsure",
            };
            writeln!(std::io::stdout(), "{said} {id} {token}")?;
            if said != "unsure" {
                return Ok(());
            }
            if let Some(fresh) = connect(&self.address_file) {
                *http = fresh;
            }
        }
    }
}

/// Renews the lease as long as the process lives.
fn beat(address_file: &Path, lease: &Lease) {
    let mut http: Option<Http> = None;
    loop {
        std::thread::sleep(HEARTBEAT);
        let Some(held) = lease.lock().unwrap_or_else(PoisonError::into_inner).clone() else { continue };
        http = http.or_else(|| connect(address_file));
        let answer = http.as_mut().map(|http| http.ask("POST", &format!("/work/{held}/heartbeat"), "", "{}"));
        if answer.is_none_or(|answer| answer.is_err()) {
            // The server was started again, perhaps elsewhere.
            http = connect(address_file);
        }
    }
}

fn connect(address_file: &Path) -> Option<Http> {
    let address: Option<SocketAddr> = std::fs::read_to_string(address_file).ok().and_then(|text| text.parse().ok());
    let http = address.and_then(|address| Http::connect(address).ok());
    if http.is_none() {
        std::thread::sleep(RETRY);
    }
    http
}
