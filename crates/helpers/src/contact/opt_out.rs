//! `opt_out`: withdraws marketing consent.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::consent::Addressee;
use crate::settings::{FieldKey, RawText, TagKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Opts the contact's e-mail address out of marketing and keeps the reason.
///
/// The consent is withdrawn at the CRM itself, with your reason; only then the reason is stored in a field and the tag
/// applied, if you have set them. An empty reason leaves the field as it is.
///
/// An opt-out is a legal duty: when the CRM is out of reach, the run is tried again for 14 days before it fails. A
/// contact without an e-mail address makes it fail at once. A field or tag that cannot be written is noted in the log
/// only.
///
/// The result shows the address, the reason and its kind.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OptOut {
    /// The field with the address to opt out.
    #[serde(default = "super::consent::email_field")]
    email_field: FieldKey,
    /// Why the contact gets no more mail.
    #[serde(default)]
    reason: RawText,
    /// The contact field that keeps the reason.
    reason_field: Option<FieldKey>,
    /// The tag for contacts who are opted out.
    unsubscribe_tag: Option<TagKey>,
    /// The kind of reason; empty: none.
    category: Option<ReasonKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ReasonKind {
    /// The contact asked for it.
    UserRequest,
    /// The contact reported a mail as spam.
    SpamComplaint,
    /// Mail to the address comes back.
    Bounce,
    /// The contact does not care for what you send.
    ContentIrrelevant,
    /// The contact gets too much mail.
    FrequencyTooHigh,
    /// Something else.
    Other,
}

impl Helper for OptOut {
    const META: Meta = Meta::new(
        "opt_out",
        "Opt Out",
        Category::Contact,
        "Opts the contact's e-mail address out of marketing and keeps the reason.",
    )
    .needs_crm()
    .repeatable()
    .patient();

    const EXAMPLE: &'static str =
        r#"{"reason": "Asked by phone", "reason_field": "_OptOutReason", "category": "user_request"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let addressee = Addressee::read(cx, &self.email_field).await?;
        let reason = self.reason.as_str();
        addressee.set_opt_in(cx, false, reason).await?;

        let contact = cx.contact_id()?.to_owned();
        cx.set_result("email", addressee.address());
        cx.set_result("contact_id", contact);
        cx.set_result("action", "opt_out");
        cx.set_result("reason", reason);
        cx.set_result("category", self.category.map_or_else(|| json!(""), |kind| json!(kind)));

        if let Some(field) = self.reason_field.as_ref().filter(|_| !reason.is_empty()) {
            let kept = cx.set_field(field, reason).await;
            cx.tolerate("The reason was not kept", kept);
        }
        if let Some(tag) = &self.unsubscribe_tag {
            let applied = cx.apply_tag(tag).await;
            cx.tolerate(format!("Tag {tag} was not applied"), applied);
        }
        Ok(Outcome::done("The contact is opted out"))
    }
}

register!(OptOut);
