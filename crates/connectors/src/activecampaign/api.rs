//! ActiveCampaign's API v3 wire types, as far as they are used. Everything that it may leave out is optional.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::error::ErrorKind;
use crate::http::Fault;
use crate::wire::{self, filled};

/// A contact's own properties; everything else stands beside it, in [`Related`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Contact {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) email: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) first_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) last_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) phone: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) cdate: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) udate: Option<String>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) deleted: Option<bool>,
}

/// The value of a custom field; several choices stand between double bars.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct FieldValue {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) contact: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) field: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) value: Option<String>,
}

/// That a contact has a tag; removed by the id of this row.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ContactTag {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) contact: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) tag: Option<String>,
}

/// A contact's place on a list: 0 unconfirmed, 1 active, 2 unsubscribed, 3 bounced.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ContactList {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) contact: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) list: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) status: Option<String>,
}

/// That a contact is, or was, in an automation.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ContactAutomation {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) automation: Option<String>,
}

/// A contact's place in an account, which is what ActiveCampaign calls a company; a contact has at most one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AccountContact {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) contact: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) account: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) job_title: Option<String>,
}

/// The rows that belong to contacts; absent where the answer does not hold that kind.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Related {
    pub(crate) field_values: Option<Vec<FieldValue>>,
    pub(crate) contact_tags: Option<Vec<ContactTag>>,
    pub(crate) contact_lists: Option<Vec<ContactList>>,
    pub(crate) contact_automations: Option<Vec<ContactAutomation>>,
    pub(crate) account_contacts: Option<Vec<AccountContact>>,
}

impl Related {
    /// The rows of one contact.
    pub(crate) fn of(&self, contact_id: &str) -> Self {
        fn part<T: Clone>(rows: Option<&Vec<T>>, contact: fn(&T) -> &Option<String>, id: &str) -> Option<Vec<T>> {
            let own = |row: &&T| contact(row).as_deref() == Some(id);
            rows.map(|rows| rows.iter().filter(own).cloned().collect())
        }
        Self {
            field_values: part(self.field_values.as_ref(), |row| &row.contact, contact_id),
            contact_tags: part(self.contact_tags.as_ref(), |row| &row.contact, contact_id),
            contact_lists: part(self.contact_lists.as_ref(), |row| &row.contact, contact_id),
            contact_automations: None,
            account_contacts: part(self.account_contacts.as_ref(), |row| &row.contact, contact_id),
        }
    }
}

/// One contact with its rows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContactAnswer {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) contact: Contact,
    #[serde(flatten)]
    pub(crate) related: Related,
}

/// A page of contacts with the rows of all of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContactPage {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) contacts: Vec<Contact>,
    #[serde(rename = "meta", deserialize_with = "total")]
    pub(crate) total: Option<u64>,
    #[serde(flatten)]
    pub(crate) related: Related,
}

/// `total` of `meta`, which is a text; an empty `meta` is an empty list.
fn total<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let meta = Value::deserialize(deserializer)?;
    Ok(match meta.get("total") {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Number(number)) => number.as_u64(),
        _ => None,
    })
}

/// One page of a list that is read to its end.
pub(crate) trait Page: DeserializeOwned {
    /// What the list holds.
    type Row;

    /// The rows, and how many there are on all pages.
    fn into_rows(self) -> (Vec<Self::Row>, Option<u64>);

    /// What tells rows apart.
    fn id(row: &Self::Row) -> Option<&str>;
}

macro_rules! page {
    ($page:ident: $name:literal of $row:ident) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        pub(crate) struct $page {
            #[serde(rename = $name, deserialize_with = "wire::or_default")]
            rows: Vec<$row>,
            #[serde(rename = "meta", deserialize_with = "total")]
            total: Option<u64>,
        }

        impl Page for $page {
            type Row = $row;

            fn into_rows(self) -> (Vec<$row>, Option<u64>) {
                (self.rows, self.total)
            }

            fn id(row: &$row) -> Option<&str> {
                row.id.as_deref()
            }
        }
    };
}

page!(TagPage: "tags" of Tag);
page!(ContactTagPage: "contactTags" of ContactTag);
page!(ContactListPage: "contactLists" of ContactList);
page!(AutomationPage: "automations" of Automation);
page!(ListPage: "lists" of List);
page!(AccountPage: "accounts" of Account);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Tag {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) tag: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) description: Option<String>,
    /// `contact` or `template`.
    #[serde(deserialize_with = "wire::text")]
    pub(crate) tag_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TagAnswer {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) tag: Tag,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Automation {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) status: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct List {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Account {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccountAnswer {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) account: Account,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContactListAnswer {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) contact_list: ContactList,
}

/// A custom field with its choices, which stand beside the fields on the wire.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Field {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) title: Option<String>,
    #[serde(rename = "type", deserialize_with = "wire::text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) perstag: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) defval: Option<String>,
    #[serde(skip)]
    pub(crate) choices: Vec<FieldOption>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldOption {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) field: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) value: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) label: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) orderid: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FieldPage {
    #[serde(deserialize_with = "wire::or_default")]
    fields: Vec<Field>,
    #[serde(deserialize_with = "wire::or_default")]
    field_options: Vec<FieldOption>,
    #[serde(rename = "meta", deserialize_with = "total")]
    total: Option<u64>,
}

impl Page for FieldPage {
    type Row = Field;

    fn into_rows(mut self) -> (Vec<Field>, Option<u64>) {
        let place = |option: &FieldOption| option.orderid.as_deref().and_then(|text| text.parse::<u64>().ok());
        self.field_options
            .sort_by_key(|option| place(option).unwrap_or(u64::MAX));
        for field in &mut self.fields {
            let own = self.field_options.iter().filter(|option| option.field == field.id);
            field.choices = own.cloned().collect();
        }
        (self.fields, self.total)
    }

    fn id(row: &Field) -> Option<&str> {
        row.id.as_deref()
    }
}

/// What an answer says about its own success. ActiveCampaign also answers 200 to what it did not do.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Verdict {
    #[serde(deserialize_with = "wire::flag")]
    succeeded: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    message: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    error: Option<String>,
    errors: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Complaint {
    #[serde(deserialize_with = "wire::text")]
    title: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    detail: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    code: Option<String>,
}

impl Verdict {
    /// Whether the answer reports a failure, whatever its status.
    pub(crate) fn is_refusal(&self) -> bool {
        let complains = match &self.errors {
            Value::Array(errors) => !errors.is_empty(),
            Value::Object(errors) => !errors.is_empty(),
            Value::String(text) => !text.trim().is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        };
        let only_a_message = filled(self.message.as_ref()).is_some() && self.rest.is_empty();
        complains
            || self.succeeded == Some(false)
            || filled(self.error.as_ref()).is_some()
            || (only_a_message && self.succeeded.is_none())
    }

    /// The explanation of a failure.
    pub(crate) fn into_fault(self) -> Fault {
        let mut complaints: Vec<Complaint> = match self.errors {
            Value::Array(errors) => errors
                .into_iter()
                .filter_map(|error| serde_json::from_value(error).ok())
                .collect(),
            Value::String(text) => vec![Complaint {
                title: Some(text),
                ..Complaint::default()
            }],
            _ => Vec::new(),
        };
        let code = complaints.iter_mut().find_map(|complaint| complaint.code.take());
        let said: Vec<String> = complaints
            .iter()
            .flat_map(|complaint| [filled(complaint.title.as_ref()), filled(complaint.detail.as_ref())])
            .chain([filled(self.message.as_ref()), filled(self.error.as_ref())])
            .flatten()
            .collect();
        // A tag that exists already is reported as the database sees it, without a code.
        let repeated = || said.iter().any(|text| text.contains("Duplicate entry"));
        let code = code.or_else(|| repeated().then(|| DUPLICATE.to_owned()));
        Fault {
            kind: match code.as_deref() {
                Some(DUPLICATE) => Some(ErrorKind::Conflict),
                Some(RELATED_MISSING) => Some(ErrorKind::NotFound),
                _ => None,
            },
            code,
            message: (!said.is_empty()).then(|| said.join(". ")),
            contact_id: None,
        }
    }
}

/// Code of an error: there is such a record already.
const DUPLICATE: &str = "duplicate";
/// Code of an error: the body names a record that does not exist.
const RELATED_MISSING: &str = "related_missing";

/// A contact to write: only what is `Some` changes, and a blank text clears.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContactBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) field_values: Vec<FieldValueBody>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FieldValueBody {
    pub(crate) field: String,
    pub(crate) value: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct WriteContact<'a> {
    pub(crate) contact: &'a ContactBody,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateTag<'a> {
    pub(crate) tag: CreateTagBody<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateTagBody<'a> {
    pub(crate) tag: &'a str,
    pub(crate) tag_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplyTag {
    pub(crate) contact_tag: ApplyTagBody,
}

#[derive(Debug, Serialize)]
pub(crate) struct ApplyTagBody {
    pub(crate) contact: u64,
    pub(crate) tag: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnterAutomation {
    pub(crate) contact_automation: EnterAutomationBody,
}

#[derive(Debug, Serialize)]
pub(crate) struct EnterAutomationBody {
    pub(crate) contact: u64,
    pub(crate) automation: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetListStatus<'a> {
    pub(crate) contact_list: SetListStatusBody<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SetListStatusBody<'a> {
    pub(crate) list: &'a str,
    pub(crate) contact: &'a str,
    pub(crate) status: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateNote<'a> {
    pub(crate) note: CreateNoteBody<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateNoteBody<'a> {
    pub(crate) note: String,
    pub(crate) relid: &'a str,
    pub(crate) reltype: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateAccount<'a> {
    pub(crate) account: CreateAccountBody<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateAccountBody<'a> {
    pub(crate) name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WriteAccountContact<'a> {
    pub(crate) account_contact: AccountContactBody<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountContactBody<'a> {
    pub(crate) contact: u64,
    pub(crate) account: u64,
    pub(crate) job_title: &'a str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::activecampaign::map;
    use crate::model::DataType;
    use crate::translate::codec::Choices;
    use crate::wire::odd::{any_json, read};

    #[test]
    fn numbers_and_texts_are_read_alike_and_null_is_nothing() {
        let page: ContactPage = serde_json::from_value(json!({
            "contacts": [{"id": 12, "firstName": null, "deleted": "0", "news": {"unknown": true}}],
            "fieldValues": [{"contact": "12", "field": 7, "value": 5}, {"contact": 13, "field": "7", "value": null}],
            "contactTags": null, "meta": {"total": "250"}
        }))
        .unwrap();
        let contact = &page.contacts[0];
        assert_eq!((contact.id.as_deref(), contact.deleted), (Some("12"), Some(false)));
        let own = page.related.of("12");
        let values = own.field_values.unwrap();
        assert_eq!((values.len(), values[0].value.as_deref()), (1, Some("5")));
        assert_eq!((own.contact_tags, page.total), (None, Some(250)));
        let empty: ContactPage = serde_json::from_value(json!({"contacts": null, "meta": []})).unwrap();
        assert_eq!((empty.contacts.len(), empty.total), (0, None));
    }

    #[test]
    fn choices_stand_with_their_fields_in_the_order_of_the_form() {
        let page: FieldPage = serde_json::from_value(json!({
            "fields": [{"id": "1", "options": ["9", "8"]}, {"id": "2", "type": null}],
            "fieldOptions": [
                {"field": "1", "value": "b", "label": "B", "orderid": "10"},
                {"field": 1, "value": "a", "label": "A", "orderid": 2}
            ]
        }))
        .unwrap();
        let (fields, _) = page.into_rows();
        let labels: Vec<_> = fields[0].choices.iter().map(|choice| choice.label.as_deref()).collect();
        assert_eq!((labels, fields[1].choices.len()), (vec![Some("A"), Some("B")], 0));
    }

    #[test]
    fn a_refusal_is_seen_whatever_the_status() {
        let fault = |body: Value| {
            let verdict: Verdict = serde_json::from_value(body).unwrap();
            (verdict.is_refusal(), verdict.into_fault())
        };
        let (refusal, said) = fault(json!({"errors": [{"title": "Taken", "detail": "", "code": "duplicate"}]}));
        assert!(refusal);
        assert_eq!(
            (said.code.as_deref(), said.message.as_deref()),
            (Some(DUPLICATE), Some("Taken"))
        );
        let (refusal, said) = fault(json!({"message": "No", "error": "Duplicate entry 'contact-x' for key"}));
        assert!(refusal && said.code.as_deref() == Some(DUPLICATE));
        for refusal in [
            json!({"succeeded": 0, "x": 1}),
            json!({"message": "No"}),
            json!({"errors": {"a": "b"}}),
        ] {
            assert!(fault(refusal).0);
        }
        for success in [
            json!({}),
            json!({"errors": [], "contact": {}}),
            json!({"succeeded": 1, "message": "Done"}),
            json!({"message": "ok", "contactTag": {}}),
        ] {
            assert!(!fault(success.clone()).0, "{success}");
        }
    }

    const NAMES: &str = "\
        id contact contacts email firstName phone cdate udate deleted fieldValues field value contactTags tag tags \
        tagType contactLists list status accountContacts account accounts jobTitle fields fieldOptions title type \
        perstag label orderid meta total errors succeeded message";

    const TEXTS: &[&str] = &[
        "1",
        "||a||b||",
        "||",
        "|||",
        "listbox",
        "contact",
        "2026-01-01",
        "duplicate",
    ];

    proptest! {
        #[test]
        fn no_answer_makes_a_reader_panic(json in any_json(NAMES, TEXTS)) {
            if let Some(answer) = read::<ContactAnswer>(&json) {
                let record = map::Record::new(answer.contact, answer.related);
                for field in map::standard_fields() {
                    map::read(&record, field.name);
                }
                map::contact(record);
            }
            if let Some(page) = read::<ContactPage>(&json) {
                for contact in page.contacts {
                    let rows = page.related.of(contact.id.as_deref().unwrap_or_default());
                    map::contact(map::Record::new(contact, rows));
                }
            }
            if let Some(page) = read::<FieldPage>(&json) {
                page.into_rows().0.into_iter().for_each(|field| drop(map::custom_field(field)));
            }
            if let Some(page) = read::<TagPage>(&json) {
                page.into_rows().0.into_iter().for_each(|tag| drop(map::tag(tag)));
            }
            if let Some(page) = read::<ContactListPage>(&json) {
                map::consent(&page.into_rows().0);
            }
            for data_type in [DataType::Select, DataType::MultiSelect, DataType::Other] {
                map::from_wire(data_type, json.clone(), Choices::default());
            }
            read::<ContactTagPage>(&json);
            read::<AutomationPage>(&json);
            read::<ListPage>(&json);
            read::<AccountPage>(&json);
            if let Some(verdict) = read::<Verdict>(&json) {
                verdict.is_refusal();
            }
            map::fault(json.to_string().as_bytes());
        }

        #[test]
        fn what_is_unknown_survives(kind in "[a-z]{1,12}", status in "\\PC{0,8}", extra in any_json(NAMES, TEXTS)) {
            let field: Field = serde_json::from_value(json!({"id": "1", "type": kind, "extra": extra})).unwrap();
            prop_assert_eq!(map::custom_field(field).unwrap().field_type, kind);
            let automation = json!({"id": "1", "status": status, "extra": extra});
            let automation: Automation = serde_json::from_value(automation).unwrap();
            prop_assert_eq!(automation.status, Some(status));
            let answer = json!({"contact": {"id": "1", "extra": extra}, "fieldValues": [
                {"contact": "1", "field": "99", "value": "kept", "extra": extra}
            ]});
            let answer: ContactAnswer = serde_json::from_value(answer).unwrap();
            let contact = map::contact(map::Record::new(answer.contact, answer.related));
            prop_assert_eq!(&contact.custom_fields["99"], "kept");
        }
    }
}
