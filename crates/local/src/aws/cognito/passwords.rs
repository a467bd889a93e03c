//! Passwords: the policy, how they are stored, and what happens after wrong ones.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use mfh_types::{Random, Secret};
use serde::{Deserialize, Serialize};

use super::records::{PoolUser, UserStatus};
use super::{Fault, not_authorized};

/// Enough for a pool that never leaves the machine; stored with each hash, so that it can be raised.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(20_000).expect("20,000 is not zero");

/// After this many wrong passwords in a row each further one locks the user.
const FREE_TRIES: u32 = 5;

/// The longest lock in seconds; the first lasts one, each next one twice as long.
const LONGEST_LOCK: i64 = 900;

/// A password as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PasswordHash {
    iterations: NonZeroU32,
    salt: String,
    hash: String,
}

impl PasswordHash {
    /// Hashes a password with a fresh salt.
    pub(super) fn new(password: &Secret, random: &dyn Random) -> Self {
        let salt = random.hex(16);
        let mut hash = [0; 32];
        let secret = password.expose().as_bytes();
        pbkdf2::derive(PBKDF2_HMAC_SHA256, ITERATIONS, salt.as_bytes(), secret, &mut hash);
        Self {
            iterations: ITERATIONS,
            salt,
            hash: hex::encode(hash),
        }
    }

    fn matches(&self, password: &Secret) -> bool {
        let Ok(hash) = hex::decode(&self.hash) else {
            return false;
        };
        let (salt, secret) = (self.salt.as_bytes(), password.expose().as_bytes());
        pbkdf2::verify(PBKDF2_HMAC_SHA256, self.iterations, salt, secret, &hash).is_ok()
    }
}

impl PoolUser {
    /// Checks the password; counts a wrong one, and for a while refuses every password after too many.
    pub(super) fn check_password(&mut self, password: &Secret, now: i64) -> Result<(), Fault> {
        if now < self.locked_until {
            return Err(not_authorized("Password attempts exceeded"));
        }
        if self.password.matches(password) {
            self.wrong_passwords = 0;
            return Ok(());
        }
        self.wrong_passwords = self.wrong_passwords.saturating_add(1);
        if let Some(doublings) = self.wrong_passwords.checked_sub(FREE_TRIES) {
            self.locked_until = now + (1 << doublings.min(10)).min(LONGEST_LOCK);
        }
        Err(wrong_credentials())
    }

    /// Sets the user's own password and forgets wrong tries, codes and challenges.
    pub(super) fn set_password(&mut self, password: PasswordHash, now: i64) {
        self.password = password;
        self.password_expires_at = None;
        self.status = UserStatus::Confirmed;
        self.wrong_passwords = 0;
        self.locked_until = 0;
        self.reset = None;
        self.challenge = None;
        self.modified_at = now;
    }
}

/// Spends the time of a check, so that an unknown user is not told by a faster answer.
pub(super) fn refuse_unknown_user(password: &Secret, random: &dyn Random) -> Fault {
    let _ = PasswordHash::new(password, random);
    wrong_credentials()
}

fn wrong_credentials() -> Fault {
    not_authorized("Incorrect username or password.")
}

/// The policy of the pool (DECISIONS 33): at least 8 characters with upper, lower and digit.
pub(super) fn check_policy(password: &Secret) -> Result<(), Fault> {
    let text = password.expose();
    let lacks = |test: fn(&char) -> bool| !text.chars().any(|c| test(&c));
    let fault = if text.chars().count() < 8 {
        "Password not long enough"
    } else if text.len() > 256 {
        "Password too long"
    } else if lacks(char::is_ascii_uppercase) {
        "Password must have uppercase characters"
    } else if lacks(char::is_ascii_lowercase) {
        "Password must have lowercase characters"
    } else if lacks(char::is_ascii_digit) {
        "Password must have numeric characters"
    } else {
        return Ok(());
    };
    let message = format!("Password did not conform with policy: {fault}");
    Err(Fault::new("InvalidPasswordException", message))
}

/// Six random digits, each code as likely as the others.
pub(super) fn six_digits(random: &dyn Random) -> String {
    // Values above the last full million would favour small codes.
    const LIMIT: u32 = u32::MAX - u32::MAX % 1_000_000;
    loop {
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        let value = u32::from_le_bytes(bytes);
        if value < LIMIT {
            return format!("{:06}", value % 1_000_000);
        }
    }
}

#[cfg(test)]
mod tests {
    use mfh_types::SeededRandom;

    use super::*;

    #[test]
    fn the_policy_asks_for_length_upper_lower_and_digit_but_no_symbol() {
        for good in ["Abcdefg1", "ÄAbcde1é"] {
            assert!(check_policy(&Secret::new(good)).is_ok(), "{good}");
        }
        let long = format!("Aa1{}", "x".repeat(254));
        for bad in ["Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "", &long] {
            assert!(check_policy(&Secret::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn equal_passwords_are_stored_differently_and_only_they_match() {
        let random = SeededRandom::new(1);
        let password = Secret::new("Abcdefg1");
        let (a, b) = (
            PasswordHash::new(&password, &random),
            PasswordHash::new(&password, &random),
        );
        assert_ne!(a.hash, b.hash);
        assert!(a.matches(&password) && b.matches(&password));
        assert!(!a.matches(&Secret::new("Abcdefg2")));
    }

    #[test]
    fn codes_have_six_digits() {
        let random = SeededRandom::new(1);
        for _ in 0..100 {
            let code = six_digits(&random);
            assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        }
    }
}
