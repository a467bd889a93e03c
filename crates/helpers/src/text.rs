//! Text as people see it: user-perceived characters, capitals, addresses of pages.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

const JOINER: char = '\u{200D}';

/// The user-perceived characters of a text: accents, emoji sequences, flags and Hangul syllables stay whole.
pub fn characters(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut cluster = Cluster::default();
    for (at, letter) in text.char_indices() {
        if at > start && !cluster.takes(letter) {
            found.push(&text[start..at]);
            start = at;
            cluster = Cluster::default();
        }
        cluster.add(letter);
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

/// What decides whether the next code point belongs to the same character (after Unicode's annex 29).
#[derive(Debug, Default)]
struct Cluster {
    last: Option<char>,
    pictogram: bool,
    flag_halves: usize,
}

impl Cluster {
    fn takes(&self, next: char) -> bool {
        let Some(last) = self.last else {
            return true;
        };
        if last == '\r' && next == '\n' {
            return true;
        }
        if last.is_control() || next.is_control() {
            return false;
        }
        extends(next)
            || (last == JOINER && self.pictogram && is_pictogram(next))
            || (is_flag_half(next) && self.flag_halves == 1)
            || Hangul::of(next).is_some_and(|next| Hangul::of(last).is_some_and(|last| last.joins(next)))
    }

    fn add(&mut self, letter: char) {
        self.flag_halves += usize::from(is_flag_half(letter));
        self.pictogram |= is_pictogram(letter);
        self.last = Some(letter);
    }
}

fn extends(letter: char) -> bool {
    is_combining_mark(letter)
        || matches!(letter, '\u{200C}' | JOINER | '\u{FF9E}' | '\u{FF9F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0020}'..='\u{E007F}')
}

fn is_flag_half(letter: char) -> bool {
    matches!(letter, '\u{1F1E6}'..='\u{1F1FF}')
}

fn is_pictogram(letter: char) -> bool {
    matches!(letter,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2194}'..='\u{21AA}'
        | '\u{231A}'..='\u{23FF}' | '\u{24C2}' | '\u{25AA}'..='\u{25FE}' | '\u{2600}'..='\u{27BF}'
        | '\u{2934}'..='\u{2935}' | '\u{2B05}'..='\u{2B55}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}'
        | '\u{1F000}'..='\u{1F1E5}' | '\u{1F200}'..='\u{1F3FA}' | '\u{1F400}'..='\u{1FAFF}')
}

/// The parts that Korean syllables are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hangul {
    Leading,
    Vowel,
    Trailing,
    Open,
    Closed,
}

impl Hangul {
    fn of(letter: char) -> Option<Self> {
        match letter {
            '\u{1100}'..='\u{115F}' | '\u{A960}'..='\u{A97C}' => Some(Self::Leading),
            '\u{1160}'..='\u{11A7}' | '\u{D7B0}'..='\u{D7C6}' => Some(Self::Vowel),
            '\u{11A8}'..='\u{11FF}' | '\u{D7CB}'..='\u{D7FB}' => Some(Self::Trailing),
            '\u{AC00}'..='\u{D7A3}' if (u32::from(letter) - 0xAC00).is_multiple_of(28) => Some(Self::Open),
            '\u{AC00}'..='\u{D7A3}' => Some(Self::Closed),
            _ => None,
        }
    }

    fn joins(self, next: Self) -> bool {
        match self {
            Self::Leading => next != Self::Trailing,
            Self::Vowel | Self::Open => matches!(next, Self::Vowel | Self::Trailing),
            Self::Trailing | Self::Closed => next == Self::Trailing,
        }
    }
}

/// At most `length` code points from the start, without cutting a character in half.
pub fn truncate(text: &str, length: usize) -> &str {
    let mut kept = 0;
    let mut end = 0;
    for character in characters(text) {
        kept += character.chars().count();
        if kept > length {
            break;
        }
        end += character.len();
    }
    &text[..end]
}

/// The characters in the opposite order.
pub fn reverse(text: &str) -> String {
    characters(text).into_iter().rev().collect()
}

/// Capitals at the start of the text, behind quotes and the like too, and after white space or a hyphen, small letters
/// elsewhere; after an apostrophe a capital only in names such as D'Alene, not in It's and Martha's.
pub fn title_case(text: &str) -> String {
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    let first = letters.iter().position(|letter| letter.is_alphanumeric());
    let mut titled = String::with_capacity(text.len());
    let mut word = 0;
    for (at, &letter) in letters.iter().enumerate() {
        if letter.is_whitespace() || is_hyphen(letter) {
            word = at + 1;
            titled.push(letter);
        } else if at == word || Some(at) == first || is_name_after_apostrophe(&letters, word, at) {
            titled.extend(capital(letter));
        } else {
            titled.push(letter);
        }
    }
    titled
}

/// One letter before the apostrophe in its word, at least two after it.
fn is_name_after_apostrophe(letters: &[char], word: usize, at: usize) -> bool {
    let count = |part: &[char]| part.iter().filter(|letter| letter.is_alphabetic()).count();
    let Some((apostrophe, before)) = letters.get(word..at).and_then(<[char]>::split_last) else {
        return false;
    };
    let rest = letters.get(at..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|letter| letter.is_whitespace() || is_hyphen(*letter) || is_apostrophe(*letter));
    let after = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    is_apostrophe(*apostrophe) && count(before) == 1 && count(after) >= 2
}

fn is_hyphen(letter: char) -> bool {
    matches!(letter, '-' | '\u{2010}' | '\u{2011}')
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '\u{2019}')
}

/// The capital of a letter; one that becomes two (sharp s) keeps the second small.
fn capital(letter: char) -> impl Iterator<Item = char> {
    let mut upper = letter.to_uppercase();
    upper.next().into_iter().chain(upper.flat_map(char::to_lowercase))
}

/// Letters and digits without accents, joined by single hyphens, as in the address of a page.
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for letter in text.nfkd().flat_map(char::to_lowercase) {
        if is_combining_mark(letter) {
            continue;
        }
        match base_letters(letter) {
            Some(base) => slug.push_str(base),
            None if letter.is_ascii_alphanumeric() => slug.push(letter),
            None if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            None => {}
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// Latin letters that no decomposition takes apart.
fn base_letters(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' | 'ɖ' => "d",
        'þ' => "th",
        'ł' => "l",
        'ħ' => "h",
        'ı' => "i",
        'ŋ' => "n",
        'ŧ' => "t",
        'ĸ' => "k",
        _ => return None,
    })
}

/// All ASCII digits; a point stays between two of them.
pub fn digits_and_points(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
    letters
        .iter()
        .enumerate()
        .filter(|&(at, letter)| {
            letter.is_ascii_digit() || (*letter == '.' && at > 0 && is_digit(at - 1) && is_digit(at + 1))
        })
        .map(|(_, letter)| letter)
        .collect()
}

/// The part after the only @ of an address, which may stand in angle brackets after a name.
pub fn email_domain(text: &str) -> Option<&str> {
    let text = text.trim();
    let bracketed = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    let address = bracketed.map_or(text, |(_, address)| address);
    let (_, domain) = address.split_once('@')?;
    let domain = domain.trim();
    let plain = !domain.is_empty() && !domain.contains('@') && !domain.contains(char::is_whitespace);
    plain.then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_see_as_one_character_stays_whole() {
        for whole in [
            "e\u{301}",
            "👩‍👩‍👧",
            "🇩🇪",
            "👍🏽",
            "\r\n",
            "한",
            "\u{1112}\u{1161}\u{11AB}",
            "❤️",
        ] {
            assert_eq!(characters(whole), [whole], "{whole}");
        }
        assert_eq!(characters("🇩🇪🇫🇷"), ["🇩🇪", "🇫🇷"]);
        assert_eq!(reverse("ae\u{301}🇩🇪"), "🇩🇪e\u{301}a");
        assert_eq!(truncate("ae\u{301}b", 2), "a");
        assert_eq!(truncate("ae\u{301}b", 3), "ae\u{301}");
    }

    #[test]
    fn capitals_follow_names_not_contractions() {
        for (given, expected) in [
            ("it's a long way", "It's A Long Way"),
            ("d'ALENE", "D'Alene"),
            ("coeur d\u{2019}alene", "Coeur D\u{2019}Alene"),
            ("martha's o'brien-smith don't", "Martha's O'Brien-Smith Don't"),
            ("1st street", "1st Street"),
            ("ßeta", "Sseta"),
            ("¿qué (pasa)?", "¿Qué (pasa)?"),
            ("'tis 1st", "'Tis 1st"),
        ] {
            assert_eq!(title_case(given), expected);
        }
    }

    #[test]
    fn slugs_keep_base_letters() {
        for (given, expected) in [
            ("Crème Brûlée", "creme-brulee"),
            ("Straßen Übersicht", "strassen-ubersicht"),
            ("Ærø & Łódź", "aero-lodz"),
            ("ﬁne ½", "fine-1-2"),
            ("東京", ""),
        ] {
            assert_eq!(slug(given), expected);
        }
    }

    #[test]
    fn domains_come_from_one_address_only() {
        assert_eq!(email_domain(" Sales <a@Example.com> "), Some("Example.com"));
        assert_eq!(email_domain("a@b@c"), None);
        assert_eq!(email_domain("a@ "), None);
        assert_eq!(email_domain("nobody"), None);
    }

    proptest! {
        #[test]
        fn characters_joined_are_the_text(text in "\\PC*|[👩‍🇩🇪e\u{301}\r\n한]*") {
            prop_assert_eq!(characters(&text).concat(), text);
        }

        #[test]
        fn reversing_twice_gives_the_text_back(text in "[a-zA-Z0-9äöü ]*") {
            prop_assert_eq!(reverse(&reverse(&text)), text);
        }

        #[test]
        fn rewriting_twice_is_rewriting_once(text in "\\PC{0,30}") {
            prop_assert_eq!(title_case(&title_case(&text)), title_case(&text));
            prop_assert_eq!(slug(&slug(&text)), slug(&text));
            let digits = digits_and_points(&text);
            prop_assert_eq!(digits_and_points(&digits), digits);
        }

        #[test]
        fn a_cut_text_is_its_start(text in "\\PC*", length in 0_usize..20) {
            let cut = truncate(&text, length);
            prop_assert!(text.starts_with(cut) && cut.chars().count() <= length);
        }
    }
}
