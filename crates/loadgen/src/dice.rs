//! Chance that can be repeated: the same seed, the same run of numbers.

/// A generator of numbers (SplitMix64, public domain): small, fast, and good enough to choose moments and
/// amounts; not for secrets.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Numbers of a seed; `stream` tells generators of the same seed apart.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut dice = Self(seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        dice.roll();
        dice
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`, both possible.
    pub fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.roll() % (most - least + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let rolls = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            [dice.within(20, 1200), dice.within(20, 1200), dice.within(20, 1200)]
        };
        assert_eq!(rolls(1, 2), rolls(1, 2));
        assert_ne!(rolls(1, 2), rolls(1, 3));
        assert_ne!(rolls(1, 2), rolls(2, 2));
        assert!(rolls(7, 7).iter().all(|roll| (20..=1200).contains(roll)));
    }
}
