//! Events wrapped for one wire protocol and one channel name: one buffer, shared by all who get it.

use bytes::Bytes;
use ordercast_protocol::envelope::Wire;

use crate::ws;

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
}

impl Frames {
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
}

impl Wrapper {
    pub(crate) fn wrap<'a>(
        &mut self,
        wire: Wire,
        channel: &str,
        events: impl Iterator<Item = (u64, &'a Bytes)> + Clone,
    ) -> Frames {
        /// Room for the header, the channel and the offset of one event.
        const ENVELOPE_BYTES: usize = 64;
        let size = events.clone().map(|(_, body)| body.len() + ENVELOPE_BYTES + channel.len()).sum();
        let mut bytes = Vec::with_capacity(size);
        let mut marks = Vec::with_capacity(events.clone().count());
        for (offset, body) in events {
            match wire {
                Wire::PlainJson => {
                    self.payload.clear();
                    wire.wrap(channel, offset, body, &mut self.payload);
                    ws::push_text_frame(&self.payload, &mut bytes);
                }
                Wire::ServerSentEvents => wire.wrap(channel, offset, body, &mut bytes),
            }
            marks.push(Mark { offset, end: bytes.len() });
        }
        Frames { bytes: bytes.into(), marks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_found_by_offset_and_by_place() {
        let body = Bytes::from_static(b"{\"a\":1}");
        let events = [(3, &body), (5, &body), (9, &body)];
        let frames = Wrapper::default().wrap(Wire::PlainJson, "orders", events.into_iter());
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
