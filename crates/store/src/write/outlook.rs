//! What the store says is to be done next. It comes with every commit and by a cheap read, so that a writer need not rely on
//! what it remembers: on a store that several nodes share, others change it too.

use std::future::Future;
use std::pin::Pin;

use crate::StoreError;

/// How far an [`Outlook`] counts: no further than a batch could make use of, so that counting costs a bounded look at an
/// index. Exact counts are for statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutlookDepth {
    /// Ready orders are counted at least up to this number.
    pub ready: usize,
    /// Orders in work are counted at least up to this number; with 0 they need not be counted.
    pub active: usize,
    /// Whether orders that limits have parked are looked for.
    pub limited: bool,
}

/// What is to be done next. Times are hints: none of them is later than what they announce, but they may be earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Orders that wait for a worker: exact below [`OutlookDepth::ready`], otherwise at least that number.
    pub ready: usize,
    /// Orders in work: exact below [`OutlookDepth::active`], otherwise at least that number.
    pub active: usize,
    /// Whether limits have any order parked; `false` when it was not asked for.
    pub limited: bool,
    /// When the first timer of an order comes that goes by the wall clock, in milliseconds since 1970.
    pub next_due_ms: Option<i64>,
    /// When the first wait of an order is over, by steady time.
    pub next_steady_due_ms: Option<i64>,
    /// When the first lease ends, by steady time.
    pub next_lease_end_ms: Option<i64>,
    /// Whether any pause was lifted and may still have orders parked.
    pub lifted_pauses: bool,
    /// Whether the catalogue has any product.
    pub has_products: bool,
}

/// The answer of [`WriteStore::outlook`](super::WriteStore::outlook), later.
pub type OutlookFuture<'a> = Pin<Box<dyn Future<Output = Result<Outlook, StoreError>> + Send + 'a>>;

/// The earlier of two times, where there are any.
pub fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}
