//! `default_to_field`: a fixed text, a date or a text with the contact's data.

use chrono_tz::Tz;
use mfh_connectors::Contact;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, Flag, FreeText, Zone};
use crate::template::{Notations, Part, split};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, fields, register, values};

/// Merge fields that every contact has: how they are written, and which field they are.
const MERGE_FIELDS: [(&str, &str); 7] = [
    ("FirstName", "first_name"),
    ("LastName", "last_name"),
    ("Email", "email"),
    ("Phone1", "phone"),
    ("Company", "company"),
    ("JobTitle", "job_title"),
    ("Id", "id"),
];

/// Puts a fixed text, the current date or a text with merge fields into a field, on request only when it is still empty.
///
/// The text may hold data of the contact: `{{first_name}}`, `{{company|your company}}` with a word for empty fields,
/// or `@FirstName`, `@LastName`, `@Email`, `@Phone1`, `@Company`, `@JobTitle`, `@Id` and `@` with the key of a custom
/// field. Names that nobody knows stay as you wrote them, and e-mail addresses are left alone.
///
/// `now` alone becomes date and time (2026-03-09 08:05:06), `today` the date; within a text write `@date_now` and
/// `@date_today`. Both follow the time zone you choose.
///
/// What the field held is replaced, unless `only_if_empty` is on. When nothing is left to write, because the data of
/// the contact is missing, the field stays as it is. A text with `@` or `{{` needs the contact: if it cannot be read,
/// the run fails and writes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DefaultToField {
    /// What to write: a text, or one of the words now and today; @date_today and {{first_name}} are filled in.
    default: FreeText,
    /// The field to write to.
    to_field: FieldKey,
    /// Leave the field alone when it has a value.
    #[serde(default)]
    only_if_empty: Flag,
    /// The time zone in which dates are written, such as Europe/Berlin.
    #[serde(default)]
    timezone: Zone,
}

impl Helper for DefaultToField {
    const META: Meta = Meta::new(
        "default_to_field",
        "Default To Field",
        Category::Contact,
        "Puts a fixed text, the current date or a text with merge fields into a field, on request only when it is \
         still empty.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"default": "Lead of @date_today: {{full_name}}", "to_field": "_Origin", "only_if_empty": true}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let field = &self.to_field;
        if self.only_if_empty.0 && !values::is_empty(&cx.get_field(field).await?) {
            return Ok(Outcome::done(format!("{field} has a value already and stays as it is")));
        }
        let text = match cx.recall::<String>("text") {
            Some(text) => text,
            None => {
                let text = self.text(cx).await?;
                cx.remember("text", &text);
                text
            }
        };
        if text.is_empty() {
            return Ok(Outcome::done(format!(
                "There is nothing to write: {field} stays as it is"
            )));
        }
        cx.set_field(field, text.as_str()).await?;
        cx.set_result(field.as_str(), text);
        Ok(Outcome::done(format!("{field} is set")))
    }
}

impl DefaultToField {
    async fn text(&self, cx: &mut Context<'_>) -> Result<String, HelperError> {
        let text = self.with_dates(&Dates::of(cx, self.timezone.0));
        if !["@", "{{", "~Contact."].iter().any(|mark| text.contains(mark)) {
            return Ok(text);
        }
        let contact = cx.contact().await?.clone();
        let (mut rendered, mut at) = (String::new(), 0);
        for part in split(&text, Notations::default()) {
            match part {
                Part::Text(piece) => {
                    merge(&contact, &text, at..at + piece.len(), &mut rendered);
                    at += piece.len();
                }
                Part::Name(token) => {
                    let value = cx.fill(&token).await?;
                    rendered.push_str(value.as_deref().unwrap_or(token.written));
                    at += token.written.len();
                }
            }
        }
        Ok(rendered)
    }

    fn with_dates(&self, dates: &Dates) -> String {
        let text = self.default.as_str();
        let text = text
            .replace("@date_now", &dates.now)
            .replace("@date_today", &dates.today);
        let word = text.replace('"', "");
        match word.trim() {
            word if word.eq_ignore_ascii_case("now") => dates.now.clone(),
            word if word.eq_ignore_ascii_case("today") => dates.today.clone(),
            _ => text,
        }
    }
}

/// The time of the run as the text may name it.
struct Dates {
    now: String,
    today: String,
}

impl Dates {
    fn of(cx: &Context<'_>, zone: Tz) -> Self {
        let now = cx.now().with_timezone(&zone);
        Self {
            now: now.format("%Y-%m-%d %H:%M:%S").to_string(),
            today: now.format("%Y-%m-%d").to_string(),
        }
    }
}

/// Appends this range of the text with its merge fields replaced; what lies around it tells e-mail addresses.
fn merge(contact: &Contact, text: &str, range: std::ops::Range<usize>, into: &mut String) {
    let mut at = range.start;
    while let Some(piece) = text.get(at..range.end).filter(|piece| !piece.is_empty()) {
        let (before, rest) = text.split_at(at);
        let found = piece.strip_prefix('@').filter(|_| !inside_address(before, rest));
        if let Some((name, value)) = found.and_then(|names| merge_field(contact, names)) {
            into.push_str(&value);
            at += 1 + name.len();
        } else {
            let letter = piece.chars().next().unwrap_or_default();
            into.push(letter);
            at += letter.len_utf8();
        }
    }
}

/// Whether the `@` with which `rest` begins stands in an e-mail address.
fn inside_address(before: &str, rest: &str) -> bool {
    let local = |letter: char| letter.is_ascii_alphanumeric() || "._%+-".contains(letter);
    let domain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if !before.ends_with(local) {
        return false;
    }
    let host = rest.trim_start_matches('@').trim_start_matches(domain);
    let label = rest.strip_prefix('@').is_some_and(|host| host.starts_with(domain));
    label && host.strip_prefix('.').is_some_and(|zone| zone.starts_with(domain))
}

/// The longest name of a merge field with which `text` begins and which ends there, and its value.
fn merge_field<'c>(contact: &'c Contact, text: &str) -> Option<(&'c str, String)> {
    let ends = |rest: &str| !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let fits = |name: &str| !name.is_empty() && text.strip_prefix(name).is_some_and(ends);
    let standard = MERGE_FIELDS.into_iter().find(|(name, _)| fits(name));
    let custom = contact.custom_fields.iter().filter(|(name, _)| fits(name));
    let custom = custom.max_by_key(|(name, _)| name.len());
    match (standard, custom) {
        (Some((name, field)), custom) if custom.is_none_or(|(custom, _)| custom.len() <= name.len()) => {
            let value = fields::standard_of_contact(contact, field).unwrap_or_default();
            Some((name, values::text(&value)))
        }
        (_, Some((name, value))) => Some((name, values::text(value))),
        _ => None,
    }
}

register!(DefaultToField);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(text: &str) -> String {
        let contact: Contact = serde_json::from_value(json!({
            "id": "c1", "first_name": "Ada @Email", "email": "ada@example.com",
            "custom_fields": { "plan": "Gold", "plan-b": "Silver", "Id": "hidden", "example": "!", "": "?" },
        }))
        .unwrap();
        let mut merged = String::new();
        merge(&contact, text, 0..text.len(), &mut merged);
        merged
    }

    #[test]
    fn the_longest_name_that_ends_there_wins() {
        assert_eq!(
            merged("@plan @plan-b @plan-c @plans @Plan"),
            "Gold Silver Gold-c @plans @Plan"
        );
        assert_eq!(merged("@Id@plan @"), "c1Gold @");
    }

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        assert_eq!(merged("@FirstName"), "Ada @Email");
    }

    #[test]
    fn an_address_is_text_and_the_end_of_a_sentence_is_none() {
        assert_eq!(merged("me@example.com"), "me@example.com");
        assert_eq!(merged("me@example. com"), "me!. com");
        assert_eq!(merged("(@example.com)"), "(!.com)");
        assert_eq!(merged("x@FirstName"), "xAda @Email");
    }
}
