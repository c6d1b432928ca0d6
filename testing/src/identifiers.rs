//! Identifiers like the API's that follow from a seed.

/// Generates the identifiers of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identifiers {
    seed: u64,
}

/// The length of an identifier without its prefix, as in the API.
const LENGTH: usize = 24;

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

impl Identifiers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Returns the identifier of a request.
    pub(crate) fn request(self, number: usize) -> String {
        self.identifier("req", number, 0)
    }

    /// Returns the identifier of the message that replies to a request.
    pub(crate) fn message(self, number: usize) -> String {
        self.identifier("msg", number, 0)
    }

    /// Returns the identifier of the tool call in block `index` of the message that replies to a request.
    pub(crate) fn tool_call(self, number: usize, index: usize) -> String {
        self.identifier("toolu", number, index)
    }

    /// Returns the identifier of the batch that a request creates.
    pub(crate) fn batch(self, number: usize) -> String {
        self.identifier("msgbatch", number, 0)
    }

    /// Returns the identifier of the file that a request uploads.
    pub(crate) fn file(self, number: usize) -> String {
        self.identifier("file", number, 0)
    }

    /// Shuffles items, in the same way for the same seed and number of items.
    pub(crate) fn shuffle<T>(self, items: &mut [T]) {
        let mut state = self.seed;
        for end in (1..items.len()).rev() {
            state = scramble(state ^ end as u64);
            items.swap(end, (state >> 32) as usize % (end + 1));
        }
    }

    /// Depends only on its arguments, so concurrent requests don't affect each other.
    fn identifier(self, prefix: &str, number: usize, index: usize) -> String {
        let mut state = self.seed;
        for byte in prefix.bytes() {
            state = scramble(state ^ u64::from(byte));
        }
        state = scramble(state ^ number as u64);
        state = scramble(state ^ index as u64);
        let mut identifier = format!("{prefix}_01");
        for _ in 2..LENGTH {
            state = scramble(state);
            let place = (state >> 32) % ALPHABET.len() as u64;
            let letter = ALPHABET.get(place as usize).copied().unwrap_or(b'1');
            identifier.push(char::from(letter));
        }
        identifier
    }
}

/// One step of the SplitMix64 generator, which spreads values well for every seed, including zero.
fn scramble(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_follow_from_the_seed_and_differ_by_number_and_kind() {
        let identifiers = Identifiers::new(7);
        let mut seen = HashSet::new();
        for number in 0..200 {
            assert!(seen.insert(identifiers.request(number)));
            assert!(seen.insert(identifiers.message(number)));
            for index in 0..5 {
                assert!(seen.insert(identifiers.tool_call(number, index)));
            }
        }
        assert_eq!(identifiers.message(3), Identifiers::new(7).message(3));
        assert_ne!(identifiers.message(3), Identifiers::new(8).message(3));
        assert!(identifiers.message(3).starts_with("msg_01"));
    }
}
