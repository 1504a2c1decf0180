//! What is said on a socket: how to subscribe and publish, and what an incoming text means.

use std::fmt;

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::LoadError;
use crate::json;

/// A protocol of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// Plain JSON on `/ws`
    Plain,
    /// The Centrifuge client protocol in JSON on `/connection/websocket`
    CentrifugeJson,
}

/// Where a subscription stands in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The channel's life.
    pub epoch: String,
    /// The last offset seen.
    pub offset: u64,
}

/// What the server says of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Where it begins: what comes next is later.
    pub place: Place,
    /// Whether nothing was missed; `None` when no position was asked for.
    pub recovered: Option<bool>,
    /// The offsets of events in the answer itself.
    pub first_page: Vec<u64>,
}

/// What one message means to a subscriber of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An event, with its offset.
    Event(u64),
    /// The answer to a subscription.
    Subscribed(Subscribed),
    /// The server ended the subscription.
    Unsubscribed(String),
    /// Something was done that was asked for: an order is stored, a message published.
    Done,
    /// Something that was asked for was refused.
    Refused(String),
    /// To be answered by an empty object.
    Ping,
    /// Of no interest here.
    Other,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::CentrifugeJson => "centrifuge-json",
        })
    }
}

impl Dialect {
    /// Where it is spoken; without any subscription at first.
    pub fn path(self) -> &'static str {
        match self {
            Self::Plain => "/ws?channels=",
            Self::CentrifugeJson => "/connection/websocket",
        }
    }

    /// What a new connection says first, beside its subscription; empty for nothing.
    pub fn hello(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::CentrifugeJson => r#"{"id":1,"connect":{"name":"loadgen"}}"#,
        }
    }

    /// The first message of a connection that subscribes: from now on, or from where it was.
    pub fn subscribe(self, channel: &str, since: Option<&Place>) -> String {
        match (self, since) {
            (Self::Plain, None) => format!("{{\"type\":\"subscribe\",\"channels\":[\"{channel}\"]}}"),
            (Self::Plain, Some(Place { epoch, offset })) => format!(
                "{{\"type\":\"subscribe\",\"channels\":[\"{channel}\"],\
                 \"since\":{{\"{channel}\":{{\"epoch\":\"{epoch}\",\"offset\":{offset}}}}}}}"
            ),
            (Self::CentrifugeJson, None) => {
                format!("{}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"}}}}", self.hello())
            }
            (Self::CentrifugeJson, Some(Place { epoch, offset })) => format!(
                "{}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\",\"recover\":true,\
                 \"epoch\":\"{epoch}\",\"offset\":{offset}}}}}",
                self.hello()
            ),
        }
    }

    /// Tells what a text means: one message, or in Centrifuge's JSON one or more on lines of their own.
    ///
    /// # Errors
    /// When it is not understood, and whatever `tell` says.
    pub fn read(self, text: &[u8], tell: &mut dyn FnMut(Heard) -> Result<(), LoadError>) -> Result<(), LoadError> {
        match self {
            Self::Plain => tell(plain(text)?),
            Self::CentrifugeJson => text
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .try_for_each(|line| tell(centrifuge(line)?)),
        }
    }
}

/// The offset that an event ends with: `…,"offset":42}`, with any number of braces. Everything else of an event
/// need not be looked at, which is most of what a subscriber would otherwise do.
fn last_offset(text: &[u8]) -> Option<u64> {
    let open = text.iter().rposition(|&byte| byte != b'}')? + 1;
    let digits = text[..open].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, number) = text[..open].split_at(open - digits);
    if digits == 0 || digits > 19 || !rest.ends_with(b"\"offset\":") {
        return None;
    }
    Some(number.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn plain(text: &[u8]) -> Result<Heard, LoadError> {
    #[derive(Deserialize)]
    struct Control {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        epoch: String,
        #[serde(default)]
        offset: u64,
        recovered: Option<bool>,
    }
    let is_control = [&b"{\"type\":\"s"[..], b"{\"type\":\"u", b"{\"type\":\"e", b"{\"type\":\"c"];
    if let Some(offset) = last_offset(text).filter(|_| !is_control.iter().any(|start| text.starts_with(start))) {
        return Ok(Heard::Event(offset));
    }
    // An order inside an answer has no bound here, and says nothing that is not known.
    if text.starts_with(b"{\"type\":\"order_ack\"") {
        return Ok(Heard::Done);
    }
    let Control { kind, epoch, offset, recovered } = json::read("a frame", text)?;
    Ok(match kind.as_str() {
        "subscribed" => {
            Heard::Subscribed(Subscribed { place: Place { epoch, offset }, recovered, first_page: Vec::new() })
        }
        "unsubscribed" => Heard::Unsubscribed(String::from_utf8_lossy(text).into_owned()),
        "error" => Heard::Refused(String::from_utf8_lossy(text).into_owned()),
        _ => Heard::Other,
    })
}

fn centrifuge(line: &[u8]) -> Result<Heard, LoadError> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default)]
        offset: u64,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Subscribe {
        epoch: String,
        offset: u64,
        recovered: bool,
        was_recovering: bool,
        publications: Vec<Event>,
    }
    #[derive(Deserialize)]
    struct Push<'a> {
        #[serde(borrow, rename = "pub")]
        publication: Option<&'a RawValue>,
        #[serde(borrow)]
        unsubscribe: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        push: Option<Push<'a>>,
        subscribe: Option<Subscribe>,
        #[serde(borrow)]
        publish: Option<&'a RawValue>,
    }
    if line == b"{}" {
        return Ok(Heard::Ping);
    }
    if let Some(offset) = last_offset(line).filter(|_| line.starts_with(b"{\"push\":")) {
        return Ok(Heard::Event(offset));
    }
    let reply: Reply<'_> = json::read("a reply", line)?;
    Ok(match reply {
        Reply { error: Some(_), .. } => Heard::Refused(String::from_utf8_lossy(line).into_owned()),
        Reply { push: Some(Push { publication: Some(publication), .. }), .. } => {
            let Event { offset } = json::read("a publication", publication.get().as_bytes())?;
            Heard::Event(offset)
        }
        Reply { push: Some(Push { unsubscribe: Some(why), .. }), .. } => Heard::Unsubscribed(why.get().to_owned()),
        Reply { subscribe: Some(subscribe), .. } => {
            let Subscribe { epoch, offset, recovered, was_recovering, publications } = subscribe;
            Heard::Subscribed(Subscribed {
                place: Place { epoch, offset },
                recovered: was_recovering.then_some(recovered),
                first_page: publications.into_iter().map(|event| event.offset).collect(),
            })
        }
        Reply { publish: Some(_), .. } => Heard::Done,
        _ => Heard::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(dialect: Dialect, text: &str) -> Vec<Heard> {
        let mut heard = Vec::new();
        let told = dialect.read(text.as_bytes(), &mut |what| {
            heard.push(what);
            Ok(())
        });
        told.unwrap();
        heard
    }

    fn subscribed(offset: u64, recovered: Option<bool>, first_page: &[u64]) -> Heard {
        let place = Place { epoch: "e".to_owned(), offset };
        Heard::Subscribed(Subscribed { place, recovered, first_page: first_page.to_vec() })
    }

    #[test]
    fn plain_frames_are_told_apart() {
        for (text, expected) in [
            (r#"{"type":"order_update","status":"pending","channel":"orders","offset":42}"#, Heard::Event(42)),
            (r#"{"type":"publication","data":{"offset":7},"channel":"bench:a","offset":1}"#, Heard::Event(1)),
            (
                r#"{"type":"subscribed","channel":"orders","epoch":"e","offset":41,"recovered":true}"#,
                subscribed(41, Some(true), &[]),
            ),
            (r#"{"type":"subscribed","channel":"orders","epoch":"e","offset":3}"#, subscribed(3, None, &[])),
            (r#"{"type":"order_ack","ref":1,"order":{"id":"a"}}"#, Heard::Done),
            (r#"{"type":"products","products":[]}"#, Heard::Other),
            (r#"{"type":"connect","id":"1"}"#, Heard::Other),
        ] {
            assert_eq!(heard(Dialect::Plain, text), [expected], "{text}");
        }
        assert!(matches!(heard(Dialect::Plain, r#"{"type":"error","code":"x","offset":1}"#)[..], [Heard::Refused(_)]));
        assert!(Dialect::Plain.read(b"not JSON", &mut |_| Ok(())).is_err());
    }

    #[test]
    fn replies_and_pushes_are_told_apart() {
        let text = "{\"id\":1,\"connect\":{\"client\":\"c\"}}\n{}\n\
                    {\"id\":2,\"subscribe\":{\"epoch\":\"e\",\"offset\":4,\"recovered\":true,\"was_recovering\":true,\
                    \"publications\":[{\"data\":{},\"offset\":5},{\"data\":{},\"offset\":6}]}}\n\
                    {\"push\":{\"channel\":\"a\",\"pub\":{\"data\":{\"x\":1},\"offset\":7}}}\n\
                    {\"push\":{\"channel\":\"a\",\"pub\":{\"offset\":8,\"data\":{}}}}\n\
                    {\"id\":3,\"publish\":{}}\n{\"push\":{\"channel\":\"a\",\"join\":{\"info\":{}}}}";
        let expected = [
            Heard::Other,
            Heard::Ping,
            subscribed(4, Some(true), &[5, 6]),
            Heard::Event(7),
            Heard::Event(8),
            Heard::Done,
            Heard::Other,
        ];
        assert_eq!(heard(Dialect::CentrifugeJson, text), expected);
        for (text, is_refusal) in [
            (r#"{"id":2,"error":{"code":102,"message":"unknown channel"}}"#, true),
            (r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#, false),
        ] {
            let heard = heard(Dialect::CentrifugeJson, text);
            assert_eq!(matches!(heard[..], [Heard::Refused(_)]), is_refusal, "{text}");
            assert_eq!(matches!(heard[..], [Heard::Unsubscribed(_)]), !is_refusal, "{text}");
        }
    }

    #[test]
    fn what_is_asked_is_json() {
        let place = Place { epoch: "e1".to_owned(), offset: 41 };
        for dialect in [Dialect::Plain, Dialect::CentrifugeJson] {
            for since in [None, Some(&place)] {
                for line in dialect.subscribe("bench:a", since).lines() {
                    serde_json::from_str::<serde_json::Value>(line).unwrap();
                }
            }
        }
    }
}
