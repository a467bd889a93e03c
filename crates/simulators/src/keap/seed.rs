//! The demo account: the same people, tags and automations every time.

use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::state::{
    Automation, CustomField, EmailStatus, FieldOption, FieldType, Goal, OptStatus, Record, Sequence, Tag, TagCategory,
    Transaction, User,
};
use crate::demo::{self, Person, seeded_at};

/// The family names of the demo people.
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

/// The four users; the first is the one that connects, the last is not active.
pub(crate) fn users() -> Vec<User> {
    let user = |(id, (given_name, family_name, email))| User {
        id,
        given_name,
        family_name,
        email,
        admin: id == 1,
        active: id != 4,
        create_time: seeded_at(0),
    };
    (1..).zip(demo::USERS).map(user).collect()
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

/// Tags and custom fields.
pub(crate) fn plant(tx: &mut Transaction<'_>) {
    plant_tags(tx);
    plant_custom_fields(tx);
}

fn plant_tags(tx: &mut Transaction<'_>) {
    for (index, (name, tags)) in demo::TAGS.iter().enumerate() {
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
    plant_field(tx, "Favorite Color", F::Dropdown, &demo::COLORS, Some("Blue"));
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

pub(crate) fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
    tx.now = seeded_at(index + 10);
    let person = Person { index };
    let mut body = contact_body(person);
    if person.has_custom_values() {
        body.insert("custom_fields".into(), custom_values(tx, person));
    }
    let mut contact = contact::create(tx, &body)?;
    let tags = tx.state.tags.keys().copied().collect();
    for tag in person.tags(tags, person.tag_count()) {
        contact.tags.insert(tag, tx.now);
    }
    tx.put(Record::Contact(contact));
    plant_opt_status(tx, person);
    Ok(())
}

fn contact_body(person: Person) -> JsonObject {
    let index = person.index;
    let mut emails = vec![json!({ "email": person.email(), "field": "EMAIL1" })];
    if index.is_multiple_of(5) {
        let given = person.given_name().to_lowercase();
        let second = format!("{given}.home{}@example.com", index + 1);
        emails.push(json!({ "email": second, "field": "EMAIL2" }));
    }
    if index.is_multiple_of(25) {
        let third = format!("billing{}@example.com", index + 1);
        emails.push(json!({ "email": third, "field": "EMAIL3" }));
    }
    let mut phones = vec![json!({ "field": "PHONE1", "type": "Mobile", "number": person.phone(0) })];
    if index.is_multiple_of(4) {
        phones.push(json!({ "field": "PHONE2", "type": "Work", "number": person.phone(37) }));
    }
    let mut body = json!({
        "given_name": person.given_name(),
        "family_name": person.family_name(&FAMILY_NAMES),
        "email_addresses": emails,
        "phone_numbers": phones,
        "contact_type": if index.is_multiple_of(4) { "Customer" } else { "Prospect" },
        "owner_id": person.owner().to_string(),
        "time_zone": person.time_zone(),
        "preferred_locale": "en_US",
        "source_type": "MANUAL",
    });
    if person.is_employed() {
        body["company"] = json!({ "company_name": person.pick(&COMPANIES) });
        body["job_title"] = json!(person.pick(&JOB_TITLES));
    }
    if person.is_well_known() {
        let city = person.city();
        body["addresses"] = json!([{
            "field": "BILLING", "line1": person.street("Juniper"), "locality": city.name,
            "region": city.region, "region_code": city.region_code, "zip_code": city.zip, "postal_code": city.zip,
            "country_code": "USA",
        }]);
        let (year, month, day) = person.birthday();
        body["birth_date"] = json!(format!("{year}-{month:02}-{day:02}"));
        body["website"] = json!(person.website());
    }
    match body {
        Value::Object(body) => body,
        _ => JsonObject::new(),
    }
}

fn custom_values(tx: &Transaction<'_>, person: Person) -> Value {
    let values = [
        ("_LeadScore", json!(person.lead_score())),
        ("_TagCount", json!(person.tag_count())),
        ("_FavoriteColor", json!(person.pick(&demo::COLORS))),
        ("_RenewalDate", json!(person.renewal_date())),
        ("_LifetimeValue", json!(person.lifetime_value())),
        ("_WantsNewsletter", json!(person.index.is_multiple_of(2))),
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

/// Most addresses may be mailed; some unsubscribed, bounced or were never asked.
fn plant_opt_status(tx: &mut Transaction<'_>, person: Person) {
    let status = match person.index % 10 {
        0..=4 => OptStatus::SingleOptIn,
        5 => OptStatus::UnengagedMarketable,
        6 => OptStatus::ListUnsubscribe,
        7 => OptStatus::Manual,
        8 => OptStatus::HardBounce,
        _ => return,
    };
    tx.put(Record::EmailStatus(EmailStatus {
        email: person.email(),
        status,
        create_time: tx.now,
    }));
}
