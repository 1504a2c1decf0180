use std::io::IoSlice;

use ordercast_protocol::envelope::Wire;
use proptest::prelude::*;

use super::*;
use crate::frames::{Form, Wrapper};

fn entry(subscription: u32, offsets: std::ops::RangeInclusive<u64>) -> Entry {
    let body = Bytes::from_static(b"{\"a\":1}");
    let before = offsets.start() - 1;
    let frames = Wrapper::default().wrap(Form::plain(Wire::PlainJson), "orders", offsets.map(|offset| (offset, &body)));
    let end = frames.len();
    let frames = Arc::new(frames);
    Entry { subscription, frames, start: 0, at: 0, end, before, is_ephemeral: false, positions: None }
}

fn next_bytes(outbox: &Outbox, limit: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let count = outbox.gather(&mut slices);
    let bytes = slices[..count].iter().flat_map(|slice| slice.iter().copied());
    bytes.take(limit).collect()
}

#[test]
fn the_answer_to_the_handshake_goes_first_and_is_no_reply() {
    let mut outbox = Outbox::default();
    outbox.push_first(Bytes::from_static(b"answer"));
    outbox.push_data(entry(1, 1..=1));
    outbox.push_control(Bytes::from_static(b"reply"));
    assert!(next_bytes(&outbox, usize::MAX).starts_with(b"answerreply"));
    assert_eq!((outbox.control_bytes(), outbox.is_urgent()), (11, true));
    assert_eq!(outbox.advance(4), Sent::default());
    assert!(next_bytes(&outbox, usize::MAX).starts_with(b"erreply"));
    assert_eq!(outbox.advance(7), Sent { events: 0, replies: 1 });
    let rest = next_bytes(&outbox, usize::MAX).len();
    assert_eq!((outbox.advance(rest), outbox.is_empty()), (Sent { events: 1, replies: 0 }, true));
}

#[test]
fn replies_come_before_events_but_not_inside_a_frame() {
    let mut outbox = Outbox::default();
    outbox.push_data(entry(1, 1..=2));
    let frame = outbox.data_bytes() / 2;
    let data = next_bytes(&outbox, usize::MAX);
    outbox.advance(3);
    outbox.push_control(Bytes::from_static(b"reply"));
    outbox.push_last(Bytes::from_static(b"last"));
    let expected = [&data[3..frame], b"reply", &data[frame..], b"last"].concat();
    assert_eq!(next_bytes(&outbox, usize::MAX), expected);
    let mut sent = Vec::new();
    while !outbox.is_empty() {
        let bytes = next_bytes(&outbox, 7);
        outbox.advance(bytes.len());
        sent.extend(bytes);
    }
    assert_eq!(sent, expected);
}

#[test]
fn what_is_dropped_tells_how_far_the_client_got() {
    let whole = entry(1, 5..=9).frames;
    let frame = whole.len() / 5;
    for (written, reached, left) in [
        (0, 4, 0),
        (1, 5, frame - 1),
        (frame, 5, 0),
        (frame + 1, 6, frame - 1),
        (4 * frame, 8, 0),
        (5 * frame - 1, 9, 1),
    ] {
        let mut outbox = Outbox::default();
        outbox.push_data(entry(1, 5..=9));
        outbox.push_data(entry(2, 70..=71));
        outbox.push_data(entry(1, 10..=10));
        outbox.advance(written);
        let dropped = outbox.drop_data();
        assert_eq!(dropped.reached, [(1, reached), (2, 69)], "after {written} bytes");
        assert_eq!(outbox.data_bytes(), left);
        assert_eq!(next_bytes(&outbox, usize::MAX), whole.bytes()[written..written + left]);
    }
}

#[test]
fn one_subscription_is_dropped_alone() {
    let mut outbox = Outbox::default();
    outbox.push_data(entry(1, 5..=6));
    outbox.push_data(entry(2, 7..=7));
    outbox.push_data(Entry { is_ephemeral: true, ..entry(1, 8..=9) });
    outbox.advance(1);
    let dropped = outbox.drop_subscription(1);
    assert_eq!((dropped.reached, dropped.ephemeral), (vec![(1, 5)], 2));
    let frame = entry(2, 7..=7).end;
    assert_eq!(outbox.data_bytes(), frame - 1 + frame);
    outbox.advance(2 * frame - 1);
    assert!(outbox.is_empty());
}

proptest! {
    /// Whatever is pushed and however it is written, the bytes come out once and whole frames stay whole.
    #[test]
    fn every_byte_is_sent_once(steps in prop::collection::vec((0_u8..4, 1_usize..200), 1..60)) {
        let mut outbox = Outbox::default();
        let (mut control, mut data, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        let mut offset = 1;
        for (kind, size) in steps {
            match kind {
                0 => {
                    let reply = ws_reply(control.len());
                    control.extend_from_slice(&reply);
                    outbox.push_control(reply);
                }
                1 => {
                    let entry = entry(1, offset..=offset + size as u64 % 5);
                    offset += size as u64 % 5 + 1;
                    data.extend_from_slice(entry.frames.bytes());
                    outbox.push_data(entry);
                }
                _ => {
                    let bytes = next_bytes(&outbox, size);
                    outbox.advance(bytes.len());
                    sent.extend(bytes);
                }
            }
        }
        while !outbox.is_empty() {
            let bytes = next_bytes(&outbox, 100);
            outbox.advance(bytes.len());
            sent.extend(bytes);
        }
        prop_assert_eq!((outbox.data_bytes(), outbox.control_bytes()), (0, 0));
        // Frames are told apart by their first payload byte: replies are numbers, events objects.
        let (mut replies, mut events, mut rest) = (Vec::new(), Vec::new(), &sent[..]);
        while let [_, len, ..] = rest {
            let (frame, tail) = rest.split_at(2 + usize::from(*len));
            if frame[2] == b'{' { events.extend_from_slice(frame) } else { replies.extend_from_slice(frame) }
            rest = tail;
        }
        prop_assert_eq!((replies, events), (control, data));
    }
}

fn ws_reply(number: usize) -> Bytes {
    crate::ws::text_frame(number.to_string().as_bytes())
}
