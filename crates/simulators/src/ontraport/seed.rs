//! The demo account: the same people, tags and automations every time.

use chrono::NaiveDate;
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::field::{self, Field, Kind};
use super::state::{Automation, Record, Tag, Transaction, User, kind};
use crate::demo::{self, Person, seeded_at};

/// A seeded contact with phones, an address, tags and custom values.
pub const DEMO_CONTACT_ID: &str = "1001";

const TITLES: [&str; 4] = ["Owner", "Office Manager", "Coach", "Assistant"];
/// A kind of record that tags and automations can be for as well.
const DEAL: u64 = 149;

/// The standard fields, and a custom field of every type.
pub(crate) fn fields() -> Vec<Field> {
    use Kind as K;
    let custom: [(&str, Kind, &[&str]); 15] = [
        ("Lead Score", K::Text, &[]),
        ("Tag Count", K::Text, &[]),
        ("Biography", K::LongText, &[]),
        ("Visits", K::Numeric, &[]),
        ("Lifetime Value", K::Price, &[]),
        ("Renewal Date", K::FullDate, &[]),
        ("Wants Newsletter", K::Check, &[]),
        ("Favorite Color", K::Drop, &demo::COLORS),
        ("Interests", K::List, &["Coaching", "Courses", "Events"]),
        ("Assistant Email", K::Email, &[]),
        ("Emergency Phone", K::Phone, &[]),
        ("Partner Mobile", K::Sms, &[]),
        ("Licensed State", K::State, &[]),
        ("Home Country", K::Country, &[]),
        ("Second Address", K::Address, &[]),
    ];
    let mut fields = field::standard();
    for (number, (alias, kind, labels)) in (1501..).zip(custom) {
        fields.push(Field {
            property: format!("f{number}"),
            alias,
            kind,
            options: (1..)
                .map(|step| number * 10 + step)
                .zip(labels.iter().copied())
                .collect(),
        });
    }
    fields
}

/// The users; the first is the one whose key is used.
pub(crate) fn users() -> Vec<User> {
    let user = |(id, (firstname, lastname, email))| User {
        id,
        firstname,
        lastname,
        email,
    };
    (1..=3).zip(demo::USERS).map(user).collect()
}

/// The automations; the last three are paused, deleted and for deals.
pub(crate) fn automations() -> Vec<Automation> {
    let automation = |id, name, object_type, paused, deleted| Automation {
        id,
        name,
        object_type,
        paused,
        deleted,
    };
    vec![
        automation(21, "New Lead Nurture", kind::CONTACT, false, false),
        automation(22, "Onboarding", kind::CONTACT, false, false),
        automation(23, "Win Back", kind::CONTACT, true, false),
        automation(24, "Old Launch", kind::CONTACT, false, true),
        automation(25, "Deal Follow-up", DEAL, false, false),
    ]
}

/// The legacy sequences.
pub(crate) fn sequences() -> Vec<Automation> {
    vec![Automation {
        id: 31,
        name: "Classic Welcome",
        object_type: kind::CONTACT,
        paused: false,
        deleted: false,
    }]
}

/// Thirty tags of contacts and one of deals.
pub(crate) fn plant(tx: &mut Transaction<'_>) {
    let of_contacts = demo::tags().map(|name| (name, kind::CONTACT));
    for (name, object_type) in of_contacts.chain([("Big Deal", DEAL)]) {
        let id = tx.next_id("tag");
        tx.put(Record::Tag(Tag {
            id,
            name: name.to_owned(),
            object_type,
        }));
    }
}

pub(crate) fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
    tx.now = seeded_at(index + 10);
    let person = Person { index };
    let mut contact = contact::create(tx, &contact_body(tx, person))?;
    let tags = tx.state.tags.values().filter(|tag| tag.object_type == kind::CONTACT);
    let count = person.tag_count() + usize::from(index == 0) * 2;
    for tag in person.tags(tags.map(|tag| tag.id).collect(), count) {
        contact.tags.insert(tag, tx.now);
    }
    // Some confirmed their address, some bounced, are under review or asked for no more mail.
    contact.bulk_mail = match index % 10 {
        0..=4 => 1,
        5 => 2,
        6 => -2,
        7 => -5,
        _ => 0,
    };
    contact.unsubscribed = index % 10 == 8;
    tx.put(Record::Contact(contact));
    Ok(())
}

fn contact_body(tx: &Transaction<'_>, person: Person) -> JsonObject {
    let mut body = json!({
        "firstname": person.given_name(), "lastname": person.family_name(&demo::FAMILY_NAMES),
        "email": person.email(), "office_phone": person.phone(0), "owner": person.owner().to_string(),
        "timezone": person.time_zone(),
    });
    if person.is_employed() {
        body["company"] = json!(person.pick(&demo::COMPANIES[..6]));
        body["title"] = json!(person.pick(&TITLES));
    }
    if person.index.is_multiple_of(4) {
        body["home_phone"] = json!(person.phone(37));
        body["sms_number"] = json!(person.phone(61));
    }
    if person.is_well_known() {
        let city = person.city();
        body["address"] = json!(person.street("Juniper"));
        body["city"] = json!(city.name);
        body["state"] = json!(city.state());
        body["zip"] = json!(city.zip);
        body["country"] = json!("US");
        body["website"] = json!(person.website());
        let (year, month, day) = person.birthday();
        body["birthday"] = json!(seconds_of(year, month, day));
    }
    let mut body = body.as_object().cloned().unwrap_or_default();
    if person.has_custom_values() {
        body.extend(custom_values(tx, person));
    }
    body
}

/// A day as the vendor stores it.
fn seconds_of(year: usize, month: usize, day: usize) -> String {
    let number = |part: usize| u32::try_from(part).unwrap_or_default();
    let year = i32::try_from(year).unwrap_or_default();
    let date = NaiveDate::from_ymd_opt(year, number(month), number(day)).unwrap_or_default();
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp().to_string()
}

fn custom_values(tx: &Transaction<'_>, person: Person) -> JsonObject {
    let index = person.index;
    let choice = |field: &Field, step: usize| {
        let ids: Vec<u64> = field.options.iter().map(|(id, _)| *id).collect();
        ids.get(step % ids.len().max(1)).map(u64::to_string)
    };
    let value = |field: &Field| {
        Some(match field.alias {
            "Lead Score" => person.lead_score().to_string(),
            "Tag Count" => person.tag_count().to_string(),
            "Visits" => (index * 3 + 1).to_string(),
            "Lifetime Value" => person.lifetime_value(),
            "Renewal Date" => seconds_of(2026, index % 12 + 1, 15),
            "Wants Newsletter" => u8::from(index.is_multiple_of(2)).to_string(),
            "Favorite Color" => choice(field, index)?,
            "Interests" => format!("*/*{}*/*{}*/*", choice(field, index)?, choice(field, index + 1)?),
            _ => return None,
        })
    };
    let fields = tx.state.fields.iter();
    fields
        .filter_map(|field| Some((field.property.clone(), Value::from(value(field)?))))
        .collect()
}
