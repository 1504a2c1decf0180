use proptest::prelude::*;

use super::*;

const MAX: usize = 100_000;

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// What came out, in a form that can be kept.
fn describe(item: &Item<'_>) -> String {
    match item {
        Item::Text(text) => format!("text {}", String::from_utf8_lossy(text)),
        Item::Binary(bytes) => format!("binary {}", bytes.len()),
        Item::Ping(payload) => format!("ping {}", String::from_utf8_lossy(payload)),
        Item::Pong => "pong".to_owned(),
        Item::Close(code) => format!("close {code:?}"),
    }
}

fn decode(chunks: &[&[u8]], max: usize) -> (Vec<String>, Result<bool, u16>) {
    let mut decoder = Decoder::default();
    let mut items = Vec::new();
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let result = decoder.decode(&mut chunk, max, &mut |item| {
            items.push(describe(&item));
            Flow::Continue(())
        });
        if let Err(violation) = result {
            return (items, Err(violation.code));
        }
    }
    (items, Ok(decoder.is_idle()))
}

/// Whole, byte by byte and in halves the answer is the same.
fn check(frames: &[Vec<u8>], items: &[&str], end: Result<bool, u16>) {
    let bytes = frames.concat();
    let expected = (items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>(), end);
    assert_eq!(decode(&[&bytes], 1000), expected, "whole: {bytes:x?}");
    assert_eq!(decode(&bytes.chunks(1).collect::<Vec<_>>(), 1000), expected, "byte by byte: {bytes:x?}");
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    assert_eq!(decode(&[head, tail], 1000), expected, "in halves: {bytes:x?}");
}

#[test]
fn messages_come_out_whole() {
    check(&[frame(0x81, b"hello")], &["text hello"], Ok(true));
    check(&[frame(0x81, b"")], &["text "], Ok(true));
    check(&[frame(0x82, &[0xff; 300])], &["binary 300"], Ok(true));
    check(&[frame(0x81, b"a"), frame(0x81, b"b")], &["text a", "text b"], Ok(true));
    check(&[frame(0x01, b"a"), frame(0x00, b"b"), frame(0x80, b"c")], &["text abc"], Ok(true));
    check(&[frame(0x01, b"a"), frame(0x89, b"p"), frame(0x80, b"b")], &["ping p", "text ab"], Ok(true));
    check(&[frame(0x02, b""), frame(0x00, b""), frame(0x80, b"")], &["binary 0"], Ok(true));
    check(&[frame(0x8A, b"x")], &["pong"], Ok(true));
    check(&[frame(0x89, &[b'x'; 125])], &[&format!("ping {}", "x".repeat(125))], Ok(true));
    check(&[frame(0x01, b"a")], &[], Ok(false));
}

#[test]
fn characters_may_be_cut_by_fragments() {
    let text = "κόσμε€𝄞".as_bytes();
    for cut in 0..text.len() {
        check(&[frame(0x01, &text[..cut]), frame(0x80, &text[cut..])], &["text κόσμε€𝄞"], Ok(true));
    }
    check(&[frame(0x81, b"\xce\xba\xed\xa0\x80")], &[], Err(1007));
    check(&[frame(0x01, b"\xce"), frame(0x80, b"")], &[], Err(1007));
    check(&[frame(0x01, b"\xce"), frame(0x80, b"x")], &[], Err(1007));
    check(&[frame(0x01, b"\xf4\x90")], &[], Err(1007));
    check(&[frame(0x82, b"\xff")], &["binary 1"], Ok(true));
}

#[test]
fn broken_frames_are_refused() {
    for first in [0xC1, 0xA1, 0x91, 0x83, 0x84, 0x87, 0x8B, 0x8F, 0x03, 0x0B] {
        check(&[frame(first, b"x")], &[], Err(1002));
    }
    check(&[frame(0x80, b"x")], &[], Err(1002));
    check(&[frame(0x00, b"x")], &[], Err(1002));
    check(&[frame(0x01, b"x"), frame(0x81, b"y")], &[], Err(1002));
    check(&[frame(0x01, b"x"), frame(0x02, b"y")], &[], Err(1002));
    check(&[frame(0x09, b"x")], &[], Err(1002));
    check(&[frame(0x89, &[0; 126])], &[], Err(1002));
    check(&[b"\x81\x01x".to_vec()], &[], Err(1002));
    check(&[b"GET / HTTP/1.1\r\n".to_vec()], &[], Err(1002));
    check(&[b"\x81\xfe\x00\x05mask".to_vec()], &[], Err(1002));
    check(&[b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xffmask".to_vec()], &[], Err(1002));
    check(&[b"\x81\xff\x80\x00\x00\x00\x00\x01\x00\x00mask".to_vec()], &[], Err(1002));
    check(&[b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask".to_vec()], &[], Err(1009));
}

#[test]
fn sizes_are_bounded_over_fragments() {
    check(&[frame(0x82, &[0; 1000])], &["binary 1000"], Ok(true));
    check(&[frame(0x82, &[0; 1001])], &[], Err(1009));
    check(&[frame(0x02, &[0; 600]), frame(0x80, &[0; 400])], &["binary 1000"], Ok(true));
    check(&[frame(0x02, &[0; 600]), frame(0x80, &[0; 401])], &[], Err(1009));
}

#[test]
fn closes_are_checked() {
    check(&[frame(0x88, b"")], &["close None"], Ok(true));
    check(&[frame(0x88, b"x")], &[], Err(1002));
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4000, 4999] {
        check(&[frame(0x88, &code.to_be_bytes())], &[&format!("close Some({code})")], Ok(true));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        check(&[frame(0x88, &code.to_be_bytes())], &[], Err(1002));
    }
    check(&[frame(0x88, b"\x03\xe8bye")], &["close Some(1000)"], Ok(true));
    check(&[frame(0x88, b"\x03\xe8\xff")], &[], Err(1007));
    // What follows a close is not looked at.
    let bytes = [frame(0x88, b""), frame(0x81, b"late")].concat();
    assert_eq!(decode(&[&bytes], 1000).0, ["close None"]);
}

proptest! {
    /// However the bytes are cut, the same messages come out.
    #[test]
    fn chunks_do_not_matter(
        messages in prop::collection::vec((any::<bool>(), "\\PC{0,80}", 0_usize..4), 0..8),
        cuts in prop::collection::vec(1_usize..40, 1..200),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (is_text, text, pieces) in &messages {
            let opcode = if *is_text { 0x01 } else { 0x02 };
            let payload = text.as_bytes();
            let size = payload.len() / (pieces + 1) + 1;
            let count = payload.chunks(size).count().max(1);
            for index in 0..count {
                let piece = payload.chunks(size).nth(index).unwrap_or(&[]);
                let first = if index == 0 { opcode } else { 0 } | if index + 1 == count { 0x80 } else { 0 };
                bytes.extend(frame(first, piece));
                if index + 1 < count {
                    bytes.extend(frame(0x89, b"!"));
                    expected.push("ping !".to_owned());
                }
            }
            expected.push(if *is_text { format!("text {text}") } else { format!("binary {}", payload.len()) });
        }
        let mut chunks = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        prop_assert_eq!(decode(&chunks, MAX), (expected, Ok(true)));
    }

    /// Bytes of any kind give items or a violation, never a panic, and never more memory than the bound.
    #[test]
    fn garbage_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 1_usize..50) {
        let chunks = bytes.chunks(cut).collect::<Vec<_>>();
        let (_, end) = decode(&chunks, 100);
        prop_assert!(matches!(end, Ok(_) | Err(1002 | 1007 | 1009)));
    }
}
