//! A stream of Server-Sent Events: filled by a shard, read by the HTTP response that it is the body of.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;
use ordercast_protocol::position::encode_positions;

use crate::outbox::{Dropped, Entry, Outbox, Positions};

/// Bytes of events after which an item is closed; a single larger event still fits.
const MAX_ITEM_BYTES: usize = 64 * 1024;

/// Hears from the reading side of streams. Implemented by the shard's mailbox.
pub(crate) trait Upstream: Send + Sync {
    /// Everything that waited has been read, and the shard wanted to know.
    fn on_drained(&self, key: u64);
    /// The reader is gone.
    fn on_gone(&self, key: u64);
    /// Events were read.
    fn on_read(&self, events: usize, bytes: usize);
}

struct State {
    outbox: Outbox,
    waker: Option<Waker>,
    key: Option<u64>,
    wants_drained: bool,
    is_ended: bool,
    is_gone: bool,
}

/// The queue between a shard and a stream's reader.
pub(crate) struct Pipe {
    state: Mutex<State>,
    upstream: Arc<dyn Upstream>,
}

impl Pipe {
    pub(crate) fn new(upstream: Arc<dyn Upstream>) -> Arc<Self> {
        let state = State {
            outbox: Outbox::default(),
            waker: None,
            key: None,
            wants_drained: false,
            is_ended: false,
            is_gone: false,
        };
        Arc::new(Self { state: Mutex::new(state), upstream })
    }

    /// The shard knows the stream by `key` from now on; false when its reader has gone already.
    pub(crate) fn attach(&self, key: u64) -> bool {
        let mut state = self.lock();
        state.key = Some(key);
        !state.is_gone
    }

    pub(crate) fn push_control(&self, event: Bytes) {
        self.change(|state| state.outbox.push_control(event));
    }

    /// Adds events; gives the bytes of events that wait now.
    pub(crate) fn push_data(&self, entry: Entry) -> usize {
        self.change(|state| {
            state.outbox.push_data(entry);
            state.outbox.data_bytes()
        })
    }

    pub(crate) fn data_bytes(&self) -> usize {
        self.lock().outbox.data_bytes()
    }

    pub(crate) fn control_bytes(&self) -> usize {
        self.lock().outbox.control_bytes()
    }

    /// As [`Pipe::control_bytes`], without the largest of them.
    pub(crate) fn reply_backlog(&self) -> usize {
        self.lock().outbox.reply_backlog()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().outbox.is_empty()
    }

    pub(crate) fn drop_data(&self) -> Dropped {
        self.lock().outbox.drop_data()
    }

    /// Asks for [`Upstream::on_drained`] when no events wait; true when none do now.
    pub(crate) fn want_drained(&self) -> bool {
        let mut state = self.lock();
        state.wants_drained = state.outbox.data_bytes() > 0;
        !state.wants_drained
    }

    /// Asks for [`Upstream::on_drained`] when the reader comes back, even if nothing waits for it now.
    pub(crate) fn want_reader(&self) {
        self.change(|state| state.wants_drained = true);
    }

    /// The stream ends after what waits.
    pub(crate) fn end(&self) {
        self.change(|state| state.is_ended = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shard's end of a pipe. Dropping it ends the stream, so that a shard that panics, or never takes a
/// stream over, leaves no reader waiting for ever.
pub(crate) struct Inlet(Arc<Pipe>);

impl Inlet {
    pub(crate) fn new(pipe: Arc<Pipe>) -> Self {
        Self(pipe)
    }
}

impl Deref for Inlet {
    type Target = Pipe;

    fn deref(&self) -> &Pipe {
        &self.0
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The body of a response to `GET /events`: its items are whole events. Ends when the hub is drained or
/// the shard behind it is lost; dropping it removes the subscriber.
pub struct EventStream {
    pipe: Arc<Pipe>,
}

impl EventStream {
    pub(crate) fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe }
    }
}

impl Stream for EventStream {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let pipe = &self.pipe;
        let mut state = pipe.lock();
        let (item, events) = take_item(&mut state.outbox);
        let drained = state.wants_drained && state.outbox.data_bytes() == 0;
        let drained = state.key.filter(|_| drained);
        if drained.is_some() {
            state.wants_drained = false;
        }
        let answer = match item.is_empty() {
            false => Poll::Ready(Some(Bytes::from(item))),
            true if state.is_ended => Poll::Ready(None),
            true => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        };
        drop(state);
        if let Poll::Ready(Some(item)) = &answer {
            pipe.upstream.on_read(events, item.len());
        }
        if let Some(key) = drained {
            pipe.upstream.on_drained(key);
        }
        answer
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let mut state = self.pipe.lock();
        state.is_gone = true;
        state.outbox = Outbox::default();
        let key = state.key;
        drop(state);
        if let Some(key) = key {
            self.pipe.upstream.on_gone(key);
        }
    }
}

/// Takes what waits, comments and answers first, and counts the events.
fn take_item(outbox: &mut Outbox) -> (Vec<u8>, usize) {
    let mut item = Vec::new();
    let mut events = 0;
    while let Some(event) = outbox.pop_control() {
        item.extend_from_slice(&event);
    }
    while item.len() < MAX_ITEM_BYTES {
        let Some(entry) = outbox.pop_data() else {
            break;
        };
        events += entry.frame_count();
        match &entry.positions {
            None => item.extend_from_slice(&entry.frames.bytes()[entry.at..entry.end]),
            Some(positions) => push_with_ids(&entry, positions, &mut item),
        }
    }
    (item, events)
}

/// Each event has its own id, so that a stream cut anywhere is resumed exactly there.
fn push_with_ids(entry: &Entry, positions: &Positions, item: &mut Vec<u8>) {
    let mut at = entry.at;
    while at < entry.end {
        let end = entry.frames.frame_end(at);
        let offset = entry.frames.frame_offset(at).unwrap_or(entry.before);
        push_id(positions, offset, item);
        item.extend_from_slice(&entry.frames.bytes()[at..end]);
        at = end;
    }
}

fn push_id(positions: &Positions, own_offset: u64, item: &mut Vec<u8>) {
    let place = |index: usize, offset: u64| if index == positions.own { own_offset } else { offset };
    let places = positions.channels.iter().enumerate();
    let id = encode_positions(places.map(|(index, (name, epoch, offset))| (&**name, epoch, place(index, *offset))));
    item.extend_from_slice(b"id: ");
    item.extend_from_slice(id.as_bytes());
    item.push(b'\n');
}
