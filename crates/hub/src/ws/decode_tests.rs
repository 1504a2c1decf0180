use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::super::invariants::check_decoder;
use super::*;

const MAX: usize = 1000;
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// What came out, and why it ended: a code, or whether nothing was left over.
type Outcome = (Vec<String>, Result<bool, u16>);

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
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
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// The beginning of a frame that announces more than there is.
fn cut(first: u8, payload: &[u8], missing: usize) -> Vec<u8> {
    let mut whole = frame(first, &[payload, &vec![0; missing]].concat());
    whole.truncate(whole.len() - missing);
    whole
}

fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() * 2 + 100);
    Compress::new(Compression::new(6), false).compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
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

fn decode(chunks: &[&[u8]], mut inflater: Option<Inflater>) -> Outcome {
    let mut decoder = Decoder::default();
    let mut items = Vec::new();
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let result = decoder.decode(&mut chunk, MAX, inflater.as_mut(), &mut |item| {
            items.push(describe(&item));
            Flow::Continue(())
        });
        if let Err(violation) = result {
            return (items, Err(violation.code));
        }
    }
    assert_eq!(decoder.is_idle(), decoder.held_bytes() == 0);
    (items, Ok(decoder.is_idle()))
}

/// Whole, byte by byte and in two parts anywhere, the answer is the same.
fn check_with(inflater: fn() -> Option<Inflater>, frames: &[Vec<u8>], items: &[&str], end: Result<bool, u16>) {
    let bytes = frames.concat();
    let expected = (items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>(), end);
    assert_eq!(decode(&[&bytes], inflater()), expected, "whole: {bytes:x?}");
    assert_eq!(decode(&bytes.chunks(1).collect::<Vec<_>>(), inflater()), expected, "byte by byte: {bytes:x?}");
    for at in (1..bytes.len()).step_by(1 + bytes.len() / 200) {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(decode(&[head, tail], inflater()), expected, "at {at}: {bytes:x?}");
    }
}

/// With compression or without it is the same.
fn check(frames: &[Vec<u8>], items: &[&str], end: Result<bool, u16>) {
    check_with(|| None, frames, items, end);
    check_with(|| Some(Inflater::default()), frames, items, end);
}

fn check_compressed(frames: &[Vec<u8>], items: &[&str], end: Result<bool, u16>) {
    check_with(|| Some(Inflater::default()), frames, items, end);
    // The first of them is not allowed then.
    check_with(|| None, frames, &[], Err(1002));
}

#[test]
fn messages_come_out_whole() {
    check(&[frame(0x81, b"hello")], &["text hello"], Ok(true));
    check(&[frame(0x81, b"")], &["text "], Ok(true));
    check(&[frame(0x82, b"")], &["binary 0"], Ok(true));
    for len in [1, 124, 125, 126, 127, 128, 999, 1000] {
        check(&[frame(0x82, &vec![0xff; len])], &[&format!("binary {len}")], Ok(true));
        check(&[frame(0x81, &vec![b'*'; len])], &[&format!("text {}", "*".repeat(len))], Ok(true));
    }
    check(&[frame(0x81, b"a"), frame(0x81, b"b")], &["text a", "text b"], Ok(true));
}

#[test]
fn large_messages_come_out_whole() {
    for len in [65_535, 65_536, 300_000] {
        for chunk in [usize::MAX, 16_384, 1_000] {
            let mut bytes = frame(0x82, &vec![7; len]);
            let (mut decoder, mut seen) = (Decoder::default(), None);
            for part in bytes.chunks_mut(chunk) {
                decoder
                    .decode(part, len, None, &mut |item| {
                        let Item::Binary(message) = item else { panic!("{}", describe(&item)) };
                        assert!(message.iter().all(|&byte| byte == 7));
                        seen = Some(message.len());
                        Flow::Continue(())
                    })
                    .unwrap();
            }
            assert_eq!((seen, decoder.is_idle()), (Some(len), true));
        }
    }
}

#[test]
fn fragments_are_put_together() {
    check(&[frame(0x01, b"a"), frame(0x00, b"b"), frame(0x80, b"c")], &["text abc"], Ok(true));
    check(&[frame(0x01, b""), frame(0x00, b""), frame(0x80, b"")], &["text "], Ok(true));
    check(&[frame(0x02, b""), frame(0x00, b"x"), frame(0x80, b"")], &["binary 1"], Ok(true));
    check(&[frame(0x01, b"a")], &[], Ok(false));
    check(&[frame(0x01, b"a"), frame(0x89, b"p"), frame(0x80, b"b")], &["ping p", "text ab"], Ok(true));
    check(&[frame(0x01, b"a"), frame(0x8A, b""), frame(0x80, b"b")], &["pong", "text ab"], Ok(true));
    check(
        &[frame(0x01, b"a"), frame(0x89, b"1"), frame(0x00, b"b"), frame(0x89, b"2"), frame(0x80, b"c")],
        &["ping 1", "ping 2", "text abc"],
        Ok(true),
    );
    check(&[frame(0x01, b"a"), frame(0x88, b"")], &["close None"], Ok(false));
    check(&[frame(0x02, b"a"), frame(0x80, b"b"), frame(0x81, b"c")], &["binary 2", "text c"], Ok(true));
    check(&[frame(0x00, b"x")], &[], Err(1002));
    check(&[frame(0x80, b"x")], &[], Err(1002));
    check(&[frame(0x01, b"x"), frame(0x80, b"y"), frame(0x80, b"z")], &["text xy"], Err(1002));
    check(&[frame(0x01, b"x"), frame(0x81, b"y")], &[], Err(1002));
    check(&[frame(0x01, b"x"), frame(0x02, b"y")], &[], Err(1002));
    check(&[frame(0x01, b"x"), frame(0x00, b"y"), frame(0x82, b"z")], &[], Err(1002));
}

#[test]
fn control_frames_are_short_and_whole() {
    check(&[frame(0x89, b"")], &["ping "], Ok(true));
    check(&[frame(0x8A, b"x")], &["pong"], Ok(true));
    check(&[frame(0x89, &[b'x'; 125])], &[&format!("ping {}", "x".repeat(125))], Ok(true));
    check(&[frame(0x89, b"\x00\xff\xfe")], &["ping \0\u{fffd}\u{fffd}"], Ok(true));
    check(&vec![frame(0x89, b"x"); 10], &["ping x"; 10], Ok(true));
    for opcode in [0x08, 0x09, 0x0A] {
        check(&[frame(opcode, b"")], &[], Err(1002));
        check(&[frame(0x80 | opcode, &[b'x'; 126])], &[], Err(1002));
        check(&[cut(0x80 | opcode, b"", 70_000)], &[], Err(1002));
    }
}

#[test]
fn broken_headers_are_refused() {
    // Reserved bits, on all kinds of frames.
    for first in [0xA1, 0x91, 0xB1, 0xF1, 0xE2, 0xA9, 0x98, 0xAA, 0xF8] {
        check(&[frame(first, b"x")], &[], Err(1002));
        check(&[frame(0x81, b"before"), frame(first, b"x")], &["text before"], Err(1002));
    }
    // Reserved opcodes.
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        check(&[frame(0x80 | opcode, b"")], &[], Err(1002));
        check(&[frame(opcode, b"x")], &[], Err(1002));
        check(&[frame(0x01, b"x"), frame(0x80 | opcode, b"x")], &[], Err(1002));
    }
    // No mask, not WebSocket at all, and lengths that are not in their shortest form or not numbers.
    check(&[b"\x81\x01x".to_vec()], &[], Err(1002));
    check(&[b"GET / HTTP/1.1\r\n".to_vec()], &[], Err(1002));
    check(&[b"\x81\xfe\x00\x05mask".to_vec()], &[], Err(1002));
    check(&[b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xffmask".to_vec()], &[], Err(1002));
    check(&[b"\x81\xff\x80\x00\x00\x00\x00\x01\x00\x00mask".to_vec()], &[], Err(1002));
    check(&[b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask".to_vec()], &[], Err(1009));
}

#[test]
fn text_is_utf8() {
    let text = "κόσμε€𝄞\u{10ffff}\0";
    for at in 0..=text.len() {
        let (head, tail) = text.as_bytes().split_at(at);
        check(&[frame(0x01, head), frame(0x80, tail)], &[&format!("text {text}")], Ok(true));
        check(
            &[frame(0x01, head), frame(0x89, b"\xff"), frame(0x00, b""), frame(0x80, tail)],
            &["ping \u{fffd}", &format!("text {text}")],
            Ok(true),
        );
    }
    for wrong in [
        &b"\x80"[..],
        b"\xbf",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xc3\x28",
        b"\xe0\x80\xaf",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\xaf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
        "κόσμε\u{10ffff}"[..].as_bytes().strip_suffix(b"\xbf").unwrap(),
    ] {
        let late = [b"valid ", wrong].concat();
        check(&[frame(0x81, wrong)], &[], Err(1007));
        check(&[frame(0x81, &late)], &[], Err(1007));
        check(&[frame(0x01, &late), frame(0x80, b"")], &[], Err(1007));
        check(&[frame(0x01, b"valid "), frame(0x80, wrong)], &[], Err(1007));
        check(&[frame(0x01, b"x"), frame(0x80, b"y"), frame(0x81, wrong)], &["text xy"], Err(1007));
        check(&[frame(0x82, wrong)], &[&format!("binary {}", wrong.len())], Ok(true));
    }
}

#[test]
fn the_first_wrong_byte_of_a_text_is_enough() {
    for (valid, wrong) in [
        (&b""[..], &b"\xff"[..]),
        (b"valid ", b"\x80"),
        ("κόσμε".as_bytes(), b"\xed\xa0"),
        ("κόσμε".as_bytes(), b"\xf4\x90"),
        (b"\xf0\x90", b"x"),
        (b"\xe2\x82", b"\xe2"),
    ] {
        let both = [valid, wrong].concat();
        // In a frame of which most is still to come, the only one or a later one; and not before that byte.
        for (before, first) in
            [(vec![], 0x81), (vec![], 0x01), (vec![frame(0x01, b"x")], 0x00), (vec![frame(0x01, b"x")], 0x80)]
        {
            check(&[before.concat(), cut(first, &both, 500)], &[], Err(1007));
            check(&[before.concat(), cut(first, &both[..both.len() - 1], 500)], &[], Ok(false));
        }
        // At the end of a fragment, with more to come.
        check(&[frame(0x01, valid), frame(0x00, wrong)], &[], Err(1007));
    }
}

#[test]
fn sizes_are_bounded_over_fragments() {
    check(&[frame(0x82, &[0; MAX])], &["binary 1000"], Ok(true));
    check(&[frame(0x82, &[0; MAX + 1])], &[], Err(1009));
    check(&[frame(0x02, &[0; 600]), frame(0x80, &[0; 400])], &["binary 1000"], Ok(true));
    check(&[frame(0x02, &[0; 600]), frame(0x80, &[0; 401])], &[], Err(1009));
    check(&[frame(0x02, &[0; 600]), frame(0x00, &[0; 400]), frame(0x00, &[0; 1])], &[], Err(1009));
    check(
        &[frame(0x02, &[0; 600]), frame(0x89, &[b'p'; 3]), frame(0x80, &[0; 400])],
        &["ping ppp", "binary 1000"],
        Ok(true),
    );
    // Before the payload has come.
    check(&[cut(0x82, b"", MAX + 1)], &[], Err(1009));
    check(&[cut(0x82, b"", 1 << 20)], &[], Err(1009));
}

#[test]
fn closes_are_checked() {
    check(&[frame(0x88, b"")], &["close None"], Ok(true));
    check(&[frame(0x88, b"x")], &[], Err(1002));
    for code in (1000_u16..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        check(&[frame(0x88, &code.to_be_bytes())], &[&format!("close Some({code})")], Ok(true));
    }
    for code in [0_u16, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        check(&[frame(0x88, &code.to_be_bytes())], &[], Err(1002));
    }
    let with_reason = |reason: &[u8]| frame(0x88, &[b"\x03\xe8", reason].concat());
    check(&[with_reason(b"bye")], &["close Some(1000)"], Ok(true));
    check(&[with_reason("κόσμε".as_bytes())], &["close Some(1000)"], Ok(true));
    check(&[with_reason(&[b'*'; 123])], &["close Some(1000)"], Ok(true));
    check(&[with_reason(&[b'*'; 124])], &[], Err(1002));
    check(&[with_reason(b"\xff")], &[], Err(1007));
    check(&[with_reason(b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")], &[], Err(1007));
    // What follows in the same read is not looked at.
    for late in [frame(0x81, b"late"), frame(0x89, b""), frame(0x88, b""), frame(0xFF, b"")] {
        let bytes = [frame(0x88, b""), late].concat();
        assert_eq!(decode(&[&bytes], None).0, ["close None"]);
    }
}

#[test]
fn compressed_messages_come_out_whole() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    check_compressed(&[frame(0xC1, hello)], &["text Hello"], Ok(true));
    check_compressed(&[frame(0xC2, hello)], &["binary 5"], Ok(true));
    check_compressed(&[frame(0xC1, b"\x00")], &["text "], Ok(true));
    // Only the first frame says that a message is compressed (RFC 7692 §7.2.3.1).
    check_compressed(&[frame(0x41, &hello[..3]), frame(0x80, &hello[3..])], &["text Hello"], Ok(true));
    check_compressed(
        &[frame(0x41, b""), frame(0x00, &hello[..1]), frame(0x89, b"p"), frame(0x00, &hello[1..]), frame(0x80, b"")],
        &["ping p", "text Hello"],
        Ok(true),
    );
    // Each message is for itself, and may be compressed or not.
    check_compressed(
        &[frame(0xC1, hello), frame(0x81, b"plain"), frame(0xC1, hello)],
        &["text Hello", "text plain", "text Hello"],
        Ok(true),
    );
    check_compressed(&[frame(0x41, &hello[..3])], &[], Ok(false));
}

#[test]
fn compression_is_marked_on_the_first_frame_of_a_message_only() {
    check_compressed(&[frame(0x41, b"\x00"), frame(0xC0, b"\x00")], &[], Err(1002));
    for first in [0xC0, 0xC8, 0xC9, 0xCA, 0xC3] {
        check(&[frame(first, b"")], &[], Err(1002));
    }
    check(&[frame(0x01, b"x"), frame(0xC0, b"x")], &[], Err(1002));
    check(&[frame(0x01, b"x"), frame(0xC9, b"x")], &[], Err(1002));
}

#[test]
fn compressed_messages_are_checked() {
    check_compressed(&[frame(0xC1, b"\xff\xff")], &[], Err(1007));
    check_compressed(&[frame(0xC2, b"hello")], &[], Err(1007));
    check_compressed(&[frame(0xC2, b"")], &[], Err(1007));
    check_compressed(&[frame(0xC1, &compressed(b"\xed\xa0\x80"))], &[], Err(1007));
    check_compressed(&[frame(0xC1, &compressed("κόσμε".as_bytes()))], &["text κόσμε"], Ok(true));
    // Bytes that are not UTF-8 are no matter while they are compressed.
    check_compressed(&[frame(0x41, b"\xf2\x48\xcd"), frame(0x80, b"\xc9\xc9\x07\x00")], &["text Hello"], Ok(true));
    // The limit holds for the message, and for what it came as.
    check_compressed(&[frame(0xC2, &compressed(&[0; MAX]))], &["binary 1000"], Ok(true));
    check_compressed(&[frame(0xC2, &compressed(&[0; MAX + 1]))], &[], Err(1009));
    check_compressed(&[frame(0xC2, &compressed(&[0; 100 * MAX]))], &[], Err(1009));
    let bomb = compressed(&[0; 100 * MAX]);
    check_compressed(&[frame(0x42, &bomb[..50]), frame(0x80, &bomb[50..])], &[], Err(1009));
    check_compressed(&[cut(0xC2, b"", 2 * MAX)], &[], Err(1009));
    let stored =
        |len: u16| [&b"\x00"[..], &len.to_le_bytes(), &(!len).to_le_bytes(), &vec![1; len.into()], b"\x00"].concat();
    check_compressed(&[frame(0xC2, &stored(1000))], &["binary 1000"], Ok(true));
    check_compressed(&[frame(0xC2, &stored(1001))], &[], Err(1009));
}

#[test]
fn memory_is_held_for_what_has_come() {
    for (bytes, most) in [
        // Nothing but an announcement of the whole limit.
        (cut(0x82, b"", MAX), 256),
        (cut(0x82, &[1; 100], MAX - 100), 256 + 200),
        (frame(0x02, &[1; 500]), 256 + 1000),
        (frame(0x02, &[1; 999]), 256 + 1000),
        ([frame(0x02, &[1; 999]), cut(0x89, b"123", 100)].concat(), 256 + 1000 + 8),
    ] {
        let mut decoder = Decoder::default();
        decoder.decode(&mut bytes.clone(), MAX, None, &mut |_| Flow::Continue(())).unwrap();
        assert!((1..=most).contains(&decoder.held_bytes()), "{} of {most}", decoder.held_bytes());
        decoder = Decoder::default();
        for byte in bytes {
            decoder.decode(&mut [byte], MAX, None, &mut |_| Flow::Continue(())).unwrap();
        }
        assert!((1..=most).contains(&decoder.held_bytes()), "{} of {most}, byte by byte", decoder.held_bytes());
    }
}

/// A frame that is nearly right: any first byte of those that mean something, a payload of any kind.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![
        0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0xC1, 0xC2, 0x41, 0x42, 0x88, 0xC0, 0x83, 0x91,
    ]);
    let payload = prop_oneof![
        4 => "\\PC{0,60}".prop_map(String::into_bytes),
        4 => "\\PC{0,300}".prop_map(|text| compressed(text.as_bytes())),
        2 => prop::collection::vec(any::<u8>(), 0..130),
        1 => Just(compressed(&[b'x'; 5_000])),
        1 => (0_usize..400).prop_map(|len| vec![b'y'; len]),
        1 => any::<u16>().prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

proptest! {
    /// However the bytes are cut, the same comes out, and no more memory is held than allowed.
    #[test]
    fn reads_do_not_matter(
        frames in prop::collection::vec(any_frame(), 0..10),
        choice in any::<u8>(),
        cuts in prop::collection::vec(1_u8..80, 0..15),
        flip in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut input = vec![choice, cuts.len() as u8];
        input.extend(cuts);
        input.extend(frames.concat());
        if let Some((index, byte)) = flip {
            let at = index.index(input.len());
            input[at] = byte;
        }
        check_decoder(&input);
    }

    /// Messages as a good client sends them come out as they were sent.
    #[test]
    fn good_messages_come_out(
        messages in prop::collection::vec((any::<bool>(), any::<bool>(), "\\PC{0,80}", 1_usize..5), 0..8),
        size in 1_usize..200,
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (is_text, is_compressed, text, pieces) in &messages {
            let payload = if *is_compressed { compressed(text.as_bytes()) } else { text.clone().into_bytes() };
            let first = if *is_text { 0x01 } else { 0x02 } | if *is_compressed { 0x40 } else { 0 };
            let (each, count) = (payload.len().div_ceil(*pieces).max(1), payload.len().div_ceil(payload.len().div_ceil(*pieces).max(1)).max(1));
            for index in 0..count {
                let piece = &payload[index * each..payload.len().min((index + 1) * each)];
                let last = if index + 1 == count { 0x80 } else { 0 };
                bytes.extend(frame(if index == 0 { first } else { 0 } | last, piece));
                if last == 0 {
                    bytes.extend(frame(0x89, b"!"));
                    expected.push("ping !".to_owned());
                }
            }
            expected.push(if *is_text { format!("text {text}") } else { format!("binary {}", text.len()) });
        }
        prop_assert_eq!(decode(&bytes.chunks(size).collect::<Vec<_>>(), Some(Inflater::default())), (expected, Ok(true)));
    }

    #[test]
    fn garbage_does_no_harm(input in prop::collection::vec(any::<u8>(), 0..400)) {
        check_decoder(&input);
    }
}
