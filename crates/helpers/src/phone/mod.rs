//! Phone numbers by the numbering plans of the world.
//!
//! The plans in `plans.tsv` are those of libphonenumber 9.0.43 (Apache License 2.0), a line for each region: its name,
//! country calling code, international prefix, national prefix and what replaces it, leading digits where regions share
//! a code, lengths, all numbers, numbers of the known types, and whether it is the main region of its code. The steps
//! of reading a number follow that library.

mod pattern;

use pattern::Pattern;

const PLANS: &str = include_str!("plans.tsv");

/// Digits of a number without its country calling code.
const SHORTEST: usize = 2;
const LONGEST: usize = 17;
/// Longer texts are no phone numbers.
const LONGEST_TEXT: usize = 250;
const LONGEST_CODE: usize = 3;

/// What stands before an extension, the longer spellings first.
const EXTENSIONS: [&str; 9] = [";ext=", "extension", "extn", "ext", "anexo", "int", "доб", "x", "#"];

/// A phone number that could be read, which does not make it valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhoneNumber {
    code: String,
    national: String,
}

/// The plan of a region.
#[derive(Debug, Clone, Copy)]
struct Plan {
    region: &'static str,
    code: &'static str,
    international_prefix: &'static str,
    national_prefix: &'static str,
    replacement: &'static str,
    leading_digits: &'static str,
    lengths: &'static str,
    general: &'static str,
    types: &'static str,
    is_main: bool,
}

/// Whether there is a plan for this ISO code of a country, in capitals.
pub(crate) fn knows(region: &str) -> bool {
    region.len() == 2 && Plan::of_region(region).is_some()
}

impl PhoneNumber {
    /// Reads a number: with a leading + or the region's international prefix in its own country, else in `region`.
    pub(crate) fn read(text: &str, region: &str) -> Option<Self> {
        let home = Plan::of_region(region);
        let (digits, international) = dialled(text)?;
        let (digits, international) = match home.and_then(|home| home.strip_international_prefix(&digits)) {
            Some(rest) if !international => (rest, true),
            _ => (digits, international),
        };
        let (code, national) = if international {
            split_code(&digits)?
        } else {
            let home = home?;
            home.strip_own_code(&digits).unwrap_or((home.code, digits))
        };
        let plan = match home {
            Some(home) if home.code == code => home,
            _ => Plan::main_of_code(code)?,
        };
        let stripped = plan.strip_national_prefix(&national);
        let national = if plan.is_possible_length(&stripped) {
            stripped
        } else {
            national
        };
        (SHORTEST..=LONGEST).contains(&national.len()).then(|| Self {
            code: code.to_owned(),
            national,
        })
    }

    /// The region whose plan the number fits; nothing when it is not valid.
    pub(crate) fn region(&self) -> Option<&'static str> {
        let region = Plan::all()
            .filter(|plan| plan.code == self.code)
            .find(|plan| plan.is_home_of(&self.national))?;
        region.is_valid(&self.national).then_some(region.region)
    }

    /// The number in E.164 form, such as `+14155552671`.
    pub(crate) fn e164(&self) -> String {
        format!("+{}{}", self.code, self.national)
    }
}

impl Plan {
    fn all() -> impl Iterator<Item = Self> {
        PLANS.lines().filter_map(Self::from_line)
    }

    fn from_line(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        Some(Self {
            region: next()?,
            code: next()?,
            international_prefix: next()?,
            national_prefix: next()?,
            replacement: next()?,
            leading_digits: next()?,
            lengths: next()?,
            general: next()?,
            types: next()?,
            is_main: next()? == "1",
        })
    }

    fn of_region(region: &str) -> Option<Self> {
        Self::all().find(|plan| plan.region == region)
    }

    fn main_of_code(code: &str) -> Option<Self> {
        Self::all().find(|plan| plan.is_main && plan.code == code)
    }

    fn fits_general(&self, national: &str) -> bool {
        Pattern::new(self.general).is_some_and(|pattern| pattern.fits(national))
    }

    fn is_valid(&self, national: &str) -> bool {
        self.fits_general(national) && Pattern::new(self.types).is_some_and(|pattern| pattern.fits(national))
    }

    /// Whether a number of the shared code belongs to this region.
    fn is_home_of(&self, national: &str) -> bool {
        if self.leading_digits.is_empty() {
            return self.is_valid(national);
        }
        Pattern::new(self.leading_digits).is_some_and(|pattern| pattern.at_start(national).is_some())
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.lengths.split(',').filter_map(|length| length.parse().ok())
    }

    fn is_possible_length(&self, national: &str) -> bool {
        self.is_too_long(national) || self.lengths().any(|length| length == national.len())
    }

    fn is_too_long(&self, national: &str) -> bool {
        self.lengths().max().is_some_and(|longest| national.len() > longest)
    }

    /// The digits after the prefix for calls abroad. A zero behind it belongs to no country.
    fn strip_international_prefix(&self, digits: &str) -> Option<String> {
        if self.international_prefix.is_empty() {
            return None;
        }
        let rest = Pattern::new(self.international_prefix)?.at_start(digits)?.rest;
        (!rest.starts_with('0')).then(|| rest.to_owned())
    }

    /// The number after the region's own country calling code, where only that makes a number of its plan.
    fn strip_own_code(&self, digits: &str) -> Option<(&'static str, String)> {
        let national = self.strip_national_prefix(digits.strip_prefix(self.code)?);
        let only_so = !self.fits_general(digits) && self.fits_general(&national);
        (only_so || self.is_too_long(digits)).then_some((self.code, national))
    }

    /// The number without the prefix for calls inside the country, unless only with it it is one of the plan.
    fn strip_national_prefix(&self, digits: &str) -> String {
        let kept = || digits.to_owned();
        if self.national_prefix.is_empty() {
            return kept();
        }
        let pattern = Pattern::new(self.national_prefix);
        let Some(found) = pattern.as_ref().and_then(|pattern| pattern.at_start(digits)) else {
            return kept();
        };
        let replaces = !self.replacement.is_empty() && found.groups.last().is_some_and(Option::is_some);
        let stripped = if replaces {
            let mut text = self.replacement.to_owned();
            for (at, group) in found.groups.iter().enumerate() {
                text = text.replace(&format!("\\{}", at + 1), group.unwrap_or_default());
            }
            text + found.rest
        } else {
            found.rest.to_owned()
        };
        if self.fits_general(digits) && !self.fits_general(&stripped) {
            kept()
        } else {
            stripped
        }
    }
}

/// The digits that a text dials, without extension, and whether they start with a +.
fn dialled(text: &str) -> Option<(String, bool)> {
    if text.chars().count() > LONGEST_TEXT {
        return None;
    }
    let start = text.find(|letter| is_plus(letter) || digit(letter).is_some())?;
    let text = without_extension(text.get(start..)?);
    let international = text.starts_with(is_plus);
    let number = text.trim_start_matches(is_plus);
    let mut seen = 0;
    for letter in number
        .trim_end_matches(|letter: char| !letter.is_alphanumeric())
        .chars()
    {
        seen += usize::from(digit(letter).is_some());
        let spelled = letter.is_ascii_alphabetic() && seen >= 3;
        if digit(letter).is_none() && !spelled && !is_punctuation(letter) {
            return None;
        }
    }
    let letters = number.chars().filter(char::is_ascii_alphabetic).count();
    let digits: String = number
        .chars()
        .filter_map(|letter| digit(letter).or_else(|| if letters >= 3 { on_keypad(letter) } else { None }))
        .collect();
    (seen >= 2).then_some((digits, international))
}

/// Cuts off `x123`, `ext. 123` and the like.
fn without_extension(text: &str) -> &str {
    let lower = text.to_lowercase();
    // Small letters of another length would move the places that are found.
    if lower.len() != text.len() {
        return text;
    }
    let places = EXTENSIONS.iter().filter_map(|mark| {
        let at = lower.find(mark)?;
        let digits = lower
            .get(at + mark.len()..)?
            .trim_matches(|letter| matches!(letter, ' ' | '.' | ':' | '-' | '#'));
        let numeric = (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        numeric.then_some(at)
    });
    let end = places.min().filter(|&at| {
        let before = lower.get(..at).unwrap_or_default();
        before.chars().filter(|letter| digit(*letter).is_some()).count() >= SHORTEST
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

fn is_plus(letter: char) -> bool {
    matches!(letter, '+' | '＋')
}

fn is_punctuation(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(
            letter,
            '-' | '\u{2010}'
                ..='\u{2015}'
                    | '\u{2212}'
                    | '\u{30FC}'
                    | '\u{FF0D}'
                    | '/'
                    | '\u{FF0F}'
                    | '\u{AD}'
                    | '\u{200B}'
                    | '\u{2060}'
                    | '('
                    | ')'
                    | '\u{FF08}'
                    | '\u{FF09}'
                    | '['
                    | ']'
                    | '\u{FF3B}'
                    | '\u{FF3D}'
                    | '.'
                    | '~'
                    | '\u{2053}'
                    | '\u{223C}'
                    | '\u{FF5E}'
                    | '*'
        )
}

/// Whether this is a digit of one of the scripts that phone numbers are written in.
pub(crate) fn is_digit(letter: char) -> bool {
    digit(letter).is_some()
}

/// The ASCII digit of a digit in the scripts that phone numbers are written in.
fn digit(letter: char) -> Option<char> {
    let zero = match letter {
        '0'..='9' => '0',
        '\u{FF10}'..='\u{FF19}' => '\u{FF10}',
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6F0}'..='\u{6F9}' => '\u{6F0}',
        _ => return None,
    };
    char::from_digit(u32::from(letter) - u32::from(zero), 10)
}

/// The digit under which a letter lies on a keypad.
fn on_keypad(letter: char) -> Option<char> {
    Some(match letter.to_ascii_uppercase() {
        'A'..='C' => '2',
        'D'..='F' => '3',
        'G'..='I' => '4',
        'J'..='L' => '5',
        'M'..='O' => '6',
        'P'..='S' => '7',
        'T'..='V' => '8',
        'W'..='Z' => '9',
        _ => return None,
    })
}

/// The country calling code at the start of an international number, and the rest.
fn split_code(digits: &str) -> Option<(&'static str, String)> {
    if digits.len() <= SHORTEST {
        return None;
    }
    (1..=LONGEST_CODE).find_map(|length| {
        let (code, rest) = digits.split_at_checked(length)?;
        Some((Plan::main_of_code(code)?.code, rest.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_pattern_of_the_plans_is_understood() {
        assert!(Plan::all().count() > 240);
        for plan in Plan::all() {
            for pattern in [
                plan.international_prefix,
                plan.national_prefix,
                plan.leading_digits,
                plan.general,
                plan.types,
            ] {
                assert!(Pattern::new(pattern).is_some(), "{}: {pattern}", plan.region);
            }
        }
    }

    #[test]
    fn numbers_are_valid_by_the_plan_of_their_country() {
        for (text, region, expected) in [
            ("(415) 555-2671", "US", Some(("+14155552671", "US"))),
            ("1 415 555 2671 ext. 9", "US", Some(("+14155552671", "US"))),
            ("415-555-2671 x123", "US", Some(("+14155552671", "US"))),
            ("011 44 20 7946 0958", "US", Some(("+442079460958", "GB"))),
            ("+44 20 7946 0958", "US", Some(("+442079460958", "GB"))),
            ("+44 (0)20 7946 0958", "US", Some(("+442079460958", "GB"))),
            ("020 7946 0958", "GB", Some(("+442079460958", "GB"))),
            ("0049 30 901820", "FR", Some(("+4930901820", "DE"))),
            ("06 698 12345", "IT", Some(("+390669812345", "VA"))),
            ("0 (131) 11 123 4567", "US", None),
            ("604 555 0123", "US", Some(("+16045550123", "CA"))),
            ("1-800-FLOWERS", "US", Some(("+18003569377", "US"))),
            ("000-000-0000", "US", None),
            ("555-2671", "US", None),
            ("+999 1234567", "US", None),
            ("12", "US", None),
        ] {
            let found = PhoneNumber::read(text, region);
            let found = found.and_then(|number| Some((number.e164(), number.region()?)));
            assert_eq!(
                found.as_ref().map(|(e164, region)| (e164.as_str(), *region)),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_valid_number_in_international_form_is_the_same_number(digits in "[2-9][0-9]{9}") {
            if let Some(number) = PhoneNumber::read(&digits, "US").filter(|number| number.region().is_some()) {
                for region in ["US", "DE", "XX"] {
                    let again = PhoneNumber::read(&number.e164(), region);
                    prop_assert_eq!(again.as_ref(), Some(&number));
                }
            }
        }

        #[test]
        fn no_text_panics(text in "[+0-9 x#().-]{0,30}|\\PC{0,40}", region in "[A-Z]{2}") {
            if let Some(number) = PhoneNumber::read(&text, &region) {
                number.region();
            }
        }
    }
}
