//! The demo account: the same people, tags and lists every time.

use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::field::{Field, FieldOption, Kind, perstag};
use super::state::{
    Account, Automation, Contact, List, Position, Record, Subscription, Tag, Tagged, Transaction, User,
};
use crate::demo::{self, Person, seeded_at};

/// A seeded contact with a company, tags, custom values and subscriptions.
pub const DEMO_CONTACT_ID: &str = "1001";

/// Tags of message templates, which stand in the same list.
const TEMPLATE_TAGS: [&str; 3] = ["Seasonal", "Newsletter", "Announcement"];

/// The users; the first is the one that the key belongs to.
pub(crate) fn users() -> Vec<User> {
    let named = ["admin", "miguel"].into_iter().zip(demo::USERS).zip(1..);
    named
        .map(|((username, (first_name, last_name, email)), id)| User {
            id,
            username,
            first_name,
            last_name,
            email,
        })
        .collect()
}

/// The lists that contacts subscribe to.
pub(crate) fn lists() -> Vec<List> {
    let list = |(id, name)| List { id, name };
    [(1, "Newsletter"), (2, "Product News"), (3, "Events")]
        .map(list)
        .to_vec()
}

/// The automations: the first may be entered once, the second again and again, the last is switched off.
pub(crate) fn automations() -> Vec<Automation> {
    let automation = |(id, name, active, reentry)| Automation {
        id,
        name,
        active,
        reentry,
    };
    [
        (21, "Welcome Series", true, false),
        (22, "Check-in Call", true, true),
        (23, "Win Back", false, false),
    ]
    .map(automation)
    .to_vec()
}

/// A custom field of every type that the vendor has.
pub(crate) fn fields() -> Vec<Field> {
    let plain: [(&'static str, Kind, &[&'static str]); 12] = [
        ("Lead Score", Kind::Text, &[]),
        ("Tag Count", Kind::Text, &[]),
        ("Internal Note", Kind::Text, &[]),
        ("Biography", Kind::TextArea, &[]),
        ("Renewal Date", Kind::Date, &[]),
        ("Next Appointment", Kind::DateTime, &[]),
        ("Favorite Color", Kind::Dropdown, &demo::COLORS),
        ("Interests", Kind::ListBox, &["Coaching", "Courses", "Events"]),
        ("Contact Method", Kind::Radio, &["Email", "Phone", "Text message"]),
        ("Days", Kind::CheckBox, &["Monday", "Wednesday", "Friday"]),
        ("Campaign Source", Kind::Hidden, &[]),
        ("Imported Remark", Kind::Null, &[]),
    ];
    (1u64..)
        .zip(plain)
        .map(|(id, (title, kind, options))| Field {
            id,
            title,
            perstag: perstag(title),
            kind,
            options: (1u64..)
                .zip(options)
                .map(|(number, label)| FieldOption {
                    id: id * 100 + number,
                    label,
                })
                .collect(),
            default: (kind == Kind::Dropdown).then_some("Blue"),
        })
        .collect()
}

/// Tags and companies.
pub(crate) fn plant(tx: &mut Transaction<'_>) {
    plant_tags(tx);
    plant_accounts(tx);
}

fn plant_tags(tx: &mut Transaction<'_>) {
    let mut plant = |name: &str, kind: &str, description: String, created| {
        let id = tx.next_id("tag");
        tx.put(Record::Tag(Tag {
            id,
            name: name.to_owned(),
            kind: kind.to_owned(),
            description,
            created,
        }));
    };
    for (index, (group, tags)) in demo::TAGS.iter().enumerate() {
        for tag in *tags {
            plant(tag, "contact", format!("{group}: {tag}"), seeded_at(index));
        }
    }
    for tag in TEMPLATE_TAGS {
        plant(tag, "template", String::new(), seeded_at(0));
    }
}

fn plant_accounts(tx: &mut Transaction<'_>) {
    for (index, name) in demo::COMPANIES.iter().enumerate() {
        let id = tx.next_id("account");
        tx.put(Record::Account(Account {
            id,
            name: (*name).to_owned(),
            created: seeded_at(index),
        }));
    }
}

pub(crate) fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
    tx.now = seeded_at(index + 10);
    let person = Person { index };
    let id = tx.next_id("contact");
    let mut contact = Contact::new(id, tx.now);
    if let Value::Object(body) = body(person) {
        contact::write(tx, &mut contact, &body)?;
    }
    if person.is_employed() {
        let accounts: Vec<u64> = tx.state.accounts.keys().copied().collect();
        contact.position = Some(Position {
            id: tx.next_id("accountContact"),
            account: person.pick(&accounts),
            job_title: person.pick(&demo::JOB_TITLES).to_owned(),
        });
    }
    let tags = tx.state.tags.values().filter(|tag| tag.kind == "contact");
    for tag in person.tags(tags.map(|tag| tag.id).collect(), (index + 2) % 6) {
        let id = tx.next_id("contactTag");
        contact.tags.push(Tagged { id, tag, at: tx.now });
    }
    for (list, status) in subscriptions(index) {
        contact.lists.push(Subscription {
            id: tx.next_id("contactList"),
            list: *list,
            status: *status,
            at: tx.now,
        });
    }
    tx.put(Record::Contact(contact));
    Ok(())
}

fn body(person: Person) -> Value {
    let mut body = json!({
        "email": person.email(),
        "firstName": person.given_name(),
        "lastName": person.family_name(&demo::FAMILY_NAMES),
        "phone": person.phone(0),
    });
    if person.has_custom_values() {
        let value = |field: u64, value: String| json!({ "field": field.to_string(), "value": value });
        body["fieldValues"] = json!([
            value(1, person.lead_score().to_string()),
            value(2, person.tag_count().to_string()),
            value(5, person.renewal_date()),
            value(6, format!("2026-05-{:02}T09:30:00-05:00", person.index % 28 + 1)),
            value(7, person.pick(&demo::COLORS).to_owned()),
            value(8, "||Coaching||Events||".to_owned()),
        ]);
    }
    body
}

/// Most are on a list; some left, bounced, have not confirmed or were never asked.
fn subscriptions(index: usize) -> &'static [(u64, u8)] {
    match index % 10 {
        0..=2 => &[(1, 1), (2, 1)],
        3 | 4 => &[(1, 1)],
        5 => &[(1, 1), (3, 2)],
        6 => &[(1, 2), (2, 2)],
        7 => &[(2, 0)],
        8 => &[(1, 3)],
        _ => &[],
    }
}
