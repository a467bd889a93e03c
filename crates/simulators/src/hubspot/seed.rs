//! The demo account: the same people, lists and workflows every time.

use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::property::{Kind, Origin, Property};
use super::state::{List, Owner, Processing, Record, Subscription, Transaction, Workflow};
use crate::demo::{self, Person, seeded_at};

/// A seeded contact with several addresses and phones, lists and custom values.
pub const DEMO_CONTACT_ID: &str = "1001";

/// The subscription that stands for marketing mail.
pub(crate) const MARKETING: u64 = 7_001;

const LAST_NAMES: [&str; 13] = [
    "Abernathy",
    "Bergström",
    "Castellano",
    "Dunmore",
    "Fairbanks",
    "Hashimoto",
    "Kowalski",
    "Lindqvist",
    "Novak",
    "O'Hara",
    "Rasmussen",
    "Vasquez",
    "Whitfield",
];
const TIME_ZONES: [(&str, &str); 5] = [
    ("America/Phoenix", "america_slash_phoenix"),
    ("America/Los_Angeles", "america_slash_los_angeles"),
    ("America/Chicago", "america_slash_chicago"),
    ("America/New_York", "america_slash_new_york"),
    ("America/Port-au-Prince", "america_slash_port_hyphen_au_hyphen_prince"),
];
const COLORS: [(&str, &str); 4] = [
    ("Red", "red"),
    ("Green", "green"),
    ("Blue", "blue_1"),
    ("Yellow", "yellow"),
];
const INTERESTS: [(&str, &str); 3] = [
    ("Coaching", "coaching"),
    ("Courses", "courses"),
    ("Live Events", "events"),
];
const YES_NO: [(&str, &str); 2] = [("Yes", "true"), ("No", "false")];
const STAGES: [(&str, &str); 3] = [
    ("Lead", "lead"),
    ("Opportunity", "opportunity"),
    ("Customer", "customer"),
];

/// The four owners; the last is archived.
pub(crate) fn owners() -> Vec<Owner> {
    let owner = |(id, (first_name, last_name, email))| Owner {
        id,
        first_name,
        last_name,
        email,
        archived: id == 64,
        created_at: seeded_at(0),
    };
    (61..).zip(demo::USERS).map(owner).collect()
}

/// Three workflows for contacts, one of them switched off, and one for deals.
pub(crate) fn workflows() -> Vec<Workflow> {
    let workflow = |id, name, is_enabled, object_type_id| Workflow {
        id,
        flow_id: id + 900_000,
        name,
        is_enabled,
        object_type_id,
        created_at: seeded_at(1),
    };
    vec![
        workflow(4021, "New Lead Nurture", true, "0-1"),
        workflow(4022, "Onboarding", true, "0-1"),
        workflow(4023, "Win Back", false, "0-1"),
        workflow(4024, "Deal Follow-up", true, "0-3"),
    ]
}

/// Two subscriptions to marketing mail, one of them the vendor's own, and one each for sales and service.
pub(crate) fn subscriptions() -> Vec<Subscription> {
    let subscription = |id, name, purpose, is_default, is_internal| Subscription {
        id,
        name,
        purpose,
        is_default,
        is_internal,
        created_at: seeded_at(0),
    };
    vec![
        subscription(MARKETING, "Marketing Information", "Marketing", true, false),
        subscription(7_002, "One to One", "Sales", true, true),
        subscription(7_003, "Customer Service Communication", "CustomerSupport", true, false),
        subscription(7_004, "Partner Offers", "Marketing", false, false),
    ]
}

/// Every property of contacts: the vendor's, and custom ones of every type.
pub(crate) fn properties() -> Vec<Property> {
    let mut properties = vendor_properties();
    properties.extend(custom_properties());
    properties
}

fn property(name: &'static str, label: &'static str, kind: Kind, form: &'static str, origin: Origin) -> Property {
    Property {
        name,
        label,
        kind,
        form,
        origin,
        options: Vec::new(),
        is_money: false,
        hint: None,
    }
}

fn vendor_properties() -> Vec<Property> {
    use Kind as K;
    use Origin::{Computed, Hidden, Vendor};
    let with_options = |property: Property, options: &[(&'static str, &'static str)]| Property {
        options: options.to_vec(),
        ..property
    };
    vec![
        property("firstname", "First Name", K::String, "text", Vendor),
        property("lastname", "Last Name", K::String, "text", Vendor),
        property("email", "Email", K::String, "text", Vendor),
        property("phone", "Phone Number", K::String, "phonenumber", Vendor),
        property("mobilephone", "Mobile Phone Number", K::String, "phonenumber", Vendor),
        property("fax", "Fax Number", K::String, "text", Vendor),
        property("company", "Company Name", K::String, "text", Vendor),
        property("jobtitle", "Job Title", K::String, "text", Vendor),
        property("website", "Website URL", K::String, "text", Vendor),
        property("date_of_birth", "Date of birth", K::String, "text", Vendor),
        property("address", "Street Address", K::String, "text", Vendor),
        property("city", "City", K::String, "text", Vendor),
        property("state", "State/Region", K::String, "text", Vendor),
        property("zip", "Postal Code", K::String, "text", Vendor),
        property("country", "Country/Region", K::String, "text", Vendor),
        property("industry", "Industry", K::String, "text", Vendor),
        with_options(
            property("hs_timezone", "Time Zone", K::Enumeration, "select", Vendor),
            &TIME_ZONES,
        ),
        with_options(
            property("lifecyclestage", "Lifecycle Stage", K::Enumeration, "radio", Vendor),
            &STAGES,
        ),
        property("hubspot_owner_id", "Contact owner", K::Enumeration, "select", Vendor),
        property("createdate", "Create Date", K::Datetime, "date", Computed),
        property("lastmodifieddate", "Last Modified Date", K::Datetime, "date", Computed),
        property("hs_object_id", "Record ID", K::Number, "number", Computed),
        property(
            "hs_email_optout",
            "Unsubscribed from all email",
            K::Bool,
            "booleancheckbox",
            Computed,
        ),
        property(
            "hs_additional_emails",
            "Additional email addresses",
            K::Enumeration,
            "checkbox",
            Computed,
        ),
        property(
            "hs_email_last_open_date",
            "Last marketing email open date",
            K::Datetime,
            "date",
            Computed,
        ),
        property("hs_is_contact", "Is a contact", K::Bool, "booleancheckbox", Hidden),
        property(
            "hs_all_contact_vids",
            "All vids for a contact",
            K::Enumeration,
            "checkbox",
            Hidden,
        ),
    ]
}

fn custom_properties() -> Vec<Property> {
    use Kind as K;
    let plain = |name, label, kind, form| property(name, label, kind, form, Origin::Account);
    let choice = |name, label, form, options: &[(&'static str, &'static str)]| Property {
        options: options.to_vec(),
        ..property(name, label, Kind::Enumeration, form, Origin::Account)
    };
    vec![
        plain("internal_note", "Internal Note", K::String, "text"),
        plain("biography", "Biography", K::String, "textarea"),
        plain("emergency_phone", "Emergency Phone", K::String, "phonenumber"),
        plain("lead_score", "Lead Score", K::Number, "number"),
        plain("tag_count", "Tag Count", K::Number, "number"),
        Property {
            is_money: true,
            ..plain("lifetime_value", "Lifetime Value", K::Number, "number")
        },
        Property {
            hint: Some("percentage"),
            ..plain("discount", "Discount", K::Number, "number")
        },
        plain("renewal_date", "Renewal Date", K::Date, "date"),
        plain("next_appointment", "Next Appointment", K::Datetime, "date"),
        Property {
            options: YES_NO.to_vec(),
            ..plain("wants_newsletter", "Wants Newsletter", K::Bool, "booleancheckbox")
        },
        choice("wants_catalog", "Wants Catalog", "booleancheckbox", &YES_NO),
        choice("favorite_color", "Favorite Color", "select", &COLORS),
        choice("shirt_color", "Shirt Color", "radio", &COLORS),
        choice("interests", "Interests", "checkbox", &INTERESTS),
        property(
            "tag_points",
            "Tag Points",
            K::Number,
            "calculation_equation",
            Origin::Formula,
        ),
    ]
}

/// Lists that users fill, every fifth of them begun by a filter, and one that a filter fills. The first ten are older
/// than the present numbers of lists.
pub(crate) fn plant(tx: &mut Transaction<'_>) {
    let all = demo::tags().enumerate();
    let all = all.map(|(index, name)| {
        let processing = if index % 5 == 4 {
            Processing::Snapshot
        } else {
            Processing::Manual
        };
        (
            name,
            processing,
            (index < 10).then_some(u64::try_from(index).unwrap_or_default() + 11),
        )
    });
    for (name, processing, legacy_id) in all.chain([("All customers", Processing::Dynamic, None)]) {
        let id = tx.next_id("list");
        tx.put(Record::List(List {
            id,
            legacy_id,
            name: name.to_owned(),
            processing,
            created_at: seeded_at(0),
        }));
    }
}

pub(crate) fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
    tx.now = seeded_at(index + 10);
    let person = Person { index };
    let mut contact = contact::create(tx, &body(person))?;
    let other = |kind: &str| format!("{kind}{}@example.com", index + 1);
    let mut others = Vec::new();
    if index.is_multiple_of(5) {
        others.push(other("home"));
    }
    if index.is_multiple_of(25) {
        others.push(other("billing"));
    }
    if !others.is_empty() {
        let others = others.join(";");
        contact.properties.insert("hs_additional_emails".to_owned(), others);
    }
    for list in lists_of(tx, person) {
        contact.lists.insert(list, tx.now);
    }
    tx.put(Record::Contact(contact));
    plant_consent(tx, person);
    Ok(())
}

fn body(person: Person) -> JsonObject {
    let mut body = json!({
        "firstname": person.given_name(),
        "lastname": person.family_name(&LAST_NAMES),
        "email": person.email(),
        "phone": person.phone(0),
        "hubspot_owner_id": (60 + person.owner()).to_string(),
        "hs_timezone": person.pick(&TIME_ZONES).1,
        "lifecyclestage": person.pick(&STAGES).1,
    });
    if person.is_employed() {
        body["company"] = person.pick(&demo::COMPANIES).into();
        body["jobtitle"] = person.pick(&demo::JOB_TITLES).into();
    }
    if person.index.is_multiple_of(4) {
        body["mobilephone"] = person.phone(37).into();
    }
    if person.is_well_known() {
        let city = person.city();
        body["address"] = person.street("Juniper").into();
        body["city"] = city.name.into();
        body["state"] = city.state().into();
        body["zip"] = city.zip.into();
        body["country"] = "United States".into();
        body["website"] = person.website().into();
        let (year, month, day) = person.birthday();
        body["date_of_birth"] = format!("{month:02}/{day:02}/{year}").into();
    }
    if person.has_custom_values() {
        body["lead_score"] = person.lead_score().to_string().into();
        body["tag_count"] = person.tag_count().to_string().into();
        body["favorite_color"] = person.pick(&COLORS).1.into();
        body["renewal_date"] = person.renewal_date().into();
        body["lifetime_value"] = person.lifetime_value().into();
        body["wants_newsletter"] = person.index.is_multiple_of(2).to_string().into();
        body["interests"] = "courses;coaching".into();
    }
    match body {
        Value::Object(body) => body,
        _ => JsonObject::new(),
    }
}

/// Up to five lists, and the one that is filled by a filter for every third.
fn lists_of(tx: &Transaction<'_>, person: Person) -> Vec<u64> {
    let lists = tx.state.lists.values();
    let (active, open): (Vec<&List>, Vec<&List>) = lists.partition(|list| list.processing == Processing::Dynamic);
    let open = open.into_iter().map(|list| list.id).collect();
    let active = active.into_iter().filter(|_| person.index.is_multiple_of(3));
    let chosen = person.tags(open, person.tag_count());
    chosen.chain(active.map(|list| list.id)).collect()
}

/// Most addresses are subscribed to marketing mail; some left it, some want no mail at all, some were never asked.
fn plant_consent(tx: &mut Transaction<'_>, person: Person) {
    let mut consent = tx.state.consent(&person.email());
    match person.index % 10 {
        0..=5 => drop(consent.subscriptions.insert(MARKETING, true)),
        6 => drop(consent.subscriptions.insert(MARKETING, false)),
        7 | 8 => consent.unsubscribed_from_all = true,
        _ => return,
    }
    tx.put(Record::Consent(consent));
}
