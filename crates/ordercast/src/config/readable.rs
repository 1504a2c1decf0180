//! Reading single values: the same type from a TOML value and from the words of the environment and of flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ordercast_access::Audience;
use ordercast_domain::money::Currency;

use super::settings::{AuthMode, Limits};

/// A value before its type is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Raw>),
    /// Anything else, by its name.
    Other(&'static str),
    /// From the environment or a flag, where everything is text.
    Word(String),
}

impl Raw {
    /// What it is, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(text) => format!("the text {text:?}"),
            Self::Integer(number) => format!("the number {number}"),
            Self::Float(number) => format!("the number {number}"),
            Self::Boolean(value) => format!("{value}"),
            Self::List(_) => "a list".to_owned(),
            Self::Other(name) => (*name).to_owned(),
            Self::Word(word) => format!("{word:?}"),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            _ => None,
        }
    }

    fn list(&self) -> Option<Vec<Raw>> {
        match self {
            Self::List(values) => Some(values.clone()),
            Self::Word(word) => Some(
                word.split(',')
                    .map(|part| Self::Word(part.trim().to_owned()))
                    .filter(|part| !part.is_blank())
                    .collect(),
            ),
            _ => None,
        }
    }

    fn is_blank(&self) -> bool {
        self.text().is_some_and(str::is_empty)
    }
}

/// A type of setting.
pub(super) trait Readable: Sized {
    /// What must be written, with an example where that helps.
    const WANTED: &'static str;

    /// The value; `None` when it is of another type.
    fn read(raw: &Raw) -> Option<Self>;

    /// The value as it would be written in the file.
    fn show(&self) -> String;
}

impl Readable for String {
    const WANTED: &'static str = "a text";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().map(str::to_owned)
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// A text that `config show` must not tell; none when it is empty.
#[derive(Clone)]
pub(super) struct Hidden(pub(super) Option<String>);

impl Readable for Hidden {
    const WANTED: &'static str = "a text";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().map(|text| Self(Some(text.to_owned()).filter(|text| !text.is_empty())))
    }

    fn show(&self) -> String {
        (if self.0.is_some() { "\"(set)\"" } else { "\"\"" }).to_owned()
    }
}

impl Readable for Audience {
    const WANTED: &'static str = "\"nobody\", \"subscribers\", \"users\" or \"anyone\"";

    fn read(raw: &Raw) -> Option<Self> {
        Self::ALL.into_iter().find(|who| raw.text() == Some(who.name()))
    }

    fn show(&self) -> String {
        format!("{:?}", self.name())
    }
}

impl Readable for AuthMode {
    const WANTED: &'static str = "\"open\" or \"token\"";

    fn read(raw: &Raw) -> Option<Self> {
        [Self::Open, Self::Token].into_iter().find(|mode| raw.text() == Some(mode.name()))
    }

    fn show(&self) -> String {
        format!("{:?}", self.name())
    }
}

impl Readable for PathBuf {
    const WANTED: &'static str = "a path";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().filter(|text| !text.is_empty()).map(Self::from)
    }

    fn show(&self) -> String {
        format!("{:?}", self.display().to_string())
    }
}

impl Readable for i64 {
    const WANTED: &'static str = "a whole number";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Integer(number) => Some(*number),
            Raw::Word(word) => word.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Readable for f64 {
    const WANTED: &'static str = "a number";

    fn read(raw: &Raw) -> Option<Self> {
        let number = match raw {
            Raw::Float(number) => *number,
            Raw::Integer(number) => number.to_string().parse().ok()?,
            Raw::Word(word) => word.parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Readable for bool {
    const WANTED: &'static str = "true or false";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Boolean(value) => Some(*value),
            Raw::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Readable for Duration {
    const WANTED: &'static str = "a number of seconds, such as 10 or 0.5";

    fn read(raw: &Raw) -> Option<Self> {
        Self::try_from_secs_f64(f64::read(raw)?).ok()
    }

    fn show(&self) -> String {
        self.as_secs_f64().to_string()
    }
}

impl Readable for Vec<String> {
    const WANTED: &'static str = "a list of texts";

    fn read(raw: &Raw) -> Option<Self> {
        raw.list()?.iter().map(String::read).collect()
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Readable for [Duration; 3] {
    const WANTED: &'static str = "three numbers of seconds (high, medium, low), such as [600, 300, 0]";

    fn read(raw: &Raw) -> Option<Self> {
        raw.list()?.iter().map(Duration::read).collect::<Option<Vec<_>>>()?.try_into().ok()
    }

    fn show(&self) -> String {
        format!("[{}]", self.each_ref().map(Duration::show).join(", "))
    }
}

impl Readable for SocketAddr {
    const WANTED: &'static str = "an address and a port, such as 127.0.0.1:8080 or [::1]:8080";

    fn read(raw: &Raw) -> Option<Self> {
        let text = raw.text()?;
        match text.strip_prefix("localhost:") {
            Some(port) => Some(Self::from(([127, 0, 0, 1], port.parse().ok()?))),
            None => text.parse().ok(),
        }
    }

    fn show(&self) -> String {
        format!("{:?}", self.to_string())
    }
}

impl Readable for Currency {
    const WANTED: &'static str = "an ISO 4217 code such as \"USD\"";

    fn read(raw: &Raw) -> Option<Self> {
        Self::parse(raw.text()?)
    }

    fn show(&self) -> String {
        format!("{:?}", self.code())
    }
}

impl Readable for Limits {
    const WANTED: &'static str = "\"standard\" or \"wholesale\"";

    fn read(raw: &Raw) -> Option<Self> {
        Self::from_name(raw.text()?)
    }

    fn show(&self) -> String {
        format!("{:?}", self.name())
    }
}
