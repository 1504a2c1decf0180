//! One connection or stream of a shard: its sink, its subscriptions, and where it stands in its life.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use bytes::Bytes;
use ordercast_access::Origin;
use ordercast_protocol::channel::{Channel, Source};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::position::{Epoch, encode_positions};

use super::questions::Questions;
use super::ticket::PageTicket;
use crate::counters::{Backlog, Counter, Tally};
use crate::feed::Feed;
use crate::frames::{Form, Frames};
use crate::handler::{ConnectionHandler, Subscribe};
use crate::index::Index;
use crate::outbox::{Entry, Outbox, Positions, Sent};
use crate::registry;
use crate::stream::Inlet;
use crate::subscription::Subscription;
use crate::ws::Decoder;

/// Buffers handed to the kernel in one write.
const MAX_SLICES: usize = 32;

/// A socket after its upgrade.
pub(super) struct Socket {
    pub(super) stream: mio::net::TcpStream,
    pub(super) decoder: Decoder,
    pub(super) outbox: Outbox,
    pub(super) max_message_bytes: usize,
    /// The kernel's buffer was full at the last write.
    pub(super) is_blocked: bool,
}

/// Where frames go.
pub(super) enum Sink {
    Socket(Socket),
    Stream(Inlet),
}

/// What a handler asked for, done when it has returned.
pub(super) enum Action {
    Subscribe(Box<(Channel, Subscribe)>),
    Unsubscribe(Arc<str>),
}

/// How far the shard has got in each channel.
#[derive(Clone, Copy)]
pub(super) struct Heads<'a> {
    pub(super) feeds: &'a [Feed],
    pub(super) index: &'a Index,
}

impl<'a> Heads<'a> {
    pub(super) fn of(self, channel: &Channel) -> u64 {
        match &channel.source {
            Source::Log(log, _) => self.feeds[log.index()].known().head,
            Source::Memory(_) => self.index.memory.get(&channel.name).map_or(0, |local| local.feed.head()),
        }
    }

    fn epoch(self, channel: &Channel) -> Option<&'a Epoch> {
        Some(&self.feeds[channel.log()?.index()].known().epoch)
    }
}

/// Events of one channel for all subscribers of one form.
pub(super) struct Telling<'a> {
    pub(super) frames: &'a Arc<Frames>,
    /// The subscriber's part begins here.
    pub(super) start: usize,
    /// Where the subscription stood.
    pub(super) before: u64,
    pub(super) is_ephemeral: bool,
}

/// A closing handshake.
pub(super) struct Closing {
    /// When it has taken too long, in milliseconds of the shard's clock.
    pub(super) deadline_ms: u64,
    /// Whether what the client sends is still understood, so that its close frame is seen.
    pub(super) is_decoding: bool,
    pub(super) is_peer_closed: bool,
    pub(super) is_shut: bool,
}

/// One subscriber. Kept small: there are many, and most are idle.
pub(super) struct Subscriber {
    pub(super) sink: Sink,
    /// None for streams, and while it is being called.
    pub(super) handler: Option<Box<dyn ConnectionHandler>>,
    pub(super) entry: registry::Entry,
    pub(super) origin: Origin,
    pub(super) form: Form,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) next_subscription: u32,
    /// Subscriptions there will be when all actions are done.
    pub(super) channel_count: usize,
    pub(super) actions: Vec<Action>,
    pub(super) wanted_close: Option<(u16, Box<str>)>,
    pub(super) closing: Option<Closing>,
    /// The subscription a page is being read for.
    pub(super) page_in_flight: Option<PageTicket>,
    /// None for those that ask nothing, as nearly all.
    pub(super) questions: Option<Box<Questions>>,
    /// Bytes that the backlog of all connections counts for it.
    pub(super) counted_bytes: usize,
    /// The shared page did not reach as far as this subscriber is.
    pub(super) wants_exact_page: bool,
    pub(super) page_failures: u32,
    /// No page is read before, in milliseconds of the shard's clock; 0 when there was no failure.
    pub(super) retry_at_ms: u64,
    /// When the handler is to be woken, in milliseconds of the shard's clock; 0 for never.
    pub(super) wake_at_ms: u64,
    /// When the wheel has it looked at next, in milliseconds of the shard's clock; 0 for never.
    pub(super) armed_ms: u64,
    /// Last received (sockets) or sent (streams), in milliseconds of the shard's clock.
    pub(super) active_at_ms: u64,
    /// Since when a reply waits and nothing is taken, in milliseconds of the shard's clock.
    pub(super) urgent_since_ms: Option<u64>,
    pub(super) is_parked: bool,
    pub(super) is_pinged: bool,
    pub(super) is_ready: bool,
    pub(super) is_read_closed: bool,
    pub(super) is_dirty: bool,
    pub(super) is_dead: bool,
}

impl Subscriber {
    pub(super) fn new(sink: Sink, entry: registry::Entry, origin: Origin, form: Form, now_ms: u64) -> Self {
        Self {
            sink,
            handler: None,
            entry,
            origin,
            form,
            subscriptions: Vec::new(),
            next_subscription: 0,
            channel_count: 0,
            actions: Vec::new(),
            wanted_close: None,
            closing: None,
            page_in_flight: None,
            questions: None,
            counted_bytes: 0,
            wants_exact_page: false,
            page_failures: 0,
            retry_at_ms: 0,
            wake_at_ms: 0,
            armed_ms: 0,
            active_at_ms: now_ms,
            urgent_since_ms: None,
            is_parked: false,
            is_pinged: false,
            is_ready: false,
            is_read_closed: false,
            is_dirty: false,
            is_dead: false,
        }
    }

    pub(super) fn subscription_mut(&mut self, id: u32) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.id == id)
    }

    /// Whether the socket is to be left unread, because its client asks faster than it is answered.
    pub(super) fn is_held(&self) -> bool {
        self.closing.is_none() && self.questions.as_ref().is_some_and(|questions| questions.is_full())
    }

    /// Queues a whole frame or event before those of the data lane.
    pub(super) fn push_control(&mut self, frame: Bytes) {
        match &mut self.sink {
            Sink::Socket(socket) => socket.outbox.push_control(frame),
            Sink::Stream(pipe) => pipe.push_control(frame),
        }
    }

    /// Bytes of replies that wait.
    pub(super) fn control_bytes(&self) -> usize {
        match &self.sink {
            Sink::Socket(socket) => socket.outbox.control_bytes(),
            Sink::Stream(pipe) => pipe.control_bytes(),
        }
    }

    /// Bytes of a message that is not whole.
    pub(super) fn received_bytes(&self) -> usize {
        match &self.sink {
            Sink::Socket(socket) => socket.decoder.held_bytes(),
            Sink::Stream(_) => 0,
        }
    }

    /// Forgets a message that is not whole, and understands nothing that comes.
    pub(super) fn forget_received(&mut self) {
        if let Sink::Socket(socket) = &mut self.sink {
            socket.decoder = Decoder::default();
        }
        if let Some(closing) = &mut self.closing {
            closing.is_decoding = false;
        }
    }

    /// As [`Subscriber::control_bytes`], without the largest reply.
    pub(super) fn reply_backlog(&self) -> usize {
        match &self.sink {
            Sink::Socket(socket) => socket.outbox.reply_backlog(),
            Sink::Stream(pipe) => pipe.reply_backlog(),
        }
    }

    /// Has the backlog of all connections count what is held for this one alone: replies, and what came of a message
    /// that is not whole.
    pub(super) fn count_replies(&mut self, backlog: &Backlog) {
        let unread = self.questions.as_ref().map_or(0, |questions| questions.unread_bytes());
        let now = self.control_bytes() + unread + self.received_bytes();
        backlog.add_replies(std::mem::replace(&mut self.counted_bytes, now), now);
    }

    pub(super) fn data_bytes(&self) -> usize {
        match &self.sink {
            Sink::Socket(socket) => socket.outbox.data_bytes(),
            Sink::Stream(pipe) => pipe.data_bytes(),
        }
    }

    /// Sends events, straight when nothing waits before them; gives the bytes that wait now.
    pub(super) fn tell(
        &mut self,
        subscription: u32,
        telling: &Telling<'_>,
        heads: Heads<'_>,
        tally: &mut Tally,
    ) -> usize {
        let Telling { frames, start, before, is_ephemeral } = *telling;
        let mut at = start;
        if let Sink::Socket(socket) = &mut self.sink
            && !socket.is_blocked
            && socket.outbox.is_empty()
        {
            match socket.stream.write(&frames.bytes()[start..]) {
                Ok(written) if written == frames.len() - start => {
                    tally.sent(written, frames.count(start, frames.len()), 0);
                    return 0;
                }
                Ok(written) => {
                    tally.sent(written, 0, 0);
                    at += written;
                    socket.is_blocked = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.is_dead = true;
                    return 0;
                }
            }
        }
        let positions = if is_ephemeral { None } else { self.positions(heads, subscription) };
        let end = frames.len();
        let entry = Entry { subscription, frames: Arc::clone(frames), start, at, end, before, is_ephemeral, positions };
        match &mut self.sink {
            Sink::Socket(socket) => {
                socket.outbox.push_data(entry);
                socket.outbox.data_bytes()
            }
            Sink::Stream(pipe) => pipe.push_data(entry),
        }
    }

    /// Whether something can be written now, or the socket is to be given up.
    pub(super) fn wants_flush(&self) -> bool {
        match &self.sink {
            Sink::Socket(socket) => self.is_dead || (!socket.is_blocked && !socket.outbox.is_empty()),
            Sink::Stream(_) => self.is_dead,
        }
    }

    /// Writes what waits for as long as the kernel takes it.
    pub(super) fn flush(&mut self, tally: &mut Tally) {
        let Sink::Socket(socket) = &mut self.sink else {
            return;
        };
        while !socket.is_blocked && !socket.outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = socket.outbox.gather(&mut slices);
            let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            match socket.stream.write_vectored(&slices[..count]) {
                Ok(written) => {
                    let Sent { events, replies } = socket.outbox.advance(written);
                    tally.sent(written, events, replies);
                    socket.is_blocked = written < offered;
                    // It reads: a large reply over a slow line has as long as it needs.
                    self.urgent_since_ms = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.is_dead = true;
                    return;
                }
            }
        }
        if !socket.outbox.is_urgent() {
            self.urgent_since_ms = None;
        }
    }

    /// Drops the events that wait and stops every subscription where its client really is.
    pub(super) fn park(&mut self, heads: Heads<'_>, tally: &mut Tally) {
        let dropped = match &mut self.sink {
            Sink::Socket(socket) => socket.outbox.drop_data(),
            Sink::Stream(pipe) => pipe.drop_data(),
        };
        tally.add(Counter::Dropped, dropped.ephemeral);
        for subscription in self.subscriptions.iter_mut().filter(|subscription| !subscription.is_ephemeral()) {
            let reached = dropped.reached.iter().find(|(id, _)| *id == subscription.id).map(|(_, offset)| *offset);
            let position = subscription.cursor.position(heads.of(&subscription.channel));
            subscription.cursor.park(reached.unwrap_or(position));
            if reached.is_some() {
                subscription.delta_base = 0;
            }
        }
        if !self.is_parked {
            self.is_parked = true;
            tally.add(Counter::Parked, 1);
        }
        if let Sink::Stream(pipe) = &self.sink {
            pipe.want_reader();
        }
    }

    /// Reads on where it was parked.
    pub(super) fn unpark(&mut self, heads: Heads<'_>, tally: &mut Tally) {
        if !std::mem::take(&mut self.is_parked) {
            return;
        }
        for subscription in self.subscriptions.iter_mut().filter(|subscription| !subscription.is_ephemeral()) {
            subscription.cursor.resume(heads.of(&subscription.channel));
        }
        tally.add(Counter::ParkEnded, 1);
        tally.add(Counter::Resumed, 1);
    }

    /// Where a stream's log channels stand, for the ids of events of subscription `own`; none for others.
    pub(super) fn positions(&self, heads: Heads<'_>, own: u32) -> Option<Arc<Positions>> {
        if self.form.wire != Wire::ServerSentEvents {
            return None;
        }
        let logs = || self.subscriptions.iter().filter(|subscription| subscription.channel.log().is_some());
        let own = logs().position(|subscription| subscription.id == own)?;
        let channels = logs().filter_map(|subscription| {
            let offset = subscription.cursor.position(heads.of(&subscription.channel));
            Some((Arc::clone(&subscription.channel.name), heads.epoch(&subscription.channel)?.clone(), offset))
        });
        Some(Arc::new(Positions { channels: channels.collect(), own }))
    }

    /// The line that tells a stream's client where it stands; empty without log channels.
    pub(super) fn id_line(&self, heads: Heads<'_>) -> String {
        let own = self.subscriptions.iter().find(|subscription| subscription.channel.log().is_some());
        let Some(positions) = own.and_then(|own| self.positions(heads, own.id)) else {
            return String::new();
        };
        let places = positions.channels.iter().map(|(name, epoch, offset)| (&**name, epoch, *offset));
        format!("id: {}\n", encode_positions(places))
    }
}

impl Tally {
    fn sent(&mut self, bytes: usize, events: usize, replies: usize) {
        self.add(Counter::Writes, 1);
        self.add(Counter::BytesOut, bytes);
        self.add(Counter::EventsDelivered, events);
        self.add(Counter::FramesOut, events + replies);
    }
}
