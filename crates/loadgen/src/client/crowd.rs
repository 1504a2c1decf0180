//! Subscribers of one channel who keep account of every offset, over any number of connections of each.

use std::time::{Duration, Instant};

use crate::failure::LoadError;

use super::dialect::{Dialect, Heard, Place, Subscribed};
use super::fleet::{Dialling, Ending, Fleet, Happening, Leave, Traffic};
use super::sequence::{Account, Sequence};

/// Longest wait for something to happen, before it is looked whether it is time for something else.
const POLL: Duration = Duration::from_millis(10);

/// What a subscriber has seen.
#[derive(Debug)]
pub enum Seen {
    /// Its subscription stands; what it was told is in the account.
    Subscribed,
    /// An event with this offset.
    Event(u64),
    /// Its connection ended, by no wish of its own.
    Gone(Ending),
}

/// Who subscribes to what, and how.
#[derive(Clone, Copy, Debug)]
pub struct Joining<'a> {
    /// The protocol.
    pub dialect: Dialect,
    /// The channel.
    pub channel: &'a str,
    /// How many subscribers.
    pub count: usize,
    /// Whether messages are compressed.
    pub is_compressed: bool,
}

#[derive(Debug)]
struct Follower {
    sequence: Sequence,
    /// Whether it was ever subscribed, so that it has a place to come back to.
    has_place: bool,
    is_subscribed: bool,
}

/// The subscribers, by number.
#[derive(Debug)]
pub struct Crowd {
    fleet: Fleet,
    dialect: Dialect,
    channel: String,
    followers: Vec<Follower>,
    subscribed: usize,
    epoch: Option<String>,
    /// What they saw together.
    pub account: Account,
    pings: Vec<usize>,
}

impl Crowd {
    /// Subscribers who are all away.
    ///
    /// # Errors
    /// When the kernel gives no poll.
    pub fn new(address: std::net::SocketAddr, joining: Joining<'_>) -> Result<Self, LoadError> {
        let Joining { dialect, channel, count, is_compressed } = joining;
        let follower = || Follower { sequence: Sequence::after(0), has_place: false, is_subscribed: false };
        Ok(Self {
            fleet: Fleet::new(count, Dialling { address, path: dialect.path(), is_compressed })?,
            dialect,
            channel: channel.to_owned(),
            followers: (0..count).map(|_| follower()).collect(),
            subscribed: 0,
            epoch: None,
            account: Account::default(),
            pings: Vec::new(),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.followers.len()
    }

    /// How many are subscribed now.
    pub fn subscribed(&self) -> usize {
        self.subscribed
    }

    /// Whether one is subscribed now.
    pub fn is_subscribed(&self, index: usize) -> bool {
        self.followers[index].is_subscribed
    }

    /// Whether one has a connection.
    pub fn is_connected(&self, index: usize) -> bool {
        self.fleet.is_connected(index)
    }

    /// The last offset that one has seen.
    pub fn last(&self, index: usize) -> u64 {
        self.followers[index].sequence.last()
    }

    /// What was read.
    pub fn traffic(&self) -> Traffic {
        self.fleet.traffic()
    }

    /// The channel's life, once somebody has been told.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// Puts everybody to a place, from which they ask when they come.
    pub fn place_all(&mut self, place: &Place) {
        self.epoch = Some(place.epoch.clone());
        for follower in &mut self.followers {
            follower.sequence = Sequence::after(place.offset);
            follower.has_place = true;
        }
    }

    /// Begins to connect one who is away, and subscribes: from where it was, or from now on if it was nowhere.
    ///
    /// # Errors
    /// When there are no files or ports left.
    pub fn come(&mut self, index: usize, receive_bytes: Option<usize>) -> Result<(), LoadError> {
        let follower = &self.followers[index];
        let offset = follower.sequence.last();
        let place = self.epoch.clone().filter(|_| follower.has_place).map(|epoch| Place { epoch, offset });
        let first = self.dialect.subscribe(&self.channel, place.as_ref());
        Ok(self.fleet.dial(index, &first, receive_bytes)?)
    }

    /// Subscribes on a connection that stands, from where the subscriber is.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn ask(&mut self, index: usize) -> Result<(), LoadError> {
        let offset = self.followers[index].sequence.last();
        let place = self.epoch.clone().map(|epoch| Place { epoch, offset });
        let text = self.dialect.subscribe(&self.channel, place.as_ref());
        // The greeting was said before.
        let text = text.strip_prefix(self.dialect.hello()).unwrap_or(&text).trim_start();
        Ok(self.fleet.send(index, text.as_bytes())?)
    }

    /// One leaves.
    pub fn leave(&mut self, index: usize, how: Leave) {
        self.fleet.leave(index, how);
        self.followers[index].end(&mut self.subscribed);
    }

    /// One says that it will send no more, and reads on to the end.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn half_close(&mut self, index: usize) -> Result<(), LoadError> {
        Ok(self.fleet.half_close(index)?)
    }

    /// One stops reading, or goes on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_deaf(&mut self, index: usize, is_deaf: bool) -> Result<(), LoadError> {
        Ok(self.fleet.set_deaf(index, is_deaf)?)
    }

    /// Waits for something to happen, for `timeout` at the most, and tells what was seen.
    ///
    /// # Errors
    /// When the server refuses a subscription or says what is not understood.
    pub fn turn(&mut self, timeout: Duration, on: &mut dyn FnMut(usize, Seen)) -> Result<(), LoadError> {
        let Self { fleet, dialect, followers, subscribed, epoch, account, pings, .. } = self;
        let mut hearing = Hearing { followers, subscribed, epoch, account, pings, on };
        fleet.turn(timeout, &mut |index, happening| match happening {
            Happening::Opened => Ok(()),
            Happening::Text(text) => dialect.read(text, &mut |heard| hearing.take(index, heard)),
            Happening::Ended(how) => {
                hearing.followers[index].end(hearing.subscribed);
                (hearing.on)(index, Seen::Gone(how));
                Ok(())
            }
        })?;
        for index in std::mem::take(&mut self.pings) {
            // One whose connection broke is told so in the next turn.
            let _ = self.fleet.send(index, b"{}");
        }
        Ok(())
    }

    /// Connects everybody who is away, at most `at_once` at a time, and waits until all are subscribed.
    ///
    /// # Errors
    /// When somebody is refused or sent away, or `patience` is over.
    pub fn gather(&mut self, at_once: usize, patience: Duration) -> Result<(), LoadError> {
        let started = Instant::now();
        let mut away: Vec<_> = (0..self.count()).filter(|&index| !self.is_connected(index)).rev().collect();
        while self.subscribed < self.count() {
            let mut coming = self.count() - away.len() - self.subscribed;
            while coming < at_once {
                let Some(index) = away.pop() else { break };
                self.come(index, None)?;
                coming += 1;
            }
            self.turn_with_all()?;
            if started.elapsed() > patience {
                let missing = self.count() - self.subscribed;
                return Err(LoadError::new(format!("{missing} subscribers are not subscribed after {patience:?}")));
            }
        }
        Ok(())
    }

    /// Connects everybody who is away, without subscribing; that is for [`Crowd::ask`].
    ///
    /// # Errors
    /// When somebody is refused or sent away, or `patience` is over.
    pub fn gather_silently(&mut self, at_once: usize, patience: Duration) -> Result<(), LoadError> {
        let started = Instant::now();
        let first = match self.dialect {
            Dialect::Plain => "{\"type\":\"ping\"}",
            Dialect::CentrifugeJson => self.dialect.hello(),
        };
        let mut away: Vec<_> = (0..self.count()).filter(|&index| !self.is_connected(index)).rev().collect();
        while !away.is_empty() || self.fleet.opening() > 0 {
            for _ in self.fleet.opening()..at_once {
                let Some(index) = away.pop() else { break };
                self.fleet.dial(index, first, None)?;
            }
            self.turn_with_all()?;
            if started.elapsed() > patience {
                let missing = away.len() + self.fleet.opening();
                return Err(LoadError::new(format!("{missing} clients are not connected after {patience:?}")));
            }
        }
        Ok(())
    }

    /// A turn in which nobody may be sent away.
    fn turn_with_all(&mut self) -> Result<(), LoadError> {
        let mut gone = None;
        self.turn(POLL, &mut |index, seen| {
            if let Seen::Gone(how) = seen {
                gone = Some((index, how));
            }
        })?;
        match gone {
            Some((index, how)) => Err(LoadError::new(format!("subscriber {index} was sent away: {how:?}"))),
            None => Ok(()),
        }
    }

    /// Reads until everybody who is subscribed has seen `offset`.
    ///
    /// # Errors
    /// When somebody is sent away, or `patience` is over.
    pub fn wait_for(&mut self, offset: u64, patience: Duration) -> Result<(), LoadError> {
        let started = Instant::now();
        loop {
            let behind = self.followers.iter().filter(|one| one.is_subscribed && one.sequence.last() < offset).count();
            if behind == 0 {
                return Ok(());
            }
            if started.elapsed() > patience {
                return Err(LoadError::new(format!("{behind} subscribers have not seen {offset} after {patience:?}")));
            }
            self.turn_with_all()?;
        }
    }
}

impl Follower {
    fn end(&mut self, subscribed: &mut usize) {
        *subscribed -= usize::from(std::mem::take(&mut self.is_subscribed));
    }
}

struct Hearing<'a> {
    followers: &'a mut [Follower],
    subscribed: &'a mut usize,
    epoch: &'a mut Option<String>,
    account: &'a mut Account,
    pings: &'a mut Vec<usize>,
    on: &'a mut dyn FnMut(usize, Seen),
}

impl Hearing<'_> {
    fn take(&mut self, index: usize, heard: Heard) -> Result<(), LoadError> {
        match heard {
            Heard::Event(offset) => self.event(index, offset),
            Heard::Subscribed(subscribed) => self.subscribed(index, &subscribed),
            Heard::Unsubscribed(why) => {
                self.account.violation(format!("subscriber {index} was unsubscribed: {why}"));
                self.followers[index].end(self.subscribed);
            }
            Heard::Refused(why) => return Err(LoadError::new(format!("subscriber {index} was refused: {why}"))),
            Heard::Ping => self.pings.push(index),
            Heard::Done | Heard::Other => {}
        }
        Ok(())
    }

    fn event(&mut self, index: usize, offset: u64) {
        self.account.take(index, &mut self.followers[index].sequence, offset);
        (self.on)(index, Seen::Event(offset));
    }

    fn subscribed(&mut self, index: usize, subscribed: &Subscribed) {
        let Subscribed { place, recovered, first_page } = subscribed;
        let follower = &mut self.followers[index];
        let epoch = self.epoch.get_or_insert_with(|| place.epoch.clone());
        let last = follower.sequence.last();
        if follower.has_place {
            let is_complete = *recovered == Some(true) && place.offset == last && *epoch == place.epoch;
            self.account.resume(index, is_complete, || format!("after {last} it was told {subscribed:?}"));
        }
        if !follower.has_place || *recovered == Some(false) {
            follower.sequence = Sequence::after(place.offset);
        }
        follower.has_place = true;
        *self.subscribed += usize::from(!std::mem::replace(&mut follower.is_subscribed, true));
        (self.on)(index, Seen::Subscribed);
        for &offset in first_page {
            self.event(index, offset);
        }
    }
}
