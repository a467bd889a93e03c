//! Writes to the contact as a whole: its record, company, notes and marketing consent.

use std::sync::Arc;

use mfh_connectors::{ConnectorError, ContactUpdate, OptInOutcome};
use mfh_types::{Action, JsonObject};
use serde_json::{Value, json};

use super::Context;
use super::step::Repeat;
use crate::settings::FieldKey;
use crate::{HelperError, ObjectError};

impl Context<'_> {
    /// Changes several fields of the contact in one write: absent ones stay, null and empty text clear. The caller says
    /// in the result what was changed.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn update_contact(&mut self, fields: JsonObject) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        let value = Value::Object(fields.clone());
        let send = async move || {
            let update = ContactUpdate { fields };
            crm.update_contact(&contact, &update).await.map(|()| Value::Null)
        };
        self.step("update_contact", Repeat::Safe, &target, value, send)
            .await
            .map_err(|error| error.context("The contact cannot be updated"))?;
        Ok(())
    }

    /// Notes in the result that a field was updated, where one write changed several.
    pub fn show_field_updated(&mut self, key: &str, value: Value) {
        self.actions.push(Action {
            kind: "field_updated".to_owned(),
            target: key.to_owned(),
            value,
        });
    }

    /// Links the contact to the company of this name, which the CRM creates when there is none.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn link_company(&mut self, name: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        self.write_field(&FieldKey::new("company"), &json!(name)).await?;
        self.did("company_linked", contact, name);
        Ok(())
    }

    /// Creates a note on the contact; never sent twice.
    ///
    /// # Errors
    /// By the kind of the failure; unknown outcome when the answer was lost.
    pub async fn create_note(&mut self, subject: &str, body: &str, kind: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        let value = json!([subject, body, kind]);
        let send = async move || {
            crm.add_note_of_kind(&contact, kind, subject, body)
                .await
                .map(|()| Value::Null)
        };
        self.step("create_note", Repeat::Never, &target, value, send)
            .await
            .map_err(|error| error.context("The note cannot be created"))?;
        let note = json!({ "subject": subject, "body": body, "note_type": kind, "contact_id": target });
        self.actions.push(Action {
            kind: "note_created".to_owned(),
            target,
            value: note,
        });
        Ok(())
    }

    /// Opts the contact's main address in to or out of marketing.
    ///
    /// # Errors
    /// By the kind of the failure; permanent when the CRM keeps the old status.
    pub async fn set_opt_in(&mut self, opted_in: bool, reason: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        let send = async move || consent(crm.set_opt_in_status(&contact, opted_in, reason).await, opted_in);
        self.step("set_opt_in", Repeat::Safe, &target, json!([opted_in, reason]), send)
            .await
            .map_err(|error| error.context(consent_failed(opted_in)))?;
        self.did("opt_in_status_changed", target, consent_word(opted_in));
        Ok(())
    }

    /// Opts another address of the contact than its main one in to or out of marketing.
    ///
    /// # Errors
    /// As [`Context::set_opt_in`]; permanent when the CRM knows only one consent for the whole contact.
    pub async fn set_address_opt_in(&mut self, address: &str, opted_in: bool, reason: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        let value = json!([address, opted_in, reason]);
        let send = async move || {
            let outcome = crm.set_address_opt_in(&contact, address, opted_in, reason).await;
            consent(outcome, opted_in)
        };
        self.step("set_opt_in", Repeat::Safe, &target, value, send)
            .await
            .map_err(|error| error.context(consent_failed(opted_in)))?;
        self.did("opt_in_status_changed", target, consent_word(opted_in));
        Ok(())
    }

    /// Stores an object for the account; the same key is simply written again by a repeated run.
    ///
    /// # Errors
    /// Permanent when the run has no store, retryable when it cannot be written.
    pub async fn store_object(&mut self, key: &str, content: &Value) -> Result<(), HelperError> {
        let objects = self.objects;
        let body = content.to_string().into_bytes();
        let send = async move || -> Result<Value, HelperError> {
            let objects = objects.ok_or_else(no_store)?;
            objects.put(key, "application/json", body).await.map_err(unstored)?;
            Ok(Value::Null)
        };
        self.step("store_object", Repeat::Safe, key, Value::Null, send).await?;
        Ok(())
    }

    /// Adds an action of a kind of its own to the result.
    pub fn show(&mut self, kind: &str, value: impl Into<Value>) -> Result<(), HelperError> {
        let target = self.contact_id()?.to_owned();
        self.actions.push(Action {
            kind: kind.to_owned(),
            target,
            value: value.into(),
        });
        Ok(())
    }
}

fn consent(outcome: Result<OptInOutcome, ConnectorError>, opted_in: bool) -> Result<Value, HelperError> {
    match outcome? {
        OptInOutcome::Applied | OptInOutcome::Already => Ok(Value::Null),
        OptInOutcome::NeedsConfirmation => Err(HelperError::permanent(
            "OPT_IN_NOT_CONFIRMED",
            "The CRM waits for the contact to confirm the address first",
        )),
        OptInOutcome::NotPermitted if opted_in => Err(HelperError::permanent(
            "OPT_IN_NOT_PERMITTED",
            "The CRM keeps the address non-marketable. Ask the contact to sign up again with a form of the CRM",
        )),
        OptInOutcome::NotPermitted => Err(HelperError::permanent(
            "OPT_OUT_NOT_PERMITTED",
            "The CRM keeps the address marketable. Opt the contact out in the CRM itself",
        )),
    }
}

fn consent_failed(opted_in: bool) -> &'static str {
    if opted_in {
        "The contact cannot be opted in"
    } else {
        "The contact cannot be opted out"
    }
}

fn consent_word(opted_in: bool) -> &'static str {
    if opted_in { "opted in" } else { "opted out" }
}

fn no_store() -> HelperError {
    HelperError::permanent(
        "NO_STORE",
        "There is no store for this here. Run the helper through the API instead of on its own",
    )
}

fn unstored(error: ObjectError) -> HelperError {
    HelperError::retryable("UNAVAILABLE", format!("The result cannot be stored: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_that_the_crm_did_not_change_is_a_failure() {
        for done in [OptInOutcome::Applied, OptInOutcome::Already] {
            assert_eq!(consent(Ok(done), true), Ok(Value::Null));
        }
        let code = |outcome, opted_in| consent(Ok(outcome), opted_in).unwrap_err().code;
        assert_eq!(code(OptInOutcome::NeedsConfirmation, true), "OPT_IN_NOT_CONFIRMED");
        assert_eq!(code(OptInOutcome::NotPermitted, true), "OPT_IN_NOT_PERMITTED");
        assert_eq!(code(OptInOutcome::NotPermitted, false), "OPT_OUT_NOT_PERMITTED");
    }
}
