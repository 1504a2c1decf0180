use proptest::prelude::*;

use super::*;

const MAX: usize = 1_000_000;

fn inflate(message: &[u8], max_bytes: usize) -> Result<Vec<u8>, InflateError> {
    Inflater::default().inflate(message, max_bytes).map(<[u8]>::to_vec)
}

/// As another implementation would send it: with its own level and flushes.
fn deflate(parts: &[&[u8]], level: u32) -> Vec<u8> {
    let mut stream = Compress::new(Compression::new(level), false);
    let mut out = Vec::new();
    for part in parts {
        out.reserve(part.len() * 2 + 100);
        stream.compress_vec(part, &mut out, FlushCompress::Sync).unwrap();
    }
    assert_eq!(stream.total_in(), parts.iter().map(|part| part.len() as u64).sum::<u64>());
    out.truncate(out.len() - FLUSH_MARK.len());
    out
}

/// Blocks of RFC 1951 by hand: stored ones, last or not.
fn stored(payload: &[u8], is_last: bool) -> Vec<u8> {
    let len = payload.len() as u16;
    [&[u8::from(is_last)][..], &len.to_le_bytes(), &(!len).to_le_bytes(), payload].concat()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    for (message, expected) in [
        // RFC 7692 §7.2.3.1: one block; in two fragments it is the same.
        (&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], "Hello"),
        // §7.2.3.3: a block without compression.
        (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello"),
        // §7.2.3.4: a last block.
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello"),
        // §7.2.3.5: two blocks.
        (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello"),
        // §7.2.3.6: nothing.
        (b"\x00", ""),
        (b"\x02\x00", ""),
    ] {
        assert_eq!(inflate(message, MAX).as_deref(), Ok(expected.as_bytes()), "{message:x?}");
    }
}

#[test]
fn what_is_not_deflate_is_refused() {
    let whole = deflate(&[&b"hello ".repeat(100)], 6);
    for message in [
        &b""[..],
        b"hello",
        b"\xff",
        b"\x06",
        // Stored blocks whose lengths do not fit.
        b"\x00\x05\x00\xfa\xfeHello\x00",
        b"\x00\x05\x00\xfa\xffHell",
        // A last block and no other after it.
        b"\xf3\x48\xcd\xc9\xc9\x07\x00",
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
        &[&whole[..], b"\x00\x00\xff\xff\x06"].concat(),
    ] {
        assert_eq!(inflate(message, MAX), Err(InflateError::Invalid), "{message:x?}");
    }
}

#[test]
fn streams_end_inside_a_message_but_not_too_often() {
    for (ends, is_allowed) in [(1, true), (2, true), (MAX_STREAM_ENDS, true), (MAX_STREAM_ENDS + 1, false)] {
        let message = [stored(b"ab", true).repeat(ends), b"\x00".to_vec()].concat();
        let expected = if is_allowed { Ok("ab".repeat(ends).into_bytes()) } else { Err(InflateError::Invalid) };
        assert_eq!(inflate(&message, MAX), expected, "{ends}");
    }
}

#[test]
fn nothing_of_one_message_is_seen_by_the_next() {
    let secret = b"the order of somebody else, which is nobody's business".repeat(40);
    let mut inflater = Inflater::default();
    assert_eq!(inflater.inflate(&deflate(&[&secret], 6), MAX), Ok(&secret[..]));
    // Copies of what stood before the message. The window is empty then: they give zeros or an error.
    let mut read = 0;
    for message in [&b"\xf2\x00\x11\x00\x00"[..], b"\x4b\x04\xa2\x00", b"\xca\x05\x00", b"\x4b\xe4\xff\x07\x00\x00"] {
        let result = inflater.inflate(message, MAX).map(<[u8]>::to_vec);
        read += usize::from(result.is_ok());
        assert_eq!(result, inflate(message, MAX), "{message:x?}");
    }
    assert!(read > 0);
    // After an error the inflater is as good as new.
    assert_eq!(inflater.inflate(b"\xff", MAX), Err(InflateError::Invalid));
    assert_eq!(inflater.inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", MAX), Ok(&b"Hello"[..]));
}

#[test]
fn the_size_is_bounded_while_it_grows() {
    for (size, max) in
        [(0, 0), (1, 1), (4_095, 4_095), (4_096, 4_096), (4_097, 4_097), (100_000, 100_000), (100_000, MAX)]
    {
        let message = deflate(&[&vec![b'x'; size]], 6);
        assert_eq!(inflate(&message, max).map(|read| read.len()), Ok(size), "{size} of {max}");
        if let Some(less) = size.checked_sub(1) {
            assert_eq!(inflate(&message, less), Err(InflateError::TooBig), "{size} of {less}");
        }
    }
    // A bomb is given up with room for the limit, not for the bomb.
    let (mut inflater, limit) = (Inflater::default(), 10_000);
    let bomb = deflate(&[&vec![0; 10_000_000]], 9);
    assert!(bomb.len() < 20_000);
    assert_eq!(inflater.inflate(&bomb, limit), Err(InflateError::TooBig));
    assert!(inflater.room.len() <= limit + 1, "{}", inflater.room.len());
}

#[test]
fn a_large_message_leaves_no_room_behind() {
    let mut inflater = Inflater::default();
    let message = deflate(&[&vec![7; MAX_KEPT_BYTES + 1]], 1);
    assert_eq!(inflater.inflate(&message, MAX).map(<[u8]>::len), Ok(MAX_KEPT_BYTES + 1));
    inflater.shrink();
    assert_eq!(inflater.room.capacity(), 0);
    let mut deflater = Deflater::default();
    deflater.push_frame(Opcode::Binary, &vec![7; MAX_KEPT_BYTES + 1], &mut Vec::new());
    assert_eq!(deflater.room.capacity(), 0);
}

#[test]
fn frames_are_compressed_when_it_pays() {
    let text = b"{\"type\":\"order_update\",\"status\":\"completed\"}".repeat(5);
    let noise = (0..5_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>();
    let random = noise.iter().scan(1_u32, |state, &byte| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223 + u32::from(byte));
        Some((*state >> 24) as u8)
    });
    let random = random.collect::<Vec<_>>();
    for (opcode, payload, first) in [
        (Opcode::Text, &text[..], 0xC1),
        (Opcode::Binary, &text, 0xC2),
        (Opcode::Text, &text[..MIN_PAYLOAD_BYTES], 0xC1),
        (Opcode::Text, &text[..MIN_PAYLOAD_BYTES - 1], 0x81),
        (Opcode::Text, b"", 0x81),
        (Opcode::Binary, &random, 0x82),
    ] {
        let mut out = b"before".to_vec();
        Deflater::default().push_frame(opcode, payload, &mut out);
        assert_eq!(out[6], first, "{opcode:?} of {}", payload.len());
        assert!(out.len() <= 6 + payload.len() + 4);
        if first < 0xC0 {
            assert!(out[6..].ends_with(payload));
        }
    }
}

#[test]
fn a_frame_is_the_same_whatever_came_before() {
    let (first, second) = (b"one text and one text again ".repeat(20), b"another text, another ".repeat(30));
    let frame = |deflater: &mut Deflater, payload: &[u8]| {
        let mut out = Vec::new();
        deflater.push_frame(Opcode::Text, payload, &mut out);
        out
    };
    let fresh = frame(&mut Deflater::default(), &second);
    let mut deflater = Deflater::default();
    frame(&mut deflater, &first);
    assert_eq!(frame(&mut deflater, &second), fresh);
    // One that was given up as too large leaves nothing behind either.
    let random =
        (0..1_000_u32).map(|i| (i.wrapping_mul(i).wrapping_mul(2_654_435_761) >> 11) as u8).collect::<Vec<_>>();
    frame(&mut deflater, &random);
    assert_eq!(frame(&mut deflater, &second), fresh);
}

proptest! {
    /// Whatever a client's compressor does, the message comes out.
    #[test]
    fn messages_come_back(
        parts in prop::collection::vec(prop::collection::vec(0_u8..8, 0..3_000), 1..4),
        level in 0_u32..10,
    ) {
        let parts = parts.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let whole = parts.concat();
        let message = deflate(&parts, level);
        let mut inflater = Inflater::default();
        prop_assert_eq!(inflater.inflate(&message, whole.len()), Ok(&whole[..]));
        prop_assert!(parts.len() > 1 || message.len() <= max_compressed_bytes(whole.len()));
    }

    /// What is sent can be read, by ourselves and by one that has done nothing before.
    #[test]
    fn frames_can_be_read(payloads in prop::collection::vec(prop::collection::vec(0_u8..40, 0..2_000), 1..5)) {
        let mut deflater = Deflater::default();
        for payload in payloads {
            let mut out = Vec::new();
            deflater.push_frame(Opcode::Binary, &payload, &mut out);
            let header = if out[1] < 126 { 2 } else { 4 };
            if out[0] & COMPRESSED != 0 {
                prop_assert_eq!(inflate(&out[header..], payload.len()), Ok(payload));
            } else {
                prop_assert_eq!(&out[header..], &payload);
            }
        }
    }

    /// Bytes of any kind give an answer, never a panic, and never more than the limit.
    #[test]
    fn garbage_does_no_harm(message in prop::collection::vec(any::<u8>(), 0..300), max in 0_usize..5_000) {
        let mut inflater = Inflater::default();
        if let Ok(read) = inflater.inflate(&message, max) {
            prop_assert!(read.len() <= max);
        }
        prop_assert!(inflater.room.len() <= max + 1);
    }
}
