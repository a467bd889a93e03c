//! `own_it`: hands the contact to another owner.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, UserKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// The CRM's own owner, under the name that existing campaigns read in the result.
const OWNER: &str = "OwnerID";

/// Hands the contact to another owner in the CRM.
///
/// A run sets the CRM's own owner and replaces the one that the contact has. Find the id of a user in your CRM's user
/// list; it may be given as a number or as text.
///
/// The result lists the new owner under `OwnerID`. A CRM that does not know the user, or whose contacts have no owner,
/// refuses the change, and the run fails. To write the owner into a field of your own, use Assign It.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OwnIt {
    /// The new owner: the id of a user of the CRM.
    owner_id: UserKey,
}

impl Helper for OwnIt {
    const META: Meta = Meta::new(
        "own_it",
        "Own It",
        Category::Contact,
        "Hands the contact to another owner in the CRM.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"owner_id": 42}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let owner = self.owner_id.as_str();
        cx.set_field(&FieldKey::new(OWNER), owner).await?;
        cx.set_result(OWNER, owner);
        Ok(Outcome::done(format!("The contact belongs to user {owner}")))
    }
}

register!(OwnIt);
