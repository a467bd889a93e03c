//! The demo location: the same people, tags and workflows every time.

use serde_json::{Value, json};

use super::state::{
    Channel, Contact, CustomField, DndStatus, FieldType, Record, State, Tag, Transaction, User, Workflow,
};
use crate::demo::{self, Person, seeded_at};

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
const INTERESTS: [&str; 3] = ["Coaching", "Courses", "Events"];

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

/// The four users; the first is the one that connects, the last was deleted.
pub(crate) fn users() -> Vec<User> {
    let user = |(number, (first_name, last_name, email))| User {
        id: user_id(number),
        first_name,
        last_name,
        email,
        deleted: number == 4,
    };
    (1..).zip(demo::USERS).map(user).collect()
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

/// Tags, whose names are in lower case, and custom fields.
pub(crate) fn plant(tx: &mut Transaction<'_>) {
    for (name, number) in demo::tags().zip(1..) {
        tx.put(Record::Tag(Tag {
            id: tag_id(number),
            name: name.to_lowercase(),
        }));
    }
    plant_custom_fields(tx);
}

/// One field of every type, some of them twice.
fn plant_custom_fields(tx: &mut Transaction<'_>) {
    use FieldType as F;
    let fields: [(&str, FieldType, &[&str]); 16] = [
        ("Lead Score", F::Text, &[]),
        ("Tag Count", F::Numerical, &[]),
        ("Lifetime Value", F::Monetory, &[]),
        ("Renewal Date", F::Date, &[]),
        ("Favorite Color", F::SingleOptions, &demo::COLORS),
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
        tx.put(Record::CustomField(CustomField {
            id: field_id(number),
            name: name.to_owned(),
            field_key: format!("contact.{key}"),
            data_type,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            position: u32::try_from(number).unwrap_or_default() * 50,
        }));
    }
}

pub(crate) fn plant_contact(tx: &mut Transaction<'_>, index: usize) {
    let person = Person { index };
    let mut contact = Contact::new(contact_id(index + 1), seeded_at(index));
    contact.texts = texts(person)
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    if index.is_multiple_of(5) {
        let given = person.pick(&FIRST_NAMES).to_lowercase();
        contact.additional_emails = vec![format!("{given}.home{}@example.com", index + 1)];
        contact.additional_phones = vec![format!("+1623555{:04}", 100 + index % 100)];
    }
    contact.tags = tags_of(tx.state, index);
    plant_dnd(&mut contact, index);
    if person.has_custom_values() {
        plant_values(tx.state, &mut contact, person);
    }
    tx.put(Record::Contact(Box::new(contact)));
}

fn texts(person: Person) -> Vec<(&'static str, String)> {
    let index = person.index;
    let first = person.pick(&FIRST_NAMES);
    let mut texts = vec![
        ("firstName", first.to_owned()),
        ("lastName", person.family_name(&LAST_NAMES).to_owned()),
        ("email", demo::address(first, index)),
        // 555-01xx numbers are kept free for fiction.
        ("phone", format!("+1480555{:04}", 100 + index % 100)),
        ("timezone", person.time_zone().to_owned()),
        ("assignedTo", user_id(person.owner())),
        ("source", "website".to_owned()),
    ];
    if person.is_employed() {
        texts.push(("companyName", person.pick(&COMPANIES).to_owned()));
    }
    if person.is_well_known() {
        let (city, region, zip) = person.pick(&CITIES);
        let (year, month, day) = person.birthday();
        texts.extend([
            ("address1", person.street("Saguaro")),
            ("city", city.to_owned()),
            ("state", region.to_owned()),
            ("postalCode", zip.to_owned()),
            ("country", "US".to_owned()),
            ("website", person.website()),
            ("dateOfBirth", format!("{year}-{month:02}-{day:02}")),
        ]);
    }
    texts
}

fn tags_of(state: &State, index: usize) -> Vec<String> {
    let places = (0..index % 6).map(|step| (index * 7 + step * 11) % state.tags.len() + 1);
    let tags = places.filter_map(|place| state.tags.get(&tag_id(place)));
    tags.map(|tag| tag.name.clone()).collect()
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

fn plant_values(state: &State, contact: &mut Contact, person: Person) {
    let values: [(&str, Value); 6] = [
        ("contact.lead_score", json!(person.lead_score().to_string())),
        ("contact.tag_count", json!(person.tag_count())),
        ("contact.lifetime_value", json!(person.index * 10)),
        ("contact.renewal_date", json!(person.renewal_date())),
        ("contact.favorite_color", json!(person.pick(&demo::COLORS))),
        ("contact.interests", json!([person.pick(&INTERESTS)])),
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
    use std::sync::Arc;

    use mfh_types::{SeededRandom, SystemClock};

    use super::*;
    use crate::GoHighLevel;

    #[test]
    fn every_id_has_the_vendors_twenty_characters() {
        let crm = GoHighLevel::open(None, Arc::new(SystemClock), Arc::new(SeededRandom::new(7))).unwrap();
        crm.read(|state| {
            assert!(state.contacts.contains_key(DEMO_CONTACT_ID));
            assert_eq!((state.contacts.len(), state.tags.len()), (200, 30));
            let users = state.users.iter().map(|user| &user.id);
            let ids = state
                .contacts
                .keys()
                .chain(state.tags.keys())
                .chain(state.custom_fields.keys());
            assert!(ids.chain(users).all(|id| id.len() == 20));
        });
        assert_eq!(super::super::LOCATION_ID.len(), 20);
    }
}
