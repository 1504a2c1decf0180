//! What holds for any bytes that a client sends. The property tests feed it what is nearly right, the fuzzer
//! whatever it finds.

use ordercast_protocol::close;

use super::decode::{Decoder, Flow, Item};
use super::deflate::{Inflater, max_compressed_bytes};
use super::header::MAX_CONTROL_BYTES;

/// Limits of a message that are tried, in bytes.
const LIMITS: [usize; 4] = [0, 20, 300, 70_000];
/// Most sizes of reads that are taken from the input.
const MAX_CUTS: usize = 15;
/// What is held beside the message: the header, a control frame, the bookkeeping.
const HELD_BESIDE_BYTES: usize = 2 * MAX_CONTROL_BYTES + 256;

/// An [`Item`] that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Violation(u16),
}

/// Checks the decoder with an input of three parts: a byte that chooses whether compression was agreed on and the
/// limit of a message, sizes of reads (their count first), and what the client sends.
///
/// # Panics
/// When something does not hold.
pub fn check_decoder(input: &[u8]) {
    let [choice, count, rest @ ..] = input else {
        return;
    };
    let max_message_bytes = LIMITS[usize::from(choice >> 1) % LIMITS.len()];
    let (cuts, bytes) = rest.split_at((usize::from(*count) % (MAX_CUTS + 1)).min(rest.len()));
    let mut inflater = Inflater::default();
    let mut run = |cuts: &[u8]| {
        let inflater = (choice & 1 != 0).then_some(&mut inflater);
        decode(bytes, cuts, max_message_bytes, inflater)
    };
    let whole = run(&[]);
    assert_eq!(run(cuts), whole, "reads of {cuts:?} give something else than one read");
    assert_eq!(run(&[1]), whole, "single bytes give something else than one read");
}

/// Reads of the given sizes, over and over; one of all without any.
fn decode(
    bytes: &[u8],
    cuts: &[u8],
    max_message_bytes: usize,
    mut inflater: Option<&mut Inflater>,
) -> (Vec<Seen>, bool) {
    let most_held = HELD_BESIDE_BYTES + max_compressed_bytes(max_message_bytes);
    let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
    let mut sizes = cuts.iter().map(|&size| usize::from(size).max(1)).cycle();
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + sizes.next().unwrap_or(bytes.len()));
        let result =
            decoder.decode(&mut bytes[at..end].to_vec(), max_message_bytes, inflater.as_deref_mut(), &mut |item| {
                assert!(!matches!(seen.last(), Some(Seen::Close(_))), "nothing counts after a close");
                seen.push(keep(&item, max_message_bytes));
                Flow::Continue(())
            });
        at = end;
        let held = decoder.held_bytes();
        assert!(held <= most_held.min(HELD_BESIDE_BYTES + 2 * at), "{held} bytes are held of {at}");
        assert_eq!(held == 0, decoder.is_idle());
        if let Err(violation) = result {
            assert!(matches!(violation.code, close::PROTOCOL_ERROR | close::INVALID_UTF8 | close::TOO_BIG));
            seen.push(Seen::Violation(violation.code));
        }
        if matches!(seen.last(), Some(Seen::Close(_) | Seen::Violation(_))) {
            return (seen, true);
        }
    }
    (seen, decoder.is_idle())
}

fn keep(item: &Item<'_>, max_message_bytes: usize) -> Seen {
    match item {
        Item::Text(bytes) | Item::Binary(bytes) => assert!(bytes.len() <= max_message_bytes),
        Item::Ping(payload) => assert!(payload.len() <= MAX_CONTROL_BYTES),
        Item::Pong | Item::Close(_) => {}
    }
    match item {
        Item::Text(bytes) => Seen::Text(String::from_utf8(bytes.to_vec()).expect("text is checked as UTF-8")),
        Item::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        Item::Ping(payload) => Seen::Ping(payload.to_vec()),
        Item::Pong => Seen::Pong,
        Item::Close(code) => Seen::Close(*code),
    }
}
