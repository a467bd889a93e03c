//! A customer as the API shows it, and what may be written to one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::ApiError;
use super::form::Form;
use super::state::Customer;

/// The parameters of a write that this simulator knows.
const WRITABLE: [&str; 7] = ["address", "description", "email", "expand", "metadata", "name", "phone"];

const ADDRESS: [&str; 6] = ["city", "country", "line1", "line2", "postal_code", "state"];

const MOST_KEYS: usize = 50;
const LONGEST_KEY: usize = 40;
const LONGEST_VALUE: usize = 500;

/// The vendor's shape; of a deleted customer little is left.
pub(crate) fn show(customer: &Customer) -> Value {
    if customer.deleted {
        return json!({ "id": customer.id, "object": "customer", "deleted": true });
    }
    let address = (!customer.address.is_empty()).then(|| {
        let part = |name: &str| (name.to_owned(), json!(customer.address.get(name)));
        Value::Object(ADDRESS.iter().map(|name| part(name)).collect())
    });
    json!({
        "id": customer.id,
        "object": "customer",
        "address": address,
        "balance": 0,
        "created": customer.created,
        "currency": null,
        "default_source": null,
        "delinquent": false,
        "description": customer.description,
        "discount": null,
        "email": customer.email,
        "invoice_prefix": format!("{:08X}", customer.n),
        "invoice_settings": { "custom_fields": null, "default_payment_method": null, "footer": null },
        "livemode": false,
        "metadata": customer.metadata,
        "name": customer.name,
        "next_invoice_sequence": 1,
        "phone": customer.phone,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
    })
}

/// Writes the parameters to a customer; an empty value clears.
pub(crate) fn write(customer: &mut Customer, form: &Form) -> Result<(), ApiError> {
    form.only(&WRITABLE)?;
    for (name, member, value) in form.each() {
        match (name, member) {
            ("name", None) => customer.name = text(name, value, 256)?,
            ("email", None) => customer.email = email(value)?,
            ("phone", None) => customer.phone = text(name, value, 20)?,
            ("description", None) => customer.description = text(name, value, 350)?,
            ("address", None) if value.is_empty() => customer.address.clear(),
            ("address", Some(part)) if ADDRESS.contains(&part) => set(&mut customer.address, part, value),
            ("metadata", None) if value.is_empty() => customer.metadata.clear(),
            ("metadata", Some(key)) => {
                if key.chars().count() > LONGEST_KEY || value.chars().count() > LONGEST_VALUE {
                    let message = "Metadata keys have up to 40 and values up to 500 characters.";
                    return Err(ApiError::invalid("metadata", None, message));
                }
                set(&mut customer.metadata, key, value);
            }
            ("expand", _) => {}
            _ => return Err(ApiError::unknown(name)),
        }
    }
    if customer.metadata.len() > MOST_KEYS {
        let message = "You can specify up to 50 metadata keys.";
        return Err(ApiError::invalid("metadata", None, message));
    }
    Ok(())
}

fn set(members: &mut BTreeMap<String, String>, name: &str, value: &str) {
    if value.is_empty() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value.to_owned());
    }
}

fn text(name: &str, value: &str, longest: usize) -> Result<Option<String>, ApiError> {
    if value.chars().count() > longest {
        let message = format!("Invalid string: must be at most {longest} characters");
        return Err(ApiError::invalid(name, Some("parameter_invalid_string"), message));
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

fn email(value: &str) -> Result<Option<String>, ApiError> {
    let fits = value
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if !value.is_empty() && !fits {
        let message = format!("Invalid email address: {value}");
        return Err(ApiError::invalid("email", Some("email_invalid"), message));
    }
    text("email", value, 512)
}
