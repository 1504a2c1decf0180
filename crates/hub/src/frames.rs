//! Events wrapped for one wire protocol and one channel name: one buffer, shared by all who get it.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::centrifuge::fossil;
use ordercast_protocol::centrifuge::publication::data_of;
use ordercast_protocol::envelope::{Carrier, Wire};

use crate::counters::Backlog;
use crate::handler::Message;
use crate::presence::Changes;
use crate::ws::{self, Deflater, Opcode};

/// Subscribers of one channel and one form get the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) wire: Wire,
    /// Publications as their difference from the one before.
    pub(crate) is_delta: bool,
    /// Frames by RFC 7692.
    pub(crate) is_compressed: bool,
    /// Delivered not as events happen, but when the subscriber can take the newest.
    pub(crate) is_paced: bool,
}

impl Form {
    pub(crate) fn plain(wire: Wire) -> Self {
        Self { wire, is_delta: false, is_compressed: false, is_paced: false }
    }

    /// A message that a client of this form sent without a frame that would say what it is.
    pub(crate) fn message(self, bytes: &[u8]) -> Message<'_> {
        if self.wire.is_binary() { Message::Binary(bytes) } else { Message::Text(bytes) }
    }
}

/// Where an event ends in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    offset: u64,
    end: usize,
}

/// Wrapped events, ready for a socket or a stream, with the boundaries between them.
#[derive(Debug)]
pub(crate) struct Frames {
    bytes: Bytes,
    marks: Vec<Mark>,
    /// Counts the buffer for as long as anybody holds it.
    backlog: Arc<Backlog>,
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.backlog.add_events(self.bytes.len(), 0);
    }
}

impl Frames {
    fn new(bytes: Vec<u8>, marks: Vec<Mark>, backlog: &Arc<Backlog>) -> Self {
        backlog.add_events(0, bytes.len());
        Self { bytes: bytes.into(), marks, backlog: Arc::clone(backlog) }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the events above `offset` begin.
    pub(crate) fn start_after(&self, offset: u64) -> usize {
        let index = self.marks.partition_point(|mark| mark.offset <= offset);
        self.boundary(index)
    }

    /// The end of the frame that the byte at `at` belongs to.
    pub(crate) fn frame_end(&self, at: usize) -> usize {
        self.marks.get(self.frame_index(at)).map_or(self.len(), |mark| mark.end)
    }

    /// The offset of the frame that the byte at `at` belongs to.
    pub(crate) fn frame_offset(&self, at: usize) -> Option<u64> {
        self.marks.get(self.frame_index(at)).map(|mark| mark.offset)
    }

    /// Whether a frame begins at `at`, or the last one ends there.
    pub(crate) fn is_boundary(&self, at: usize) -> bool {
        self.boundary(self.frame_index(at)) == at
    }

    /// How many frames end in the range.
    pub(crate) fn count(&self, start: usize, end: usize) -> usize {
        self.frame_index(end) - self.frame_index(start)
    }

    fn frame_index(&self, at: usize) -> usize {
        self.marks.partition_point(|mark| mark.end <= at)
    }

    fn boundary(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.marks.get(before)).map_or(0, |mark| mark.end)
    }
}

/// Wraps events; keeps its scratch memory from one to the next.
#[derive(Default)]
pub(crate) struct Wrapper {
    payload: Vec<u8>,
    deflater: Deflater,
    backlog: Arc<Backlog>,
}

impl Wrapper {
    /// A wrapper whose frames are counted by `backlog` for as long as they live.
    pub(crate) fn new(backlog: Arc<Backlog>) -> Self {
        Self { backlog, ..Self::default() }
    }

    /// Wraps the events of `channel`, one frame each.
    pub(crate) fn wrap<'a>(
        &mut self,
        form: Form,
        channel: &str,
        events: impl Iterator<Item = (u64, &'a Bytes)> + Clone,
    ) -> Frames {
        /// Room for the header, the channel and the offset of one event.
        const ENVELOPE_BYTES: usize = 64;
        let size = events.clone().map(|(_, bytes)| bytes.len() + ENVELOPE_BYTES + channel.len()).sum();
        let mut bytes = Vec::with_capacity(size);
        let mut marks = Vec::with_capacity(events.clone().count());
        for (offset, event) in events {
            self.payload.clear();
            form.wire.wrap(channel, offset, event, &mut self.payload);
            self.push_frame(form, &mut bytes);
            marks.push(Mark { offset, end: bytes.len() });
        }
        Frames::new(bytes, marks, &self.backlog)
    }

    /// As [`Wrapper::wrap`], for a form that may take differences: each publication from the one before, the
    /// first from `base`; without a base each is whole.
    pub(crate) fn wrap_publications<'a>(
        &mut self,
        form: Form,
        channel: &str,
        events: impl Iterator<Item = (u64, &'a Bytes)> + Clone,
        base: Option<&Bytes>,
    ) -> Frames {
        let Some(encoding) = form.wire.centrifuge().filter(|_| form.is_delta) else {
            return self.wrap(form, channel, events);
        };
        let mut before = base.map(|base| data_of(encoding, base));
        let (mut bytes, mut marks) = (Vec::new(), Vec::new());
        for (offset, event) in events {
            let data = data_of(encoding, event);
            let delta = before.as_ref().and_then(|before| fossil::create(before, &data));
            self.payload.clear();
            form.wire.wrap_delta(channel, offset, event, delta.as_deref(), &mut self.payload);
            self.push_frame(form, &mut bytes);
            marks.push(Mark { offset, end: bytes.len() });
            before = base.map(|_| data);
        }
        Frames::new(bytes, marks, &self.backlog)
    }

    /// Appends the payload as the form's carrier wants it; on a stream it is whole already.
    fn push_frame(&mut self, form: Form, out: &mut Vec<u8>) {
        let opcode = match form.wire.carrier() {
            Carrier::TextFrames => Opcode::Text,
            Carrier::BinaryFrames => Opcode::Binary,
            Carrier::Stream => return out.extend_from_slice(&self.payload),
        };
        match form.is_compressed {
            true => self.deflater.push_frame(opcode, &self.payload, out),
            false => ws::push_frame(opcode, &self.payload, out),
        }
    }

    /// Wraps who came and went as one frame.
    pub(crate) fn wrap_changes(&mut self, form: Form, changes: &Changes) -> Frames {
        let changed = changes.changes.iter().map(|change| (change.is_join, &change.info[..]));
        let mut bytes = Vec::new();
        self.payload.clear();
        form.wire.wrap_presence(&changes.channel.name, changed, &mut self.payload);
        self.push_frame(form, &mut bytes);
        let marks = vec![Mark { offset: 0, end: bytes.len() }];
        Frames::new(bytes, marks, &self.backlog)
    }
}

/// A message of a handler as the wire's carrier wants it.
pub(crate) fn message_frame(wire: Wire, message: &[u8]) -> Bytes {
    match wire.carrier() {
        Carrier::TextFrames => ws::text_frame(message),
        Carrier::BinaryFrames => ws::binary_frame(message),
        Carrier::Stream => {
            let mut out = Vec::with_capacity(message.len() + 16);
            wire.push_message(message, &mut out);
            out.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_found_by_offset_and_by_place() {
        let body = Bytes::from_static(b"{\"a\":1}");
        let events = [(3, &body), (5, &body), (9, &body)];
        let frames = Wrapper::default().wrap(Form::plain(Wire::PlainJson), "orders", events.into_iter());
        let one = frames.len() / 3;
        for (offset, start) in [(0, 0), (2, 0), (3, one), (4, one), (5, 2 * one), (9, 3 * one), (10, 3 * one)] {
            assert_eq!(frames.start_after(offset), start, "{offset}");
        }
        for at in 0..frames.len() {
            assert_eq!(frames.frame_end(at), (at / one + 1) * one);
            assert_eq!(frames.frame_offset(at), Some([3, 5, 9][at / one]));
            assert_eq!(frames.is_boundary(at), at % one == 0);
        }
        assert!(frames.is_boundary(frames.len()));
        assert_eq!((frames.count(0, frames.len()), frames.count(one, one + 1)), (3, 0));
    }
}
