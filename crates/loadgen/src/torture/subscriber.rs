//! One subscriber of `orders` over all rounds: it resumes where it was, and keeps account of what it saw.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::json::{self, Frame};
use crate::socket::{Message, Socket};

use super::report::Report;

/// How long it waits for one message before it looks whether it is done.
const POLL: Duration = Duration::from_millis(50);
/// How long catching up may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a subscriber has seen of one store.
#[derive(Debug)]
pub(super) struct Subscriber {
    epoch: String,
    /// The last offset seen.
    pub(super) last: u64,
    /// The version of each order, which is the number of its events.
    pub(super) versions: HashMap<String, u64>,
    resumed: u64,
    holes: Vec<String>,
    unrecovered: Vec<String>,
    uneven: Vec<String>,
}

impl Subscriber {
    pub(super) fn new(epoch: String) -> Self {
        Self {
            epoch,
            last: 0,
            versions: HashMap::new(),
            resumed: 0,
            holes: Vec::new(),
            unrecovered: Vec::new(),
            uneven: Vec::new(),
        }
    }

    /// Follows the log until the connection ends, or until the offset `until` was seen.
    pub(super) fn follow(&mut self, address: SocketAddr, until: Option<u64>) {
        let started = Instant::now();
        // It begins with a channel that is silent here, and asks for `orders` from where it was.
        let connect = || Socket::connect(address, "/ws?channels=products", POLL);
        let mut connected = connect();
        // A busy machine may be slow to answer; a server that is to be killed may have been, and then nothing is owed.
        while connected.is_err() && until.is_some() && started.elapsed() < PATIENCE {
            connected = connect();
        }
        let Ok(mut socket) = connected else { return };
        let (epoch, last) = (&self.epoch, self.last);
        let subscribe = format!(
            "{{\"type\":\"subscribe\",\"channels\":[\"orders\"],\
             \"since\":{{\"orders\":{{\"epoch\":\"{epoch}\",\"offset\":{last}}}}}}}"
        );
        if socket.send(&subscribe).is_err() {
            return;
        }
        while until.is_none_or(|until| self.last < until) && started.elapsed() < PATIENCE {
            match socket.receive() {
                Ok(Message::Text(text)) => self.see(&text),
                Ok(Message::Close(_)) => return,
                Err(error) if is_pause(&error) => {}
                Err(_) => return,
            }
        }
    }

    fn see(&mut self, text: &[u8]) {
        let frame: Frame<'_> = match json::read("a frame", text) {
            Ok(frame) => frame,
            Err(error) => return self.holes.push(error.to_string()),
        };
        if frame.channel.as_deref() != Some("orders") {
            return;
        }
        if frame.kind == "subscribed" {
            if frame.recovered != Some(true) || frame.offset != Some(self.last) {
                self.unrecovered.push(format!("resumed after {}: {}", self.last, String::from_utf8_lossy(text)));
            }
            self.resumed += 1;
            return;
        }
        let offset = frame.offset.unwrap_or(0);
        if offset != self.last + 1 {
            self.holes.push(format!("offset {offset} came after {}", self.last));
        }
        self.last = offset;
        let (Some(id), Some(version)) = (frame.order_id, frame.version) else {
            return self.uneven.push(format!("an event without order or version at {offset}"));
        };
        let seen = self.versions.entry(id.into_owned()).or_default();
        *seen += 1;
        if *seen != version {
            self.uneven.push(format!("version {version} of an order came as event {seen} of it, at {offset}"));
        }
    }

    /// Tells what was wrong since the last time; `head` is where the log ends.
    pub(super) fn report(&mut self, head: u64, report: &mut Report) {
        if self.last != head {
            self.holes.push(format!("the subscriber is at {}, the log at {head}", self.last));
        }
        report.resumed += std::mem::take(&mut self.resumed);
        report.holes += self.holes.len() as u64;
        report.unrecovered += self.unrecovered.len() as u64;
        report.uneven += self.uneven.len() as u64;
        for what in self.holes.drain(..).chain(self.unrecovered.drain(..)).chain(self.uneven.drain(..)) {
            report.violation(what);
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(frames: &[(u64, &str, u64)], head: u64) -> Report {
        let mut subscriber = Subscriber::new("e".to_owned());
        for (offset, order, version) in frames {
            subscriber.see(
                format!(
                    "{{\"type\":\"order_update\",\"order_id\":\"{order}\",\"version\":{version},\
                     \"channel\":\"orders\",\"offset\":{offset}}}"
                )
                .as_bytes(),
            );
        }
        let mut report = Report::default();
        subscriber.report(head, &mut report);
        report
    }

    #[test]
    fn what_is_lost_or_repeated_is_seen() {
        assert!(told(&[(1, "a", 1), (2, "b", 1), (3, "a", 2)], 3).is_clean());
        assert_eq!(told(&[(1, "a", 1), (3, "b", 1)], 3).holes, 1, "skipped");
        assert_eq!(told(&[(1, "a", 1), (1, "b", 1)], 1).holes, 1, "repeated");
        assert_eq!(told(&[(1, "a", 1)], 2).holes, 1, "not at the end");
        assert_eq!(told(&[(1, "a", 1), (2, "a", 3)], 2).uneven, 1, "a version is missing");
    }

    #[test]
    fn an_incomplete_resumption_is_seen() {
        let mut subscriber = Subscriber::new("e".to_owned());
        subscriber.see(br#"{"type":"subscribed","channel":"orders","epoch":"e","offset":0,"recovered":true}"#);
        subscriber.see(br#"{"type":"subscribed","channel":"orders","epoch":"f","offset":0,"recovered":false}"#);
        let mut report = Report::default();
        subscriber.report(0, &mut report);
        assert_eq!((report.resumed, report.unrecovered), (2, 1));
    }
}
