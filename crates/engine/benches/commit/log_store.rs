//! A store that is an append-only file: everything the engine does, and nothing that SQLite does.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ordercast_domain::decide::{OrderSet, WorkingSet};
use ordercast_domain::ids::OrderId;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use ordercast_store::clock::wall_now_ms;
use ordercast_store::write::{
    BatchId, CommitFuture, CommitOutcome, Committed, Decider, LogRange, Outlook, OutlookDepth, OutlookFuture,
    ResolveFuture, Resolved, WriteStore,
};

/// Appends event bodies, each padded to what an order takes in the real store. It knows orders by id, as a
/// store must that answers a repeated order with the first one.
pub(crate) struct LogStore {
    file: File,
    record_bytes: usize,
    buffer: Vec<u8>,
    head: u64,
    by_id: HashMap<OrderId, Arc<Order>>,
}

impl LogStore {
    pub(crate) fn create(dir: &Path, record_bytes: usize) -> Self {
        let file = File::create(dir.join("log")).expect("a new file");
        Self { file, record_bytes, buffer: Vec::new(), head: 0, by_id: HashMap::new() }
    }

    fn commit_now(&mut self, batch: &mut dyn Decider) -> std::io::Result<Committed> {
        let mut set = WorkingSet {
            orders: OrderSet { next_seq: self.head + 1 as OrderSeq, ..OrderSet::default() },
            ..WorkingSet::default()
        };
        for id in batch.keys().orders.ids {
            if let Some(order) = self.by_id.get(&id) {
                set.orders.by_id.insert(id, order.seq);
                set.orders.by_seq.insert(order.seq, Order::clone(order));
            }
        }
        let writes = batch.decide(set, wall_now_ms());
        self.buffer.clear();
        for event in &writes.logs.events {
            let end = self.buffer.len() + self.record_bytes.max(event.body.len());
            self.buffer.extend_from_slice(&event.body);
            self.buffer.resize(end, b' ');
        }
        self.file.write_all(&self.buffer)?;
        let started = Instant::now();
        self.file.sync_data()?;
        let sync_us = started.elapsed().as_micros() as u64;
        let count = writes.logs.events.len() as u64;
        let range = LogRange { log: Log::Orders, epoch: Epoch("bench".into()), first: self.head + 1, count };
        self.head += count;
        for insert in writes.orders.new {
            self.by_id.insert(insert.order.id.clone(), insert.order);
        }
        Ok(Committed { logs: vec![range], sync_us, ..Committed::default() })
    }
}

impl WriteStore for LogStore {
    fn commit<'a>(&'a mut self, _: BatchId, batch: &'a mut dyn Decider) -> CommitFuture<'a> {
        Box::pin(async move {
            match self.commit_now(batch) {
                Ok(committed) => CommitOutcome::Committed(committed),
                Err(error) => CommitOutcome::Fatal(StoreError::Failed(error.to_string())),
            }
        })
    }

    fn resolve(&mut self, _: BatchId) -> ResolveFuture<'_> {
        Box::pin(async { Resolved::Barred })
    }

    fn outlook(&mut self, _: OutlookDepth) -> OutlookFuture<'_> {
        Box::pin(async { Ok(Outlook::default()) })
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}
