//! The demo account: the same people, tags and lists every time.

use chrono::{DateTime, Duration, Utc};
use mfh_types::{Clock, TimestampMs};
use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::field::{Field, FieldOption, Kind, perstag};
use super::state::{
    Account, Automation, Contact, List, Position, Record, State, Subscription, Tag, Tagged, Transaction, User,
};
use crate::journal::Row;

/// A seeded contact with a company, tags, custom values and subscriptions.
pub const DEMO_CONTACT_ID: &str = "1001";

/// How many contacts the demo account has.
const CONTACTS: usize = 200;

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
const COMPANIES: [&str; 8] = [
    "Northwind Bakery",
    "Cedar Lane Dental",
    "Blue Heron Yoga",
    "Granite Peak Roofing",
    "Lakeside Tutoring",
    "Harbor Light Legal",
    "Redwood Realty",
    "Willow Creek Spa",
];
const JOB_TITLES: [&str; 5] = ["Owner", "Office Manager", "Marketing Lead", "Coach", "Assistant"];
const COLORS: [&str; 4] = ["Red", "Green", "Blue", "Yellow"];

const TAGS: [(&str, &[&str]); 4] = [
    (
        "Lifecycle",
        &[
            "Prospect",
            "Lead",
            "Customer",
            "Repeat Customer",
            "VIP",
            "Former Customer",
            "Partner",
            "Churn Risk",
        ],
    ),
    (
        "Source",
        &[
            "Webinar",
            "Referral",
            "Facebook Ad",
            "Trade Show",
            "Newsletter",
            "Podcast",
            "Cold Outreach",
        ],
    ),
    (
        "Interest",
        &[
            "Coaching",
            "Online Course",
            "Consulting",
            "Workshops",
            "Membership",
            "E-books",
            "Live Events",
            "Templates",
        ],
    ),
    (
        "Actions",
        &[
            "Opened Last Email",
            "Clicked Offer",
            "Booked Call",
            "No Show",
            "Abandoned Cart",
            "Left Review",
            "Requested Quote",
        ],
    ),
];
/// Tags of message templates, which stand in the same list.
const TEMPLATE_TAGS: [&str; 3] = ["Seasonal", "Newsletter", "Announcement"];

/// The time of the `index`th seeded record.
fn seeded_at(index: usize) -> TimestampMs {
    let start = DateTime::<Utc>::from_timestamp(1_736_150_400, 0).unwrap_or_default();
    TimestampMs(start + Duration::hours(i64::try_from(index).unwrap_or_default()))
}

/// The first id of a kind of record; rows that attach something have ids far from those of what they attach.
pub(crate) fn first_id(kind: &str) -> u64 {
    match kind {
        "contact" => 1_001,
        "tag" => 101,
        "account" => 301,
        "contactTag" => 40_001,
        "contactList" => 50_001,
        "contactAutomation" => 60_001,
        "accountContact" => 70_001,
        "fieldValue" => 80_001,
        "note" => 90_001,
        _ => 1,
    }
}

/// The users; the first is the one that the key belongs to.
pub(crate) fn users() -> Vec<User> {
    [
        ("admin", "Dana", "Whitlock", "dana@example.com"),
        ("miguel", "Miguel", "Ortega", "miguel@example.com"),
    ]
    .into_iter()
    .zip(1..)
    .map(|((username, first_name, last_name, email), id)| User {
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
        ("Favorite Color", Kind::Dropdown, &COLORS),
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

/// A freshly filled account, and the rows to store for it.
pub(crate) fn planted(clock: &dyn Clock) -> anyhow::Result<(State, Vec<Row>)> {
    let mut garden = Garden {
        state: State::bare(),
        rows: Vec::new(),
    };
    garden.step(clock, |tx| {
        plant_tags(tx);
        plant_accounts(tx);
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
    for (index, (group, tags)) in TAGS.iter().enumerate() {
        for tag in *tags {
            plant(tag, "contact", format!("{group}: {tag}"), seeded_at(index));
        }
    }
    for tag in TEMPLATE_TAGS {
        plant(tag, "template", String::new(), seeded_at(0));
    }
}

fn plant_accounts(tx: &mut Transaction<'_>) {
    for (index, name) in COMPANIES.iter().enumerate() {
        let id = tx.next_id("account");
        tx.put(Record::Account(Account {
            id,
            name: (*name).to_owned(),
            created: seeded_at(index),
        }));
    }
}

fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
    tx.now = seeded_at(index + 10);
    let id = tx.next_id("contact");
    let mut contact = Contact::new(id, tx.now);
    if let Value::Object(body) = body(index) {
        contact::write(tx, &mut contact, &body)?;
    }
    if index % 3 != 1 {
        let accounts: Vec<u64> = tx.state.accounts.keys().copied().collect();
        let account = accounts.get(index % COMPANIES.len()).copied().unwrap_or_default();
        contact.position = Some(Position {
            id: tx.next_id("accountContact"),
            account,
            job_title: JOB_TITLES[index % JOB_TITLES.len()].to_owned(),
        });
    }
    for tag in tags_of(tx, index) {
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

fn body(index: usize) -> Value {
    let first = FIRST_NAMES[index % FIRST_NAMES.len()];
    let mut body = json!({
        "email": format!("{}.{}@example.com", first.to_lowercase(), index + 1),
        "firstName": first,
        "lastName": LAST_NAMES[(index * 7) % LAST_NAMES.len()],
        // 555-01xx numbers are kept free for fiction.
        "phone": format!("(602) 555-01{:02}", index % 100),
    });
    if index.is_multiple_of(3) {
        let value = |field: u64, value: String| json!({ "field": field.to_string(), "value": value });
        body["fieldValues"] = json!([
            value(1, (index % 100).to_string()),
            value(2, (index % 6).to_string()),
            value(5, format!("2026-{:02}-15", index % 12 + 1)),
            value(6, format!("2026-05-{:02}T09:30:00-05:00", index % 28 + 1)),
            value(7, COLORS[index % COLORS.len()].to_owned()),
            value(8, "||Coaching||Events||".to_owned()),
        ]);
    }
    body
}

fn tags_of(tx: &Transaction<'_>, index: usize) -> Vec<u64> {
    let of_contacts = tx.state.tags.values().filter(|tag| tag.kind == "contact");
    let ids: Vec<u64> = of_contacts.map(|tag| tag.id).collect();
    (0..(index + 2) % 6)
        .filter_map(|step| ids.get((index * 5 + step * 11) % ids.len().max(1)).copied())
        .collect()
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
