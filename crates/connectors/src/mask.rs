//! Texts of vendors without what must not be seen: secrets, e-mail addresses, phone numbers.

use mfh_types::Secret;

const MASK: &str = "***";
/// Digits that make a number a phone number; shorter ones are ids and years.
const PHONE_DIGITS: usize = 7;
/// Length from which a word of letters and digits is taken for a key.
const KEY_LENGTH: usize = 20;

/// The first `limit` characters.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

/// Hides the token, everything like an e-mail address, phone number or key, and what follows `Bearer`.
pub(crate) fn mask(text: &str, token: &Secret) -> String {
    let token = token.expose();
    let text = if token.is_empty() {
        text.to_owned()
    } else {
        text.replace(token, MASK)
    };
    mask_numbers(&mask_words(&text))
}

fn mask_numbers(text: &str) -> String {
    let in_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '(' | ')' | '.' | ' ');
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(in_number) {
        let (before, tail) = rest.split_at(start);
        let end = tail.find(|c| !in_number(c)).unwrap_or(tail.len());
        let (run, after) = tail.split_at(end);
        masked.push_str(before);
        if run.chars().filter(char::is_ascii_digit).count() >= PHONE_DIGITS {
            let core = run.trim();
            let lead = run.len() - run.trim_start().len();
            masked.push_str(&run[..lead]);
            masked.push_str(MASK);
            masked.push_str(&run[lead + core.len()..]);
        } else {
            masked.push_str(run);
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn mask_words(text: &str) -> String {
    let separates = |c: char| c.is_whitespace() || "\"'<>(),;:{}[]=&/\\|".contains(c);
    let mut masked = String::with_capacity(text.len());
    let mut after_bearer = false;
    for piece in text.split_inclusive(separates) {
        let word = piece.trim_end_matches(separates);
        let separator = &piece[word.len()..];
        if word.is_empty() {
            masked.push_str(separator);
            continue;
        }
        let hidden = after_bearer || is_private(word);
        masked.push_str(if hidden { MASK } else { word });
        masked.push_str(separator);
        after_bearer = word.eq_ignore_ascii_case("bearer");
    }
    masked
}

fn is_private(word: &str) -> bool {
    let email = word.contains('@') || word.contains("%40");
    let key = word.len() >= KEY_LENGTH
        && word.contains(|c: char| c.is_ascii_digit())
        && word.contains(|c: char| c.is_ascii_alphabetic());
    email || key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_parts_are_hidden_and_the_rest_stays_readable() {
        let secret = Secret::new("tok");
        let cases = [
            ("Contact 4711 not found", "Contact 4711 not found"),
            ("ada.l+x@example.com is taken", "*** is taken"),
            ("call +1 (555) 010-9999 now", "call *** now"),
            (
                "{\"email\":\"a@b.c\",\"n\":5550109999}",
                "{\"email\":\"***\",\"n\":***}",
            ),
            ("Authorization: Bearer short1", "Authorization: Bearer ***"),
            ("key KeapAK-0123456789abcdef0123", "key ***"),
            ("the tok is bad", "the *** is bad"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(mask(text, &secret), expected);
        }
    }

    #[test]
    fn a_cut_keeps_whole_characters() {
        assert_eq!(cut("äöü", 2), "äö");
    }
}
