//! Texts with placeholders: `{{name}}`, `{{name|fallback}}` and `~Contact.name~` (`helpers/COMMON` §7).
//!
//! A text is split once; what is put in for a placeholder is never looked at again.

/// Notations besides the common ones, where a helper's entry names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notations {
    /// `{name}`, for standard fields only.
    pub single_braces: bool,
    /// `@name`, not within an e-mail address.
    pub at_names: bool,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'t> {
    /// As it stands.
    Text(&'t str),
    /// To be replaced.
    Name(Token<'t>),
}

/// A placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    /// How it is written, for names that nobody knows.
    pub written: &'t str,
    /// The name of the field, without blanks.
    pub name: &'t str,
    /// What stands in for an empty value, without outer blanks.
    pub fallback: Option<&'t str>,
    /// Which notation it is.
    pub notation: Notation,
}

/// How a placeholder is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// `{{name}}`
    Braces,
    /// `~Contact.name~`
    Tildes,
    /// `{name}`
    SingleBraces,
    /// `@name`
    At,
}

const TILDE: &str = "~Contact.";

/// Splits a text at its placeholders; what is left open is text.
pub fn split(text: &str, notations: Notations) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let before = text.get(..at).unwrap_or_default();
        if let Some(token) = token(before, rest, notations) {
            push_text(&mut parts, text, start, at);
            parts.push(Part::Name(token));
            at += token.written.len();
            start = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    push_text(&mut parts, text, start, text.len());
    parts
}

fn push_text<'t>(parts: &mut Vec<Part<'t>>, text: &'t str, start: usize, end: usize) {
    if let Some(piece) = text.get(start..end).filter(|piece| !piece.is_empty()) {
        parts.push(Part::Text(piece));
    }
}

/// The placeholder that begins here, after `before`.
fn token<'t>(before: &str, rest: &'t str, notations: Notations) -> Option<Token<'t>> {
    match rest.as_bytes().first()? {
        b'{' => braces(rest).or_else(|| notations.single_braces.then(|| single_braces(rest)).flatten()),
        b'~' => tildes(rest),
        b'@' if notations.at_names => at_name(before, rest),
        _ => None,
    }
}

fn braces(rest: &str) -> Option<Token<'_>> {
    let inner = rest.strip_prefix("{{")?;
    let end = inner.find("}}")?;
    let inner = inner.get(..end)?;
    let (name, fallback) = match inner.split_once('|') {
        Some((name, fallback)) => (name.trim(), Some(fallback.trim())),
        None => (inner.trim(), None),
    };
    // Braces inside belong to a placeholder that begins later, as the second of `{{{name}}`.
    let sound = !name.is_empty() && !inner.contains('{') && !name.contains('\n');
    sound.then_some(Token {
        written: rest.get(..end + 4)?,
        name,
        fallback,
        notation: Notation::Braces,
    })
}

fn single_braces(rest: &str) -> Option<Token<'_>> {
    let inner = rest.strip_prefix('{')?;
    let end = inner.find(['{', '}', '\n'])?;
    let name = inner.get(..end)?.trim();
    let sound = inner.get(end..)?.starts_with('}') && !name.is_empty();
    sound.then_some(Token {
        written: rest.get(..end + 2)?,
        name,
        fallback: None,
        notation: Notation::SingleBraces,
    })
}

fn tildes(rest: &str) -> Option<Token<'_>> {
    let inner = rest.strip_prefix(TILDE)?;
    let end = inner.find(['~', '\n'])?;
    let name = inner.get(..end)?.trim();
    let sound = inner.get(end..)?.starts_with('~') && !name.is_empty();
    sound.then_some(Token {
        written: rest.get(..TILDE.len() + end + 1)?,
        name,
        fallback: None,
        notation: Notation::Tildes,
    })
}

fn at_name<'t>(before: &str, rest: &'t str) -> Option<Token<'t>> {
    let blocks = |letter: char| letter.is_alphanumeric() || "._%+-".contains(letter);
    if before.chars().next_back().is_some_and(blocks) {
        return None;
    }
    let inner = rest.strip_prefix('@')?;
    let ends = |letter: char| !(letter.is_alphanumeric() || letter == '_');
    let end = inner.find(ends).unwrap_or(inner.len());
    let name = inner.get(..end).filter(|name| !name.is_empty())?;
    Some(Token {
        written: rest.get(..end + 1)?,
        name,
        fallback: None,
        notation: Notation::At,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> Vec<&str> {
        names_with(text, Notations::default())
    }

    fn names_with(text: &str, notations: Notations) -> Vec<&str> {
        let parts = split(text, notations).into_iter();
        let names = parts.filter_map(|part| match part {
            Part::Name(token) => Some(token.name),
            Part::Text(_) => None,
        });
        names.collect()
    }

    #[test]
    fn blanks_inside_the_braces_do_not_count() {
        assert_eq!(names("{{first_name}} {{  plan }}"), ["first_name", "plan"]);
    }

    #[test]
    fn a_fallback_is_plain_text_up_to_the_braces() {
        let token = Token {
            written: "{{ Company |your | company}}",
            name: "Company",
            fallback: Some("your | company"),
            notation: Notation::Braces,
        };
        assert_eq!(
            split("at {{ Company |your | company}}!", Notations::default()),
            [Part::Text("at "), Part::Name(token), Part::Text("!")]
        );
    }

    #[test]
    fn tildes_are_braces() {
        assert_eq!(names("~Contact.FirstName~ ~Contact._Plan~"), ["FirstName", "_Plan"]);
        assert!(names("~Company.Name~ ~Contact.~ ~Contact.open").is_empty());
    }

    #[test]
    fn what_is_open_or_empty_is_text() {
        for text in ["{{", "{{}}", "{{  }}", "{{open", "a }} b", "{ {a} }", "{{a\nb}}"] {
            assert_eq!(split(text, Notations::default()), [Part::Text(text)], "{text}");
        }
        assert_eq!(names("{{{name}}} {{ open {{shut}}"), ["name", "shut"]);
    }

    #[test]
    fn single_braces_and_at_names_only_where_asked_for() {
        let both = Notations {
            single_braces: true,
            at_names: true,
        };
        let text = "{email} {{phone}} @city, me@example.com @";
        assert_eq!(names(text), ["phone"]);
        assert_eq!(names_with(text, both), ["email", "phone", "city"]);
    }

    proptest! {
        #[test]
        fn the_parts_of_any_text_are_the_text(text in "[a{}~@|Contact. \\n\u{e9}]{0,40}", single in any::<bool>(), at in any::<bool>()) {
            let notations = Notations { single_braces: single, at_names: at };
            let written: String = split(&text, notations).iter().map(|part| match part {
                Part::Text(text) => *text,
                Part::Name(token) => token.written,
            }).collect();
            prop_assert_eq!(written, text);
        }
    }
}
