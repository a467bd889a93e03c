//! Keap's REST v2 wire types, as far as they are used. Everything that Keap may leave out is optional.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire;

/// The contact properties that we read; the default set is not documented, so requests always name them.
pub(crate) const CONTACT_FIELDS: &str = "addresses,anniversary_date,birth_date,company,contact_type,\
    create_time,custom_fields,email_addresses,family_name,fax_numbers,given_name,id,job_title,\
    leadsource_id,owner_id,phone_numbers,tag_ids,time_zone,update_time,website";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) line1: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) line2: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) locality: Option<String>,
    /// Deprecated by Keap in favour of `region_code`, but the only place for a region without code.
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) region_code: Option<String>,
    /// For the United States.
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) zip_code: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) zip_four: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) postal_code: Option<String>,
    /// Alpha-3.
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) country_code: Option<String>,
    /// Deprecated by Keap in favour of `country_code`.
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) country: Option<String>,
}

/// An e-mail address; only `field` and `email` are ever sent, because `opt_in_reason` would make it marketable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EmailAddress {
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    #[serde(deserialize_with = "wire::flag", skip_serializing)]
    pub(crate) is_opt_in: Option<bool>,
    #[serde(deserialize_with = "wire::text", skip_serializing)]
    pub(crate) email_opt_status: Option<String>,
}

/// A phone or fax number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PhoneNumber {
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<String>,
    #[serde(
        rename = "type",
        deserialize_with = "wire::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CustomValue {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    pub(crate) content: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Company {
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) company_name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Contact {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) given_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) family_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) job_title: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) website: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) birth_date: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) anniversary_date: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) leadsource_id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) owner_id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) time_zone: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) create_time: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) update_time: Option<String>,
    #[serde(deserialize_with = "wire::texts")]
    pub(crate) tag_ids: Vec<String>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) company: Company,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) addresses: Vec<Address>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) email_addresses: Vec<EmailAddress>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) phone_numbers: Vec<PhoneNumber>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) fax_numbers: Vec<PhoneNumber>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) custom_fields: Vec<CustomValue>,
}

/// What a create or update sends: only what is `Some`. A list replaces the whole list at Keap.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct ContactBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) website: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) birth_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anniversary_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) leadsource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) company: Option<Company>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) addresses: Option<Vec<Address>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_addresses: Option<Vec<EmailAddress>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone_numbers: Option<Vec<PhoneNumber>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fax_numbers: Option<Vec<PhoneNumber>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_fields: Option<Vec<CustomValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContactList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) contacts: Vec<Contact>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Category {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CategoryList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) tag_categories: Vec<Category>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tag {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) description: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) category: Category,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TagList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) tags: Vec<Tag>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateTag<'a> {
    pub(crate) name: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct ContactIds<'a> {
    pub(crate) contact_ids: [&'a str; 1],
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApplyTagsResult {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) results: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AddToSequenceResult {
    #[serde(
        rename = "add_to_automation_sequence_results",
        alias = "add_to_sequence_results",
        deserialize_with = "wire::or_default"
    )]
    pub(crate) results: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldOption {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) label: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomField {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) label: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) field_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) field_type: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) group_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) default_value: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) record_type: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) options: Vec<FieldOption>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContactModel {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) custom_fields: Vec<CustomField>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Automation {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) title: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AutomationList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) automations: Vec<Automation>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sequence {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SequenceList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) sequences: Vec<Sequence>,
}

#[derive(Debug, Serialize)]
pub(crate) struct AchieveGoal<'a> {
    pub(crate) contact_id: i64,
    pub(crate) integration: &'a str,
    pub(crate) call_name: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GoalResult {
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) success: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GoalResults {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) results: Vec<GoalResult>,
}

#[derive(Debug, Serialize)]
pub(crate) struct UpdateEmailStatus<'a> {
    pub(crate) opted_in: bool,
    pub(crate) reason: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EmailStatus {
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) opted_in: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateNote<'a> {
    pub(crate) user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'a str>,
    pub(crate) text: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) given_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) family_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) email_addresses: Vec<EmailAddress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) users: Vec<User>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) next_page_token: Option<String>,
}

/// The two shapes of a failure: the API's own and the gateway's in front of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Failure {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) code: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) message: Option<String>,
    pub(crate) fault: Option<GatewayFault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GatewayFault {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) faultstring: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) detail: GatewayDetail,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GatewayDetail {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) errorcode: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::keap::map;
    use crate::wire::odd::{any_json, read};

    #[test]
    fn numbers_and_texts_are_read_alike_and_null_is_nothing() {
        let contact: Contact = serde_json::from_value(json!({
            "id": 12, "given_name": null, "tag_ids": [1, "2", null], "email_addresses": null,
            "company": null, "custom_fields": [{"id": 7, "content": 5}], "news": {"unknown": true},
            "phone_numbers": [{"number": 5_550_100, "field": "PHONE1"}]
        }))
        .unwrap();
        assert_eq!(contact.id.as_deref(), Some("12"));
        assert_eq!(contact.tag_ids, ["1", "2"]);
        assert_eq!(contact.custom_fields[0].id.as_deref(), Some("7"));
        assert_eq!(contact.phone_numbers[0].number.as_deref(), Some("5550100"));
    }

    const NAMES: &str = "\
        id given_name tag_ids email_addresses email field phone_numbers number addresses country_code region_code \
        company company_name custom_fields content create_time contacts next_page_token tags category results \
        success message users options label field_type sequences add_to_sequence_results fault code";

    const TEXTS: &[&str] = &["EMAIL1", "PHONE1", "BILLING", "DATE", "LIST_BOX", "US-AZ", "2026-01-01"];

    proptest! {
        #[test]
        fn no_answer_makes_a_reader_panic(json in any_json(NAMES, TEXTS)) {
            if let Some(contact) = read::<Contact>(&json) {
                for field in map::standard_fields() {
                    map::read(&contact, field.name);
                }
                let body = map::update(&contact, &serde_json::Map::from_iter([
                    ("email".to_owned(), json!("x@example.com")), ("city".to_owned(), Value::Null),
                    ("7".to_owned(), json!(1)), ("state".to_owned(), json!("AZ")), ("zip".to_owned(), json!("1")),
                ]));
                prop_assert!(serde_json::to_value(&body).is_ok());
                map::contact(contact);
            }
            if let Some(model) = read::<ContactModel>(&json) {
                model.custom_fields.into_iter().for_each(|field| drop(map::custom_field(field)));
            }
            if let Some(list) = read::<UserList>(&json) {
                list.users.into_iter().for_each(|user| drop(map::user(user)));
            }
            if let (Some(tags), Some(categories)) = (read::<TagList>(&json), read::<CategoryList>(&json)) {
                let names = map::category_names(categories.tag_categories);
                tags.tags.into_iter().for_each(|tag| drop(map::tag(tag, &names)));
            }
            read::<ContactList>(&json);
            read::<ApplyTagsResult>(&json);
            read::<AddToSequenceResult>(&json);
            read::<AutomationList>(&json);
            read::<SequenceList>(&json);
            read::<GoalResults>(&json);
            read::<EmailStatus>(&json);
            map::fault(json.to_string().as_bytes());
        }
    }
}
