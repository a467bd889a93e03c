//! `last_open_it`: stores when an e-mail to a contact was last opened.

use mfh_connectors::EmailEvent;
use schemars::JsonSchema;
use serde::Deserialize;

use super::last_email;
use crate::settings::FieldKey;
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Stores the date of the last e-mail open of a contact in a field.
///
/// Asks the CRM when the contact last opened an e-mail and stores the date exactly as the CRM gives it; Date Calc can
/// write it in another format afterwards. Without an address, or when no e-mail was ever opened, the field keeps what
/// it holds.
///
/// Keap and HubSpot report opens; with other CRMs the run fails and says so. Many mail programs open pictures by
/// themselves, so an open is no proof that somebody read the e-mail.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LastOpenIt {
    /// The contact field with the e-mail address to look up.
    #[serde(default = "last_email::main_address")]
    email_field: FieldKey,
    /// The contact field that receives the date.
    save_to: FieldKey,
}

impl Helper for LastOpenIt {
    const META: Meta = Meta::new(
        "last_open_it",
        "Last Open It",
        Category::Data,
        "Stores the date of the last e-mail open of a contact in a field.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"email_field": "Email", "save_to": "_LastEmailOpen"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        last_email::copy(cx, &self.email_field, EmailEvent::Open, &self.save_to).await
    }
}

register!(LastOpenIt);
