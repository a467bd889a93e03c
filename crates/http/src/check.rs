//! Checks of values that several services take from users (`api-identity` §13, C20).

use mfh_types::Secret;

use crate::FieldFault;

/// The address trimmed and in lower case, if it is one.
///
/// # Errors
/// A fault of `field` that says what is expected.
pub fn email(field: &str, text: &str) -> Result<String, FieldFault> {
    let address = text.trim().to_lowercase();
    if address.is_empty() {
        return Err(FieldFault::new(field, "is required"));
    }
    if is_email(&address) {
        Ok(address)
    } else {
        Err(FieldFault::new(
            field,
            "must be an e-mail address such as name@example.com",
        ))
    }
}

fn is_email(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let is_local = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_{|}~-`".contains(&b);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    address.len() <= 254
        && (1..=64).contains(&local.len())
        && local.bytes().all(is_local)
        && domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

/// Checks a new password: 8 to 256 characters with an upper-case letter, a lower-case letter and a digit.
///
/// # Errors
/// A fault of `field` that says what is expected.
pub fn new_password(field: &str, password: &Secret) -> Result<(), FieldFault> {
    let text = password.expose();
    if text.is_empty() {
        return Err(FieldFault::new(field, "is required"));
    }
    let has = |kind: fn(&char) -> bool| text.chars().any(|c| kind(&c));
    let is_strong = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    if (8..=256).contains(&text.chars().count()) && is_strong {
        Ok(())
    } else {
        Err(FieldFault::new(
            field,
            "must have at least 8 characters, with an upper-case letter, a lower-case letter and a digit",
        ))
    }
}

/// The phone number without blanks around it: `+` and 7 to 15 digits (E.164).
///
/// # Errors
/// A fault of `field` that says what is expected.
pub fn phone_number(field: &str, text: &str) -> Result<String, FieldFault> {
    let number = text.trim();
    let is_number = number
        .strip_prefix('+')
        .is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
    if is_number {
        Ok(number.to_owned())
    } else {
        Err(FieldFault::new(
            field,
            "must start with + and the country code, for example +15551234567",
        ))
    }
}

/// A text without blanks around it, of at most `max` characters; empty counts as missing.
///
/// # Errors
/// A fault of `field` that says what is expected.
pub fn text(field: &str, text: &str, max: usize) -> Result<String, FieldFault> {
    let text = text.trim();
    if text.is_empty() {
        Err(FieldFault::new(field, "is required"))
    } else if text.chars().count() > max {
        let message = format!("must have at most {max} characters");
        Err(FieldFault::new(field, message))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_lowered_and_checked() {
        assert_eq!(
            email("email", "  Jo.Doe+x@Example.COM ").unwrap(),
            "jo.doe+x@example.com"
        );
        for bad in [
            "", "x", "a@b", "a@@b.c", "a b@c.de", "a@-b.de", "a@b..de", "ä@b.de", "@b.de",
        ] {
            assert!(email("email", bad).is_err(), "{bad}");
        }
        assert!(email("email", &format!("{}@b.de", "x".repeat(65))).is_err());
    }

    #[test]
    fn passwords_need_letters_of_both_cases_and_a_digit_but_no_symbol() {
        let accepts = |text: &str| new_password("password", &Secret::new(text)).is_ok();
        assert!(accepts("Abcdefg1"));
        assert!(accepts(" Abcdef1"));
        for bad in ["Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", ""] {
            assert!(!accepts(bad), "{bad}");
        }
        assert!(!accepts(&format!("Aa1{}", "x".repeat(254))));
    }

    #[test]
    fn phone_numbers_are_international() {
        assert!(phone_number("phone_number", "+15551234567").is_ok());
        for bad in ["15551234567", "+1 555", "+1", "+1234567890123456"] {
            assert!(phone_number("phone_number", bad).is_err(), "{bad}");
        }
    }
}
