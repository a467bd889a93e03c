//! `/helpers`: what users configure (`api-automation` §2).

mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;

use mfh_http::{ApiError, Core};
use mfh_types::{AccountId, Helper};

/// The longest name.
const MAX_NAME_CHARS: usize = 200;

/// The longest description.
const MAX_DESCRIPTION_CHARS: usize = 2_000;

/// The account's helper of this full id, bare uuid or short key.
///
/// # Errors
/// 404 for a missing, deleted or foreign one.
pub(crate) async fn find(core: &Core, account: &AccountId, identifier: &str) -> Result<Helper, ApiError> {
    let helpers = core.database.helpers();
    let helper = helpers.resolve(account, identifier).await?;
    helper.ok_or_else(not_found)
}

/// What a missing, deleted or foreign helper answers.
pub(crate) fn not_found() -> ApiError {
    ApiError::not_found("Helper not found")
}

/// The message for a text that is too long, if it is.
fn too_long(text: &str, max: usize) -> Option<String> {
    (text.chars().count() > max).then(|| format!("must have at most {max} characters"))
}
