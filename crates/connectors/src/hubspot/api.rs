//! HubSpot's paths and wire types, as far as they are used. Everything that HubSpot may leave out is optional.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::wire;

/// The type id of contacts.
pub(crate) const CONTACT_TYPE: &str = "0-1";

/// The paths with the versions that they are pinned to.
pub(crate) mod path {
    macro_rules! crm {
        ($rest:literal) => {
            concat!("/crm/v3", $rest)
        };
    }
    macro_rules! lists {
        ($rest:literal) => {
            concat!("/crm/v3/lists", $rest)
        };
    }
    macro_rules! consent {
        ($rest:literal) => {
            concat!("/communication-preferences/v4", $rest)
        };
    }
    macro_rules! automation {
        ($rest:literal) => {
            concat!("/automation/v4", $rest)
        };
    }

    pub(crate) const CONTACTS: &str = crm!("/objects/contacts");
    pub(crate) const CONTACT: &str = crm!("/objects/contacts/{}");
    pub(crate) const SEARCH_CONTACTS: &str = crm!("/objects/contacts/search");
    pub(crate) const READ_CONTACTS: &str = crm!("/objects/contacts/batch/read");
    pub(crate) const UPSERT_CONTACTS: &str = crm!("/objects/contacts/batch/upsert");
    pub(crate) const NOTES: &str = crm!("/objects/notes");
    pub(crate) const PROPERTIES: &str = crm!("/properties/contacts");
    pub(crate) const OWNERS: &str = crm!("/owners");
    pub(crate) const LISTS: &str = lists!("");
    pub(crate) const SEARCH_LISTS: &str = lists!("/search");
    pub(crate) const LEGACY_LIST: &str = lists!("/idmapping");
    pub(crate) const MEMBERS_BY_AGE: &str = lists!("/{}/memberships/join-order");
    pub(crate) const ADD_MEMBERS: &str = lists!("/{}/memberships/add");
    pub(crate) const REMOVE_MEMBERS: &str = lists!("/{}/memberships/remove");
    pub(crate) const LISTS_OF_CONTACT: &str = lists!("/records/0-1/{}/memberships");
    pub(crate) const LISTS_OF_CONTACTS: &str = lists!("/records/memberships/batch/read");
    /// Old, but nothing newer enrols a contact.
    pub(crate) const ENROL: &str = "/automation/v2/workflows/{}/enrollments/contacts/{}";
    pub(crate) const FLOWS: &str = automation!("/flows");
    pub(crate) const WORKFLOW_IDS: &str = automation!("/workflow-id-mappings/batch/read");
    pub(crate) const SUBSCRIPTIONS: &str = consent!("/definitions");
    pub(crate) const CONSENT: &str = consent!("/statuses/{}");
    pub(crate) const UNSUBSCRIBE_ALL: &str = consent!("/statuses/{}/unsubscribe-all");
}

/// An object; anything else is empty.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(members) => members,
        _ => Map::new(),
    })
}

/// A contact, also as an upsert answers it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Contact {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    /// Values by property name: texts, or `null`.
    #[serde(deserialize_with = "object")]
    pub(crate) properties: Map<String, Value>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) created_at: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) updated_at: Option<String>,
    /// Whether an upsert created it.
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) new: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Paging {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) next: NextPage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NextPage {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) after: Option<String>,
}

/// A page of anything; batches answer in this shape as well, without paging.
#[derive(Debug, Deserialize)]
#[serde(default, bound = "T: DeserializeOwned")]
pub(crate) struct Page<T> {
    #[serde(deserialize_with = "wire::list")]
    pub(crate) results: Vec<T>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) paging: Paging,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) total: Option<String>,
    /// What a batch could not do.
    #[serde(deserialize_with = "wire::list")]
    pub(crate) errors: Vec<Failure>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            results: Vec::new(),
            paging: Paging::default(),
            total: None,
            errors: Vec::new(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateContact<'a> {
    pub(crate) properties: &'a Map<String, Value>,
    /// Required, also when there are none.
    pub(crate) associations: [(); 0],
}

#[derive(Debug, Serialize)]
pub(crate) struct UpdateContact<'a> {
    pub(crate) properties: &'a Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Batch<T> {
    pub(crate) inputs: Vec<T>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Upsert<'a> {
    pub(crate) id: &'a str,
    pub(crate) id_property: &'static str,
    pub(crate) properties: &'a Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Id<'a> {
    pub(crate) id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadContacts<'a> {
    pub(crate) inputs: Vec<Id<'a>>,
    pub(crate) properties: &'a [String],
    /// Required, also when there are none.
    pub(crate) properties_with_history: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter<'a> {
    pub(crate) property_name: &'static str,
    pub(crate) operator: &'static str,
    pub(crate) value: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct FilterGroup<'a> {
    pub(crate) filters: Vec<Filter<'a>>,
}

/// A search; each of these members is required. Without `sorts` the oldest contact comes first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Search<'a> {
    pub(crate) filter_groups: Vec<FilterGroup<'a>>,
    pub(crate) sorts: [(); 0],
    pub(crate) properties: &'a [String],
    pub(crate) limit: u32,
    pub(crate) after: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PropertyOption {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) label: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Modification {
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) read_only_value: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Property {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) label: Option<String>,
    #[serde(rename = "type", deserialize_with = "wire::text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) field_type: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) group_name: Option<String>,
    #[serde(deserialize_with = "wire::list")]
    pub(crate) options: Vec<PropertyOption>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) hubspot_defined: Option<bool>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) hidden: Option<bool>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) archived: Option<bool>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) calculated: Option<bool>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) show_currency_symbol: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) number_display_hint: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) referenced_object_type: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) modification_metadata: Modification,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchLists {
    pub(crate) object_type_id: &'static str,
    pub(crate) processing_types: [&'static str; 2],
    pub(crate) offset: u64,
    pub(crate) count: u32,
    /// Required, also when there are none.
    pub(crate) additional_properties: [(); 0],
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct List {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) list_id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) processing_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ListPage {
    #[serde(deserialize_with = "wire::list")]
    pub(crate) lists: Vec<List>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) has_more: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) offset: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateList<'a> {
    pub(crate) name: &'a str,
    pub(crate) object_type_id: &'static str,
    pub(crate) processing_type: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CreatedList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) list: List,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LegacyList {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) list_id: Option<String>,
}

/// What came of adding or removing members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MembershipChange {
    #[serde(alias = "recordsIdsMissing", deserialize_with = "wire::texts")]
    pub(crate) record_ids_missing: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Member {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) record_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Membership {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) list_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordId<'a> {
    pub(crate) object_type_id: &'static str,
    pub(crate) record_id: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Memberships {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) record_id: Option<String>,
    #[serde(deserialize_with = "wire::list")]
    pub(crate) record_list_memberships: Vec<Membership>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Owner {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) email: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) first_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) last_name: Option<String>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) archived: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Flow {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) is_enabled: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) object_type_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlowId<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) flow_id: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WorkflowId {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) flow_id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) workflow_id: Option<String>,
}

/// A subscription type that recipients can choose.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Subscription {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) purpose: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) communication_method: Option<String>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) is_active: Option<bool>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) is_default: Option<bool>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) is_internal: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetConsent<'a> {
    pub(crate) channel: &'static str,
    pub(crate) status_state: &'static str,
    pub(crate) subscription_id: i64,
    pub(crate) legal_basis: &'static str,
    pub(crate) legal_basis_explanation: &'a str,
}

/// The consent of an address for one subscription, or for all mail.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Consent {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) subscription_id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) set_status_success_reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateNote<'a> {
    pub(crate) properties: NoteProperties<'a>,
    pub(crate) associations: [Association<'a>; 1],
}

#[derive(Debug, Serialize)]
pub(crate) struct NoteProperties<'a> {
    pub(crate) hs_note_body: &'a str,
    pub(crate) hs_timestamp: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Association<'a> {
    pub(crate) to: Id<'a>,
    pub(crate) types: [AssociationType; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AssociationType {
    pub(crate) association_category: &'static str,
    pub(crate) association_type_id: u32,
}

/// A failed answer, or one failure of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Failure {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) message: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) category: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) sub_category: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) error_type: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) policy_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hubspot::map;
    use crate::wire::odd::{any_json, read};

    #[test]
    fn null_values_numbers_and_unknown_members_are_read() {
        let contact: Contact = serde_json::from_value(json!({
            "id": 12, "properties": {"firstname": null, "shoe_size": "43", "score": 7}, "createdAt": null,
            "news": {"unknown": true}, "archived": "false"
        }))
        .unwrap();
        assert_eq!(contact.id.as_deref(), Some("12"));
        assert_eq!(contact.properties["firstname"], Value::Null);
        let shown = map::contact(contact);
        assert_eq!(shown.first_name, "");
        assert_eq!(
            shown.custom_fields,
            *json!({"shoe_size": "43", "score": 7}).as_object().unwrap()
        );
    }

    #[test]
    fn an_unknown_type_of_property_or_list_is_kept() {
        let property: Property =
            serde_json::from_value(json!({"name": "x", "label": 5, "type": "hologram", "options": null})).unwrap();
        let field = map::custom_field(property).unwrap().field;
        assert_eq!((field.label.as_str(), field.field_type.as_str()), ("5", "hologram"));
        let list: List = serde_json::from_value(json!({"listId": 5, "processingType": "QUANTUM"})).unwrap();
        assert_eq!(map::tag(list).unwrap().id, "5");
    }

    const NAMES: &str = "\
        id properties firstname email hs_additional_emails hs_email_optout hs_timezone country date_of_birth \
        createdAt results paging next after total errors name label type fieldType options value hubspotDefined \
        modificationMetadata lists listId list recordId recordListMemberships recordIdsMissing status subscriptionId \
        message category purpose";

    const TEXTS: &[&str] = &[
        "enumeration",
        "checkbox",
        "true",
        "america_slash_new_york",
        "_slash__hyphen_",
        "Contact already exists. Existing ID: 1",
        "DYNAMIC",
        "2026-01-01",
    ];

    proptest! {
        #[test]
        fn no_answer_makes_a_reader_panic(json in any_json(NAMES, TEXTS)) {
            if let Some(contact) = read::<Contact>(&json) {
                for field in map::standard_fields() {
                    map::read(&contact, field.name);
                }
                let values = contact.properties.clone();
                for data_type in [crate::model::DataType::MultiSelect, crate::model::DataType::Date] {
                    for value in values.values() {
                        map::from_wire(data_type, value.clone(), Default::default());
                    }
                }
                map::update(&values, true);
                let shown = map::contact(contact);
                for (name, value) in values.iter().filter(|(name, _)| map::is_custom(name)) {
                    prop_assert_eq!(shown.custom_fields.get(name), Some(value));
                }
            }
            if let Some(page) = read::<Page<Property>>(&json) {
                page.results.into_iter().for_each(|property| drop(map::custom_field(property)));
            }
            if let Some(page) = read::<ListPage>(&json) {
                page.lists.into_iter().for_each(|list| drop(map::tag(list)));
            }
            if let Some(page) = read::<Page<Owner>>(&json) {
                page.results.into_iter().for_each(|owner| drop(map::owner(owner)));
            }
            if let Some(page) = read::<Page<Subscription>>(&json) {
                drop(map::marketing(page.results));
            }
            read::<Page<Contact>>(&json);
            read::<Page<Member>>(&json);
            read::<Page<Membership>>(&json);
            read::<Page<Memberships>>(&json);
            read::<Page<Flow>>(&json);
            read::<Page<WorkflowId>>(&json);
            read::<Page<Consent>>(&json);
            read::<MembershipChange>(&json);
            read::<CreatedList>(&json);
            read::<LegacyList>(&json);
            map::fault(json.to_string().as_bytes());
        }
    }
}
