//! Tests of deltas: the format, both directions, and what comes from strangers.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

#[test]
fn deltas_have_the_documented_form() {
    let source = b"0123456789abcdef0123456789ABCDEF";
    // 37 bytes to make (base 64: _ is 36, a is 37): copy 32 from 0, insert 5, then the sum of the words.
    let target = b"0123456789abcdef0123456789ABCDEFhello";
    let delta = create(source, target).unwrap();
    assert!(delta.starts_with(b"a\nW@0,5:hello"), "{:?}", String::from_utf8_lossy(&delta));
    assert_eq!(apply(source, &delta, LIMIT).unwrap(), target);
    assert_eq!(checksum(b"\x01\x02\x03\x04\x05"), 0x0602_0304);
    assert_eq!(create(b"abc", b"xyz"), None, "longer than the target itself");
    assert_eq!(apply(b"", b"0\n0;", LIMIT).unwrap(), b"");
}

#[test]
fn wrong_deltas_are_told_apart() {
    for (delta, error) in [
        (&b""[..], DeltaError::Malformed),
        (b"5", DeltaError::Malformed),
        (b"5\n", DeltaError::Malformed),
        (b"5\n9:abc", DeltaError::Malformed),
        (b"5\n5@0", DeltaError::Malformed),
        (b"5\n5@0;", DeltaError::Malformed),
        (b"5\n5!", DeltaError::Malformed),
        (b"~~~~~~~\n", DeltaError::Malformed),
        (b"~~~~~\n", DeltaError::TooLong),
        (b"2\n3:abc", DeltaError::TooLong),
        (b"5\n5@~,", DeltaError::OutOfSource),
        (b"5\n5@3,", DeltaError::OutOfSource),
        (b"3\n3:abc0;", DeltaError::WrongResult),
        (b"4\n3:abc0;", DeltaError::WrongResult),
    ] {
        assert_eq!(apply(b"source", delta, LIMIT), Err(error), "{:?}", String::from_utf8_lossy(delta));
    }
}

#[test]
fn similar_json_makes_small_deltas() {
    let order = |version: u32, status: &str| {
        let lines: Vec<_> = (0..40).map(|line| format!(r#"{{"sku":"sku-{line}","quantity":{line}}}"#)).collect();
        format!(r#"{{"id":"order_1","status":"{status}","lines":[{}],"version":{version}}}"#, lines.join(","))
    };
    let (old, new) = (order(1, "pending"), order(2, "processing"));
    let delta = create(old.as_bytes(), new.as_bytes()).unwrap();
    assert!(delta.len() * 10 < new.len(), "{} of {}", delta.len(), new.len());
}

/// Texts with characters of every length, and an edit of one.
fn edited_text() -> impl Strategy<Value = (String, String)> {
    (vec("[a-c]{3}|[äß€]{2}|🍕|\\PC", 8..80), any::<prop::sample::Index>(), "\\PC{0,12}").prop_map(
        |(pieces, place, insert)| {
            let mut edited = pieces.clone();
            let at = place.index(edited.len());
            edited[at] = insert;
            (pieces.concat(), edited.concat())
        },
    )
}

proptest! {
    #[test]
    fn applying_what_was_created_gives_the_target(
        source in vec(0u8..4, 0..400),
        target in vec(0u8..4, 0..400),
        shared in vec(any::<u8>(), 0..100),
    ) {
        let source = [&source[..], &shared].concat();
        let target = [&shared[..], &target].concat();
        if let Some(delta) = create(&source, &target) {
            prop_assert!(delta.len() < target.len());
            prop_assert_eq!(apply(&source, &delta, LIMIT), Ok(target));
        }
    }

    #[test]
    fn deltas_of_text_are_text((old, new) in edited_text()) {
        let delta = create(old.as_bytes(), new.as_bytes());
        if let Some(delta) = &delta {
            prop_assert!(std::str::from_utf8(delta).is_ok());
            prop_assert_eq!(apply(old.as_bytes(), delta, LIMIT).unwrap(), new.as_bytes());
        }
    }

    #[test]
    fn one_change_in_a_long_input_costs_little(
        source in vec(any::<u8>(), 2_000..3_000),
        place in any::<prop::sample::Index>(),
        insert in vec(any::<u8>(), 0..20),
    ) {
        let mut target = source.clone();
        let at = place.index(target.len());
        target.splice(at..at, insert);
        let delta = create(&source, &target).unwrap();
        prop_assert!(delta.len() < 120, "{} bytes", delta.len());
    }

    #[test]
    fn garbage_is_refused_without_harm(source in vec(any::<u8>(), 0..64), delta in vec(any::<u8>(), 0..64)) {
        let _ = apply(&source, &delta, 256).map(|target| assert!(target.len() <= 256));
    }

    #[test]
    fn a_broken_delta_never_makes_more_than_allowed(
        source in vec(0u8..3, 64..128), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let target = [&source[..], b"and more"].concat();
        let mut delta = create(&source, &target).unwrap();
        let at = place.index(delta.len());
        delta[at] = byte;
        if let Ok(made) = apply(&source, &delta, target.len()) {
            prop_assert!(made.len() <= target.len());
        }
    }
}
