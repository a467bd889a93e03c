//! What `last_click_it`, `last_open_it` and `last_send_it` share: when something last happened to e-mails to a contact.

use mfh_connectors::{EmailEvent, Question};

use super::store;
use crate::settings::FieldKey;
use crate::{Context, HelperError, Outcome, values};

/// The address that is looked up unless another field is chosen.
pub(super) fn main_address() -> FieldKey {
    FieldKey::new("Email")
}

/// The contact's address; nothing when the field is empty.
pub(super) async fn address(cx: &mut Context<'_>, field: &FieldKey) -> Result<Option<String>, HelperError> {
    let address = values::text(&cx.get_field(field).await?).trim().to_owned();
    Ok(Some(address).filter(|address| !address.is_empty()))
}

/// The time as the CRM gives it; nothing when it never happened.
pub(super) async fn time(
    cx: &mut Context<'_>,
    address: &str,
    event: EmailEvent,
) -> Result<Option<String>, HelperError> {
    let question = Question::LastEmail {
        address: address.to_owned(),
        event,
    };
    let answer = cx.ask(&question).await.map_err(no_statistics)?;
    Ok(Some(values::text(&answer)).filter(|time| !time.trim().is_empty()))
}

/// Says what was being read.
pub(super) fn no_statistics(error: HelperError) -> HelperError {
    error.context("The e-mail statistics cannot be read")
}

/// Copies the time to a field of the contact; without an address or a time nothing is written.
pub(super) async fn copy(
    cx: &mut Context<'_>,
    field: &FieldKey,
    event: EmailEvent,
    to: &FieldKey,
) -> Result<Outcome, HelperError> {
    let Some(address) = address(cx, field).await? else {
        return Ok(Outcome::done(format!("{field} is empty: nothing to look up")));
    };
    let Some(time) = time(cx, &address, event).await? else {
        return Ok(Outcome::done("The CRM knows of none yet"));
    };
    store(cx, to, time.clone()).await?;
    Ok(Outcome::done(format!("{to} is now {time}")))
}
