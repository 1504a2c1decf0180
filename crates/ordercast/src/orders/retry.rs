//! `ordercast orders retry`: orders that came to nothing, tried again by filter.

use std::io::{self, Write};

use ordercast_protocol::json::JsonWriter;
use serde::Deserialize;

use crate::api::{Api, Retry};
use crate::cli::OrdersRetryArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::terminal::visible;

use super::read;

/// Orders of one request, so that the bar moves and an interruption is heard.
const BATCH: u64 = 500;
/// Orders that are counted in one request; the server counts no more.
const COUNTED: u64 = 10_000;
/// Maximum number of ids that are printed.
const MAX_TOLD: usize = 20;

#[derive(Deserialize)]
struct Tally {
    matched: u64,
    retried: u64,
    moved_on: u64,
    ids: Vec<String>,
    next: Option<String>,
}

/// Counts the orders, then tries them again unless it is a dry run.
///
/// # Errors
/// When the server cannot be reached or refuses the filter, or it was stopped.
pub(crate) fn retry(args: &OrdersRetryArgs) -> Result<(), Failure> {
    let api = Api::new(&args.url)?;
    let interrupt = Interrupt::on_signals();
    let asking = Retry { api: &api, interrupt: &interrupt };
    let mut ids = Vec::new();
    let counted = each(&asking, args, COUNTED, true, |tally| {
        ids.extend(tally.ids.iter().take(MAX_TOLD - ids.len().min(MAX_TOLD)).cloned());
    })?;
    let mut out = io::stdout().lock();
    if args.dry_run {
        writeln!(out, "{} orders would be tried again", counted.matched)?;
        for id in &ids {
            writeln!(out, "  {}", visible(id))?;
        }
        let more = counted.matched.saturating_sub(ids.len() as u64);
        return if more > 0 { Ok(writeln!(out, "  and {more} more")?) } else { Ok(()) };
    }
    let progress = Progress::start(counted.matched);
    let done = each(&asking, args, BATCH, false, |tally| progress.step(tally.matched));
    progress.finish();
    let done = done?;
    Ok(writeln!(out, "{} orders are tried again, {} had been moved on meanwhile", done.retried, done.moved_on)?)
}

/// Asks for one part after the other, and adds them up.
fn each(
    asking: &Retry<'_>,
    args: &OrdersRetryArgs,
    most: u64,
    is_dry_run: bool,
    mut on_part: impl FnMut(&Tally),
) -> Result<Tally, Failure> {
    let mut sum = Tally { matched: 0, retried: 0, moved_on: 0, ids: Vec::new(), next: None };
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let body = body_of(args, left.min(most), is_dry_run, sum.next.as_deref());
        // An order that was tried again is no longer what the filter asks for: sent twice, it does no harm.
        let answer = asking.post("/orders/retry", &body, None, |_| ())?;
        let tally: Tally = read(&answer, "POST /orders/retry")?;
        on_part(&tally);
        (sum.matched, sum.retried) = (sum.matched + tally.matched, sum.retried + tally.retried);
        sum.moved_on += tally.moved_on;
        left = left.saturating_sub(tally.matched);
        sum.next = tally.next;
        if sum.next.is_none() {
            break;
        }
        if asking.interrupt.is_set() {
            let (done, seen) = (sum.retried, sum.matched);
            return Err(Failure::new(format!("stopped: {done} of the {seen} orders seen so far are tried again")));
        }
    }
    Ok(sum)
}

fn body_of(args: &OrdersRetryArgs, limit: u64, is_dry_run: bool, cursor: Option<&str>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    let mut json = JsonWriter::new(&mut body);
    json.begin_object().key("status").string(&args.status).key("limit").integer(limit);
    for (name, value) in [
        ("customer_id", args.customer_id.as_deref()),
        ("from", args.from.as_deref()),
        ("to", args.to.as_deref()),
        ("error", args.error.as_deref()),
        ("reason", args.reason.as_deref()),
        ("cursor", cursor),
    ] {
        if let Some(value) = value {
            json.key(name).string(value);
        }
    }
    json.key("dry_run").boolean(is_dry_run).end_object();
    body
}
