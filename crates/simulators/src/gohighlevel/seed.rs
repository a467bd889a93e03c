//! The demo location: the same people, tags and workflows every time.

use chrono::{DateTime, Duration, Utc};
use mfh_types::TimestampMs;
use serde_json::{Value, json};

use super::state::{Change, Channel, Contact, CustomField, DndStatus, FieldType, Record, State, Tag, User, Workflow};

/// How many contacts the demo location has.
const CONTACTS: usize = 200;
/// The first contact of the demo data; it has values in most fields.
pub const DEMO_CONTACT_ID: &str = "DemoContact000000001";

const FIRST_NAMES: [&str; 20] = [
    "Anouk", "Bruno", "Carmen", "Dario", "Esther", "Felix", "Gwen", "Hassan", "Ingrid", "Jamal", "Katja", "Luca",
    "Mina", "Nikhil", "Olive", "Pavel", "Ruben", "Saskia", "Tomas", "Vera",
];
const LAST_NAMES: [&str; 23] = [
    "Almeida",
    "Beaumont",
    "Cormier",
    "Delgado",
    "Engström",
    "Farrow",
    "Gupta",
    "Hollander",
    "Iversen",
    "Joshi",
    "Keller",
    "Laurent",
    "Moreau",
    "Nakamura",
    "O'Brien",
    "Pereira",
    "Quist",
    "Romano",
    "Sandoval",
    "Tremblay",
    "Ueda",
    "Voss",
    "Winters",
];
const COMPANIES: [&str; 12] = [
    "Bright Smile Dental",
    "Copper Kettle Catering",
    "Desert Bloom Spa",
    "Evergreen Roofing",
    "Foothill Fitness",
    "Golden Hour Studio",
    "Hilltop Legal",
    "Ironwood Realty",
    "Juniper Tutoring",
    "Kingfisher Marine",
    "Lantern Web Works",
    "Mesa Solar",
];
const CITIES: [(&str, &str, &str); 6] = [
    ("Tempe", "AZ", "85281"),
    ("Eugene", "OR", "97401"),
    ("Denton", "TX", "76201"),
    ("Racine", "WI", "53402"),
    ("Macon", "GA", "31201"),
    ("Golden", "CO", "80401"),
];
const TIME_ZONES: [&str; 4] = [
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Chicago",
    "America/New_York",
];
const COLORS: [&str; 4] = ["Red", "Green", "Blue", "Yellow"];
const INTERESTS: [&str; 3] = ["Coaching", "Courses", "Events"];
const TAGS: [&str; 30] = [
    "prospect",
    "lead",
    "customer",
    "repeat customer",
    "vip",
    "former customer",
    "partner",
    "churn risk",
    "webinar",
    "referral",
    "facebook ad",
    "trade show",
    "newsletter",
    "podcast",
    "cold outreach",
    "coaching",
    "online course",
    "consulting",
    "workshops",
    "membership",
    "e-books",
    "live events",
    "templates",
    "opened last email",
    "clicked offer",
    "booked call",
    "no show",
    "abandoned cart",
    "left review",
    "requested quote",
];

fn contact_id(number: usize) -> String {
    format!("DemoContact{number:09}")
}

fn tag_id(number: usize) -> String {
    format!("DemoTag{number:013}")
}

fn field_id(number: usize) -> String {
    format!("DemoField{number:011}")
}

/// The id of a demo user, counted from 1.
pub(crate) fn user_id(number: usize) -> String {
    format!("DemoUser{number:012}")
}

/// The time of the `index`th seeded record.
fn seeded_at(index: usize) -> TimestampMs {
    let start = DateTime::<Utc>::from_timestamp(1_736_150_400, 0).unwrap_or_default();
    TimestampMs(start + Duration::hours(i64::try_from(index).unwrap_or_default()))
}

/// The four users; the first is the one that connects, the last was deleted.
pub(crate) fn users() -> Vec<User> {
    [
        ("Dana", "Whitlock", "dana@example.com", false),
        ("Miguel", "Ortega", "miguel@example.com", false),
        ("Yuki", "Tanabe", "yuki@example.com", false),
        ("Ruth", "Osei", "ruth@example.com", true),
    ]
    .into_iter()
    .zip(1..)
    .map(|((first_name, last_name, email, deleted), number)| User {
        id: user_id(number),
        first_name,
        last_name,
        email,
        deleted,
    })
    .collect()
}

/// The three workflows; the last is a draft.
pub(crate) fn workflows() -> Vec<Workflow> {
    let workflow = |id, name, published| Workflow { id, name, published };
    vec![
        workflow("5a1f0c52-7d0e-4b51-9a53-0d6f1c1e0001", "New Lead Nurture", true),
        workflow("5a1f0c52-7d0e-4b51-9a53-0d6f1c1e0002", "Onboarding", true),
        workflow("5a1f0c52-7d0e-4b51-9a53-0d6f1c1e0003", "Win Back", false),
    ]
}

/// A freshly filled location.
pub(crate) fn planted() -> State {
    let mut state = State::bare();
    for (name, number) in TAGS.iter().zip(1..) {
        state.apply(Change::Put(Record::Tag(Tag {
            id: tag_id(number),
            name: (*name).to_owned(),
        })));
    }
    plant_custom_fields(&mut state);
    for index in 0..CONTACTS {
        state.apply(Change::Put(Record::Contact(Box::new(contact(&state, index)))));
    }
    state
}

/// One field of every type, some of them twice.
fn plant_custom_fields(state: &mut State) {
    use FieldType as F;
    let fields: [(&str, FieldType, &[&str]); 16] = [
        ("Lead Score", F::Text, &[]),
        ("Tag Count", F::Numerical, &[]),
        ("Lifetime Value", F::Monetory, &[]),
        ("Renewal Date", F::Date, &[]),
        ("Favorite Color", F::SingleOptions, &COLORS),
        ("Contact Method", F::Radio, &["Email", "Phone", "Text message"]),
        ("Interests", F::Checkbox, &INTERESTS),
        ("Regions", F::MultipleOptions, &["North", "South", "East", "West"]),
        ("Internal Note", F::Text, &[]),
        ("Biography", F::LargeText, &[]),
        ("Emergency Phone", F::Phone, &[]),
        ("Assistant Email", F::Email, &[]),
        ("Milestones", F::TextboxList, &[]),
        ("Contract", F::FileUpload, &[]),
        ("Visits", F::Numerical, &[]),
        ("Last Call", F::Date, &[]),
    ];
    for ((name, data_type, options), number) in fields.into_iter().zip(1..) {
        let key = name.to_lowercase().replace(' ', "_");
        state.apply(Change::Put(Record::CustomField(CustomField {
            id: field_id(number),
            name: name.to_owned(),
            field_key: format!("contact.{key}"),
            data_type,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            position: u32::try_from(number).unwrap_or_default() * 50,
        })));
    }
}

fn contact(state: &State, index: usize) -> Contact {
    let mut contact = Contact::new(contact_id(index + 1), seeded_at(index));
    let first = FIRST_NAMES[index % FIRST_NAMES.len()];
    let given = first.to_lowercase();
    let owner = user_id(index % 3 + 1);
    let mut set = |name: &str, text: String| drop(contact.texts.insert(name.to_owned(), text));
    set("firstName", first.to_owned());
    set("lastName", LAST_NAMES[(index * 7) % LAST_NAMES.len()].to_owned());
    set("email", format!("{given}.{}@example.com", index + 1));
    // 555-01xx numbers are kept free for fiction.
    set("phone", format!("+1480555{:04}", 100 + index % 100));
    set("timezone", TIME_ZONES[index % TIME_ZONES.len()].to_owned());
    set("assignedTo", owner);
    set("source", "website".to_owned());
    if index % 3 != 1 {
        set("companyName", COMPANIES[index % COMPANIES.len()].to_owned());
    }
    if index.is_multiple_of(2) {
        let (city, region, zip) = CITIES[index % CITIES.len()];
        set("address1", format!("{} Saguaro Street", 100 + index));
        set("city", city.to_owned());
        set("state", region.to_owned());
        set("postalCode", zip.to_owned());
        set("country", "US".to_owned());
        set("website", format!("https://www.example.com/{}", index + 1));
        let (year, month, day) = (60 + index % 39, index % 12 + 1, index % 28 + 1);
        set("dateOfBirth", format!("19{year}-{month:02}-{day:02}"));
    }
    if index.is_multiple_of(5) {
        let second = format!("{given}.home{}@example.com", index + 1);
        contact.additional_emails = vec![second];
        contact.additional_phones = vec![format!("+1623555{:04}", 100 + index % 100)];
    }
    contact.tags = tags_of(index);
    plant_dnd(&mut contact, index);
    if index.is_multiple_of(3) {
        plant_values(state, &mut contact, index);
    }
    contact
}

fn tags_of(index: usize) -> Vec<String> {
    let names = (0..index % 6).map(|step| TAGS[(index * 7 + step * 11) % TAGS.len()].to_owned());
    names.collect()
}

/// Most people never chose; some opted in or out by e-mail, some are out for good, some want no contact at all.
fn plant_dnd(contact: &mut Contact, index: usize) {
    let status = match index % 10 {
        0..=2 => DndStatus::Inactive,
        3 => DndStatus::Active,
        4 => DndStatus::Permanent,
        5 => {
            contact.dnd = true;
            return;
        }
        _ => return,
    };
    let channel = Channel {
        status,
        message: Some("Updated by the contact".to_owned()),
        code: None,
    };
    contact.dnd_settings.insert("Email".to_owned(), channel);
}

fn plant_values(state: &State, contact: &mut Contact, index: usize) {
    let values: [(&str, Value); 6] = [
        ("contact.lead_score", json!((index % 100).to_string())),
        ("contact.tag_count", json!(index % 6)),
        ("contact.lifetime_value", json!(index * 10)),
        ("contact.renewal_date", json!(format!("2026-{:02}-15", index % 12 + 1))),
        ("contact.favorite_color", json!(COLORS[index % COLORS.len()])),
        ("contact.interests", json!([INTERESTS[index % INTERESTS.len()]])),
    ];
    for (key, value) in values {
        let field = state.custom_fields.values().find(|field| field.field_key == key);
        if let Some(field) = field {
            contact.custom_fields.insert(field.id.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_the_vendors_twenty_characters() {
        let state = planted();
        assert!(state.contacts.contains_key(DEMO_CONTACT_ID));
        assert_eq!((state.contacts.len(), state.tags.len()), (CONTACTS, TAGS.len()));
        let users = state.users.iter().map(|user| &user.id);
        let ids = state
            .contacts
            .keys()
            .chain(state.tags.keys())
            .chain(state.custom_fields.keys());
        assert!(ids.chain(users).all(|id| id.len() == 20));
        assert_eq!(super::super::LOCATION_ID.len(), 20);
    }
}
