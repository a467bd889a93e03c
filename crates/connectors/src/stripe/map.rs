//! Stripe's shapes ↔ our model. A customer is a contact; its metadata are custom fields without definitions.

use chrono::DateTime;
use mfh_types::Timestamp;
use serde_json::{Map, Value};

use super::api;
use crate::http::Fault;
use crate::model::{Address, Contact};
use crate::translate::names::{Lookup, standard_name};
use crate::wire::filled;

pub(crate) const SLUG: &str = "stripe";

/// Stripe's own limits for metadata.
const MOST_KEYS: usize = 50;
const LONGEST_KEY: usize = 40;
const LONGEST_VALUE: usize = 500;

/// Where a field lives in a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Id,
    FullName,
    FirstName,
    LastName,
    /// A property of its own, with its name.
    Plain(&'static str),
    /// A part of the address, with its name.
    Address(&'static str),
    /// A key of the metadata.
    Metadata(String),
}

/// The place that a key names; none for a standard field that Stripe does not have.
pub(crate) fn place(key: &str) -> Option<Place> {
    match Lookup::parse(key)? {
        Lookup::Standard(name) => standard(&standard_name(name)),
        Lookup::Any(text) => Some(standard(&standard_name(text)).unwrap_or_else(|| Place::Metadata(text.to_owned()))),
        Lookup::Id(text) | Lookup::Key(text) | Lookup::Label(text) => Some(Place::Metadata(text.to_owned())),
    }
}

fn standard(name: &str) -> Option<Place> {
    Some(match name {
        "id" => Place::Id,
        "full_name" | "name" => Place::FullName,
        "first_name" => Place::FirstName,
        "last_name" => Place::LastName,
        "email" => Place::Plain("email"),
        "phone" => Place::Plain("phone"),
        "description" => Place::Plain("description"),
        "address1" => Place::Address("line1"),
        "address2" => Place::Address("line2"),
        "city" => Place::Address("city"),
        "state" => Place::Address("state"),
        "zip" => Place::Address("postal_code"),
        "country" => Place::Address("country"),
        _ => return None,
    })
}

/// One field of a customer; `null` when it is empty.
pub(crate) fn read(customer: &api::Customer, place: &Place) -> Value {
    let (first, last) = names(customer.name.as_deref().unwrap_or_default());
    let address = &customer.address;
    let text = match place {
        Place::Id => customer.id.clone(),
        Place::FullName => customer.name.clone(),
        Place::FirstName => Some(first.to_owned()),
        Place::LastName => Some(last.to_owned()),
        Place::Plain("email") => customer.email.clone(),
        Place::Plain("phone") => customer.phone.clone(),
        Place::Plain(_) => customer.description.clone(),
        Place::Address("line1") => address.line1.clone(),
        Place::Address("line2") => address.line2.clone(),
        Place::Address("city") => address.city.clone(),
        Place::Address("state") => address.state.clone(),
        Place::Address("postal_code") => address.postal_code.clone(),
        Place::Address(_) => address.country.clone(),
        Place::Metadata(key) => return customer.metadata.get(key).cloned().unwrap_or_default(),
    };
    filled(text.as_ref()).map_or(Value::Null, Value::String)
}

/// Stripe has one name: the first word is the first name.
pub(crate) fn names(name: &str) -> (&str, &str) {
    let name = name.trim();
    name.split_once(' ')
        .map_or((name, ""), |(first, last)| (first, last.trim()))
}

/// Whether writing these fields needs the name that is there: only one part of it is written.
pub(crate) fn needs_present_name(fields: &Map<String, Value>) -> bool {
    let has = |wanted: &Place| fields.keys().any(|key| place(key).as_ref() == Some(wanted));
    has(&Place::FirstName) != has(&Place::LastName)
}

/// What is wrong with a value, for the user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Stripe has no such field.
    Unknown(String),
    /// A value or key that Stripe does not take.
    Invalid(String),
}

/// The form that writes these fields to a customer who is called `present` now. Empty texts clear.
pub(crate) fn form(fields: &Map<String, Value>, present: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut form = Vec::with_capacity(fields.len());
    let (mut first, mut last) = names(present);
    let mut metadata = 0;
    let texts: Vec<(Place, String)> = fields
        .iter()
        .map(|(key, value)| {
            let place = place(key).ok_or_else(|| Refusal::Unknown(key.clone()))?;
            Ok((place, text(key, value)?))
        })
        .collect::<Result<_, Refusal>>()?;
    let mut renamed = false;
    for (place, text) in &texts {
        match place {
            Place::Id => return Err(Refusal::Invalid("The id of a contact cannot be written".to_owned())),
            Place::FullName => form.push(("name".to_owned(), text.trim().to_owned())),
            Place::FirstName => (first, renamed) = (text.trim(), true),
            Place::LastName => (last, renamed) = (text.trim(), true),
            Place::Plain(name) => form.push(((*name).to_owned(), text.clone())),
            Place::Address(part) => form.push((format!("address[{part}]"), text.clone())),
            Place::Metadata(key) => {
                check_metadata(key, text)?;
                metadata += 1;
                form.push((format!("metadata[{key}]"), text.clone()));
            }
        }
    }
    if metadata > MOST_KEYS {
        let message = format!("Stripe keeps at most {MOST_KEYS} custom values with a customer");
        return Err(Refusal::Invalid(message));
    }
    if renamed {
        form.push(("name".to_owned(), format!("{first} {last}").trim().to_owned()));
    }
    Ok(form)
}

fn text(key: &str, value: &Value) -> Result<String, Refusal> {
    let plain = |value: &Value| match value {
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    };
    let text = match value {
        Value::Array(members) => members
            .iter()
            .map(plain)
            .collect::<Option<Vec<_>>>()
            .map(|all| all.join(", ")),
        single => plain(single),
    };
    text.ok_or_else(|| Refusal::Invalid(format!("The value of \"{key}\" must be a text or a list of texts")))
}

fn check_metadata(key: &str, value: &str) -> Result<(), Refusal> {
    if key.chars().count() > LONGEST_KEY || key.contains(['[', ']']) {
        return Err(Refusal::Invalid(format!(
            "A custom field of Stripe has a name of at most {LONGEST_KEY} characters, without brackets"
        )));
    }
    if value.chars().count() > LONGEST_VALUE {
        return Err(Refusal::Invalid(format!(
            "The custom field \"{key}\" of Stripe holds at most {LONGEST_VALUE} characters"
        )));
    }
    Ok(())
}

/// A customer as a contact.
pub(crate) fn contact(customer: api::Customer) -> Contact {
    let (first, last) = names(customer.name.as_deref().unwrap_or_default());
    let id = customer.id.clone().unwrap_or_default();
    let created = customer
        .created
        .as_i64()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let address = Address {
        address1: filled(customer.address.line1.as_ref()),
        address2: filled(customer.address.line2.as_ref()),
        city: filled(customer.address.city.as_ref()),
        state: filled(customer.address.state.as_ref()),
        zip: filled(customer.address.postal_code.as_ref()),
        country: filled(customer.address.country.as_ref()),
    };
    Contact {
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        email: customer.email.unwrap_or_default(),
        phone: filled(customer.phone.as_ref()),
        address: (address != Address::default()).then_some(address),
        custom_fields: customer.metadata,
        source_crm: SLUG.to_owned(),
        source_id: id.clone(),
        created_at: created.map(Timestamp),
        id,
        ..Contact::default()
    }
}

/// What the body of a failed answer says.
pub(crate) fn fault(body: &[u8]) -> Fault {
    let detail = serde_json::from_slice::<api::ErrorBody>(body).unwrap_or_default().error;
    Fault {
        code: detail.code.or(detail.kind),
        message: detail.message,
        ..Fault::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::wire::odd::any_json;

    fn fields(json: Value) -> Map<String, Value> {
        json.as_object().cloned().unwrap()
    }

    #[test]
    fn one_part_of_a_name_keeps_the_other() {
        let form = |given: Value, present| form(&fields(given), present).unwrap();
        let name = |text: &str| ("name".to_owned(), text.to_owned());
        assert_eq!(
            form(json!({"last_name": "King"}), "Ada Byron Lovelace"),
            [name("Ada King")]
        );
        assert_eq!(
            form(json!({"first_name": "Augusta"}), "Ada Lovelace"),
            [name("Augusta Lovelace")]
        );
        assert_eq!(form(json!({"first_name": null}), "Ada Lovelace"), [name("Lovelace")]);
        assert_eq!(form(json!({"first_name": "A", "last_name": "B"}), ""), [name("A B")]);
        assert!(needs_present_name(&fields(json!({"FirstName": "A"}))));
        assert!(!needs_present_name(&fields(
            json!({"first_name": "A", "last_name": "B"})
        )));
    }

    #[test]
    fn standard_fields_have_their_places_and_the_rest_is_metadata() {
        let given = fields(json!({
            "Email": "a@example.com", "zip": 1010, "std:city": "Vienna", "plan": true, "key:email": "x",
            "colours": ["red", "blue"],
        }));
        let mut form = form(&given, "").unwrap();
        form.sort();
        let expected = [
            ("address[city]", "Vienna"),
            ("address[postal_code]", "1010"),
            ("email", "a@example.com"),
            ("metadata[colours]", "red, blue"),
            ("metadata[email]", "x"),
            ("metadata[plan]", "true"),
        ];
        assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(place("std:company"), None);
    }

    #[test]
    fn what_stripe_would_not_keep_is_refused_before_it_is_sent() {
        let refused = |given: Value| form(&fields(given), "").unwrap_err();
        assert_eq!(
            refused(json!({"std:company": "x"})),
            Refusal::Unknown("std:company".to_owned())
        );
        let (key, value) = ("k".repeat(41), "v".repeat(501));
        let many: Map<String, Value> = (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
        for given in [
            json!({ key: "v" }),
            json!({ "k": value }),
            json!({ "a[b]": "v" }),
            json!({ "k": {"deep": 1} }),
            json!({ "id": "cus_1" }),
            Value::Object(many),
        ] {
            assert!(matches!(refused(given.clone()), Refusal::Invalid(_)), "{given}");
        }
    }

    const NAMES: &str = "name metadata created";

    proptest! {
        #[test]
        fn no_answer_makes_the_mapping_panic(json in any_json(NAMES, &[])) {
            if let Ok(customer) = serde_json::from_value::<api::Customer>(json.clone()) {
                for key in ["id", "full_name", "first_name", "last_name", "email", "phone", "description", "city", "x"] {
                    read(&customer, &place(key).unwrap());
                }
                contact(customer);
            }
            let _list = serde_json::from_value::<api::CustomerList>(json.clone());
            fault(json.to_string().as_bytes());
        }

        #[test]
        fn odd_members_of_a_customer_do_not_hide_the_others(odd in any_json(NAMES, &[])) {
            let customer: api::Customer = serde_json::from_value(json!({
                "id": "cus_1", "name": "Ada Lovelace", "metadata": odd.clone(), "created": odd.clone(), "deleted": odd.clone(),
                "shipping": odd.clone(), "tax": odd, "email": 7,
            })).unwrap();
            let contact = contact(customer);
            prop_assert_eq!((contact.id.as_str(), contact.first_name.as_str(), contact.email.as_str()), ("cus_1", "Ada", "7"));
        }
    }
}
