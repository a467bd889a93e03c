//! The demo account: the same people, tags and automations every time.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use mfh_types::{Clock, JsonObject, TimestampMs};
use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::field::{self, Field, Kind};
use super::state::{Automation, Record, State, Tag, Transaction, User, kind};
use crate::journal::Row;

/// How many contacts the demo account has.
pub(crate) const CONTACTS: usize = 200;

/// A seeded contact with phones, an address, tags and custom values.
pub const DEMO_CONTACT_ID: &str = "1001";

const FIRST_NAMES: [&str; 20] = [
    "Amara", "Bastian", "Celia", "Dmitri", "Elena", "Farouk", "Greta", "Hiro", "Imani", "Jonas", "Keiko", "Liam",
    "Marisol", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Soren", "Talia",
];
const LAST_NAMES: [&str; 11] = [
    "Abernathy",
    "Bergström",
    "Castellano",
    "Dunmore",
    "Eastwick",
    "Fairbanks",
    "Galloway",
    "Hashimoto",
    "O'Hara",
    "Rasmussen",
    "Whitfield",
];
const COMPANIES: [&str; 6] = [
    "Northwind Bakery",
    "Cedar Lane Dental",
    "Blue Heron Yoga",
    "Granite Peak Roofing",
    "Lakeside Tutoring",
    "Harbor Light Legal",
];
const TITLES: [&str; 4] = ["Owner", "Office Manager", "Coach", "Assistant"];
const CITIES: [(&str, &str, &str); 6] = [
    ("Chandler", "AZ", "85224"),
    ("Portland", "OR", "97205"),
    ("Austin", "TX", "78701"),
    ("Madison", "WI", "53703"),
    ("Savannah", "GA", "31401"),
    ("Boulder", "CO", "80302"),
];
const TIME_ZONES: [&str; 4] = [
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Chicago",
    "America/New_York",
];
const COLORS: [&str; 4] = ["Red", "Green", "Blue", "Yellow"];
const TAGS: [&str; 30] = [
    "Prospect",
    "Lead",
    "Customer",
    "Repeat Customer",
    "VIP",
    "Former Customer",
    "Partner",
    "Churn Risk",
    "Webinar",
    "Referral",
    "Facebook Ad",
    "Trade Show",
    "Newsletter",
    "Podcast",
    "Cold Outreach",
    "Coaching",
    "Online Course",
    "Consulting",
    "Workshops",
    "Membership",
    "E-books",
    "Live Events",
    "Templates",
    "Opened Last Email",
    "Clicked Offer",
    "Booked Call",
    "No Show",
    "Abandoned Cart",
    "Left Review",
    "Requested Quote",
];
/// A kind of record that tags and automations can be for as well.
const DEAL: u64 = 149;

/// The time of the `index`th seeded record.
fn seeded_at(index: usize) -> TimestampMs {
    let start = DateTime::<Utc>::from_timestamp(1_736_150_400, 0).unwrap_or_default();
    TimestampMs(start + Duration::hours(i64::try_from(index).unwrap_or_default()))
}

/// The first id of a kind of record.
pub(crate) fn first_id(kind: &str) -> u64 {
    match kind {
        "contact" => 1001,
        "tag" => 101,
        "note" => 5001,
        _ => 1,
    }
}

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
        ("Favorite Color", K::Drop, &COLORS),
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
    let people = [
        ("Dana", "Whitlock", "dana@example.com"),
        ("Miguel", "Ortega", "miguel@example.com"),
        ("Yuki", "Tanabe", "yuki@example.com"),
    ];
    (1..)
        .zip(people)
        .map(|(id, (firstname, lastname, email))| User {
            id,
            firstname,
            lastname,
            email,
        })
        .collect()
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

/// A freshly filled account, and the rows to store for it.
pub(crate) fn planted(clock: &dyn Clock) -> anyhow::Result<(State, Vec<Row>)> {
    let mut garden = Garden {
        state: State::bare(),
        rows: Vec::new(),
    };
    garden.step(clock, |tx| {
        plant_tags(tx);
        Ok(())
    })?;
    for index in 0..CONTACTS {
        garden.step(clock, |tx| plant_contact(tx, index))?;
    }
    Ok((garden.state, garden.rows))
}

struct Garden {
    state: State,
    rows: Vec<Row>,
}

impl Garden {
    /// Applies one transaction, so that the next one sees it.
    fn step(
        &mut self,
        clock: &dyn Clock,
        plant: impl FnOnce(&mut Transaction<'_>) -> Result<(), ApiError>,
    ) -> anyhow::Result<()> {
        let mut tx = Transaction::new(&self.state, clock);
        plant(&mut tx).map_err(|error| anyhow::anyhow!("seeding the demo account: {error:?}"))?;
        for change in tx.changes {
            self.rows.push(change.row()?);
            self.state.apply(change);
        }
        Ok(())
    }
}

/// Thirty tags of contacts and one of deals.
fn plant_tags(tx: &mut Transaction<'_>) {
    let of_contacts = TAGS.map(|name| (name, kind::CONTACT));
    for (name, object_type) in of_contacts.into_iter().chain([("Big Deal", DEAL)]) {
        let id = tx.next_id("tag");
        tx.put(Record::Tag(Tag {
            id,
            name: name.to_owned(),
            object_type,
        }));
    }
}

fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
    tx.now = seeded_at(index + 10);
    let mut contact = contact::create(tx, &contact_body(tx, index))?;
    let ids: Vec<u64> = tx
        .state
        .tags
        .values()
        .filter(|tag| tag.object_type == kind::CONTACT)
        .map(|tag| tag.id)
        .collect();
    for step in 0..index % 6 + usize::from(index == 0) * 2 {
        if let Some(tag) = ids.get((index * 5 + step * 11) % ids.len().max(1)) {
            contact.tags.insert(*tag, tx.now);
        }
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

fn contact_body(tx: &Transaction<'_>, index: usize) -> JsonObject {
    let first = FIRST_NAMES[index % FIRST_NAMES.len()];
    let (city, state, zip) = CITIES[index % CITIES.len()];
    // 555-01xx numbers are kept free for fiction.
    let phone = |line: usize| format!("(602) 555-01{:02}", line % 100);
    let mut body = json!({
        "firstname": first, "lastname": LAST_NAMES[(index * 7) % LAST_NAMES.len()],
        "email": format!("{}.{}@example.com", first.to_lowercase(), index + 1),
        "office_phone": phone(index), "owner": (index % 3 + 1).to_string(),
        "timezone": TIME_ZONES[index % TIME_ZONES.len()],
    });
    if index % 3 != 1 {
        body["company"] = json!(COMPANIES[index % COMPANIES.len()]);
        body["title"] = json!(TITLES[index % TITLES.len()]);
    }
    if index.is_multiple_of(4) {
        body["home_phone"] = json!(phone(index + 37));
        body["sms_number"] = json!(phone(index + 61));
    }
    if index.is_multiple_of(2) {
        body["address"] = json!(format!("{} Juniper Street", 100 + index));
        body["city"] = json!(city);
        body["state"] = json!(state);
        body["zip"] = json!(zip);
        body["country"] = json!("US");
        body["website"] = json!(format!("https://www.example.com/{}", index + 1));
        body["birthday"] = json!(day(1960 + index % 39, index % 12 + 1, index % 28 + 1));
    }
    let mut body = body.as_object().cloned().unwrap_or_default();
    if index.is_multiple_of(3) {
        body.extend(custom_values(tx, index));
    }
    body
}

/// A day as the vendor stores it.
fn day(year: usize, month: usize, day: usize) -> String {
    let number = |part: usize| u32::try_from(part).unwrap_or_default();
    let year = i32::try_from(year).unwrap_or_default();
    let date = NaiveDate::from_ymd_opt(year, number(month), number(day)).unwrap_or_default();
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp().to_string()
}

fn custom_values(tx: &Transaction<'_>, index: usize) -> JsonObject {
    let choice = |field: &Field, step: usize| {
        let ids: Vec<u64> = field.options.iter().map(|(id, _)| *id).collect();
        ids.get(step % ids.len().max(1)).map(u64::to_string)
    };
    let value = |field: &Field| {
        Some(match field.alias {
            "Lead Score" => (index % 100).to_string(),
            "Tag Count" => (index % 6).to_string(),
            "Visits" => (index * 3 + 1).to_string(),
            "Lifetime Value" => format!("{}.50", index * 10),
            "Renewal Date" => day(2026, index % 12 + 1, 15),
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
