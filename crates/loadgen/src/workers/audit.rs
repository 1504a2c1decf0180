//! What the orders' events say of the work, beside what the workers were told.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::failure::LoadError;
use crate::http::Http;
use crate::orders;

/// Maximum number of findings that are printed one by one.
const MAX_TOLD: usize = 20;
/// A dead or frozen worker's orders are in work again within this time.
const RESCUE_BOUND_MS: i64 = 10_000;

/// The answer that a worker got for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    worker: String,
    kind: String,
    id: String,
}

impl Said {
    /// Reads a line of a worker; one that was cut off says nothing.
    pub(super) fn parse(worker: &str, line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (kind, id, _token) = (words.next()?, words.next()?, words.next()?);
        Some(Self { worker: worker.to_owned(), kind: kind.to_owned(), id: id.to_owned() })
    }
}

/// What happened to a worker.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) worker: String,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Faults.
    pub rounds: u64,
    /// Orders that were placed.
    pub orders: u64,
    /// Claims, over all of them.
    pub claims: usize,
    /// Late workers that were turned away.
    pub stale: usize,
    /// From the fault until the order was in work again, in milliseconds, in order.
    pub rescues_ms: Vec<i64>,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Report {
    /// Whether every order was completed once, by whom it was given to, and soon enough.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, orders, claims, stale, rescues_ms, violations } = self;
        writeln!(f, "{rounds} faults, {orders} orders, {claims} claims")?;
        writeln!(f, "  late workers turned away   {stale}")?;
        let median = rescues_ms.get(rescues_ms.len() / 2).copied().unwrap_or(0);
        let most = rescues_ms.last().copied().unwrap_or(0);
        writeln!(f, "  rescued                    {} orders, p50 {median} ms, most {most} ms", rescues_ms.len())?;
        write!(f, "  violations                 {}", violations.len())?;
        for violation in violations.iter().take(MAX_TOLD) {
            write!(f, "\n    {violation}")?;
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
struct Events {
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Event {
    status: String,
    version: u64,
    actor: String,
    order: Summary,
}

#[derive(Debug, Deserialize)]
struct Summary {
    updated_at: String,
    processing: Option<Processing>,
}

#[derive(Debug, Deserialize)]
struct Processing {
    worker: Option<String>,
}

impl Event {
    fn is_claim(&self) -> bool {
        matches!(self.status.as_str(), "processing" | "expedited" | "priority_processing")
    }

    fn worker(&self) -> Option<&str> {
        self.order.processing.as_ref()?.worker.as_deref()
    }

    fn at_ms(&self) -> i64 {
        let stamp: Option<jiff::Timestamp> = self.order.updated_at.parse().ok();
        stamp.map_or(0, jiff::Timestamp::as_millisecond)
    }
}

/// Reads the events of every order, and judges them.
pub(super) fn check(
    address: SocketAddr,
    orders: u64,
    said: &[Said],
    (faults, starts_ms): (&[Fault], &[i64]),
) -> Result<Report, LoadError> {
    let mut http = Http::connect(address)?;
    let mut report =
        Report { orders, stale: said.iter().filter(|said| said.kind == "stale").count(), ..Report::default() };
    let mut done: HashMap<&str, Vec<&str>> = HashMap::new();
    for said in said.iter().filter(|said| said.kind == "done") {
        done.entry(&said.id).or_default().push(&said.worker);
    }
    for number in 0..orders {
        let id = orders::id(number);
        let Events { events } = http.get(&format!("/orders/{id}/events?limit=500"))?;
        let done = done.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
        judge(&id, &events, done, (faults, starts_ms), &mut report);
    }
    report.rescues_ms.sort_unstable();
    if let Some(late) = report.rescues_ms.last().filter(|late| **late > RESCUE_BOUND_MS) {
        report.violations.push(format!("an order was in work again only {late} ms after its worker was gone"));
    }
    Ok(report)
}

/// `starts_ms` is when the server was started again: silence counts from then on.
fn judge(id: &str, events: &[Event], done: &[&str], (faults, starts_ms): (&[Fault], &[i64]), report: &mut Report) {
    let mut wrong = |what: String| report.violations.push(format!("{id}: {what}"));
    if !events.iter().map(|event| event.version).eq(1..=events.len() as u64) {
        wrong("its versions have a hole".to_owned());
    }
    let completions: Vec<&Event> = events.iter().filter(|event| event.status == "completed").collect();
    if completions.len() != 1 {
        wrong(format!("it was completed {} times", completions.len()));
    }
    if done.len() > 1 {
        wrong(format!("{} workers were told that they have completed it: {}", done.len(), done.join(", ")));
    }
    let last_claim = events.iter().rev().find(|event| event.is_claim()).and_then(Event::worker);
    for completion in completions {
        let by = completion.actor.strip_prefix("worker:");
        if by != last_claim {
            wrong(format!("{:?} completed it, {last_claim:?} had it", completion.actor));
        }
        if done.first().is_some_and(|told| by != Some(*told)) {
            wrong(format!("{} was told that it has completed it, and {:?} had", done[0], completion.actor));
        }
    }
    for (place, claim) in events.iter().enumerate().filter(|(_, event)| event.is_claim()) {
        report.claims += 1;
        let next = events.get(place + 1);
        if next.is_none_or(|next| next.actor != "system") {
            continue;
        }
        let again = events[place + 1..].iter().find(|event| event.is_claim());
        let fault = faults.iter().rev().find(|fault| {
            claim.worker() == Some(&fault.worker) && again.is_some_and(|again| fault.at_ms <= again.at_ms())
        });
        if let (Some(fault), Some(again)) = (fault, again) {
            let started_ms = starts_ms.iter().rev().find(|at_ms| **at_ms <= again.at_ms()).copied().unwrap_or(0);
            report.rescues_ms.push(again.at_ms() - fault.at_ms.max(claim.at_ms()).max(started_ms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(status: &str, version: u64, actor: &str, worker: &str, second: u32) -> Event {
        let processing = Some(Processing { worker: Some(worker.to_owned()) });
        let updated_at = format!("2026-03-01T09:00:{second:02}Z");
        let order = Summary { updated_at, processing };
        Event { status: status.to_owned(), version, actor: actor.to_owned(), order }
    }

    fn judged(events: &[Event], done: &[&str]) -> Report {
        let at: jiff::Timestamp = "2026-03-01T09:00:01Z".parse().unwrap();
        let fault = Fault { worker: "a".to_owned(), at_ms: at.as_millisecond() };
        let mut report = Report::default();
        judge("x", events, done, (&[fault], &[]), &mut report);
        report
    }

    #[test]
    fn work_that_was_done_twice_or_by_the_wrong_one_is_found() {
        let rescued = [
            event("pending", 1, "admin", "", 0),
            event("processing", 2, "worker:a", "a", 0),
            event("retrying", 3, "system", "a", 7),
            event("processing", 4, "worker:b", "b", 8),
            event("completed", 5, "worker:b", "b", 9),
        ];
        let report = judged(&rescued, &["b"]);
        assert_eq!((report.violations.len(), report.claims, report.rescues_ms.as_slice()), (0, 2, &[7_000][..]));
        assert_eq!(judged(&rescued, &["a"]).violations.len(), 1, "who was told did not do it");
        assert_eq!(judged(&rescued, &["b", "a"]).violations.len(), 1, "two were told");
        assert_eq!(judged(&rescued[..4], &[]).violations.len(), 1, "nobody did it");
        let stale = [event("processing", 1, "worker:b", "b", 0), event("completed", 2, "worker:a", "a", 1)];
        assert_eq!(judged(&stale, &[]).violations.len(), 1, "a stale write was accepted");
        assert_eq!(judged(&rescued[1..], &["b"]).violations.len(), 1, "a version is missing");
    }
}
