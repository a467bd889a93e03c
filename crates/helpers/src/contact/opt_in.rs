//! `opt_in`: marketing consent, directly or after a confirmation.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::consent::Addressee;
use crate::settings::{FieldKey, Flag, RawText, TagKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Opts the contact's e-mail address in to marketing, directly or after the contact has confirmed it.
///
/// The consent is set at the CRM itself, with your reason; then the contact gets the tag for opted-in contacts. Some
/// CRMs, such as Keap, keep an address non-marketable after a complaint or an earlier opt-out: then the run fails and
/// says so, and no tag is applied.
///
/// In ActiveCampaign a contact opts in to a list, in HubSpot to a subscription type. Where your account has several,
/// set the one that is meant in the settings of the connection; until then the run fails and lists them.
///
/// With `double_opt_in` the consent is not touched: the run applies the tag for contacts who have not confirmed and
/// notes in the result that a confirmation is wanted. The contact is opted in only once it confirms.
///
/// A contact without an e-mail address makes the run fail. A tag that cannot be applied is noted in the log only. The
/// result shows the address, the reason and what was done.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OptIn {
    /// The field with the address to opt in.
    #[serde(default = "super::consent::email_field")]
    email_field: FieldKey,
    /// Why the contact may get mail, for the consent record.
    #[serde(default)]
    reason: RawText,
    /// Wait for the contact's confirmation before it is opted in.
    #[serde(default)]
    double_opt_in: Flag,
    /// The tag for contacts who have not confirmed yet; only with double opt-in.
    confirmation_tag: Option<TagKey>,
    /// The tag for contacts who are opted in.
    confirmed_tag: Option<TagKey>,
}

impl Helper for OptIn {
    const META: Meta = Meta::new(
        "opt_in",
        "Opt In",
        Category::Contact,
        "Opts the contact's e-mail address in to marketing, directly or after the contact has confirmed it.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"reason": "Newsletter form", "confirmed_tag": "Newsletter"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let addressee = Addressee::read(cx, &self.email_field).await?;
        if self.double_opt_in.0 {
            self.request(cx, &addressee).await
        } else {
            self.opt_in(cx, &addressee).await
        }
    }
}

impl OptIn {
    async fn opt_in(&self, cx: &mut Context<'_>, addressee: &Addressee) -> Result<Outcome, HelperError> {
        addressee.set_opt_in(cx, true, self.reason.as_str()).await?;
        self.describe(cx, addressee)?;
        apply(cx, self.confirmed_tag.as_ref()).await;
        Ok(Outcome::done("The contact is opted in"))
    }

    /// The consent is not touched before the contact has confirmed.
    async fn request(&self, cx: &mut Context<'_>, addressee: &Addressee) -> Result<Outcome, HelperError> {
        apply(cx, self.confirmation_tag.as_ref()).await;
        self.describe(cx, addressee)?;
        let tag = |tag: &Option<TagKey>| tag.as_ref().map(TagKey::to_string).unwrap_or_default();
        cx.set_result("confirmation_tag", tag(&self.confirmation_tag));
        cx.set_result("confirmed_tag", tag(&self.confirmed_tag));
        let request = json!(cx.results());
        cx.show("opt_in_requested", request)?;
        Ok(Outcome::done("The opt-in waits until the contact confirms it"))
    }

    fn describe(&self, cx: &mut Context<'_>, addressee: &Addressee) -> Result<(), HelperError> {
        let contact = cx.contact_id()?.to_owned();
        cx.set_result("email", addressee.address());
        cx.set_result("contact_id", contact);
        cx.set_result("action", "opt_in");
        cx.set_result("reason", self.reason.as_str());
        cx.set_result("double_opt_in", self.double_opt_in.0);
        Ok(())
    }
}

async fn apply(cx: &mut Context<'_>, tag: Option<&TagKey>) {
    if let Some(tag) = tag {
        let applied = cx.apply_tag(tag).await;
        cx.tolerate(format!("Tag {tag} was not applied"), applied);
    }
}

register!(OptIn);
