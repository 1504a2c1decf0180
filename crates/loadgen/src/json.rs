//! What the server's answers and events say, as far as this crate looks.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::LoadError;

/// An order in an answer.
#[derive(Debug, Deserialize)]
pub struct OrderAnswer<'a> {
    /// Its id.
    #[serde(borrow)]
    pub id: std::borrow::Cow<'a, str>,
    /// Its amount, as it is written: money is not read through a float.
    #[serde(borrow)]
    pub amount: &'a RawValue,
    /// One more with every event.
    pub version: u64,
}

/// A position in `as_of`.
#[derive(Clone, Debug, Deserialize)]
pub struct LogPosition {
    /// The log's life.
    pub epoch: String,
    /// Its last offset.
    pub offset: u64,
}

/// The positions that a list joins the streams at.
#[derive(Debug, Deserialize)]
pub struct AsOf {
    /// Of the log `orders`.
    pub orders: LogPosition,
}

/// The part of `GET /orders` that says where the log is.
#[derive(Debug, Deserialize)]
pub struct OrderList {
    /// Where the log is.
    pub as_of: AsOf,
}

/// `GET /stats`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Stats {
    /// Orders accepted since start.
    pub accepted: u64,
    /// Orders completed since start.
    pub success_count: u64,
    /// Commits since start.
    pub commits: u64,
    /// Orders that wait.
    pub queue_length: u64,
    /// Orders in work.
    pub active_workers: u64,
}

/// A product of `GET /products`.
#[derive(Debug, Deserialize)]
pub struct Product {
    /// Its SKU.
    pub sku: String,
    /// Units that orders hold.
    pub reserved: i64,
}

/// `GET /products`.
#[derive(Debug, Deserialize)]
pub struct ProductList {
    /// All of them.
    pub products: Vec<Product>,
}

/// A frame of `/ws`, as far as this crate looks.
#[derive(Debug, Deserialize)]
pub struct Frame<'a> {
    /// What it is.
    #[serde(borrow, rename = "type")]
    pub kind: std::borrow::Cow<'a, str>,
    /// The channel of an event or a subscription.
    #[serde(borrow, default)]
    pub channel: Option<std::borrow::Cow<'a, str>>,
    /// Its place in the log.
    #[serde(default)]
    pub offset: Option<u64>,
    /// The order of an event.
    #[serde(borrow, default)]
    pub order_id: Option<std::borrow::Cow<'a, str>>,
    /// The order's version after it.
    #[serde(default)]
    pub version: Option<u64>,
    /// Whether a subscription has missed nothing.
    #[serde(default)]
    pub recovered: Option<bool>,
}

/// Reads an answer or a frame.
///
/// # Errors
/// When it is not what is expected; the message holds the beginning of it.
pub fn read<'a, T: Deserialize<'a>>(what: &str, text: &'a [u8]) -> Result<T, LoadError> {
    serde_json::from_slice(text).map_err(|error| {
        let start = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
        LoadError::new(format!("{what} is not understood: {error}: {start}"))
    })
}
