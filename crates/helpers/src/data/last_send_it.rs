//! `last_send_it`: stores when an e-mail to a contact was last sent.

use mfh_connectors::EmailEvent;
use schemars::JsonSchema;
use serde::Deserialize;

use super::last_email;
use crate::settings::FieldKey;
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Stores the date of the last e-mail send of a contact in a field.
///
/// Asks the CRM when an e-mail was last sent to the contact and stores the date exactly as the CRM gives it; Date Calc
/// can write it in another format afterwards. Without an address, or when no e-mail was ever sent, the field keeps what
/// it holds.
///
/// Keap and HubSpot report when they last sent; with other CRMs the run fails and says so.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LastSendIt {
    /// The contact field with the e-mail address to look up.
    #[serde(default = "last_email::main_address")]
    email_field: FieldKey,
    /// The contact field that receives the date.
    save_to: FieldKey,
}

impl Helper for LastSendIt {
    const META: Meta = Meta::new(
        "last_send_it",
        "Last Send It",
        Category::Data,
        "Stores the date of the last e-mail send of a contact in a field.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"email_field": "Email", "save_to": "_LastEmailSend"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        last_email::copy(cx, &self.email_field, EmailEvent::Send, &self.save_to).await
    }
}

register!(LastSendIt);
