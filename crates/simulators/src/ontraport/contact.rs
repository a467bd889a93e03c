//! Contacts: how a body is checked and written.

use mfh_types::JsonObject;
use serde_json::Value;

use super::error::ApiError;
use super::state::{Contact, Transaction};

/// A new contact with the values of a body; it is not stored yet.
pub(crate) fn create(tx: &mut Transaction<'_>, body: &JsonObject) -> Result<Contact, ApiError> {
    let id = tx.next_id("contact");
    let mut contact = Contact::new(id, tx.now);
    contact.values.insert("owner".to_owned(), "1".to_owned());
    write(tx, &mut contact, body)?;
    Ok(contact)
}

/// Writes the values of a body; a property that is not known or not writable is refused.
pub(crate) fn write(tx: &Transaction<'_>, contact: &mut Contact, body: &JsonObject) -> Result<(), ApiError> {
    for (property, value) in body {
        if property == "bulk_mail" {
            write_bulk_mail(contact, value)?;
            continue;
        }
        let field = tx.state.fields.iter().find(|field| field.property == *property);
        let field = field.ok_or_else(|| ApiError::property(property, "there is no such field that can be written"))?;
        match field.read(value)? {
            Some(text) => contact.values.insert(property.clone(), text),
            None => contact.values.remove(property),
        };
    }
    contact.modified = tx.now;
    Ok(())
}

/// Bounces and reviews stay, and whoever asked for no more mail is not opted in: the vendor answers with success all
/// the same.
fn write_bulk_mail(contact: &mut Contact, value: &Value) -> Result<(), ApiError> {
    let wanted = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let wanted = wanted.filter(|number| matches!(number, 0 | 1));
    let wanted = wanted.ok_or_else(|| ApiError::property("bulk_mail", "0 or 1"))?;
    let kept = contact.bulk_mail < 0 || (wanted == 1 && contact.unsubscribed);
    if !kept {
        contact.bulk_mail = wanted;
    }
    Ok(())
}

/// What differs between two states of a contact, in the vendor's shape.
pub(crate) fn changes(tx: &Transaction<'_>, before: &Contact, after: &Contact) -> JsonObject {
    let before = before.show(&tx.state.fields);
    let mut shown = after.show(&tx.state.fields);
    shown.retain(|name, value| matches!(name.as_str(), "id" | "dlm") || before.get(name) != Some(value));
    shown
}
