//! `ordercast orders watch`: the stream of order events, over any number of lost connections.
//!
//! Each event carries the position after it; a new connection asks for what follows the last one, so nothing is
//! missed and nothing comes twice. When the log no longer goes back that far, that is said.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::Api;
use crate::cli::OrdersWatchArgs;
use crate::failure::Failure;
use crate::terminal::visible;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(10);
const PATH: &str = "/events?channels=orders";

#[derive(Deserialize)]
struct AsOf {
    as_of: Heads,
}

#[derive(Deserialize)]
struct Heads {
    orders: Head,
}

#[derive(Deserialize)]
struct Head {
    epoch: String,
}

#[derive(Deserialize)]
struct Subscribed {
    #[serde(default)]
    recovered: Option<bool>,
    offset: u64,
}

#[derive(Deserialize)]
struct Change<'a> {
    offset: u64,
    order_id: String,
    status: String,
    #[serde(default)]
    from: Option<String>,
    actor: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(borrow)]
    order: Summary<'a>,
}

#[derive(Deserialize)]
struct Summary<'a> {
    #[serde(borrow)]
    amount: &'a RawValue,
    currency: String,
    item_count: u64,
    updated_at: String,
}

/// Writes every change as it happens, until it is stopped or has written `--limit` of them.
///
/// # Errors
/// When the server cannot be reached at the start, or refuses the stream.
pub(crate) fn watch(args: &OrdersWatchArgs) -> Result<(), Failure> {
    let api = Api::new(&args.url)?;
    let mut watcher = Watcher { args, last_id: None, left: args.limit };
    if let Some(offset) = args.since {
        watcher.last_id = Some(id_of(&api, offset)?);
    }
    let mut pause = FIRST_PAUSE;
    let mut has_connected = false;
    while watcher.left != Some(0) {
        match api.stream(PATH, watcher.last_id.as_deref()) {
            Ok(Ok(stream)) => {
                (pause, has_connected) = (FIRST_PAUSE, true);
                watcher.follow(stream)?;
            }
            Ok(Err(answer)) if !has_connected || (answer.status < 500 && answer.status != 429) => {
                return Err(Failure::new(answer.refusal()));
            }
            Err(error) if !has_connected => return Err(error.into()),
            Ok(Err(_)) | Err(_) => {}
        }
        if watcher.left != Some(0) {
            eprintln!("ordercast: the stream broke off; connecting again");
            std::thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
    Ok(())
}

/// The id of the position after `offset`.
fn id_of(api: &Api, offset: u64) -> Result<String, Failure> {
    let answer = api.get("/orders?limit=1")?;
    let heads: AsOf = super::read(&answer, "GET /orders")?;
    Ok(format!("orders={}.{offset}", heads.as_of.orders.epoch))
}

struct Watcher<'a> {
    args: &'a OrdersWatchArgs,
    last_id: Option<String>,
    left: Option<u64>,
}

impl Watcher<'_> {
    /// Reads a stream until it ends; an error is one of the output.
    fn follow(&mut self, stream: impl BufRead) -> Result<(), Failure> {
        let mut event = Event::default();
        for line in stream.lines() {
            // A broken connection: what is gathered of an event was not seen whole, and will come again.
            let Ok(line) = line else { return Ok(()) };
            let Some(whole) = event.take_line(&line) else { continue };
            self.on_event(&whole)?;
            self.last_id = whole.id.or(self.last_id.take());
            if self.left == Some(0) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn on_event(&mut self, event: &Event) -> Result<(), Failure> {
        if event.data.is_empty() {
            return Ok(());
        }
        if event.name == "subscribed" {
            if let Ok(Subscribed { recovered: Some(false), offset }) = serde_json::from_str(&event.data) {
                eprintln!("ordercast: events were missed for good: the log goes on after offset {offset}");
            }
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.args.json {
            writeln!(out, "{}", event.data)?;
        } else {
            writeln!(out, "{}", visible(&describe(&event.data)))?;
        }
        out.flush()?;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(())
    }
}

fn describe(data: &str) -> String {
    let Ok(change) = serde_json::from_str::<Change<'_>>(data) else { return data.to_owned() };
    let Summary { amount, currency, item_count, updated_at } = &change.order;
    let way = match &change.from {
        Some(from) => format!("{from} → {}", change.status),
        None => format!("{} (new, {item_count} lines)", change.status),
    };
    let reason = change.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let (offset, id, actor) = (change.offset, &change.order_id, &change.actor);
    format!("{updated_at} #{offset} {id} {way} {amount} {currency} by {actor}{reason}")
}

/// An event of a stream (HTML standard, "Server-sent events", 9.2.6).
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    name: String,
    data: String,
}

impl Event {
    /// Takes a line; gives the event when the line ends one.
    fn take_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return Some(std::mem::take(self));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<Event> {
        let mut event = Event::default();
        text.lines().filter_map(|line| event.take_line(line)).collect()
    }

    #[test]
    fn streams_are_read_line_by_line() {
        let text = "retry: 1000\n\n: ping\nid: orders=e.3\n\nevent: subscribed\ndata: {}\n\nid: orders=e.4\ndata:a\ndata: b\n\ndata: cut";
        let event = |id: Option<&str>, name: &str, data: &str| Event {
            id: id.map(str::to_owned),
            name: name.into(),
            data: data.into(),
        };
        let expected = [
            event(None, "", ""),
            event(Some("orders=e.3"), "", ""),
            event(None, "subscribed", "{}"),
            event(Some("orders=e.4"), "", "a\nb"),
        ];
        assert_eq!(events(text), expected, "an event that is cut off does not count");
    }

    #[test]
    fn changes_are_told_in_a_line() {
        let first = r#"{"type":"order","order_id":"o1","status":"pending","actor":"customer","order":{"amount":99.990,"currency":"USD","item_count":2,"updated_at":"T"},"channel":"orders","offset":1}"#;
        assert_eq!(describe(first), "T #1 o1 pending (new, 2 lines) 99.990 USD by customer");
        let next = r#"{"order_id":"o1","status":"processing","from":"pending","actor":"worker:w1","reason":"r","order":{"amount":1,"currency":"USD","item_count":2,"updated_at":"T"},"offset":2}"#;
        assert_eq!(describe(next), "T #2 o1 pending → processing 1 USD by worker:w1: r");
        assert_eq!(describe("{}"), "{}");
    }
}
