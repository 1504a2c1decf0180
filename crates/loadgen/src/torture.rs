//! Kills the server at random moments under load, and looks for anything lost, doubled or out of order.
//!
//! A round starts the server on the data of the rounds before, loads it, kills it, starts it again and checks:
//! every acknowledged order is there with its amount; what was sent without an answer is sent again and gives
//! exactly one order; one subscriber, which resumes each time, has seen every offset of the log once and in
//! order, and every version of every order; and after a stop by SIGTERM, `ordercast verify` is clean.

mod check;
mod load;
mod report;
mod subscriber;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dice::Dice;
use crate::failure::LoadError;
use crate::http::Http;
use crate::json::OrderList;
use crate::orders;
use crate::server::{Server, verify};

use check::Ledger;
pub use report::Report;
use subscriber::Subscriber;

/// The server is killed this long after it was ready, in milliseconds, at the least and at the most.
const KILL_AFTER_MS: (u64, u64) = (20, 1_200);
/// Rounds on one data directory; a store that only grows would make the checks of late rounds take longer and
/// longer, and test nothing new.
const ROUNDS_PER_STORE: u64 = 25;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Torture {
    /// The server's binary.
    pub binary: PathBuf,
    /// Rounds.
    pub count: u64,
    /// Where chance begins: moments and orders repeat with it; what the machine does in between does not.
    pub seed: u64,
    /// Worker slots of the server.
    pub workers: u32,
    /// Where the data directories are made.
    pub scratch: PathBuf,
}

impl Torture {
    /// Runs all rounds; `progress` gets a line about each. The data of a store in which something was wrong is
    /// kept, and the report says where.
    ///
    /// # Errors
    /// When the server cannot be started or stopped, or stops answering.
    pub fn run(&self, progress: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        let mut report = Report::default();
        let mut round = 0;
        while round < self.count {
            let rounds = ROUNDS_PER_STORE.min(self.count - round);
            let dir = tempfile::Builder::new().prefix("ordercast-torture-").tempdir_in(&self.scratch)?;
            let outcome = self.store(dir.path(), round..round + rounds, &mut report, progress);
            if outcome.is_err() || !report.is_clean() {
                report.kept.push(dir.keep());
            }
            outcome?;
            round += rounds;
        }
        Ok(report)
    }

    fn store(
        &self,
        dir: &Path,
        rounds: std::ops::Range<u64>,
        report: &mut Report,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), LoadError> {
        let epoch = self.prepare(dir)?;
        let mut ledger = Ledger::default();
        let mut subscriber = Subscriber::new(epoch);
        let last = rounds.end - 1;
        for round in rounds {
            let before = report.acknowledged;
            let killed_after = self.kill_once(dir, round, &mut ledger, &mut subscriber, report)?;
            self.check(dir, round == last, &mut ledger, &mut subscriber, report)?;
            if let Some(said) = verify(&self.binary, dir)? {
                report.verify_failures += 1;
                report.violation(format!("round {round}: {said}"));
            } else {
                report.verified += 1;
            }
            report.rounds += 1;
            progress(&format!(
                "round {:>3}: killed after {:>4} ms, {:>5} acknowledged, {:>2} sent without answer so far, log at {}: {}",
                round + 1,
                killed_after.as_millis(),
                report.acknowledged - before,
                report.unanswered,
                subscriber.last,
                if report.is_clean() { "clean" } else { "VIOLATED" }
            ));
        }
        Ok(())
    }

    fn start(&self, dir: &Path) -> Result<Server, LoadError> {
        Server::start(&self.binary, dir, &["--workers", &self.workers.to_string()], &[])
    }

    /// Fills the catalogue of a new store, and gives the life of its log.
    fn prepare(&self, dir: &Path) -> Result<String, LoadError> {
        let server = self.start(dir)?;
        let mut http = Http::connect(server.address)?;
        let answer = http.ask("POST", "/products", "", &orders::catalogue())?;
        if !(200..300).contains(&answer.status) {
            return Err(LoadError::new(format!("the catalogue was answered with {}", answer.status)));
        }
        let list: OrderList = http.get("/orders?limit=1")?;
        server.terminate()?;
        Ok(list.as_of.orders.epoch)
    }

    fn kill_once(
        &self,
        dir: &Path,
        round: u64,
        ledger: &mut Ledger,
        subscriber: &mut Subscriber,
        report: &mut Report,
    ) -> Result<Duration, LoadError> {
        let server = self.start(dir)?;
        let mut dice = Dice::new(self.seed, round << 8);
        let moment = Duration::from_millis(dice.within(KILL_AFTER_MS.0, KILL_AFTER_MS.1));
        let address: SocketAddr = server.address;
        std::thread::scope(|scope| {
            let watching = scope.spawn(|| subscriber.follow(address, None));
            let sending = scope.spawn(|| load::send(address, self.seed, round));
            std::thread::sleep(moment);
            let killed = server.kill();
            let sent = sending.join().map_err(|_| LoadError::new("the load panicked"))?;
            watching.join().map_err(|_| LoadError::new("the subscriber panicked"))?;
            killed?;
            report.take(&sent);
            ledger.take(sent);
            Ok(moment)
        })
    }

    fn check(
        &self,
        dir: &Path,
        everything: bool,
        ledger: &mut Ledger,
        subscriber: &mut Subscriber,
        report: &mut Report,
    ) -> Result<(), LoadError> {
        let server = self.start(dir)?;
        let address = server.address;
        ledger.retry(address, report)?;
        let head = check::settle(address)?;
        subscriber.follow(address, Some(head));
        subscriber.report(head, report);
        ledger.check(address, everything, subscriber, report)?;
        let ended = server.terminate()?;
        if !ended.status.success() {
            report.violation(format!("a stop by SIGTERM ended with {}: {}", ended.status, ended.errors.trim()));
        }
        Ok(())
    }
}
