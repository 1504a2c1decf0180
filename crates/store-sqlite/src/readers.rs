//! The readers: a few threads with a connection each, which take questions in turn.

use std::sync::Arc;

use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::ids::{LeaseId, OrderId};
use ordercast_domain::lease::Lease;
use ordercast_domain::order::{Details, Fulfilment, Order, OrderSeq};
use ordercast_domain::pause::Pause;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, LogState, PageQuery, ReadFuture, ReadLogs};
use ordercast_store::read::{Catalogue, OrderPage, OrderQuery, OrderSum, ReadStore, StartState};
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::oneshot;

use crate::failed;
use crate::lists::{list_orders, order_with_details, sum_orders};
use crate::lock::DatabaseLock;
use crate::pages::{log_state, read_page};
use crate::questions::{Lane, Question, Questions};
use crate::rows::{self, ADJUSTMENT_COLUMNS, DETAIL_COLUMNS, ORDER_COLUMNS};

/// The read half of a SQLite store. Clones share the connections, which are closed with the last of them.
#[derive(Clone)]
pub struct SqliteReader {
    questions: Arc<Asking>,
    epoch: Epoch,
    secret: [u8; 32],
    _lock: Arc<DatabaseLock>,
}

/// Ends the readers when nobody is left to ask.
struct Asking(Arc<Questions>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A question, and the channel for its answer.
struct Asked<T, F> {
    reply: oneshot::Sender<Result<T, StoreError>>,
    read: F,
}

impl<T, F> Question for Asked<T, F>
where
    T: Send,
    F: FnOnce(&mut Connection) -> rusqlite::Result<Result<T, StoreError>> + Send,
{
    fn is_given_up(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>, connection: &mut Connection) {
        let answer = (self.read)(connection).unwrap_or_else(|error| Err(failed(&error)));
        // Who asked may have gone away meanwhile.
        let _ = self.reply.send(answer);
    }
}

impl SqliteReader {
    pub(crate) fn start(
        connections: Vec<Connection>,
        epoch: Epoch,
        secret: [u8; 32],
        lock: Arc<DatabaseLock>,
    ) -> Result<Self, StoreError> {
        let questions = Arc::new(Questions::new(connections.len()));
        for (index, mut connection) in connections.into_iter().enumerate() {
            let questions = Arc::clone(&questions);
            std::thread::Builder::new()
                .name(format!("store-read-{index}"))
                .spawn(move || questions.serve(&mut connection))
                .map_err(|error| StoreError::Failed(format!("cannot start a reader: {error}")))?;
        }
        Ok(Self { questions: Arc::new(Asking(questions)), epoch, secret, _lock: lock })
    }

    fn ask<T: Send + 'static>(
        &self,
        lane: Lane,
        read: impl FnOnce(&mut Connection) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
    ) -> ReadFuture<'_, T> {
        let (reply, answer) = oneshot::channel();
        let is_queued = self.questions.0.ask(lane, Box::new(Asked { reply, read }));
        Box::pin(async move {
            if !is_queued {
                return Err(StoreError::Busy);
            }
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }
}

impl ReadLogs for SqliteReader {
    fn log_states(&self) -> ReadFuture<'_, Vec<LogState>> {
        let epoch = self.epoch.clone();
        self.ask(Lane::Quick, move |connection| {
            let transaction = connection.transaction()?;
            let states: rusqlite::Result<Vec<_>> =
                Log::ALL.into_iter().map(|log| log_state(&transaction, log, &epoch)).collect();
            states.map(Ok)
        })
    }

    fn log_page(&self, query: PageQuery) -> ReadFuture<'_, LogPage> {
        let epoch = self.epoch.clone();
        self.ask(Lane::Page, move |connection| read_page(connection, &epoch, &query))
    }
}

impl ReadStore for SqliteReader {
    fn start_state(&self) -> ReadFuture<'_, StartState> {
        let secret = self.secret;
        self.ask(Lane::List, move |connection| {
            let count = |queue: i64| {
                connection.query_row(
                    "SELECT count(*) FROM orders WHERE queue = ?1 AND parked_by IS NULL",
                    [queue],
                    |row| row.get(0),
                )
            };
            let durability = "sqlite: WAL, synchronous=FULL, group commit".to_owned();
            let steady_ms = connection.query_row("SELECT steady_ms FROM clock", [], |row| row.get(0))?;
            let pauses = connection
                .prepare_cached("SELECT scope, since_ms, actor, reason, ending FROM pauses")?
                .query_map([], rows::pause)?
                .collect::<rusqlite::Result<_>>()?;
            let (ready, active) = (count(0)?, count(1)?);
            Ok(Ok(StartState { ready, pauses, active, steady_ms, secret, durability }))
        })
    }

    fn lease(&self, id: LeaseId) -> ReadFuture<'_, Option<Lease>> {
        self.ask(Lane::Quick, move |connection| {
            let sql = "SELECT id, worker, expires_at_ms, ttl_ms FROM leases WHERE id = ?1";
            connection.prepare_cached(sql)?.query_row([&*id], rows::lease).optional().map(Ok)
        })
    }

    fn order(&self, id: OrderId) -> ReadFuture<'_, Option<(Order, Details)>> {
        self.ask(Lane::Quick, move |connection| {
            let sql = format!(
                "SELECT {ORDER_COLUMNS}, {DETAIL_COLUMNS} FROM orders o JOIN order_details d ON d.seq = o.seq \
                 WHERE o.id = ?1"
            );
            connection.prepare_cached(&sql)?.query_row([&*id], order_with_details).optional().map(Ok)
        })
    }

    fn fulfilment(&self, seq: OrderSeq) -> ReadFuture<'_, Fulfilment> {
        self.ask(Lane::Quick, move |connection| {
            let transaction = connection.transaction()?;
            let moves = rows::moves_of(&transaction, seq)?;
            let sql = "SELECT order_seq, version, kind, amount, actor, reason, at_ms FROM ledger \
                       WHERE order_seq = ?1 ORDER BY version";
            let ledger =
                transaction.prepare_cached(sql)?.query_map([seq], rows::ledger_entry)?.collect::<Result<_, _>>()?;
            Ok(Ok(Fulfilment { moves, ledger }))
        })
    }

    fn orders(&self, query: OrderQuery) -> ReadFuture<'_, OrderPage> {
        let epoch = self.epoch.clone();
        self.ask(Lane::List, move |connection| {
            let transaction = connection.transaction()?;
            let (orders, next) = list_orders(&transaction, &query)?;
            Ok(Ok(OrderPage { orders, next, as_of: log_state(&transaction, Log::Orders, &epoch)? }))
        })
    }

    fn order_sums(&self, from_ms: i64, last: OrderSeq) -> ReadFuture<'_, Vec<OrderSum>> {
        self.ask(Lane::List, move |connection| {
            let transaction = connection.transaction()?;
            sum_orders(&transaction, from_ms, last).map(Ok)
        })
    }

    fn catalogue(&self) -> ReadFuture<'_, Catalogue> {
        let epoch = self.epoch.clone();
        self.ask(Lane::List, move |connection| {
            let transaction = connection.transaction()?;
            let products = transaction
                .prepare_cached("SELECT sku, name, price, currency, stock, reserved FROM products ORDER BY sku")?
                .query_map([], rows::product)?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Ok(Catalogue { products, as_of: log_state(&transaction, Log::Products, &epoch)? }))
        })
    }

    fn pauses(&self) -> ReadFuture<'_, Vec<(Pause, u64)>> {
        self.ask(Lane::List, |connection| {
            let sql = "SELECT scope, since_ms, actor, reason, ending, \
                       (SELECT count(*) FROM orders WHERE parked_by = scope) FROM pauses";
            let read = |row: &rusqlite::Row<'_>| Ok((rows::pause(row)?, row.get(5)?));
            let mut pauses: Vec<(Pause, u64)> =
                connection.prepare_cached(sql)?.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
            pauses.sort_by(|(one, _), (other, _)| one.scope.cmp(&other.scope));
            Ok(Ok(pauses))
        })
    }

    fn adjustments(&self, skip: u64, limit: usize) -> ReadFuture<'_, Vec<Adjustment>> {
        self.ask(Lane::List, move |connection| {
            let sql = format!("SELECT {ADJUSTMENT_COLUMNS} FROM adjustments WHERE seq > ?1 ORDER BY seq LIMIT ?2");
            let mut select = connection.prepare_cached(&sql)?;
            let rows = select.query_map((skip, limit), rows::adjustment)?;
            rows.collect::<rusqlite::Result<_>>().map(Ok)
        })
    }
}
