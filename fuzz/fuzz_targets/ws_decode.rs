//! The WebSocket decoder against any bytes. Under cargo-fuzz the fuzzer chooses them; else they are random, and
//! the run is bounded.
#![cfg_attr(fuzzing, no_main)]

use ordercast_hub::ws::invariants::check_decoder;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check_decoder(input));

#[cfg(not(fuzzing))]
fn main() {
    const INPUTS: u64 = 200_000;
    const MAX_BYTES: u64 = 200;
    // First bytes of frames and lengths with the mask bit: noise alone hardly gets past a header.
    const LIKELY: [u8; 16] =
        [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, 0xC2, 0x41, 0x84, 0x85, 0x90, 0xFE];
    let mut state = 1_u64;
    // SplitMix64: the same inputs in each run.
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    for _ in 0..INPUTS {
        let len = next() % MAX_BYTES;
        let input = (0..len).map(|_| match next() {
            word if word & 3 == 0 => (word >> 8) as u8,
            word if word & 3 == 1 => LIKELY[(word >> 8) as usize % LIKELY.len()],
            _ => 0,
        });
        check_decoder(&input.collect::<Vec<_>>());
    }
    println!("{INPUTS} random inputs, and nothing broke");
}
