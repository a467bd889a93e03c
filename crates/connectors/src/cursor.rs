//! Page cursors: opaque to callers, bound to one platform and one set of filters (`connectors` §1.6).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::model::ContactQuery;

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Cursor {
    v: u8,
    p: String,
    s: String,
    q: String,
}

/// Packs a platform's paging state for the next page of `query`.
pub(crate) fn encode(platform: &str, state: &str, query: &ContactQuery) -> String {
    let cursor = Cursor {
        v: VERSION,
        p: platform.to_owned(),
        s: state.to_owned(),
        q: fingerprint(query),
    };
    let json = serde_json::to_vec(&cursor).expect("four texts always serialise");
    URL_SAFE_NO_PAD.encode(json)
}

/// The paging state of the query's cursor; none on the first page.
///
/// # Errors
/// `InvalidInput` for a cursor of another platform, of other filters, or no cursor at all.
pub(crate) fn decode(platform: &'static str, query: &ContactQuery) -> Result<Option<String>> {
    let Some(text) = &query.cursor else {
        return Ok(None);
    };
    let cursor = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|json| serde_json::from_slice::<Cursor>(&json).ok())
        .filter(|cursor| cursor.v == VERSION && cursor.p == platform)
        .filter(|cursor| cursor.q == fingerprint(query));
    match cursor {
        Some(cursor) => Ok(Some(cursor.s)),
        None => Err(ConnectorError::new(
            platform,
            ErrorKind::InvalidInput,
            "The page cursor does not belong to this list. Start again from the first page without a cursor",
        )),
    }
}

fn fingerprint(query: &ContactQuery) -> String {
    let filters = serde_json::json!([query.tag_id, query.email, query.updated_since]);
    let hash = digest::digest(&digest::SHA256, filters.to_string().as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(tag: Option<&str>, cursor: Option<String>) -> ContactQuery {
        ContactQuery {
            tag_id: tag.map(str::to_owned),
            cursor,
            ..ContactQuery::default()
        }
    }

    #[test]
    fn a_cursor_gives_its_state_back_only_to_the_same_platform_and_filters() {
        let cursor = encode("keap", "page two", &query(Some("7"), None));
        let of = |platform, tag| decode(platform, &query(tag, Some(cursor.clone())));
        assert_eq!(of("keap", Some("7")), Ok(Some("page two".to_owned())));
        for wrong in [of("hubspot", Some("7")), of("keap", Some("8")), of("keap", None)] {
            assert_eq!(wrong.unwrap_err().kind, ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn the_page_size_may_change_between_pages() {
        let mut next = query(None, Some(encode("keap", "x", &query(None, None))));
        next.limit = Some(5);
        assert_eq!(decode("keap", &next), Ok(Some("x".to_owned())));
    }

    #[test]
    fn no_cursor_is_the_first_page_and_rubbish_is_refused() {
        assert_eq!(decode("keap", &query(None, None)), Ok(None));
        for text in ["", "!", "bm8", "e30"] {
            assert!(decode("keap", &query(None, Some(text.to_owned()))).is_err());
        }
    }
}
