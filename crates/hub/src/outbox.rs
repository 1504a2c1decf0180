//! What waits for one client: the answer to its handshake, replies, events, and a close frame after all of them.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use ordercast_protocol::position::Epoch;

use crate::frames::Frames;

/// Where each log channel of a stream stands, for event ids.
#[derive(Clone, Debug)]
pub(crate) struct Positions {
    pub(crate) channels: Vec<(Arc<str>, Epoch, u64)>,
    /// Which of them the events belong to.
    pub(crate) own: usize,
}

/// Wrapped events of one subscription: a part of a shared buffer, never a copy.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) subscription: u32,
    pub(crate) frames: Arc<Frames>,
    /// Where this subscriber's part begins.
    pub(crate) start: usize,
    /// Sent up to here.
    pub(crate) at: usize,
    pub(crate) end: usize,
    /// Where the subscription stood before this entry.
    pub(crate) before: u64,
    /// Never stored: when it is dropped, it is lost.
    pub(crate) is_ephemeral: bool,
    /// For event ids; streams only.
    pub(crate) positions: Option<Arc<Positions>>,
}

impl Entry {
    fn is_inside_frame(&self) -> bool {
        self.at > self.start && !self.frames.is_boundary(self.at)
    }

    /// The last offset that the client has, or will have once the begun frame is finished.
    fn reached(&self) -> u64 {
        match self.at {
            at if at == self.start => self.before,
            at => self.frames.frame_offset(at - 1).unwrap_or(self.before),
        }
    }

    pub(crate) fn frame_count(&self) -> usize {
        self.frames.count(self.start, self.end)
    }
}

/// What was dropped from an outbox.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// How far each subscription really got.
    pub(crate) reached: Vec<(u32, u64)>,
    /// Ephemeral events that are lost.
    pub(crate) ephemeral: usize,
}

/// What an advance completed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) events: usize,
    pub(crate) replies: usize,
}

/// The queue. Holds no memory when empty, and next to none of its own: most connections have nothing waiting.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Option<Box<Queues>>);

#[derive(Debug, Default)]
struct Queues {
    /// The answer to the opening handshake: before everything else, and no frame.
    first: Bytes,
    control: VecDeque<Bytes>,
    control_bytes: usize,
    /// The largest reply since none waited.
    largest_reply: usize,
    data: VecDeque<Entry>,
    data_bytes: usize,
    last: Option<Bytes>,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn data_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |queues| queues.data_bytes)
    }

    pub(crate) fn control_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |queues| queues.first.len() + queues.control_bytes)
    }

    /// Bytes of replies that wait beside the largest one: a single large reply may take the kernel several
    /// turns, and says nothing about whether its client reads.
    pub(crate) fn reply_backlog(&self) -> usize {
        self.0.as_ref().map_or(0, |queues| queues.control_bytes.saturating_sub(queues.largest_reply))
    }

    /// Whether something waits that must not wait for long.
    pub(crate) fn is_urgent(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|queues| !queues.first.is_empty() || !queues.control.is_empty() || queues.last.is_some())
    }

    /// Sets what is sent before everything else; for a new outbox.
    pub(crate) fn push_first(&mut self, answer: Bytes) {
        if !answer.is_empty() {
            self.0.get_or_insert_default().first = answer;
        }
    }

    pub(crate) fn push_control(&mut self, frame: Bytes) {
        if !frame.is_empty() {
            let queues = self.0.get_or_insert_default();
            queues.control_bytes += frame.len();
            queues.largest_reply = queues.largest_reply.max(frame.len());
            queues.control.push_back(frame);
        }
    }

    /// Adds events; an entry must have some left to send.
    pub(crate) fn push_data(&mut self, entry: Entry) {
        debug_assert!(entry.at < entry.end, "an entry without events would wait for ever");
        let queues = self.0.get_or_insert_default();
        queues.data_bytes += entry.end - entry.at;
        queues.data.push_back(entry);
    }

    /// Sets what is sent after everything else; only the first counts.
    pub(crate) fn push_last(&mut self, frame: Bytes) {
        self.0.get_or_insert_default().last.get_or_insert(frame);
    }

    /// Fills `slices` with what is to be sent next, in order; gives how many.
    pub(crate) fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.0.as_ref().map_or(0, |queues| queues.gather(slices))
    }

    /// Notes that `written` bytes of what [`Outbox::gather`] gave are sent.
    pub(crate) fn advance(&mut self, written: usize) -> Sent {
        self.change(|queues| queues.advance(written))
    }

    /// Takes replies, to be sent elsewhere.
    pub(crate) fn pop_control(&mut self) -> Option<Bytes> {
        self.change(Queues::pop_control)
    }

    /// Takes events, to be sent elsewhere.
    pub(crate) fn pop_data(&mut self) -> Option<Entry> {
        self.change(Queues::pop_data)
    }

    /// Drops all events but the rest of a begun frame.
    pub(crate) fn drop_data(&mut self) -> Dropped {
        self.change(|queues| queues.drop_entries(|_| true))
    }

    /// Drops the events of one subscription but the rest of a begun frame.
    pub(crate) fn drop_subscription(&mut self, subscription: u32) -> Dropped {
        self.change(|queues| queues.drop_entries(|entry| entry.subscription == subscription))
    }

    /// Changes what waits, and gives the memory back when nothing does.
    fn change<T: Default>(&mut self, change: impl FnOnce(&mut Queues) -> T) -> T {
        let Some(queues) = &mut self.0 else {
            return T::default();
        };
        let changed = change(queues);
        if queues.is_empty() {
            self.0 = None;
        }
        changed
    }
}

impl Queues {
    fn is_empty(&self) -> bool {
        self.first.is_empty() && self.control.is_empty() && self.data.is_empty() && self.last.is_none()
    }

    fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut places = slices.iter_mut();
        let mut count = 0;
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() {
                return;
            }
            if let Some(place) = places.next() {
                *place = IoSlice::new(bytes);
                count += 1;
            }
        };
        put(&self.first);
        // A frame that has begun goes on before anything else, replies included.
        let begun = self.begun();
        if let (Some(end), Some(front)) = (begun, self.data.front()) {
            put(&front.frames.bytes()[front.at..end]);
        }
        for frame in &self.control {
            put(frame);
        }
        for (entry, index) in self.data.iter().zip(0..) {
            let at = if index == 0 { begun.unwrap_or(entry.at) } else { entry.at };
            put(&entry.frames.bytes()[at..entry.end]);
        }
        if let Some(last) = &self.last {
            put(last);
        }
        count
    }

    fn advance(&mut self, mut written: usize) -> Sent {
        let mut sent = Sent::default();
        let step = written.min(self.first.len());
        self.first.advance(step);
        written -= step;
        if let Some(end) = self.begun().filter(|_| written > 0) {
            written = self.advance_data(written, end, &mut sent);
        }
        while let Some(front) = self.control.front_mut().filter(|_| written > 0) {
            let step = written.min(front.len());
            front.advance(step);
            (written, self.control_bytes) = (written - step, self.control_bytes - step);
            if front.is_empty() {
                self.control.pop_front();
                sent.replies += 1;
            }
        }
        while let Some(end) = self.data.front().map(|front| front.end).filter(|_| written > 0) {
            written = self.advance_data(written, end, &mut sent);
        }
        if let Some(last) = self.last.as_mut().filter(|_| written > 0) {
            last.advance(written.min(last.len()));
            if last.is_empty() {
                self.last = None;
                sent.replies += 1;
            }
        }
        if self.control.is_empty() {
            self.largest_reply = 0;
        }
        sent
    }

    fn pop_control(&mut self) -> Option<Bytes> {
        let frame = self.control.pop_front();
        self.control_bytes -= frame.as_ref().map_or(0, Bytes::len);
        if self.control.is_empty() {
            self.largest_reply = 0;
        }
        frame
    }

    fn pop_data(&mut self) -> Option<Entry> {
        let entry = self.data.pop_front();
        self.data_bytes -= entry.as_ref().map_or(0, |entry| entry.end - entry.at);
        entry
    }

    fn drop_entries(&mut self, is_dropped: impl Fn(&Entry) -> bool) -> Dropped {
        let mut dropped = Dropped::default();
        // Most subscriptions that end have nothing waiting; the others' events are not moved for them.
        if !self.data.iter().any(&is_dropped) {
            return dropped;
        }
        let mut kept = VecDeque::new();
        for mut entry in std::mem::take(&mut self.data) {
            if !is_dropped(&entry) {
                kept.push_back(entry);
                continue;
            }
            if entry.is_ephemeral {
                dropped.ephemeral += entry.frames.count(entry.at, entry.end);
            } else if dropped.reached.iter().all(|(subscription, _)| *subscription != entry.subscription) {
                let reached = if entry.is_inside_frame() {
                    entry.frames.frame_offset(entry.at).unwrap_or(entry.before)
                } else {
                    entry.reached()
                };
                dropped.reached.push((entry.subscription, reached));
            }
            if entry.is_inside_frame() {
                entry.end = entry.frames.frame_end(entry.at);
                kept.push_back(entry);
            }
        }
        self.data = kept;
        self.data_bytes = self.data.iter().map(|entry| entry.end - entry.at).sum();
        dropped
    }

    /// The end of the frame that is partly sent.
    fn begun(&self) -> Option<usize> {
        self.data.front().filter(|front| front.is_inside_frame()).map(|front| front.frames.frame_end(front.at))
    }

    fn advance_data(&mut self, written: usize, end: usize, sent: &mut Sent) -> usize {
        let Some(front) = self.data.front_mut() else {
            return written;
        };
        let step = written.min(end - front.at);
        front.at += step;
        self.data_bytes -= step;
        if front.at == front.end {
            sent.events += front.frame_count();
            self.data.pop_front();
        }
        written - step
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
