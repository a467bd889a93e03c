//! `name_parse_it`: splits a full name.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::FieldKey;
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register, values};

const SUFFIXES: [&str; 18] = [
    "jr", "sr", "jnr", "snr", "ii", "iii", "iv", "v", "phd", "md", "esq", "dds", "dmd", "dvm", "jd", "mba", "cpa", "rn",
];

const TITLES: [&str; 17] = [
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev", "sir", "dame", "hon", "herr", "frau", "mme", "mlle", "sra",
    "srta",
];

/// Words with which a last name begins, as they are written.
const PARTICLES: [&str; 29] = [
    "van", "von", "vom", "der", "den", "de", "da", "das", "do", "dos", "del", "della", "di", "du", "la", "le", "las",
    "los", "bin", "ibn", "al", "el", "st", "st.", "ter", "ten", "zu", "zur", "y",
];

/// Splits a full name into first name, last name and suffix, on request also title and middle names.
///
/// It understands `Mary Jane Walker`, `Walker, Mary Jane`, titles such as `Dr.` and `Mrs.`, and suffixes such as
/// `Jr.`, `III`, `MD` and `Ph.D.`, also several. A title stays where only one other word would be left: `Dr. Lane` has
/// the first name `Dr.`. Upper and lower case are not changed.
///
/// First and last name are always written, the last name empty when there is only one word; an empty source writes
/// nothing. Middle names go with the last name and titles and suffixes are dropped, unless you give them fields of
/// their own. Beside a middle name, `van`, `de la` and the like begin the last name.
///
/// Every field is tried: when one cannot be written, the others still are, and the run fails and names it. The result
/// lists the parts.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NameParseIt {
    /// The field with the full name.
    source_field: FieldKey,
    /// The field that receives the first name.
    #[serde(default = "first_name")]
    first_name_field: FieldKey,
    /// The field that receives the last name.
    #[serde(default = "last_name")]
    last_name_field: FieldKey,
    /// The field that receives suffixes such as Jr., III and MD; empty: they are dropped.
    suffix_field: Option<FieldKey>,
    /// The field that receives middle names; empty: they stay with the last name.
    middle_name_field: Option<FieldKey>,
    /// The field that receives titles such as Mr. and Dr.; empty: they are dropped.
    title_field: Option<FieldKey>,
}

fn first_name() -> FieldKey {
    FieldKey::new("first_name")
}

fn last_name() -> FieldKey {
    FieldKey::new("last_name")
}

impl Helper for NameParseIt {
    const META: Meta = Meta::new(
        "name_parse_it",
        "Name Parse It",
        Category::Contact,
        "Splits a full name into first name, last name and suffix, on request also title and middle names.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"source_field": "_FullName", "suffix_field": "_Suffix"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let value = cx.get_field(&self.source_field).await?;
        let Some(name) = Name::parse(&values::text(&value), self.middle_name_field.is_some()) else {
            return Ok(Outcome::done(format!(
                "{} is empty: no name to split",
                self.source_field
            )));
        };
        let if_any = |field: &'_ Option<FieldKey>, text: &str| field.clone().filter(|_| !text.is_empty());
        let writes = [
            (Some(self.first_name_field.clone()), name.first.clone()),
            (if_any(&self.middle_name_field, &name.middle), name.middle.clone()),
            (Some(self.last_name_field.clone()), name.last.clone()),
            (if_any(&self.suffix_field, &name.suffix), name.suffix.clone()),
            (if_any(&self.title_field, &name.title), name.title.clone()),
        ];
        let mut failures = Failures::new();
        for (field, text) in writes {
            let Some(field) = field else { continue };
            let written = cx.set_field(&field, text.as_str()).await;
            if failures.note("Not stored", written) {
                cx.set_result(field.as_str(), text);
            }
        }
        failures.into_result()?;
        Ok(Outcome::done("The name is split"))
    }
}

/// The parts of a name, each with its words joined by a blank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Name {
    title: String,
    first: String,
    middle: String,
    last: String,
    suffix: String,
}

impl Name {
    /// Splits a name; `None` when it has no words. Without `with_middle` middle names stay with the last name.
    fn parse(text: &str, with_middle: bool) -> Option<Self> {
        let mut parts: Vec<Vec<&str>> = text.split(',').map(|part| part.split_whitespace().collect()).collect();
        parts.retain(|part| !part.is_empty());
        let outer = suffix_parts(&mut parts);

        let mut parts = parts.into_iter();
        let first_part = parts.next()?;
        let given: Vec<&str> = parts.flatten().collect();
        let (mut given, mut family) = if given.is_empty() {
            (first_part, None)
        } else {
            (given, Some(first_part))
        };

        let title = titles(&mut given, family.as_ref().map_or(0, Vec::len));
        let inner = match &mut family {
            None => suffixes(&mut given, 2),
            Some(family) => suffixes(family, 1),
        };
        let (first, rest) = given.split_first()?;
        let (middle, last) = match &family {
            Some(family) if with_middle => (rest.to_vec(), family.clone()),
            Some(family) => (Vec::new(), [rest, family].concat()),
            None if with_middle => split_middle(rest),
            None => (Vec::new(), rest.to_vec()),
        };
        Some(Self {
            title: title.join(" "),
            first: (*first).to_owned(),
            middle: middle.join(" "),
            last: last.join(" "),
            suffix: [inner, outer].concat().join(" "),
        })
    }
}

/// Takes off the parts behind the last commas that are nothing but suffixes.
fn suffix_parts<'t>(parts: &mut Vec<Vec<&'t str>>) -> Vec<&'t str> {
    let mut taken = Vec::new();
    while parts.len() > 1
        && parts.last().is_some_and(|part| part.iter().all(|word| is_suffix(word)))
        && let Some(part) = parts.pop()
    {
        taken.splice(0..0, part);
    }
    taken
}

/// Takes titles off the front, as long as a first name and, with what is known of the last name, two words are left.
fn titles<'t>(given: &mut Vec<&'t str>, family_words: usize) -> Vec<&'t str> {
    let mut taken = Vec::new();
    while given.len() >= 2
        && given.len() + family_words > 2
        && given.first().is_some_and(|word| TITLES.contains(&plain(word).as_str()))
    {
        taken.push(given.remove(0));
    }
    taken
}

/// Takes suffixes off the end, down to `keep` words.
fn suffixes<'t>(words: &mut Vec<&'t str>, keep: usize) -> Vec<&'t str> {
    let mut taken = Vec::new();
    while words.len() > keep
        && let Some(word) = words.pop_if(|word| is_suffix(word))
    {
        taken.insert(0, word);
    }
    taken
}

/// Middle names and last name: the last name begins at its first particle, else it is the last word.
fn split_middle<'t>(rest: &[&'t str]) -> (Vec<&'t str>, Vec<&'t str>) {
    let particle = |word: &&str| PARTICLES.contains(&word.to_lowercase().as_str());
    let begin = if rest.len() < 2 {
        0
    } else {
        rest.iter().position(particle).unwrap_or(rest.len() - 1)
    };
    let (middle, last) = rest.split_at(begin);
    (middle.to_vec(), last.to_vec())
}

fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&plain(word).as_str())
}

/// A word as it is compared: in lower case, without dots and commas.
fn plain(word: &str) -> String {
    word.to_lowercase().replace(['.', ','], "")
}

register!(NameParseIt);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Title, first, middle, last, suffix.
    fn parsed(text: &str, with_middle: bool) -> [String; 5] {
        let name = Name::parse(text, with_middle).unwrap_or_default();
        [name.title, name.first, name.middle, name.last, name.suffix]
    }

    #[test]
    fn names_are_split_as_people_write_them() {
        for (text, expected) in [
            ("John Smith", ["", "John", "", "Smith", ""]),
            ("John Jr.", ["", "John", "", "Jr.", ""]),
            ("Dr. Lane", ["", "Dr.", "", "Lane", ""]),
            ("Prof. Dr. Gregory Lane", ["Prof. Dr.", "Gregory", "", "Lane", ""]),
            ("Smith, John", ["", "John", "", "Smith", ""]),
            ("Smith Jr., John, M.D.", ["", "John", "", "Smith", "Jr. M.D."]),
            ("John Smith, Jr., Ph.D. MBA", ["", "John", "", "Smith", "Jr. Ph.D. MBA"]),
            ("Lane, Dr. Gregory Paul", ["Dr.", "Gregory", "", "Paul Lane", ""]),
            ("Lane, Dr.", ["", "Dr.", "", "Lane", ""]),
            ("Jr., III", ["", "Jr.", "", "", "III"]),
            ("Mono,", ["", "Mono", "", "", ""]),
        ] {
            assert_eq!(parsed(text, false), expected, "{text}");
        }
    }

    #[test]
    fn middle_names_end_where_the_last_name_begins() {
        for (text, expected) in [
            ("Mary Jane Walker", ["", "Mary", "Jane", "Walker", ""]),
            ("Mary Walker", ["", "Mary", "", "Walker", ""]),
            ("Ludwig van Beethoven", ["", "Ludwig", "", "van Beethoven", ""]),
            (
                "Karl Jean De La Vallée Pont",
                ["", "Karl", "Jean", "De La Vallée Pont", ""],
            ),
            ("José Ortega y Gasset", ["", "José", "Ortega", "y Gasset", ""]),
            ("Walker, Mary Jane", ["", "Mary", "Jane", "Walker", ""]),
        ] {
            assert_eq!(parsed(text, true), expected, "{text}");
        }
    }

    #[test]
    fn nothing_but_commas_is_no_name() {
        assert_eq!(Name::parse(" , ,", false), None);
        assert_eq!(Name::parse("\u{2003}", true), None);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_or_made_up(
            words in prop::collection::vec("(Dr\\.|Jr|MD|van|y|Ada|Smith|É|,|\\.)", 0..9),
            with_middle in any::<bool>(),
        ) {
            let text = words.join(" ");
            let mut given: Vec<&str> = text.split([',', ' ']).filter(|word| !word.is_empty()).collect();
            let parts = parsed(&text, with_middle).join(" ");
            let mut kept: Vec<&str> = parts.split_whitespace().collect();
            given.sort_unstable();
            kept.sort_unstable();
            prop_assert_eq!(kept, given);
        }
    }
}
