//! The injected source of randomness.

use std::fmt;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use uuid::{Builder, Uuid};

/// Where random bytes come from; tests use a seeded sequence.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `bytes` with random data.
    fn fill(&self, bytes: &mut [u8]);

    /// A UUID version 7 for this instant.
    fn uuid_v7(&self, now: DateTime<Utc>) -> Uuid {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    /// `n` random bytes in lower-case hex.
    fn hex(&self, n: usize) -> String {
        let mut bytes = vec![0; n];
        self.fill(&mut bytes);
        hex::encode(bytes)
    }

    /// A number from 0 up to, but without, 1: for jitter.
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// The cryptographically secure generator of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // The generator only fails where the operating system has no entropy source at all; going on with
        // predictable ids and keys would be worse than stopping.
        aws_lc_rs::rand::fill(bytes).expect("the operating system provides random bytes");
    }
}

/// A repeatable sequence for tests (SplitMix64); never use it for secrets.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_version_7_ids_sort_by_time() {
        let at = |secs| DateTime::from_timestamp(secs, 0).unwrap();
        assert_eq!(SeededRandom::new(1).hex(8), SeededRandom::new(1).hex(8));
        let random = SeededRandom::new(2);
        let (older, newer) = (random.uuid_v7(at(1_000)), random.uuid_v7(at(2_000)));
        assert!(older < newer);
        assert_eq!(older.get_version_num(), 7);
    }
}
