//! Lists of executions, newest first, by pages (`api-automation` §5.1).

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mfh_types::{
    AccountId, ConnectionId, ExecutionId, ExecutionStatus, ExecutionSummary, HelperId, TimestampMs, TriggerType,
};
use serde::{Deserialize, Serialize};

use super::Executions;
use crate::DatabaseError;
use crate::expression::Condition;
use crate::table::{Item, Query, text};

/// The most that one page holds.
const LONGEST_PAGE: usize = 100;

/// How often the table is read for one page.
const READS: usize = 10;

/// How many items one read looks at when a filter drops most of them.
const READ_AHEAD: usize = 200;

/// Which executions are listed; what is empty does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ExecutionFilter {
    /// Of this helper.
    pub helper_id: Option<HelperId>,
    /// In one of these statuses.
    pub statuses: Vec<ExecutionStatus>,
    /// Started so.
    pub trigger_type: Option<TriggerType>,
    /// On this contact.
    pub contact_id: Option<String>,
    /// On this connection.
    pub connection_id: Option<ConnectionId>,
    /// Accepted at or after this time.
    pub from: Option<TimestampMs>,
    /// Accepted at or before this time.
    pub to: Option<TimestampMs>,
}

impl ExecutionFilter {
    /// Whether most of what the index holds may be left out.
    fn is_selective(&self) -> bool {
        !self.statuses.is_empty()
            || self.trigger_type.is_some()
            || self.contact_id.is_some()
            || self.connection_id.is_some()
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first. A page may be shorter than asked for although more follow.
    pub items: Vec<ExecutionSummary>,
    /// Leads to the rest; `None` at the end.
    pub next_token: Option<String>,
}

/// A list could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The token is none of ours, or of another list.
    #[error("the page token does not belong to this list; start again without it")]
    InvalidToken,
    /// The table cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Where a page ended. It only ever points into the list of the account that asks, whatever it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// Account and filter of the list.
    list: String,
    created_at: String,
    execution_id: ExecutionId,
}

impl Executions<'_> {
    /// A page of an account's executions: at most `limit` (1 to 100), after the page that gave `token`.
    ///
    /// # Errors
    /// `InvalidToken` when the token is of another account or filter; else the table cannot be read.
    pub async fn list(
        &self,
        account: &AccountId,
        filter: &ExecutionFilter,
        limit: usize,
        token: Option<&str>,
    ) -> Result<Page, ListError> {
        let limit = limit.clamp(1, LONGEST_PAGE);
        let list = list_name(account, filter);
        let query = query(account, filter);
        let mut start = match token.filter(|token| !token.is_empty()) {
            Some(token) => Some(Cursor::read(token, &list, filter)?.key(account, filter)),
            None => None,
        };
        // DynamoDB refuses a range that ends before it begins.
        if filter.from.zip(filter.to).is_some_and(|(from, to)| from > to) {
            return Ok(page(Vec::new(), limit, None));
        }
        let mut found: Vec<(Cursor, ExecutionSummary)> = Vec::new();
        for _ in 0..READS {
            // One more than the page holds shows whether more follow.
            let missing = limit + 1 - found.len();
            let read = if filter.is_selective() { READ_AHEAD } else { missing };
            let slice = self
                .table()
                .query_slice(&query, i32::try_from(read).ok(), start)
                .await?;
            for item in slice.items {
                let created_at = text(&item, "created_at").unwrap_or_default().to_owned();
                if let Some(summary) = self.table().decode_or_skip::<ExecutionSummary>(item) {
                    let cursor = Cursor {
                        list: list.clone(),
                        created_at,
                        execution_id: summary.execution_id.clone(),
                    };
                    found.push((cursor, summary));
                }
            }
            start = slice.last_key;
            if start.is_none() || found.len() > limit {
                break;
            }
        }
        Ok(page(found, limit, start.and_then(|key| Cursor::at(&key, list))))
    }
}

/// The first `limit` of what was found; `rest` is where reading stopped.
fn page(mut found: Vec<(Cursor, ExecutionSummary)>, limit: usize, rest: Option<Cursor>) -> Page {
    let next = if found.len() > limit {
        found.truncate(limit);
        found.last().map(|(cursor, _)| cursor.clone())
    } else {
        rest
    };
    Page {
        items: found.into_iter().map(|(_, summary)| summary).collect(),
        next_token: next.map(|cursor| cursor.write()),
    }
}

fn query(account: &AccountId, filter: &ExecutionFilter) -> Query {
    let mut query = match &filter.helper_id {
        Some(helper) => Query {
            filter: Condition::new("#account_id = :account").bind("account", account),
            ..Query::index("HelperIdCreatedAtIndex", "helper_id", helper.as_str())
        },
        None => Query::index("AccountIdCreatedAtIndex", "account_id", account.as_str()),
    };
    query.newest_first = true;
    query.key = match (filter.from, filter.to) {
        (None, None) => query.key,
        (Some(from), None) => query.key.and("#created_at >= :from").bind("from", from),
        (None, Some(to)) => query.key.and("#created_at <= :to").bind("to", to),
        (Some(from), Some(to)) => query
            .key
            .and("#created_at BETWEEN :from AND :to")
            .bind("from", from)
            .bind("to", to),
    };
    if !filter.statuses.is_empty() {
        query.filter = in_statuses(query.filter, &filter.statuses);
    }
    let equal = [
        ("trigger_type", filter.trigger_type.map(TriggerType::as_str)),
        ("contact_id", filter.contact_id.as_deref()),
        ("connection_id", filter.connection_id.as_ref().map(ConnectionId::as_str)),
    ];
    for (attribute, value) in equal {
        if let Some(value) = value {
            let clause = format!("#{attribute} = :{attribute}");
            query.filter = query.filter.and(&clause).bind(attribute, value);
        }
    }
    query
}

fn in_statuses(filter: Condition, statuses: &[ExecutionStatus]) -> Condition {
    let mut words: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    if statuses.contains(&ExecutionStatus::Pending) {
        words.push("queued");
    }
    let names: Vec<String> = (0..words.len()).map(|n| format!(":status{n}")).collect();
    let filter = filter.and(&format!("#status IN ({})", names.join(", ")));
    words
        .iter()
        .enumerate()
        .fold(filter, |filter, (n, word)| filter.bind(&format!("status{n}"), word))
}

/// A short name of the list that an account asks for: the same for the same account and filter.
fn list_name(account: &AccountId, filter: &ExecutionFilter) -> String {
    let mut filter = filter.clone();
    filter.statuses.sort_by_key(|status| status.as_str());
    filter.statuses.dedup();
    // Texts and numbers only: this cannot fail.
    let text = serde_json::to_string(&(account, &filter)).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12])
}

impl Cursor {
    fn read(token: &str, list: &str, filter: &ExecutionFilter) -> Result<Self, ListError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| ListError::InvalidToken)?;
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|_| ListError::InvalidToken)?;
        // DynamoDB refuses to start outside of the range that it searches.
        let within = !cursor.created_at.is_empty()
            && filter.from.is_none_or(|from| cursor.created_at >= from.to_string())
            && filter.to.is_none_or(|to| cursor.created_at <= to.to_string());
        if cursor.list == list && within {
            Ok(cursor)
        } else {
            Err(ListError::InvalidToken)
        }
    }

    fn write(&self) -> String {
        // Texts only: this cannot fail.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn at(key: &Item, list: String) -> Option<Self> {
        Some(Self {
            list,
            created_at: text(key, "created_at")?.to_owned(),
            execution_id: ExecutionId::parse(text(key, "execution_id")?).ok()?,
        })
    }

    /// The key in the index that the list reads; its hash key is always the caller's own.
    fn key(&self, account: &AccountId, filter: &ExecutionFilter) -> Item {
        let (hash, value) = match &filter.helper_id {
            Some(helper) => ("helper_id", helper.as_str()),
            None => ("account_id", account.as_str()),
        };
        [
            (hash, value),
            ("created_at", &self.created_at),
            ("execution_id", self.execution_id.as_str()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use mfh_types::Timestamp;

    use super::*;

    #[test]
    fn a_token_that_was_bent_to_start_outside_of_its_range_is_refused() {
        let at = |secs| TimestampMs(chrono::DateTime::from_timestamp(secs, 0).unwrap());
        let filter = ExecutionFilter {
            from: Some(at(1_000)),
            to: Some(at(2_000)),
            ..ExecutionFilter::default()
        };
        let token = |created_at: String| {
            Cursor {
                list: "l".to_owned(),
                created_at,
                execution_id: ExecutionId::parse("1").unwrap(),
            }
            .write()
        };
        let read = |created_at| Cursor::read(&token(created_at), "l", &filter);
        assert!(read(at(1_500).to_string()).is_ok());
        for outside in [at(999).to_string(), at(2_001).to_string(), String::new()] {
            assert_eq!(read(outside.clone()), Err(ListError::InvalidToken), "{outside}");
        }
        assert!(Cursor::read(&token(Timestamp(at(1_500).0).to_string()), "other", &filter).is_err());
    }
}
