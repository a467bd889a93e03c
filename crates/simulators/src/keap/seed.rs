//! The demo account: the same people, tags and automations every time.

use chrono::{DateTime, Duration, Utc};
use mfh_types::{Clock, JsonObject, TimestampMs};
use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::state::{
    Automation, CustomField, EmailStatus, FieldOption, FieldType, Goal, OptStatus, Record, Sequence, State, Tag,
    TagCategory, Transaction, User,
};
use crate::journal::Row;

/// How many contacts the demo account has.
pub(crate) const CONTACTS: usize = 200;

const GIVEN_NAMES: [&str; 20] = [
    "Amara", "Bastian", "Celia", "Dmitri", "Elena", "Farouk", "Greta", "Hiro", "Imani", "Jonas", "Keiko", "Liam",
    "Marisol", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Soren", "Talia",
];
const FAMILY_NAMES: [&str; 23] = [
    "Abernathy",
    "Bergström",
    "Castellano",
    "Dunmore",
    "Eastwick",
    "Fairbanks",
    "Galloway",
    "Hashimoto",
    "Ibarra",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Mbeki",
    "Novak",
    "O'Hara",
    "Petrov",
    "Quigley",
    "Rasmussen",
    "Silva",
    "Thornton",
    "Underhill",
    "Vasquez",
    "Whitfield",
];
const COMPANIES: [&str; 12] = [
    "Northwind Bakery",
    "Cedar Lane Dental",
    "Blue Heron Yoga",
    "Granite Peak Roofing",
    "Lakeside Tutoring",
    "Sunny Side Catering",
    "Harbor Light Legal",
    "Redwood Realty",
    "Maple Street Fitness",
    "Prairie Web Studio",
    "Silver Fox Consulting",
    "Willow Creek Spa",
];
const JOB_TITLES: [&str; 6] = [
    "Owner",
    "Office Manager",
    "Marketing Lead",
    "Head of Sales",
    "Coach",
    "Assistant",
];
const CITIES: [(&str, &str, &str, &str); 6] = [
    ("Chandler", "Arizona", "US-AZ", "85224"),
    ("Portland", "Oregon", "US-OR", "97205"),
    ("Austin", "Texas", "US-TX", "78701"),
    ("Madison", "Wisconsin", "US-WI", "53703"),
    ("Savannah", "Georgia", "US-GA", "31401"),
    ("Boulder", "Colorado", "US-CO", "80302"),
];
const TIME_ZONES: [&str; 4] = [
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Chicago",
    "America/New_York",
];
const COLORS: [&str; 4] = ["Red", "Green", "Blue", "Yellow"];

const CATEGORIES: [(&str, &[&str]); 4] = [
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
        "tag_category" => 11,
        "note" => 5001,
        "company" => 301,
        _ => 1,
    }
}

/// The four users; the first is the one that connects.
pub(crate) fn users() -> Vec<User> {
    [
        ("Dana", "Whitlock", "dana@example.com", true, true),
        ("Miguel", "Ortega", "miguel@example.com", false, true),
        ("Yuki", "Tanabe", "yuki@example.com", false, true),
        ("Ruth", "Osei", "ruth@example.com", false, false),
    ]
    .into_iter()
    .zip(1..)
    .map(|((given_name, family_name, email, admin, active), id)| User {
        id,
        given_name,
        family_name,
        email,
        admin,
        active,
        create_time: seeded_at(0),
    })
    .collect()
}

/// The three automations; the first has a single sequence, the last is a draft.
pub(crate) fn automations() -> Vec<Automation> {
    let automation = |id, title, published, sequences: &[(u64, &'static str)]| Automation {
        id,
        title,
        published,
        sequences: sequences.iter().map(|&(id, name)| Sequence { id, name }).collect(),
        create_time: seeded_at(1),
    };
    vec![
        automation(21, "New Lead Nurture", true, &[(211, "Welcome Series")]),
        automation(22, "Onboarding", true, &[(221, "First Week"), (222, "Check-in Call")]),
        automation(
            23,
            "Win Back",
            false,
            &[(231, "Gentle Reminder"), (232, "Special Offer"), (233, "Goodbye")],
        ),
    ]
}

/// The five goals that can be achieved through the API.
pub(crate) fn goals() -> Vec<Goal> {
    let goal = |id, automation_id, name, call_name, starts| Goal {
        id,
        automation_id,
        name,
        integration: "mfh",
        call_name,
        starts,
    };
    vec![
        goal(2101, 21, "Form Completed", "formcompleted", 211),
        goal(2201, 22, "Contract Signed", "contractsigned", 221),
        goal(2202, 22, "Call Booked", "callbooked", 222),
        goal(2301, 23, "Reactivated", "reactivated", 231),
        goal(2302, 23, "Offer Accepted", "offeraccepted", 232),
    ]
}

/// A freshly filled account, and the rows to store for it.
pub(crate) fn planted(clock: &dyn Clock) -> anyhow::Result<(State, Vec<Row>)> {
    let mut garden = Garden {
        state: State::bare(),
        rows: Vec::new(),
    };
    garden.step(clock, |tx| {
        plant_tags(tx);
        plant_custom_fields(tx);
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
    for (index, (name, tags)) in CATEGORIES.iter().enumerate() {
        let category_id = tx.next_id("tag_category");
        tx.put(Record::TagCategory(TagCategory {
            id: category_id,
            name: (*name).to_owned(),
            description: Some(format!("Tags about {}", name.to_lowercase())),
            create_time: seeded_at(index),
            update_time: seeded_at(index),
        }));
        for tag in *tags {
            let id = tx.next_id("tag");
            tx.put(Record::Tag(Tag {
                id,
                name: (*tag).to_owned(),
                // Some tags have no description, as in real accounts.
                description: (!id.is_multiple_of(3)).then(|| format!("{name}: {tag}")),
                category_id: Some(category_id),
                create_time: seeded_at(index),
                update_time: seeded_at(index),
            }));
        }
    }
}

fn plant_custom_fields(tx: &mut Transaction<'_>) {
    use FieldType as F;
    let plain: [(&str, FieldType); 20] = [
        ("Lead Score", F::WholeNumber),
        ("Tag Count", F::WholeNumber),
        ("Lifetime Value", F::Currency),
        ("Next Appointment", F::DateTime),
        ("Renewal Date", F::Date),
        ("Preferred Weekday", F::DayOfWeek),
        ("Distance Miles", F::DecimalNumber),
        ("Assistant Email", F::Email),
        ("Birth Month", F::Month),
        ("Partner Name", F::Name),
        ("Discount", F::Percent),
        ("Emergency Phone", F::PhoneNumber),
        ("Tax Id", F::SocialSecurityNumber),
        ("Licensed State", F::State),
        ("Internal Note", F::Text),
        ("Biography", F::TextArea),
        ("Account Manager", F::User),
        ("Support Team", F::UserListBox),
        ("Portfolio", F::Website),
        ("Founded", F::Year),
    ];
    for (label, field_type) in plain {
        plant_field(tx, label, field_type, &[], None);
    }
    plant_field(tx, "Wants Newsletter", F::YesNo, &[], Some("false"));
    plant_field(tx, "Favorite Color", F::Dropdown, &COLORS, Some("Blue"));
    plant_field(
        tx,
        "Contact Method",
        F::Radio,
        &["Email", "Phone", "Text message"],
        None,
    );
    plant_field(tx, "Interests", F::ListBox, &["Coaching", "Courses", "Events"], None);
    plant_field(
        tx,
        "Region and Office",
        F::Drilldown,
        &["West / Phoenix", "East / Boston"],
        None,
    );
}

fn plant_field(
    tx: &mut Transaction<'_>,
    label: &str,
    field_type: FieldType,
    options: &[&str],
    default_value: Option<&str>,
) {
    let id = tx.next_id("custom_field");
    tx.put(Record::CustomField(CustomField {
        id,
        label: label.to_owned(),
        field_name: contact::field_name(label),
        field_type,
        options: (1u64..)
            .zip(options)
            .map(|(number, option)| FieldOption {
                id: (id * 100 + number).to_string(),
                label: (*option).to_owned(),
            })
            .collect(),
        default_value: default_value.map(str::to_owned),
    }));
}

fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
    tx.now = seeded_at(index + 10);
    let mut body = contact_body(index);
    if index.is_multiple_of(3) {
        body.insert("custom_fields".into(), custom_values(tx, index));
    }
    let mut contact = contact::create(tx, &body)?;
    for tag in tags_of(tx, index) {
        contact.tags.insert(tag, tx.now);
    }
    tx.put(Record::Contact(contact));
    plant_opt_status(tx, index);
    Ok(())
}

fn email_of(index: usize) -> String {
    let given = GIVEN_NAMES[index % GIVEN_NAMES.len()].to_lowercase();
    format!("{given}.{}@example.com", index + 1)
}

fn contact_body(index: usize) -> JsonObject {
    let given = GIVEN_NAMES[index % GIVEN_NAMES.len()];
    let family = FAMILY_NAMES[(index * 7) % FAMILY_NAMES.len()];
    let (city, region, region_code, zip) = CITIES[index % CITIES.len()];
    let mut emails = vec![json!({ "email": email_of(index), "field": "EMAIL1" })];
    if index.is_multiple_of(5) {
        let second = format!("{}.home{}@example.com", given.to_lowercase(), index + 1);
        emails.push(json!({ "email": second, "field": "EMAIL2" }));
    }
    if index.is_multiple_of(25) {
        let third = format!("billing{}@example.com", index + 1);
        emails.push(json!({ "email": third, "field": "EMAIL3" }));
    }
    // 555-01xx numbers are kept free for fiction.
    let phone = |slot: &str, kind: &str, line: usize| json!({ "field": slot, "type": kind, "number": format!("(602) 555-01{:02}", line % 100) });
    let mut body = json!({
        "given_name": given,
        "family_name": family,
        "email_addresses": emails,
        "phone_numbers": [phone("PHONE1", "Mobile", index)],
        "contact_type": if index.is_multiple_of(4) { "Customer" } else { "Prospect" },
        "owner_id": (index % 3 + 1).to_string(),
        "time_zone": TIME_ZONES[index % TIME_ZONES.len()],
        "preferred_locale": "en_US",
        "source_type": "MANUAL",
    });
    if index % 3 != 1 {
        body["company"] = json!({ "company_name": COMPANIES[index % COMPANIES.len()] });
        body["job_title"] = json!(JOB_TITLES[index % JOB_TITLES.len()]);
    }
    if index.is_multiple_of(4) {
        body["phone_numbers"] = json!([phone("PHONE1", "Mobile", index), phone("PHONE2", "Work", index + 37)]);
    }
    if index.is_multiple_of(2) {
        body["addresses"] = json!([{
            "field": "BILLING", "line1": format!("{} Juniper Street", 100 + index), "locality": city,
            "region": region, "region_code": region_code, "zip_code": zip, "postal_code": zip,
            "country_code": "USA",
        }]);
        body["birth_date"] = json!(format!(
            "19{}-{:02}-{:02}",
            60 + index % 39,
            index % 12 + 1,
            index % 28 + 1
        ));
        body["website"] = json!(format!("https://www.example.com/{}", index + 1));
    }
    match body {
        Value::Object(body) => body,
        _ => JsonObject::new(),
    }
}

fn custom_values(tx: &Transaction<'_>, index: usize) -> Value {
    let values = [
        ("_LeadScore", json!(index % 100)),
        ("_TagCount", json!(index % 6)),
        ("_FavoriteColor", json!(COLORS[index % COLORS.len()])),
        ("_RenewalDate", json!(format!("2026-{:02}-15", index % 12 + 1))),
        ("_LifetimeValue", json!(format!("{}.50", index * 10))),
        ("_WantsNewsletter", json!(index.is_multiple_of(2))),
    ];
    let id_of = |name: &str| {
        let mut fields = tx.state.custom_fields.values();
        fields.find(|field| field.field_name == name).map(|field| field.id)
    };
    values
        .into_iter()
        .filter_map(|(name, content)| Some(json!({ "id": id_of(name)?.to_string(), "content": content })))
        .collect()
}

fn tags_of(tx: &Transaction<'_>, index: usize) -> Vec<u64> {
    let ids: Vec<u64> = tx.state.tags.keys().copied().collect();
    (0..index % 6)
        .filter_map(|step| ids.get((index * 5 + step * 11) % ids.len().max(1)).copied())
        .collect()
}

/// Most addresses may be mailed; some unsubscribed, bounced or were never asked.
fn plant_opt_status(tx: &mut Transaction<'_>, index: usize) {
    let status = match index % 10 {
        0..=4 => OptStatus::SingleOptIn,
        5 => OptStatus::UnengagedMarketable,
        6 => OptStatus::ListUnsubscribe,
        7 => OptStatus::Manual,
        8 => OptStatus::HardBounce,
        _ => return,
    };
    tx.put(Record::EmailStatus(EmailStatus {
        email: email_of(index),
        status,
        create_time: tx.now,
    }));
}
