//! `ordercast orders`: list, show and watch the orders of a running server.

mod retry;
mod watch;

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{Answer, Api};
use crate::cli::{OrdersListArgs, OrdersShowArgs};
use crate::failure::Failure;
use crate::terminal::{visible, visible_lines};

pub(crate) use retry::retry;
pub(crate) use watch::watch;

/// Orders of one page; the server gives no more.
const PAGE: u64 = 500;

/// An order as the server tells it; amounts stay text, so that they are shown as they are.
#[derive(Deserialize)]
struct Order<'a> {
    id: String,
    number: u64,
    #[serde(borrow)]
    amount: &'a RawValue,
    #[serde(borrow, default)]
    rounding: Option<&'a RawValue>,
    currency: String,
    status: String,
    priority: u8,
    customer_id: String,
    created_at: String,
    #[serde(default)]
    placed_at: Option<String>,
    updated_at: String,
    version: u64,
    #[serde(default)]
    attempts: u64,
    customer: String,
    address: String,
    #[serde(default)]
    notes: Option<String>,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    sku: String,
    quantity: i64,
    #[serde(borrow, default)]
    price: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    orders: Vec<&'a RawValue>,
    next: Option<String>,
}

/// `ordercast orders list`.
///
/// # Errors
/// When the server cannot be reached or refuses the query.
pub(crate) fn list(args: &OrdersListArgs) -> Result<(), Failure> {
    let api = Api::new(&args.url)?;
    let mut out = io::stdout().lock();
    let mut left = args.limit;
    let mut cursor = None;
    while left > 0 {
        let answer = api.get(&list_path(args, left.min(PAGE), cursor.as_deref()))?;
        let page: Page<'_> = read(&answer, "GET /orders")?;
        if cursor.is_none() && !args.json {
            writeln!(
                out,
                "{:<24} {:>8} {:<20} {:<19} {:>15}     P CUSTOMER",
                "CREATED", "NUMBER", "ID", "STATUS", "AMOUNT"
            )?;
        }
        for order in &page.orders {
            if args.json {
                writeln!(out, "{order}")?;
                continue;
            }
            let order: Order<'_> = parse(order.get(), "GET /orders")?;
            writeln!(
                out,
                "{:<24} {:>8} {:<20} {:<19} {:>15} {} {} {:<18}",
                order.created_at,
                format!("#{}", order.number),
                visible(&order.id),
                visible(&order.status),
                order.amount.get(),
                order.currency,
                order.priority,
                visible(&order.customer_id)
            )?;
        }
        left = left.saturating_sub(page.orders.len() as u64);
        cursor = page.next;
        if cursor.is_none() || page.orders.is_empty() {
            break;
        }
    }
    Ok(())
}

fn list_path(args: &OrdersListArgs, limit: u64, cursor: Option<&str>) -> String {
    let mut path = format!("/orders?limit={limit}");
    for (name, value) in [("q", &args.search), ("status", &args.status), ("customer_id", &args.customer_id)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", escape(value)));
        }
    }
    if let Some(cursor) = cursor {
        path.push_str(&format!("&cursor={}", escape(cursor)));
    }
    path
}

/// `ordercast orders show`.
///
/// # Errors
/// When the server cannot be reached or has no such order.
pub(crate) fn show(args: &OrdersShowArgs) -> Result<(), Failure> {
    let answer = Api::new(&args.url)?.get(&format!("/orders/{}", escape(&args.id)))?;
    let mut out = io::stdout().lock();
    let order: Order<'_> = read(&answer, "GET /orders")?;
    if args.json {
        out.write_all(&answer.body)?;
        return Ok(writeln!(out)?);
    }
    writeln!(out, "order      {} (#{})", visible(&order.id), order.number)?;
    writeln!(out, "status     {} (version {}, attempts {})", order.status, order.version, order.attempts)?;
    let rounding = order.rounding.map(|rounding| format!(" (rounding left {rounding} over)")).unwrap_or_default();
    writeln!(out, "amount     {} {}{rounding}", order.amount, order.currency)?;
    writeln!(out, "priority   {}", order.priority)?;
    writeln!(out, "customer   {} ({})", visible(&order.customer), visible(&order.customer_id))?;
    writeln!(out, "address    {}", visible_lines(&order.address))?;
    writeln!(out, "created    {}", order.created_at)?;
    writeln!(out, "updated    {}", order.updated_at)?;
    if let Some(placed_at) = &order.placed_at {
        writeln!(out, "placed     {placed_at}")?;
    }
    if let Some(notes) = &order.notes {
        writeln!(out, "notes      {}", visible_lines(notes))?;
    }
    writeln!(out, "{} lines", order.items.len())?;
    for item in &order.items {
        match serde_json::from_str::<Item<'_>>(item.get()) {
            Ok(item) => {
                let price = item.price.map(|price| format!(" at {price}")).unwrap_or_default();
                writeln!(out, "  {:>6} × {}{price}", item.quantity, visible(&item.sku))?;
            }
            Err(_) => {
                let plain: String = serde_json::from_str(item.get()).unwrap_or_else(|_| item.get().to_owned());
                writeln!(out, "           {}", visible(&plain))?;
            }
        }
    }
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(answer: &'a Answer, what: &str) -> Result<T, Failure> {
    if !answer.is_good() {
        return Err(Failure::new(answer.refusal()));
    }
    let text = std::str::from_utf8(&answer.body).unwrap_or_default();
    parse(text, what)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("the answer to {what} is not that of an Ordercast server: {error}")))
}

/// A value in a path or a query (RFC 3986 §2).
fn escape(text: &str) -> String {
    let keep = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if keep(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped() {
        let args = OrdersListArgs {
            url: String::new(),
            status: Some("a b".into()),
            customer_id: Some("c_1&x".into()),
            search: Some("#7".into()),
            limit: 9,
            json: false,
        };
        assert_eq!(list_path(&args, 9, Some("7")), "/orders?limit=9&q=%237&status=a%20b&customer_id=c_1%26x&cursor=7");
    }
}
