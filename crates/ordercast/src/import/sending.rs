//! Sending parcels over several connections, and gathering the answers.
//!
//! One thread reads the file and puts parcels into a bounded queue; each connection is a thread that takes
//! them out. Nothing else is held of a parcel than its counts, once it is answered.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::latency::Latencies;
use super::pace::Pace;
use super::parcel::Parcel;
use super::source::Source;
use super::tally::StoredTally;
use crate::api::{Answer, Api, ApiError, Retry};
use crate::exact::Exact;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// Parcels that wait for each connection.
const QUEUE_PER_CONNECTION: usize = 4;
/// Parcels that may wait in a replay, which does not slow down for a slow server before that.
const REPLAY_QUEUE: usize = 4_096;

/// How parcels are sent.
pub(super) struct Sending<'a> {
    pub(super) api: &'a Api,
    pub(super) connections: usize,
    /// For a replay: when each is due.
    pub(super) pace: Option<Pace>,
    /// Most parcels to send.
    pub(super) limit: u64,
    pub(super) interrupt: &'a Interrupt,
    pub(super) progress: &'a Progress,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) tally: StoredTally,
    /// From when a parcel was due until its answer.
    pub(super) latencies: Latencies,
    /// For a replay: how far at most it was behind its pace when it sent.
    pub(super) behind: Option<Duration>,
    pub(super) elapsed: Duration,
    /// Why it ended early.
    pub(super) stop: Option<ApiError>,
}

struct Job {
    parcel: Parcel,
    due: Instant,
}

impl Sending<'_> {
    /// Sends what the source holds.
    ///
    /// # Errors
    /// When the file cannot be read on, or what answers is no Ordercast server. A server that went away is in
    /// [`Sent::stop`]: what was stored until then is worth a report.
    pub(super) fn run(&self, source: &mut dyn Source) -> Result<Sent, Failure> {
        let started = Instant::now();
        let queue = if self.pace.is_some() { REPLAY_QUEUE } else { QUEUE_PER_CONNECTION * self.connections };
        let (sender, receiver) = sync_channel(queue);
        let receiver = Mutex::new(receiver);
        let sent = Mutex::new(Sent::default());
        let failure = Mutex::new(None);
        let read = std::thread::scope(|scope| {
            for _ in 0..self.connections {
                scope.spawn(|| self.connection(&receiver, &sent, &failure));
            }
            // The sender is dropped at the end of this, which ends the connections.
            self.read(source, sender)
        });
        read.map_err(|error| Failure::new(format!("cannot read the file: {error}")))?;
        if let Some(failure) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure);
        }
        let mut sent = sent.into_inner().unwrap_or_else(PoisonError::into_inner);
        sent.elapsed = started.elapsed();
        if sent.stop.is_none() && self.interrupt.is_set() {
            sent.stop = Some(ApiError::Interrupted);
        }
        Ok(sent)
    }

    fn read(&self, source: &mut dyn Source, sender: SyncSender<Job>) -> io::Result<()> {
        let mut pace = self.pace;
        let mut left = self.limit;
        while left > 0 && !self.interrupt.is_set() {
            let Some(parcel) = source.next()? else { break };
            let now = Instant::now();
            let due = pace.as_mut().map_or(now, |pace| pace.due(parcel.placed_at_ms, now));
            if !self.interrupt.sleep(due.saturating_duration_since(now)) || sender.send(Job { parcel, due }).is_err() {
                break;
            }
            left -= 1;
        }
        Ok(())
    }

    /// One connection. It has a client of its own, and so a socket that stays open.
    fn connection(&self, queue: &Mutex<Receiver<Job>>, sent: &Mutex<Sent>, failure: &Mutex<Option<Failure>>) {
        let Ok(api) = Api::new(self.api.base()) else { return };
        let retry = Retry { api: &api, interrupt: self.interrupt };
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { parcel, due }) = job else { return };
            if self.interrupt.is_set() {
                // What still waits is left for the next run; the queue must be emptied, or its reader would wait.
                continue;
            }
            let behind = due.elapsed();
            let key = parcel.idempotency_key.as_deref();
            let answer =
                retry.post(parcel.kind.path(), &parcel.body, key, |error| self.progress.say(&error.to_string()));
            let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            match answer {
                Ok(answer) if matches!(answer.status, 401 | 403 | 404 | 405) => {
                    let (path, base) = (parcel.kind.path(), api.base());
                    let message = format!("POST {base}{path}: {}; is this an Ordercast server?", answer.refusal());
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Failure::new(message));
                    self.interrupt.set();
                }
                Ok(answer) => {
                    sent.latencies.record(due.elapsed());
                    sent.behind = sent.behind.max(self.pace.map(|_| behind));
                    record(&mut sent.tally, &parcel, &answer);
                    self.progress.say("");
                    self.progress.step(1);
                }
                Err(error) => {
                    if error != ApiError::Interrupted {
                        sent.stop.get_or_insert(error);
                    }
                    self.interrupt.set();
                }
            }
        }
    }
}

/// What is read of an order or an adjustment that was stored.
#[derive(Deserialize)]
struct Stored<'a> {
    id: String,
    #[serde(borrow)]
    amount: &'a RawValue,
    #[serde(borrow, default)]
    rounding: Option<&'a RawValue>,
    currency: String,
    #[serde(alias = "line_count")]
    item_count: u64,
}

/// Counts an answer.
fn record(tally: &mut StoredTally, parcel: &Parcel, answer: &Answer) {
    let group = tally.kinds.entry(parcel.kind).or_default();
    let example = || format!("{} {}", parcel.kind.name(), parcel.id);
    if !answer.is_good() {
        group.refused += 1;
        tally.refused.add(reason_of(answer), example);
        return;
    }
    let stored = match serde_json::from_slice::<Stored<'_>>(&answer.body) {
        Ok(stored) => stored,
        Err(error) => return tally.differing.add(format!("an answer that is not understood: {error}"), example),
    };
    let exact = |number: Option<&RawValue>| Exact::parse(number.map_or("0", RawValue::get));
    let (Some(rounded), Some(rounding)) = (exact(Some(stored.amount)), exact(stored.rounding)) else {
        return tally.differing.add("an answer whose amount is no number", example);
    };
    *(if answer.is_replayed { &mut group.already_there } else { &mut group.new }) += 1;
    group.lines += stored.item_count;
    *group.rounded.entry(stored.currency.clone()).or_default() += rounded;
    *group.rounding.entry(stored.currency.clone()).or_default() += rounding;
    if let Some(month) = &parcel.month {
        let month = tally.months.entry((month.clone(), stored.currency)).or_default();
        month.add(stored.item_count, rounded + rounding);
    }
    for (differs, what) in [
        (parcel.amount.is_some_and(|amount| amount != rounded + rounding), "another amount was stored than was sent"),
        (parcel.lines != stored.item_count, "another number of lines was stored than was sent"),
        (parcel.idempotency_key.is_none() && parcel.id != stored.id, "it was stored under another id"),
    ] {
        if differs {
            tally.differing.add(what, example);
        }
    }
}

/// The server's reason, without what is different in each order: indices in pointers, and numbers.
fn reason_of(answer: &Answer) -> String {
    let problem = answer.problem();
    let Some(field) = problem.errors.first() else {
        return match problem.code() {
            "" => answer.refusal(),
            code => format!("{code}: {}", without_numbers(&problem.detail)),
        };
    };
    let parts = field.pointer.split('/');
    let pointer: Vec<_> = parts.map(|part| if part.parse::<u64>().is_ok() { "*" } else { part }).collect();
    format!("{}: {} {}", problem.code(), pointer.join("/"), without_numbers(&field.detail))
}

/// A sentence in which the number of things that the order has is left open: `has 705 items; at most 50 …`.
fn without_numbers(detail: &str) -> String {
    match detail.strip_prefix("has ").and_then(|rest| rest.split_once(' ')) {
        Some((count, rest)) if count.parse::<u64>().is_ok() => format!("has … {rest}"),
        _ => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parcel::Kind;
    use super::*;

    fn parcel(amount: &str) -> Parcel {
        Parcel {
            kind: Kind::Sale,
            id: "7".into(),
            body: vec![],
            idempotency_key: None,
            amount: Exact::parse(amount),
            lines: 2,
            month: Some("2011-05".into()),
            placed_at_ms: None,
        }
    }

    fn answer(status: u16, is_replayed: bool, body: &str) -> Answer {
        Answer { status, is_replayed, retry_after: None, body: body.into() }
    }

    #[test]
    fn stored_amounts_are_summed_exactly() {
        let mut tally = StoredTally::default();
        let body = r#"{"id":"7","amount":1.00,"rounding":0.005,"currency":"GBP","item_count":2,"more":[1e9]}"#;
        record(&mut tally, &parcel("1.005"), &answer(201, false, body));
        record(&mut tally, &parcel("1.005"), &answer(200, true, body));
        let sale = &tally.kinds[&Kind::Sale];
        assert_eq!((sale.new, sale.already_there, sale.lines), (1, 1, 4));
        assert_eq!(sale.rounded["GBP"].to_string(), "2.00");
        assert_eq!(sale.rounding["GBP"].to_string(), "0.01");
        let month = tally.months[&("2011-05".to_owned(), "GBP".to_owned())];
        assert_eq!((month.invoices, month.lines, month.amount.to_string()), (2, 4, "2.01".to_owned()));
        assert_eq!(tally.differing.count(), 0);
    }

    #[test]
    fn what_was_stored_differently_is_found() {
        for (body, what) in [
            (r#"{"id":"7","amount":1.01,"currency":"GBP","item_count":2}"#, "amount"),
            (r#"{"id":"7","amount":1,"currency":"GBP","line_count":3}"#, "lines"),
            (r#"{"id":"8","amount":1,"currency":"GBP","item_count":2}"#, "id"),
            (r#"{"id":"7","amount":"1","currency":"GBP","item_count":2}"#, "amount"),
            ("{}", "not understood"),
        ] {
            let mut tally = StoredTally::default();
            record(&mut tally, &parcel("1"), &answer(201, false, body));
            let reasons: Vec<_> = tally.differing.0.keys().collect();
            assert!(reasons.len() == 1 && reasons[0].contains(what), "{body}: {reasons:?}");
        }
    }

    #[test]
    fn refusals_are_gathered_by_reason() {
        let mut tally = StoredTally::default();
        for (count, line) in [(705, 3), (51, 12)] {
            for error in [
                format!(r#"{{"pointer":"/items","detail":"has {count} items; at most 50 are allowed"}}"#),
                format!(r#"{{"pointer":"/items/{line}/quantity","detail":"must be a whole number"}}"#),
            ] {
                let body = format!(r#"{{"type":"/docs/errors/invalid-order","title":"T","errors":[{error}]}}"#);
                record(&mut tally, &parcel("1"), &answer(422, false, &body));
            }
        }
        record(&mut tally, &parcel("1"), &answer(500, false, "oops"));
        let reasons: Vec<_> = tally.refused.0.iter().map(|(reason, one)| (reason.as_str(), one.count)).collect();
        let expected = [
            ("invalid-order: /items has … items; at most 50 are allowed", 2),
            ("invalid-order: /items/*/quantity must be a whole number", 2),
            ("status 500: oops", 1),
        ];
        assert_eq!(reasons, expected);
        assert_eq!(tally.kinds[&Kind::Sale].refused, 5);
        assert_eq!(tally.refused.0["status 500: oops"].examples, ["sale 7"]);
    }
}
