//! `PUT /helpers/{helper_id}`.

use axum::extract;
use http::HeaderMap;
use http::header::IF_MATCH;
use mfh_database::HelperUpdate;
use mfh_http::{ApiError, Envelope, ErrorBody, ErrorCode, Json, ManageHelpers, May, Path, Reply, ok};
use mfh_types::Timestamp;

use super::change::Change;
use super::{find, not_found};
use crate::State;
use crate::views::HelperDetail;

/// A change that meets another one is made again on the newer helper, this often.
const TRIES: usize = 3;

/// Changes a helper and answers with the whole of it.
#[utoipa::path(
    put,
    path = "/helpers/{helper_id}",
    tag = "helpers",
    params(
        ("helper_id" = String, Path, description = "Full id, bare uuid or short key"),
        ("If-Match" = Option<String>, Header, description = "The version that the change was made on"),
    ),
    security(("bearer" = [])),
    request_body = Change,
    responses(
        (status = 200, body = Envelope<HelperDetail>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "Modified meanwhile, or enabled while incomplete", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn update(
    extract::State(state): extract::State<State>,
    member: May<ManageHelpers>,
    Path(identifier): Path<String>,
    headers: HeaderMap,
    Json(request): Json<Change>,
) -> Result<Reply<HelperDetail>, ApiError> {
    let core = &state.core;
    let seen = match request.version {
        Some(version) => Some(version),
        None => if_match(&headers)?,
    };
    for _ in 0..TRIES {
        let helper = find(core, member.account_id(), &identifier).await?;
        if seen.is_some_and(|seen| seen != helper.version) {
            return Err(modified());
        }
        let change = request.clone().checked(core, &helper).await?;
        let now = Timestamp::now(&*core.clock);
        // What is missing depends on settings and connection together, so the write needs the helper that was judged.
        let judged = Some(helper.version);
        let helpers = core.database.helpers();
        let outcome = helpers
            .update(member.account_id(), &helper.helper_id, change, judged, now)
            .await?;
        match outcome {
            HelperUpdate::Updated(helper) => {
                return Ok(ok("Helper updated successfully", HelperDetail::from(*helper)));
            }
            HelperUpdate::Missing => return Err(not_found()),
            HelperUpdate::Modified => {}
        }
    }
    Err(modified())
}

/// The version in `If-Match`, written as `3`, `"3"` or `W/"3"`; `*` asks for any.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let digits = text.trim_start_matches("W/").trim_matches('"');
    digits
        .parse()
        .map(Some)
        .map_err(|_| ApiError::invalid_field("If-Match", "must be the helper's version, for example \"3\""))
}

fn modified() -> ApiError {
    ApiError::conflict(
        ErrorCode::Conflict,
        "Helper was modified: load it again, then repeat your change",
    )
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn if_match_names_a_version_in_any_of_its_spellings() {
        let read = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            if_match(&HeaderMap::from_iter([(IF_MATCH, value)])).map_err(|error| error.status())
        };
        for text in ["3", "\"3\"", "W/\"3\""] {
            assert_eq!(read(text), Ok(Some(3)), "{text}");
        }
        assert_eq!(read("*"), Ok(None));
        assert_eq!(read("\"latest\""), Err(StatusCode::BAD_REQUEST));
    }
}
