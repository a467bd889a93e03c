//! `password_it`: creates a random password in a contact field.

use mfh_types::{Random, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::context::MASK;
use crate::settings::{FieldKey, Flag, Whole};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register, values};

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const SPECIAL: &[u8] = b"!@#$%^&*()-_=+[]{}|;:,.<>?";

/// The name under which a run remembers its password.
const PASSWORD: &str = "password";

/// Creates a random password and keeps it in a contact field.
///
/// Writes a password of random letters and digits, and punctuation if you like, to a field. It always holds at least
/// one small letter, one capital, one digit and, with punctuation, one of `!@#$%^&*()-_=+[]{}|;:,.<>?`.
///
/// A field that has a value keeps it, unless you choose to overwrite. The password stands in the CRM field only;
/// results and logs show eight asterisks. Whoever can see the contact in the CRM can read it, so ask people to change
/// it after their first sign-in.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PasswordIt {
    /// The contact field that receives the password.
    target_field: FieldKey,
    /// How many characters the password has.
    #[serde(default = "usual_length")]
    #[schemars(range(min = 4, max = 128))]
    length: Whole,
    /// Use punctuation as well as letters and digits.
    #[serde(default = "Flag::on")]
    include_special: Flag,
    /// Replace a value that the field already has.
    #[serde(default)]
    overwrite: Flag,
}

fn usual_length() -> Whole {
    Whole(12)
}

impl Helper for PasswordIt {
    const META: Meta = Meta::new(
        "password_it",
        "Password It",
        Category::Data,
        "Creates a random password and keeps it in a contact field.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"target_field": "_PortalPassword", "length": 16, "include_special": false}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let password = match cx.recall_secret(PASSWORD).await? {
            Some(password) => password,
            None => {
                if !self.overwrite.0 && !values::is_empty(&cx.get_field(&self.target_field).await?) {
                    return Ok(Outcome::done(format!(
                        "{} has a value already and keeps it",
                        self.target_field
                    )));
                }
                let password = self.generate(cx.random());
                cx.remember_secret(PASSWORD, &password).await?;
                password
            }
        };
        cx.set_secret_field(&self.target_field, &password).await?;
        cx.set_result(self.target_field.as_str(), MASK);
        Ok(Outcome::done(format!("{} has a new password", self.target_field)))
    }
}

impl PasswordIt {
    /// Characters drawn evenly from all kinds; a password that lacks a kind is thrown away, so that none of the others
    /// becomes more likely.
    fn generate(&self, random: &dyn Random) -> Secret {
        let mut kinds = vec![LOWER, UPPER, DIGITS];
        if self.include_special.0 {
            kinds.push(SPECIAL);
        }
        let all = kinds.concat();
        let length = usize::try_from(self.length.0).unwrap_or_default();
        loop {
            let password: Vec<u8> = (0..length)
                .filter_map(|_| all.get(below(random, all.len())).copied())
                .collect();
            if kinds
                .iter()
                .all(|kind| password.iter().any(|letter| kind.contains(letter)))
            {
                return Secret::new(String::from_utf8_lossy(&password).into_owned());
            }
        }
    }
}

/// An even draw from 0 up to, but without, `bound`, which is at most 256.
fn below(random: &dyn Random, bound: usize) -> usize {
    let fair = 256 - 256 % bound.max(1);
    loop {
        let mut byte = [0];
        random.fill(&mut byte);
        let drawn = usize::from(byte[0]);
        if drawn < fair {
            return drawn % bound.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mfh_types::SeededRandom;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_password_has_its_length_and_all_kinds(seed in any::<u64>(), length in 4_i64..=128, special in any::<bool>()) {
            let helper = PasswordIt {
                target_field: FieldKey::new("p"),
                length: Whole(length),
                include_special: Flag(special),
                overwrite: Flag(false),
            };
            let password = helper.generate(&SeededRandom::new(seed));
            let bytes = password.expose().as_bytes();
            prop_assert_eq!(bytes.len() as i64, length);
            for kind in [LOWER, UPPER, DIGITS] {
                prop_assert!(bytes.iter().any(|byte| kind.contains(byte)));
            }
            prop_assert_eq!(bytes.iter().any(|byte| SPECIAL.contains(byte)), special);
        }

        #[test]
        fn draws_are_even_and_in_range(seed in any::<u64>(), bound in 1_usize..=89) {
            let random = SeededRandom::new(seed);
            prop_assert!((0..100).all(|_| below(&random, bound) < bound));
        }
    }
}

register!(PasswordIt);
