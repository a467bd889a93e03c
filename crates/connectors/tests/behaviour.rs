//! What every connector must do, run against the simulator of each CRM and gated by what the connector can.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/activecampaign.rs"]
mod activecampaign_simulator;
#[path = "support/gohighlevel.rs"]
mod gohighlevel_simulator;
#[path = "support/hubspot.rs"]
mod hubspot_simulator;
#[path = "support/keap.rs"]
mod keap_simulator;
#[path = "support/ontraport.rs"]
mod ontraport_simulator;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use activecampaign_simulator::ActiveCampaign;
use chrono::TimeDelta;
use gohighlevel_simulator::GoHighLevel;
use hubspot_simulator::HubSpot;
use keap_simulator::Keap;
use mfh_connectors::{
    Capability, Connector, Contact, ContactQuery, ContactUpdate, CustomField, DataType, ErrorKind, NewContact,
    OptInOutcome, OptInStatus, WriteOutcome,
};
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_types::{JsonObject, Timestamp};
use ontraport_simulator::Ontraport;
use serde_json::{Value, json};
use support::{Bench, fields};

/// What a simulator shows of a contact, read past the connector.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    tags: BTreeSet<String>,
    /// By the key of the definition.
    custom_fields: JsonObject,
    goals: Vec<String>,
    automations: Vec<String>,
    notes: Vec<String>,
}

impl Seen {
    /// The tags and custom fields of a contact; the latter stand under this name.
    fn of(state: &Value, custom_fields: &str) -> Self {
        Self {
            tags: state["tags"].as_array().unwrap().iter().map(text).collect(),
            custom_fields: state[custom_fields].as_object().cloned().unwrap_or_default(),
            ..Self::default()
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// This member of every entry of a list.
pub(crate) fn texts(list: &Value, member: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| text(&entry[member]))
        .collect()
}

async fn seen(subject: &impl Subject, contact_id: &str) -> Seen {
    subject.seen(&subject.bench().state(contact_id).await)
}

/// A connector in front of its simulator.
#[allow(async_fn_in_trait, reason = "only these tests implement and call it")]
pub(crate) trait Subject {
    fn bench(&self) -> &Bench;
    /// What the simulator shows of a contact.
    fn seen(&self, state: &Value) -> Seen;
    /// An automation that a contact can be put into, and what [`Seen::automations`] calls it.
    fn automation(&self) -> (&'static str, &'static str);
    /// Checks the recorded traffic against the vendor's description.
    fn check_traffic(&self);

    fn crm(&self) -> &dyn Connector {
        &*self.bench().connector
    }
    /// Moves the clock that the simulator and the connector share.
    fn advance(&self, by: TimeDelta) {
        self.bench().world.clock.advance(by);
    }
    fn now(&self) -> Timestamp {
        Timestamp::now(&*self.bench().world.clock)
    }
    fn add_fault(&self, rule: FaultRule) {
        self.bench().faults.add(rule);
    }
    /// Requests received so far.
    fn requests(&self) -> usize {
        self.bench().requests()
    }
    /// A goal's call name and integration.
    fn goal(&self) -> (&'static str, &'static str) {
        ("formcompleted", "mfh")
    }
    /// An id that no contact, tag, automation or user has.
    fn missing_id(&self) -> &'static str {
        "999999"
    }
    /// How many e-mail addresses and phone numbers the first contact of the demo data has at least.
    fn addresses_and_phones(&self) -> (usize, usize) {
        (2, 2)
    }
    /// Addresses that cannot be searched for.
    fn unsearchable(&self) -> &'static [&'static str] {
        &["", "*", "a@example.com;id==1"]
    }
    /// Whether the CRM can list contacts in the order in which they were tagged.
    fn knows_order_of_tagging(&self) -> bool {
        true
    }
    /// Whether tags have categories.
    fn has_tag_categories(&self) -> bool {
        true
    }
    /// The standard fields among those that these tests use that the CRM does not have.
    fn lacks(&self) -> &'static [&'static str] {
        &[]
    }
    /// How many kinds of values its custom fields have at least.
    fn data_types(&self) -> usize {
        8
    }
    /// What setting the consent of a new contact brings, in this order: the wish, the outcome, the status after it.
    async fn consent_steps(&self, _contact_id: &str) -> Vec<(bool, OptInOutcome, OptInStatus)> {
        vec![
            (true, OptInOutcome::Applied, OptInStatus::OptedIn),
            (true, OptInOutcome::Already, OptInStatus::OptedIn),
            (false, OptInOutcome::Applied, OptInStatus::OptedOut),
            (false, OptInOutcome::Already, OptInStatus::OptedOut),
            (true, OptInOutcome::Applied, OptInStatus::OptedIn),
        ]
    }
    /// The same account by a connection that says what contacts opt in to; none where there is nothing to say.
    fn opting_in_to(&self, _target: Option<&str>) -> Option<Arc<dyn Connector>> {
        None
    }
    /// The ids of what a contact has opted in to, read past the connector.
    async fn opted_in_to(&self, _contact_id: &str) -> Vec<String> {
        Vec::new()
    }
    /// Whether the CRM marks one of several things to opt in to as its default.
    fn has_default_target(&self) -> bool {
        false
    }
    /// What a contact that is read shows of its consent.
    fn consent_in_contact(&self, status: OptInStatus) -> Option<OptInStatus> {
        Some(status)
    }
    /// Whether a contact that is read shows this field.
    fn is_in_contact(&self, _field: &CustomField) -> bool {
        true
    }
    /// How the CRM keeps the name of a tag.
    fn tag_name(&self, name: &str) -> String {
        name.to_owned()
    }
    /// Whether a new contact gets its tags by calls of their own, so that they can fail once it exists.
    fn tags_follow_creation(&self) -> bool {
        true
    }
    /// How the CRM shows a standard field that was set to this value.
    fn shows(&self, _key: &str, value: &Value) -> Value {
        value.clone()
    }
    /// What [`Seen::notes`] shows of a note.
    fn note(&self, _title: &str, body: &str) -> String {
        body.to_owned()
    }
}

macro_rules! suite {
    ($crm:ident $subject:ident: $($name:ident)*) => {
        mod $crm {
            use super::Subject as _;
            $(
                #[tokio::test]
                async fn $name() {
                    let subject = super::$subject::start().await;
                    super::$name(&subject).await;
                    subject.check_traffic();
                }
            )*
        }
    };
}

/// All behaviours, as a suite of one CRM.
macro_rules! behaviours {
    ($crm:ident $subject:ident) => {
        suite! {
            $crm $subject:
            paging_visits_every_contact_once
            a_cursor_belongs_to_its_list
            contacts_changed_since_a_time_are_found
            tagged_contacts_come_in_the_order_they_were_tagged
            a_contact_is_created_with_everything
            a_contact_that_was_created_is_named_when_its_tags_fail
            an_update_changes_only_what_is_given
            null_and_empty_text_clear
            every_writable_standard_field_reads_back
            fields_are_known_by_any_of_their_names
            an_unknown_field_is_refused_before_anything_is_written
            custom_values_of_every_type_read_back_in_normal_form
            contacts_are_found_by_address_in_any_case
            an_upsert_creates_once_and_then_updates
            tags_are_applied_and_removed_once
            tags_are_known_by_name_and_never_created_by_accident
            a_created_tag_is_there_at_once
            a_deleted_contact_is_gone
            automations_are_started
            goals_are_achieved
            consent_is_set_and_read
            opting_in_goes_where_the_connection_says
            notes_are_added
            owners_are_listed_and_set
            a_lost_answer_repeats_only_what_may_be_repeated
            lists_are_asked_for_once_in_five_minutes
            the_connection_can_be_tested
        }
    };
}

behaviours!(activecampaign ActiveCampaign);
behaviours!(gohighlevel GoHighLevel);
behaviours!(keap Keap);
behaviours!(hubspot HubSpot);
behaviours!(ontraport Ontraport);

/// Those of these fields that the CRM has.
fn known_fields(subject: &impl Subject, json: Value) -> JsonObject {
    let mut fields = fields(json);
    fields.retain(|key, _| !subject.lacks().contains(&key.as_str()));
    fields
}

async fn new_contact(subject: &impl Subject, email: &str) -> Contact {
    let new = NewContact {
        fields: fields(json!({"email": email, "first_name": "Ada", "last_name": "Lovelace"})),
        tags: Vec::new(),
    };
    subject.crm().create_contact(&new).await.unwrap()
}

async fn set(subject: &impl Subject, contact_id: &str, values: Value) {
    let update = ContactUpdate { fields: fields(values) };
    subject.crm().update_contact(contact_id, &update).await.unwrap();
}

/// Every page of a query, checked for repeats.
async fn all_pages(crm: &dyn Connector, mut query: ContactQuery) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = Vec::new();
    let mut cursors = BTreeSet::new();
    loop {
        let page = crm.get_contacts(&query).await.unwrap();
        contacts.extend(page.contacts);
        let Some(cursor) = page.next_cursor else {
            break;
        };
        assert!(cursors.insert(cursor.clone()), "a cursor came twice");
        query.cursor = Some(cursor);
    }
    let ids: BTreeSet<&str> = contacts.iter().map(|contact| contact.id.as_str()).collect();
    assert_eq!(ids.len(), contacts.len(), "a contact came twice");
    contacts
}

async fn paging_visits_every_contact_once(subject: &impl Subject) {
    let crm = subject.crm();
    let small = all_pages(
        crm,
        ContactQuery {
            limit: Some(30),
            ..ContactQuery::default()
        },
    )
    .await;
    let large = all_pages(crm, ContactQuery::default()).await;
    assert_eq!(small, large);
    assert!(small.len() > 100);
    let count = crm.count_contacts(&ContactQuery::default()).await.unwrap();
    assert_eq!(count, small.len() as u64);
    let one = crm.get_contact(&small[0].id).await.unwrap();
    assert_eq!(one, small[0], "a list shows the same as a single read");
    let ids = all_pages(
        crm,
        ContactQuery {
            ids_only: true,
            ..ContactQuery::default()
        },
    )
    .await;
    let id = |contact: &Contact| contact.id.clone();
    assert!(ids.iter().map(id).eq(small.iter().map(id)));
    assert!(ids.iter().all(|contact| contact.tags.is_none()), "tags were not loaded");
}

async fn a_cursor_belongs_to_its_list(subject: &impl Subject) {
    let crm = subject.crm();
    let first = ContactQuery {
        limit: Some(2),
        ..ContactQuery::default()
    };
    let cursor = crm.get_contacts(&first).await.unwrap().next_cursor;
    assert!(cursor.is_some());
    let sent = subject.requests();
    for query in [
        ContactQuery {
            email: Some("a@example.com".to_owned()),
            cursor: cursor.clone(),
            ..first.clone()
        },
        ContactQuery {
            tag_id: Some("1".to_owned()),
            cursor,
            ..first.clone()
        },
        ContactQuery {
            cursor: Some("nonsense".to_owned()),
            ..first
        },
    ] {
        assert_eq!(
            crm.get_contacts(&query).await.unwrap_err().kind,
            ErrorKind::InvalidInput
        );
    }
    assert_eq!(subject.requests(), sent, "nothing is sent for a wrong cursor");
}

async fn contacts_changed_since_a_time_are_found(subject: &impl Subject) {
    let contact = new_contact(subject, "since@example.com").await;
    subject.advance(TimeDelta::hours(1));
    let since = subject.now();
    subject.advance(TimeDelta::minutes(1));
    set(subject, &contact.id, json!({"first_name": "Grace"})).await;
    let query = ContactQuery {
        updated_since: Some(since),
        ..ContactQuery::default()
    };
    let changed = all_pages(subject.crm(), query).await;
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].id.as_str(), changed[0].first_name.as_str()),
        (contact.id.as_str(), "Grace")
    );
}

async fn tagged_contacts_come_in_the_order_they_were_tagged(subject: &impl Subject) {
    let crm = subject.crm();
    let tag = crm.create_tag("In order").await.unwrap();
    let first = ContactQuery {
        limit: Some(5),
        ..ContactQuery::default()
    };
    let mut contacts = crm.get_contacts(&first).await.unwrap().contacts;
    contacts.reverse();
    for contact in &contacts {
        subject.advance(TimeDelta::seconds(5));
        crm.apply_tag(&contact.id, &tag.id).await.unwrap();
    }
    let query = ContactQuery {
        tag_id: Some(tag.id.clone()),
        limit: Some(2),
        ..ContactQuery::default()
    };
    let tagged = all_pages(crm, query.clone()).await;
    let names = |list: &[Contact]| Vec::from_iter(list.iter().map(|contact| contact.email.clone()));
    if !subject.knows_order_of_tagging() {
        // The order of the list of all contacts, which had been reversed.
        contacts.reverse();
    }
    assert_eq!(names(&tagged), names(&contacts));
    let tags = tagged[0].tags.as_ref().unwrap();
    assert!(
        tags.iter()
            .any(|applied| applied.name == subject.tag_name("In order") && applied.id == tag.id)
    );
    assert_eq!(crm.count_contacts(&query).await.unwrap(), 5);
    let email = contacts[3].email.to_uppercase();
    let both = ContactQuery {
        email: Some(email),
        ..query
    };
    assert_eq!(names(&all_pages(crm, both).await), [contacts[3].email.clone()]);
}

async fn a_contact_is_created_with_everything(subject: &impl Subject) {
    let crm = subject.crm();
    let definitions = crm.get_custom_fields().await.unwrap();
    let text = definitions
        .iter()
        .find(|field| field.data_type == DataType::Text)
        .unwrap();
    let tags = crm.get_tags().await.unwrap();
    let new = NewContact {
        fields: known_fields(
            subject,
            json!({
                "FirstName": "Ada", "email": "ada@example.com", "Phone1": "(602) 555-0123", "company": "Analytical",
                "job_title": "Countess", text.label.clone(): "notes", "country": "United States", "state": "AZ",
                "city": "Phoenix",
            }),
        ),
        tags: vec![tags[0].id.clone(), tags[1].name.clone(), tags[0].id.clone()],
    };
    let created = crm.create_contact(&new).await.unwrap();
    let read = crm.get_contact(&created.id).await.unwrap();
    for contact in [&created, &read] {
        assert_eq!(
            (contact.first_name.as_str(), contact.email.as_str()),
            ("Ada", "ada@example.com")
        );
        assert_eq!(contact.company.as_deref(), Some("Analytical"));
        let has_title = !subject.lacks().contains(&"job_title");
        assert_eq!(contact.job_title.as_deref(), has_title.then_some("Countess"));
        assert_eq!(contact.custom_fields.get(&text.key), Some(&json!("notes")));
        let names = contact.tags.as_ref().unwrap().iter().map(|tag| tag.name.clone());
        assert_eq!(
            BTreeSet::from_iter(names),
            BTreeSet::from([tags[0].name.clone(), tags[1].name.clone()])
        );
        let address = contact.address.clone().unwrap_or_default();
        let has_address = !subject.lacks().contains(&"country");
        assert_eq!(
            (address.country.as_deref(), address.state.as_deref()),
            (has_address.then_some("US"), has_address.then_some("AZ"))
        );
        assert_eq!(
            (contact.source_crm.as_str(), &contact.source_id),
            (crm.metadata().platform_slug, &contact.id)
        );
        assert!(contact.created_at.is_some());
    }
    assert_eq!(seen(subject, &created.id).await.tags.len(), 2);
}

async fn a_contact_that_was_created_is_named_when_its_tags_fail(subject: &impl Subject) {
    let new = NewContact {
        fields: fields(json!({"email": "partial@example.com"})),
        tags: vec![subject.missing_id().to_owned()],
    };
    let error = subject.crm().create_contact(&new).await.unwrap_err();
    if !subject.tags_follow_creation() {
        assert_eq!((error.kind, error.contact_id), (ErrorKind::NotFound, None));
        let found = subject.crm().find_contacts_by_email("partial@example.com").await;
        assert!(
            found.unwrap().is_empty(),
            "nothing is created with a tag that is missing"
        );
        return;
    }
    assert_eq!(error.kind, ErrorKind::Partial);
    let id = error.contact_id.unwrap();
    assert_eq!(
        subject.crm().get_contact(&id).await.unwrap().email,
        "partial@example.com"
    );
}

async fn an_update_changes_only_what_is_given(subject: &impl Subject) {
    let crm = subject.crm();
    let first = ContactQuery {
        limit: Some(1),
        ..ContactQuery::default()
    };
    let before = crm.get_contacts(&first).await.unwrap().contacts.remove(0);
    let (addresses, phones) = subject.addresses_and_phones();
    assert!(before.emails.len() >= addresses && before.phones.len() >= phones && before.custom_fields.len() > 3);
    let definitions = crm.get_custom_fields().await.unwrap();
    // A number where the CRM has such fields, else a text that holds one.
    let of_kind = |kind: DataType| {
        definitions
            .iter()
            .filter(move |field: &&CustomField| field.data_type == kind)
    };
    let key = [DataType::Integer, DataType::Decimal, DataType::Text]
        .into_iter()
        .flat_map(of_kind)
        .map(|field| &field.key)
        .find(|key| before.custom_fields.contains_key(*key))
        .unwrap()
        .clone();
    set(
        subject,
        &before.id,
        json!({"email": "other@example.com", "last_name": "Hopper", key.clone(): 7}),
    )
    .await;
    let after = crm.get_contact(&before.id).await.unwrap();
    let mut expected = before.clone();
    expected.email = "other@example.com".to_owned();
    expected.emails[0].value = "other@example.com".to_owned();
    expected.last_name = "Hopper".to_owned();
    expected
        .custom_fields
        .insert(key.clone(), after.custom_fields[&key].clone());
    // A new address starts with a consent of its own.
    expected.opt_in = after.opt_in;
    expected.updated_at = after.updated_at;
    assert_ne!(after.custom_fields[&key], before.custom_fields[&key]);
    assert_eq!(after, expected);
}

async fn null_and_empty_text_clear(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "clear@example.com").await;
    let fresh = crm.get_contact(&contact.id).await.unwrap();
    let definitions = crm.get_custom_fields().await.unwrap();
    let text = definitions
        .iter()
        .find(|field| field.data_type == DataType::Text)
        .unwrap();
    let standard = match subject.lacks().contains(&"job_title") {
        true => "city",
        false => "job_title",
    };
    set(
        subject,
        &contact.id,
        json!({standard: "Boss", "company": "Navy", "phone": "602 555 0100", text.key.clone(): "x"}),
    )
    .await;
    set(
        subject,
        &contact.id,
        json!({standard: "", "phone": null, text.key.clone(): null}),
    )
    .await;
    let after = crm.get_contact(&contact.id).await.unwrap();
    assert_eq!((after.job_title, after.phone), (None, None));
    assert_eq!(crm.get_field_value(&contact.id, standard).await.unwrap(), Value::Null);
    assert!(!fresh.custom_fields.contains_key(&text.key));
    assert_eq!(after.custom_fields, fresh.custom_fields);
    assert_eq!(crm.get_field_value(&contact.id, "phone").await.unwrap(), Value::Null);
}

async fn every_writable_standard_field_reads_back(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "standard@example.com").await;
    let owner = match crm.can(Capability::Owners) {
        true => crm.list_users().await.unwrap().remove(0).id,
        false => String::new(),
    };
    let values = json!({
        "first_name": "Grace", "last_name": "Hopper", "email": "g@example.com", "email2": "h@example.com",
        "phone": "602 555 0100", "phone2": "602 555 0101", "company": "Navy", "job_title": "Admiral",
        "website": "https://www.example.com", "birthday": "1906-12-09", "address1": "1 Main St",
        "city": "Phoenix", "country": "US", "state": "AZ", "zip": "85001", "timezone": "America/Phoenix",
        "owner_id": owner,
    });
    let mut values = fields(values);
    let listed = values.len();
    let mut known = BTreeMap::new();
    for (key, value) in std::mem::take(&mut values) {
        match crm.get_field_value(&contact.id, &key).await {
            Ok(_) => drop(known.insert(key, value)),
            Err(error) => assert_eq!(error.kind, ErrorKind::UnknownField, "{key}"),
        }
    }
    let lacks = subject.lacks();
    assert!(!known.keys().any(|key| lacks.contains(&key.as_str())));
    assert!(known.len() > 8 || known.len() + lacks.len() == listed, "{known:?}");
    values.extend(known.clone());
    crm.set_field_values(&contact.id, &values).await.unwrap();
    let keys: Vec<&str> = known.keys().map(String::as_str).collect();
    let read = crm.get_field_values(&contact.id, &keys).await.unwrap();
    let shown = values
        .iter()
        .map(|(key, value)| (key.clone(), subject.shows(key, value)));
    assert_eq!(read, shown.collect::<JsonObject>());
    let full_name = crm.get_field_value(&contact.id, "full_name").await.unwrap();
    assert_eq!(full_name, json!("Grace Hopper"));
}

async fn fields_are_known_by_any_of_their_names(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "names@example.com").await;
    let definitions = crm.get_custom_fields().await.unwrap();
    let field = definitions
        .iter()
        .find(|field| field.data_type == DataType::Text)
        .unwrap();
    crm.set_field_value(&contact.id, &field.label.to_uppercase(), &json!("here"))
        .await
        .unwrap();
    let prefixed = [
        format!("id:{}", field.id),
        format!("key:{}", field.key),
        format!("label: {}", field.label),
    ];
    let mut keys: Vec<&str> = prefixed.iter().map(String::as_str).collect();
    keys.extend([field.id.as_str(), field.key.as_str(), field.label.as_str()]);
    let before = subject.requests();
    let values = crm.get_field_values(&contact.id, &keys).await.unwrap();
    assert_eq!(subject.requests(), before + 1, "several fields are one read");
    for key in keys {
        assert_eq!(values[key], json!("here"), "{key}");
    }
    let spellings = ["first_name", "FirstName", "given_name", "std:first_name", "FIRST_NAME"];
    let values = crm.get_field_values(&contact.id, &spellings).await.unwrap();
    assert!(spellings.iter().all(|key| values[*key] == json!("Ada")));
    assert_eq!(
        crm.get_contact(&contact.id).await.unwrap().custom_fields[&field.key],
        json!("here")
    );
    assert_eq!(
        seen(subject, &contact.id).await.custom_fields[&field.key],
        json!("here")
    );
}

async fn an_unknown_field_is_refused_before_anything_is_written(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "unknown@example.com").await;
    let update = ContactUpdate {
        fields: fields(json!({"first_name": "X", "Shoe size": 43})),
    };
    let error = crm.update_contact(&contact.id, &update).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownField);
    assert!(error.message.contains("Shoe size"));
    let error = crm
        .get_field_values(&contact.id, &["email", "Shoe size"])
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownField);
    for (key, value) in [
        ("id", json!("5")),
        ("birthday", json!("soon")),
        (" ", json!("x")),
        ("country", json!("Atlantis")),
    ] {
        let error = crm.set_field_value(&contact.id, key, &value).await.unwrap_err();
        let expected = match subject.lacks().contains(&key) {
            true => ErrorKind::UnknownField,
            false => ErrorKind::InvalidInput,
        };
        assert_eq!(error.kind, expected, "{key}");
    }
    let both = fields(json!({"first_name": "A", "FirstName": "B"}));
    let error = crm.set_field_values(&contact.id, &both).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(crm.get_contact(&contact.id).await.unwrap().first_name, "Ada");
}

/// A value of a type as a user might give it, and its normal form; none for types without one.
fn sample(data_type: DataType, options: &[String]) -> Option<(Value, Value)> {
    let same = |value: Value| (value.clone(), value);
    Some(match data_type {
        DataType::Text | DataType::LongText => (json!(12.5), json!("12.5")),
        DataType::Integer => (json!("1999"), json!(1999)),
        DataType::Decimal | DataType::Percent => (json!("2.50"), json!(2.5)),
        DataType::Currency => (json!("2.5"), json!("2.5")),
        DataType::Boolean => (json!("yes"), json!(true)),
        DataType::Date => (json!("3/1/2026"), json!("2026-03-01")),
        DataType::Datetime => (json!("2026-03-01T23:30:00-05:00"), json!("2026-03-02T04:30:00Z")),
        DataType::Select if !options.is_empty() => (json!(options[0].to_uppercase()), json!(options[0])),
        DataType::MultiSelect if options.len() > 1 => (
            json!(format!("{}, {}", options[1], options[0])),
            json!([options[1], options[0]]),
        ),
        DataType::Email => same(json!("x@example.com")),
        DataType::Phone => same(json!("(602) 555-0199")),
        DataType::Url => same(json!("https://www.example.com/x")),
        _ => return None,
    })
}

async fn custom_values_of_every_type_read_back_in_normal_form(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "types@example.com").await;
    let (mut given, mut normal) = (JsonObject::new(), JsonObject::new());
    let definitions = crm.get_custom_fields().await.unwrap();
    for field in definitions
        .iter()
        .filter(|field| !field.read_only && subject.is_in_contact(field))
    {
        if let Some((value, form)) = sample(field.data_type, &field.options) {
            given.insert(field.key.clone(), value);
            normal.insert(field.key.clone(), form);
        }
    }
    let types: BTreeSet<String> = definitions
        .iter()
        .map(|field| format!("{:?}", field.data_type))
        .collect();
    assert!(types.len() >= subject.data_types(), "{types:?}");
    crm.set_field_values(&contact.id, &given).await.unwrap();
    assert_eq!(crm.get_contact(&contact.id).await.unwrap().custom_fields, normal);
    let keys: Vec<&str> = normal.keys().map(String::as_str).collect();
    assert_eq!(crm.get_field_values(&contact.id, &keys).await.unwrap(), normal);
    let choice = definitions
        .iter()
        .find(|field| field.data_type == DataType::Select)
        .unwrap();
    let error = crm
        .set_field_value(&contact.id, &choice.key, &json!("mauve"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains(&choice.options[0]), "{}", error.message);
}

async fn contacts_are_found_by_address_in_any_case(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "Find.Me+tag@example.com").await;
    let found = crm.find_contacts_by_email("find.me+TAG@example.com").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0], crm.get_contact(&contact.id).await.unwrap());
    assert!(
        crm.find_contacts_by_email("nobody@example.com")
            .await
            .unwrap()
            .is_empty()
    );
    let sent = subject.requests();
    for refused in subject.unsearchable() {
        let error = crm.find_contacts_by_email(refused).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
    }
    assert_eq!(subject.requests(), sent);
}

async fn an_upsert_creates_once_and_then_updates(subject: &impl Subject) {
    let crm = subject.crm();
    let tags = crm.get_tags().await.unwrap();
    let mut new = NewContact {
        fields: known_fields(
            subject,
            json!({"email": "upsert@example.com", "first_name": "Ada", "phone2": "602 555 0102"}),
        ),
        tags: vec![tags[0].id.clone()],
    };
    let (created, is_new) = crm.upsert_contact(&new).await.unwrap();
    assert!(is_new);
    new.fields = fields(json!({"email": "UPSERT@example.com", "first_name": "Grace", "phone": "602 555 0101"}));
    new.tags = vec![tags[1].id.clone()];
    let (updated, is_new) = crm.upsert_contact(&new).await.unwrap();
    assert!(!is_new);
    assert_eq!((&updated.id, updated.first_name.as_str()), (&created.id, "Grace"));
    let read = crm.get_contact(&created.id).await.unwrap();
    let phones = 2 - usize::from(subject.lacks().contains(&"phone2"));
    assert_eq!((read.phones.len(), read.tags.unwrap().len()), (phones, 2));
    assert_eq!(crm.find_contacts_by_email("upsert@example.com").await.unwrap().len(), 1);
}

async fn tags_are_applied_and_removed_once(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "tags@example.com").await;
    let tag = crm.get_tags().await.unwrap().remove(0);
    for _ in 0..2 {
        crm.apply_tag(&contact.id, &tag.id).await.unwrap();
        assert_eq!(
            seen(subject, &contact.id).await.tags,
            BTreeSet::from([tag.name.clone()])
        );
    }
    let read = crm.get_contact(&contact.id).await.unwrap().tags.unwrap();
    assert_eq!((read.len(), &read[0].id, &read[0].name), (1, &tag.id, &tag.name));
    for _ in 0..2 {
        crm.remove_tag(&contact.id, &tag.id).await.unwrap();
        assert!(seen(subject, &contact.id).await.tags.is_empty());
    }
    assert_eq!(crm.get_contact(&contact.id).await.unwrap().tags, Some(Vec::new()));
    let missing = subject.missing_id();
    for (contact, tag) in [(missing, tag.id.as_str()), (contact.id.as_str(), missing)] {
        assert_eq!(crm.apply_tag(contact, tag).await.unwrap_err().kind, ErrorKind::NotFound);
    }
}

async fn tags_are_known_by_name_and_never_created_by_accident(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "tagnames@example.com").await;
    let tags = crm.get_tags().await.unwrap();
    let spelling = format!("  {} ", tags[2].name.to_uppercase());
    crm.apply_tag(&contact.id, &spelling).await.unwrap();
    crm.apply_tag(&contact.id, &format!("id:{}", tags[3].id)).await.unwrap();
    let carried = seen(subject, &contact.id).await.tags;
    assert_eq!(carried, BTreeSet::from([tags[2].name.clone(), tags[3].name.clone()]));
    crm.remove_tag(&contact.id, &tags[2].name).await.unwrap();
    assert_eq!(seen(subject, &contact.id).await.tags.len(), 1);
    let error = crm.apply_tag(&contact.id, "No such tag").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("No such tag"));
    assert_eq!(crm.get_tags().await.unwrap().len(), tags.len());
}

async fn a_created_tag_is_there_at_once(subject: &impl Subject) {
    let crm = subject.crm();
    let before = crm.get_tags().await.unwrap();
    assert_eq!(
        before.iter().any(|tag| tag.category.is_some()),
        subject.has_tag_categories()
    );
    let tag = crm.create_tag("Brand new").await.unwrap();
    assert!(
        crm.get_tags()
            .await
            .unwrap()
            .iter()
            .any(|known| known.id == tag.id && known.name == subject.tag_name("Brand new"))
    );
    let error = crm.create_tag("Brand new").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Conflict, WriteOutcome::NotApplied)
    );
    assert_eq!(crm.create_tag(" ").await.unwrap_err().kind, ErrorKind::InvalidInput);
}

async fn a_deleted_contact_is_gone(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "gone@example.com").await;
    crm.delete_contact(&contact.id).await.unwrap();
    crm.delete_contact(&contact.id).await.unwrap();
    assert_eq!(
        crm.get_contact(&contact.id).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    let error = crm.get_field_value(&contact.id, "email").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = crm
        .set_field_value(&contact.id, "first_name", &json!("X"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

async fn automations_are_started(subject: &impl Subject) {
    let crm = subject.crm();
    let (id, shown) = subject.automation();
    let contact = new_contact(subject, "automation@example.com").await;
    if !crm.can(Capability::Automations) {
        let error = crm.trigger_automation(&contact.id, id).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        return;
    }
    assert!(
        crm.list_automations()
            .await
            .unwrap()
            .iter()
            .any(|automation| automation.id == id)
    );
    for _ in 0..2 {
        crm.trigger_automation(&contact.id, id).await.unwrap();
        assert_eq!(seen(subject, &contact.id).await.automations, [shown]);
    }
    let missing = subject.missing_id();
    let error = crm.trigger_automation(&contact.id, missing).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = crm.trigger_automation(missing, id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

async fn goals_are_achieved(subject: &impl Subject) {
    let crm = subject.crm();
    let (goal, integration) = subject.goal();
    let contact = new_contact(subject, "goal@example.com").await;
    let achieved = crm.achieve_goal(&contact.id, goal, integration).await;
    if !crm.can(Capability::Goals) {
        assert_eq!(achieved.unwrap_err().kind, ErrorKind::Unsupported);
        return;
    }
    achieved.unwrap();
    assert_eq!(seen(subject, &contact.id).await.goals, [goal]);
    let error = crm
        .achieve_goal(&contact.id, "nosuchgoal", integration)
        .await
        .unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    let missing = subject.missing_id();
    let error = crm.achieve_goal(missing, goal, integration).await.unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    assert_eq!(seen(subject, &contact.id).await.goals.len(), 1);
}

async fn consent_is_set_and_read(subject: &impl Subject) {
    let crm = subject.crm();
    if !crm.can(Capability::OptIn) {
        return;
    }
    let contact = new_contact(subject, "consent@example.com").await;
    let steps = subject.consent_steps(&contact.id).await;
    for (wanted, outcome, status) in steps {
        assert_eq!(crm.set_opt_in_status(&contact.id, wanted, "").await.unwrap(), outcome);
        assert_eq!(crm.get_opt_in_status(&contact.id).await.unwrap(), status);
        let shown = crm.get_contact(&contact.id).await.unwrap().opt_in;
        assert_eq!(shown, subject.consent_in_contact(status));
    }
    // A write of other fields never opts in again.
    crm.set_opt_in_status(&contact.id, false, "asked by phone")
        .await
        .unwrap();
    let mut others = json!({"first_name": "X", "phone": "602 555 0103"});
    if crm.get_field_value(&contact.id, "email2").await.is_ok() {
        others["email2"] = json!("second@example.com");
    }
    set(subject, &contact.id, others).await;
    assert_eq!(crm.get_opt_in_status(&contact.id).await.unwrap(), OptInStatus::OptedOut);
    let error = crm
        .set_opt_in_status(subject.missing_id(), true, "x")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

async fn notes_are_added(subject: &impl Subject) {
    let crm = subject.crm();
    if !crm.can(Capability::Notes) {
        return;
    }
    let contact = new_contact(subject, "note@example.com").await;
    crm.add_note(&contact.id, "Call", "Rang twice").await.unwrap();
    crm.add_note(&contact.id, "", "Without title").await.unwrap();
    let expected = [subject.note("Call", "Rang twice"), subject.note("", "Without title")];
    assert_eq!(seen(subject, &contact.id).await.notes, expected);
    assert_eq!(
        crm.add_note(subject.missing_id(), "x", "y").await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}

async fn opting_in_goes_where_the_connection_says(subject: &impl Subject) {
    let Some(undecided) = subject.opting_in_to(None) else {
        // One consent for everything: there is nothing to choose, and nothing to set.
        assert_eq!(subject.crm().opt_in_targets().await.unwrap(), []);
        let contact = new_contact(subject, "all@example.com").await;
        let outcome = subject.crm().set_opt_in_status(&contact.id, true, "").await;
        assert_eq!(outcome.unwrap(), OptInOutcome::Applied);
        return;
    };
    let targets = undecided.opt_in_targets().await.unwrap();
    assert!(targets.len() > 1, "{targets:?}");
    for target in &targets {
        let contact = new_contact(subject, &format!("to{}@example.com", target.id)).await;
        let crm = subject.opting_in_to(Some(&target.id)).unwrap();
        for outcome in [OptInOutcome::Applied, OptInOutcome::Already] {
            assert_eq!(crm.set_opt_in_status(&contact.id, true, "").await.unwrap(), outcome);
            assert_eq!(subject.opted_in_to(&contact.id).await, [target.id.as_str()]);
        }
        assert_eq!(crm.get_opt_in_status(&contact.id).await.unwrap(), OptInStatus::OptedIn);
    }
    let contact = new_contact(subject, "nowhere@example.com").await;
    let mut unclear = vec![subject.opting_in_to(Some(subject.missing_id())).unwrap()];
    if !subject.has_default_target() {
        unclear.push(undecided);
    }
    for crm in unclear {
        let error = crm.set_opt_in_status(&contact.id, true, "form").await.unwrap_err();
        assert!(!error.is_retryable(), "{error:?}");
        assert!(error.message.contains("in the settings of the connection"), "{error}");
        for target in &targets {
            let candidate = format!("{} ({})", target.id, target.name);
            assert!(error.message.contains(&candidate), "{candidate}: {error}");
        }
    }
    assert_eq!(subject.opted_in_to(&contact.id).await, Vec::<String>::new());
}

async fn owners_are_listed_and_set(subject: &impl Subject) {
    let crm = subject.crm();
    if !crm.can(Capability::Owners) {
        let contact = new_contact(subject, "owner@example.com").await;
        assert_eq!(crm.list_users().await.unwrap_err().kind, ErrorKind::Unsupported);
        let error = crm.set_owner(&contact.id, "1").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        return;
    }
    let users = crm.list_users().await.unwrap();
    assert!(users.len() > 1 && users.iter().all(|user| !user.name.is_empty()));
    let contact = new_contact(subject, "owner@example.com").await;
    crm.set_owner(&contact.id, &users[1].id).await.unwrap();
    assert_eq!(
        crm.get_contact(&contact.id).await.unwrap().owner_id,
        Some(users[1].id.clone())
    );
    crm.set_field_value(&contact.id, "OwnerID", &json!(users[0].id))
        .await
        .unwrap();
    assert_eq!(
        crm.get_field_value(&contact.id, "owner_id").await.unwrap(),
        json!(users[0].id)
    );
    let error = crm.set_owner(&contact.id, subject.missing_id()).await.unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::NotFound),
        "{error:?}"
    );
}

async fn a_lost_answer_repeats_only_what_may_be_repeated(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "lost@example.com").await;
    let tag = crm.get_tags().await.unwrap().remove(0);
    subject.add_fault(FaultRule::new(Fault::CutAfter));
    crm.apply_tag(&contact.id, &tag.id).await.unwrap();
    assert_eq!(seen(subject, &contact.id).await.tags.len(), 1);
    subject.add_fault(FaultRule::new(Fault::Html));
    crm.set_field_value(&contact.id, "first_name", &json!("Grace"))
        .await
        .unwrap();
    if crm.can(Capability::Goals) {
        let (goal, integration) = subject.goal();
        subject.add_fault(FaultRule::new(Fault::CutAfter));
        let error = crm.achieve_goal(&contact.id, goal, integration).await.unwrap_err();
        assert_eq!((error.kind, error.outcome), (ErrorKind::Network, WriteOutcome::Unknown));
        assert_eq!(
            seen(subject, &contact.id).await.goals.len(),
            1,
            "sent once, applied once"
        );
        subject.add_fault(FaultRule::status(429));
        crm.achieve_goal(&contact.id, goal, integration).await.unwrap();
        assert_eq!(seen(subject, &contact.id).await.goals.len(), 2);
    }
}

async fn lists_are_asked_for_once_in_five_minutes(subject: &impl Subject) {
    let crm = subject.crm();
    let contact = new_contact(subject, "cache@example.com").await;
    // What making the contact may have loaded is forgotten.
    subject.advance(TimeDelta::minutes(6));
    let load = async || {
        let before = subject.requests();
        let (tags, fields) = tokio::join!(crm.get_tags(), crm.get_custom_fields());
        assert!(!tags.unwrap().is_empty() && !fields.unwrap().is_empty());
        subject.requests() - before
    };
    let cost = load().await;
    assert!(cost > 0);
    assert_eq!(load().await, 0);
    // A name that is missing from a list is looked for again, but not within a minute.
    let before = subject.requests();
    assert!(crm.get_field_value(&contact.id, "nothing").await.is_err());
    assert_eq!(subject.requests(), before);
    subject.advance(TimeDelta::seconds(61));
    assert!(crm.get_field_value(&contact.id, "nothing").await.is_err());
    assert!(subject.requests() > before);
    subject.advance(TimeDelta::minutes(6));
    assert_eq!(load().await, cost);
}

async fn the_connection_can_be_tested(subject: &impl Subject) {
    let crm = subject.crm();
    crm.test_connection().await.unwrap();
    assert_eq!(subject.requests(), 1);
    let metadata = crm.metadata();
    assert!(mfh_connectors::PLATFORMS.contains(&metadata.platform_slug));
    let listed: BTreeSet<String> = crm.capabilities().iter().map(|it| format!("{it:?}")).collect();
    assert_eq!(listed.len(), crm.capabilities().len());
    subject.add_fault(FaultRule::status(503).always());
    assert_eq!(crm.test_connection().await.unwrap_err().kind, ErrorKind::Unavailable);
}
