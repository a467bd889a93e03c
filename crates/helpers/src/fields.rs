//! Names of fields and where their values stand in a contact: the standard keys, their other spellings, custom fields
//! and the CRM's definitions (`helpers/COMMON` §2).

use mfh_connectors::{Contact, CustomField, Slot};
use serde_json::{Value, json};

use crate::context::same_name;

/// The standard keys; `contact_id` is another word for `id`.
const STANDARD: [&str; 20] = [
    "id",
    "first_name",
    "last_name",
    "full_name",
    "email",
    "phone",
    "company",
    "job_title",
    "owner_id",
    "website",
    "birthday",
    "anniversary",
    "address1",
    "address2",
    "city",
    "state",
    "zip",
    "country",
    "source",
    "timezone",
];

/// Other spellings of standard keys, in lower case.
const SPELLINGS: [(&str, &str); 16] = [
    ("contact_id", "id"),
    ("contactid", "id"),
    ("firstname", "first_name"),
    ("given_name", "first_name"),
    ("lastname", "last_name"),
    ("family_name", "last_name"),
    ("fullname", "full_name"),
    ("phone1", "phone"),
    ("companyname", "company"),
    ("jobtitle", "job_title"),
    ("ownerid", "owner_id"),
    ("streetaddress1", "address1"),
    ("streetaddress2", "address2"),
    ("postalcode", "zip"),
    ("leadsource", "source"),
    ("time_zone", "timezone"),
];

/// Further addresses and numbers, which are keys of their own, in lower case and as CRMs and campaigns write them.
const FURTHER: [(&str, &str); 18] = [
    ("email2", "EmailAddress2"),
    ("email3", "EmailAddress3"),
    ("phone2", "Phone2"),
    ("phone3", "Phone3"),
    ("fax1", "Fax1"),
    ("fax2", "Fax2"),
    ("address2street1", "Address2Street1"),
    ("address2street2", "Address2Street2"),
    ("city2", "City2"),
    ("state2", "State2"),
    ("postalcode2", "PostalCode2"),
    ("country2", "Country2"),
    ("address3street1", "Address3Street1"),
    ("address3street2", "Address3Street2"),
    ("city3", "City3"),
    ("state3", "State3"),
    ("postalcode3", "PostalCode3"),
    ("country3", "Country3"),
];

/// The standard key that is written exactly so.
fn exact(name: &str) -> Option<&'static str> {
    match name {
        "contact_id" => Some("id"),
        name => STANDARD.into_iter().find(|key| *key == name),
    }
}

/// The standard key that this is some spelling of.
pub(crate) fn standard(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let spelling = SPELLINGS.iter().find(|(spelling, _)| *spelling == lower);
    spelling
        .map(|(_, key)| *key)
        .or_else(|| STANDARD.into_iter().find(|key| *key == lower))
}

/// The further address or number that this names.
pub(crate) fn further(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let key = FURTHER
        .iter()
        .find(|(spelling, key)| *spelling == lower || key.eq_ignore_ascii_case(&lower));
    key.map(|(_, key)| *key)
}

/// Whether two keys name the same field as far as the names alone tell.
pub(crate) fn same(left: &str, right: &str) -> bool {
    let identity = |name: &str| standard(name).or_else(|| further(name)).map(str::to_owned);
    match (identity(left), identity(right)) {
        (None, None) => left == right,
        (left, right) => left == right,
    }
}

/// The definition that a name means: by id, else by key, else by label; case and outer blanks do not count.
pub(crate) fn definition<'a>(definitions: &'a [CustomField], name: &str) -> Option<&'a CustomField> {
    let by_id = definitions.iter().find(|field| field.id == name);
    let by_key = || definitions.iter().find(|field| same_name(&field.key, name));
    let by_label = || definitions.iter().find(|field| same_name(&field.label, name));
    by_id.or_else(by_key).or_else(by_label)
}

/// The value of a field of a contact, null when it has none; `None` when the contact alone does not tell that there is
/// such a field.
pub(crate) fn of_contact(contact: &Contact, name: &str) -> Option<Value> {
    if let Some(key) = exact(name) {
        return Some(standard_value(contact, key));
    }
    if let Some(value) = contact.custom_fields.get(name) {
        return Some(value.clone());
    }
    if let Some(key) = standard(name) {
        return Some(standard_value(contact, key));
    }
    further_value(contact, further(name)?)
}

/// The value of a standard key under any spelling; custom fields do not count.
pub(crate) fn standard_of_contact(contact: &Contact, name: &str) -> Option<Value> {
    standard(name).map(|key| standard_value(contact, key))
}

/// The value of a defined custom field, which stands under its id or its key.
pub(crate) fn of_definition(contact: &Contact, field: &CustomField) -> Value {
    let values = &contact.custom_fields;
    let value = values.get(&field.key).or_else(|| values.get(&field.id));
    value.cloned().unwrap_or_default()
}

fn standard_value(contact: &Contact, key: &str) -> Value {
    let some = |text: &str| (!text.is_empty()).then(|| json!(text));
    let optional = |text: &Option<String>| text.as_deref().and_then(some);
    let address = contact.address.as_ref();
    let value = match key {
        "id" => some(&contact.id),
        "first_name" => some(&contact.first_name),
        "last_name" => some(&contact.last_name),
        "full_name" => some(&contact.full_name()),
        "email" => some(&contact.email),
        "phone" => optional(&contact.phone),
        "company" => optional(&contact.company),
        "job_title" => optional(&contact.job_title),
        "owner_id" => optional(&contact.owner_id),
        "website" => optional(&contact.website),
        "birthday" => optional(&contact.birthday),
        "anniversary" => optional(&contact.anniversary),
        "address1" => address.and_then(|address| optional(&address.address1)),
        "address2" => address.and_then(|address| optional(&address.address2)),
        "city" => address.and_then(|address| optional(&address.city)),
        "state" => address.and_then(|address| optional(&address.state)),
        "zip" => address.and_then(|address| optional(&address.zip)),
        "country" => address.and_then(|address| optional(&address.country)),
        "source" => optional(&contact.source),
        "timezone" => optional(&contact.timezone),
        _ => None,
    };
    // Not every CRM has all of these as properties of its own; what stands under the key then counts.
    let core = STANDARD.iter().position(|standard| *standard == key) < Some(8);
    let beside = || contact.custom_fields.get(key).filter(|_| !core).cloned();
    value.or_else(beside).unwrap_or_default()
}

/// `None` when the contact does not carry it: only the CRM can tell then.
fn further_value(contact: &Contact, key: &str) -> Option<Value> {
    let slot = |slots: &[Slot], name: &str| {
        let slot = slots.iter().find(|slot| slot.slot.eq_ignore_ascii_case(name));
        slot.map(|slot| json!(slot.value))
    };
    let value = match key {
        "EmailAddress2" => slot(&contact.emails, "EMAIL2"),
        "EmailAddress3" => slot(&contact.emails, "EMAIL3"),
        "Phone2" => slot(&contact.phones, "PHONE2"),
        "Phone3" => slot(&contact.phones, "PHONE3"),
        _ => None,
    };
    value.or_else(|| contact.custom_fields.get(key).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Contact {
        let fields = json!({
            "id": "c1", "first_name": "Ada", "last_name": "Winter", "email": "ada@example.com", "website": "w.example",
            "emails": [{"slot": "EMAIL2", "value": "second@example.com"}],
            "custom_fields": {
                "email": "other@example.com", "Phone1": "custom", "company": "none", "city": "Paris", "12": "twelve",
                "_Plan": "Gold", "Email2": null,
            },
        });
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn a_custom_field_never_hides_a_standard_key() {
        let ada = ada();
        for name in ["email", "Email", "EMAIL"] {
            assert_eq!(of_contact(&ada, name), Some(json!("ada@example.com")), "{name}");
        }
        assert_eq!(of_contact(&ada, "company"), Some(Value::Null));
    }

    #[test]
    fn a_custom_field_comes_before_another_spelling() {
        assert_eq!(of_contact(&ada(), "Phone1"), Some(json!("custom")));
        assert_eq!(of_contact(&ada(), "phone1"), Some(Value::Null));
    }

    #[test]
    fn first_name_given_name_and_the_campaign_spelling_are_one_field() {
        let ada = ada();
        for name in ["first_name", "given_name", "FirstName", "FIRSTNAME"] {
            assert_eq!(of_contact(&ada, name), Some(json!("Ada")), "{name}");
            assert!(same(name, "Given_Name"), "{name}");
        }
        assert!(!same("first_name", "last_name"));
        assert!(!same("Plan", "plan"), "only the CRM knows");
        assert!(same("Email2", "EmailAddress2"));
        assert!(!same("Email2", "email"));
    }

    #[test]
    fn the_full_name_is_trimmed() {
        let mut ada = ada();
        ada.last_name.clear();
        assert_eq!(of_contact(&ada, "FullName"), Some(json!("Ada")));
    }

    #[test]
    fn a_standard_key_that_the_crm_keeps_among_its_fields_is_found_there() {
        assert_eq!(of_contact(&ada(), "City"), Some(json!("Paris")));
    }

    #[test]
    fn further_addresses_are_keys_of_their_own() {
        let ada = ada();
        assert_eq!(of_contact(&ada, "EmailAddress2"), Some(json!("second@example.com")));
        assert_eq!(
            of_contact(&ada, "Email2"),
            Some(Value::Null),
            "the custom field of exactly this key"
        );
        assert_eq!(of_contact(&ada, "City2"), None);
        assert_eq!(further("city2"), Some("City2"));
    }

    #[test]
    fn a_definition_is_found_by_id_key_or_label() {
        let field = |id: &str, key: &str, label: &str| -> CustomField {
            let field = json!({ "id": id, "key": key, "label": label, "field_type": "Text" });
            serde_json::from_value(field).unwrap()
        };
        let definitions = [field("7", "_Plan", "Chosen plan"), field("12", "size", "7")];
        let id = |name| definition(&definitions, name).map(|field| field.id.as_str());
        assert_eq!(id("7"), Some("7"), "an id before a label");
        assert_eq!(id("_plan"), Some("7"));
        assert_eq!(id(" CHOSEN plan "), Some("7"));
        assert_eq!(id("colour"), None);
        assert_eq!(of_definition(&ada(), &definitions[0]), json!("Gold"));
        assert_eq!(of_definition(&ada(), &definitions[1]), json!("twelve"), "under its id");
    }
}
