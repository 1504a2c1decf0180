//! What must hold after a kill.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::failure::LoadError;
use crate::http::{Answer, Http};
use crate::json::{self, OrderAnswer, OrderList, ProductList, Stats};
use crate::orders::{COUNTED, Order};

use super::load::{Acknowledged, Sent};
use super::report::Report;
use super::subscriber::Subscriber;

/// How long the workers may take to finish what is queued.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked whether they have.
const POLL: Duration = Duration::from_millis(10);
/// Connections that look orders up.
const CONNECTIONS: usize = 4;

/// Everything that one store must hold.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    acknowledged: Vec<Acknowledged>,
    ids: HashSet<String>,
    unanswered: Vec<Order>,
    /// How many of the acknowledged were looked up after an earlier kill.
    checked: usize,
    /// Units held of each counted product.
    reserved: [u64; COUNTED.len()],
}

impl Ledger {
    pub(super) fn take(&mut self, sent: Sent) {
        for acknowledged in sent.acknowledged {
            self.acknowledge(acknowledged);
        }
        self.unanswered.extend(sent.unanswered);
    }

    fn acknowledge(&mut self, acknowledged: Acknowledged) {
        if let Some((product, units)) = acknowledged.order.counted {
            self.reserved[product] += units;
        }
        self.ids.insert(acknowledged.id.clone());
        self.acknowledged.push(acknowledged);
    }

    /// Sends what had no answer again, twice: it must give one order, old or new, and the same one again.
    pub(super) fn retry(&mut self, address: SocketAddr, report: &mut Report) -> Result<(), LoadError> {
        let mut http = Http::connect(address)?;
        for order in std::mem::take(&mut self.unanswered) {
            let first = http.ask("POST", "/orders", &order.headers(), &order.body)?;
            let second = http.ask("POST", "/orders", &order.headers(), &order.body)?;
            let is_old = first.status == 200 && first.is_replayed;
            report.stored_unanswered += u64::from(is_old);
            let (id, again) = (id_of(&first)?, id_of(&second)?);
            if !(is_old || first.status == 201) || second.status != 200 || !second.is_replayed || id != again {
                report.duplicates += 1;
                let (one, two) = (first.status, second.status);
                report.violation(format!("an order sent again was answered with {one}, then {two}: {id}, {again}"));
            }
            self.acknowledge(Acknowledged { id, order });
        }
        Ok(())
    }

    /// Looks up what was acknowledged since the last time, or everything.
    pub(super) fn check(
        &mut self,
        address: SocketAddr,
        everything: bool,
        subscriber: &Subscriber,
        report: &mut Report,
    ) -> Result<(), LoadError> {
        let from = if everything { 0 } else { self.checked };
        let new = &self.acknowledged[from..];
        let share = new.len().div_ceil(CONNECTIONS).max(1);
        let found = std::thread::scope(|scope| {
            let threads: Vec<_> =
                new.chunks(share).map(|chunk| scope.spawn(move || look_up(address, chunk, subscriber))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Found, LoadError>>| {
                thread.join().map_err(|_| LoadError::new("a look-up panicked"))?
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>, _>>()
        })?;
        self.checked = self.acknowledged.len();
        for found in found {
            report.missing += found.missing;
            report.altered += found.altered;
            report.uneven += found.uneven;
            found.told.into_iter().for_each(|what| report.violation(what));
        }
        let surplus: Vec<_> = subscriber.versions.keys().filter(|id| !self.ids.contains(*id)).collect();
        report.duplicates += surplus.len() as u64;
        surplus.into_iter().for_each(|id| report.violation(format!("{id} is there, but was never sent")));
        self.check_stock(address, report)
    }

    fn check_stock(&self, address: SocketAddr, report: &mut Report) -> Result<(), LoadError> {
        let list: ProductList = Http::connect(address)?.get("/products")?;
        for (sku, &expected) in COUNTED.iter().zip(&self.reserved) {
            let held = list.products.iter().find(|product| product.sku == *sku).map(|product| product.reserved);
            if held != i64::try_from(expected).ok() {
                report.violation(format!("{expected} of {sku} are ordered, the catalogue holds {held:?}"));
            }
        }
        Ok(())
    }
}

/// What a look at orders found.
#[derive(Debug, Default)]
struct Found {
    missing: u64,
    altered: u64,
    uneven: u64,
    told: Vec<String>,
}

fn look_up(address: SocketAddr, orders: &[Acknowledged], subscriber: &Subscriber) -> Result<Found, LoadError> {
    let mut http = Http::connect(address)?;
    let mut found = Found::default();
    for Acknowledged { id, order } in orders {
        let answer = http.ask("GET", &format!("/orders/{id}"), "", "")?;
        if answer.status != 200 {
            found.missing += 1;
            found.told.push(format!("{id} was acknowledged and is answered with {}", answer.status));
            continue;
        }
        let read: OrderAnswer<'_> = json::read("an order", &answer.body)?;
        if read.amount.get() != order.amount {
            found.altered += 1;
            found.told.push(format!("{id} has the amount {} instead of {}", read.amount.get(), order.amount));
        }
        let events = subscriber.versions.get(id).copied().unwrap_or(0);
        if events != read.version {
            found.uneven += 1;
            found.told.push(format!("{id} has the version {} and {events} events", read.version));
        }
    }
    Ok(found)
}

fn id_of(answer: &Answer) -> Result<String, LoadError> {
    Ok(json::read::<OrderAnswer<'_>>("the answer to an order", &answer.body)?.id.into_owned())
}

/// Waits until nothing is queued or in work; gives the end of the log then.
pub(super) fn settle(address: SocketAddr) -> Result<u64, LoadError> {
    let mut http = Http::connect(address)?;
    let started = Instant::now();
    loop {
        let stats: Stats = http.get("/stats")?;
        if stats.queue_length == 0 && stats.active_workers == 0 {
            break;
        }
        if started.elapsed() > PATIENCE {
            return Err(LoadError::new(format!("{} orders still wait after {PATIENCE:?}", stats.queue_length)));
        }
        std::thread::sleep(POLL);
    }
    let list: OrderList = http.get("/orders?limit=1")?;
    Ok(list.as_of.orders.offset)
}
