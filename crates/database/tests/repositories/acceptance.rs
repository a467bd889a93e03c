//! Accepting executions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use mfh_database::{Acceptance, DatabaseError, Reservation, pending_shard};
use mfh_types::{ExecutionStatus, UsagePeriod};

use crate::support::*;

/// A run of March 2026.
fn march(cap: Option<u32>) -> Reservation {
    Reservation {
        period: UsagePeriod::of(at(NOW).0),
        cap,
    }
}

#[tokio::test]
async fn an_accepted_execution_is_stored_counted_and_seen_by_the_sweeper() {
    let tested = Tested::with_accounts().await;
    let executions = tested.database.executions();
    let accepted = executions.accept(&execution("a", "1", 0), march(None)).await;
    assert_eq!(accepted, Ok(Acceptance::Accepted));
    let stored = executions
        .get(&account_id("a"), &execution_id("1"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.usage_period.as_deref(), Some("2026-03"));
    assert_eq!(stored.next_action_at, Some(NOW + 300));
    assert_eq!(stored.pending_shard.as_deref(), Some(pending_shard(&execution_id("1"))));
    let account = tested.account().await;
    assert_eq!(
        (account.usage.monthly_executions, account.usage_period.as_deref()),
        (1, Some("2026-03"))
    );
    assert_eq!(executions.get(&account_id("b"), &execution_id("1")).await, Ok(None));
}

#[tokio::test]
async fn a_second_acceptance_changes_nothing_and_gives_the_first() {
    let tested = Tested::with_accounts().await;
    let executions = tested.database.executions();
    let first = execution("a", "1", 0);
    let second = execution("a", "1", 60);
    let (first, second) = tokio::join!(
        executions.accept(&first, march(None)),
        executions.accept(&second, march(None))
    );
    let answers = [first.unwrap(), second.unwrap()];
    let accepted = answers.iter().filter(|answer| **answer == Acceptance::Accepted).count();
    assert_eq!(accepted, 1);
    let duplicate = answers.iter().find_map(|answer| match answer {
        Acceptance::Duplicate(earlier) => Some(earlier.summary.execution_id.clone()),
        _ => None,
    });
    assert_eq!(duplicate, Some(execution_id("1")));
    assert_eq!(tested.account().await.usage.monthly_executions, 1);
    let foreign = executions.accept(&execution("b", "1", 0), march(None)).await;
    assert_eq!(
        foreign,
        Err(DatabaseError::Conflict),
        "an id never shows another account's execution"
    );
}

#[tokio::test]
async fn the_cap_holds_against_concurrent_runs_and_refused_runs_leave_nothing() {
    let tested = Tested::with_accounts().await;
    let executions = tested.database.executions();
    executions
        .accept(&execution("a", "0", 0), march(Some(2)))
        .await
        .unwrap();
    let (first, second) = (execution("a", "1", 0), execution("a", "2", 0));
    let (first, second) = tokio::join!(
        executions.accept(&first, march(Some(2))),
        executions.accept(&second, march(Some(2)))
    );
    let answers = [first.unwrap(), second.unwrap()];
    assert!(answers.contains(&Acceptance::Accepted), "{answers:?}");
    assert!(answers.contains(&Acceptance::CapReached { used: 2 }), "{answers:?}");
    let mut stored = 0;
    for name in ["1", "2"] {
        stored += usize::from(executions.get_any(&execution_id(name)).await.unwrap().is_some());
    }
    assert_eq!(stored, 1);
    let uncapped = executions.accept(&execution("a", "3", 0), march(None)).await;
    assert_eq!(uncapped, Ok(Acceptance::Accepted), "paid plans are not blocked");
}

#[tokio::test]
async fn a_new_month_starts_the_count_again() {
    let tested = Tested::with_accounts().await;
    let executions = tested.database.executions();
    tested.set_account("usage_period", s("2026-02")).await;
    let usage = HashMap::from([("monthly_executions".to_owned(), n(100)), ("helpers".to_owned(), n(4))]);
    tested.set_account("usage", AttributeValue::M(usage)).await;
    let (first, second) = (execution("a", "1", 0), execution("a", "2", 0));
    let (first, second) = tokio::join!(
        executions.accept(&first, march(Some(100))),
        executions.accept(&second, march(Some(100)))
    );
    assert_eq!((first, second), (Ok(Acceptance::Accepted), Ok(Acceptance::Accepted)));
    let account = tested.account().await;
    assert_eq!(
        (account.usage.monthly_executions, account.usage_period.as_deref()),
        (2, Some("2026-03"))
    );
    assert_eq!(account.usage.helpers, 4);
}

#[tokio::test]
async fn a_process_whose_clock_is_behind_counts_in_the_month_that_has_begun() {
    let tested = Tested::with_accounts().await;
    let executions = tested.database.executions();
    tested.set_account("usage_period", s("2026-04")).await;
    let accepted = executions.accept(&execution("a", "1", 0), march(Some(1))).await;
    assert_eq!(accepted, Ok(Acceptance::Accepted));
    let stored = executions.get_any(&execution_id("1")).await.unwrap().unwrap();
    assert_eq!(stored.usage_period.as_deref(), Some("2026-04"));
    assert_eq!(tested.account().await.usage_period.as_deref(), Some("2026-04"));
    let refused = executions.accept(&execution("a", "2", 0), march(Some(1))).await;
    assert_eq!(refused, Ok(Acceptance::CapReached { used: 1 }));
}

#[tokio::test]
async fn blank_periods_and_missing_counters_of_earlier_accounts_are_understood() {
    for blank in [null(), s("")] {
        let tested = Tested::with_accounts().await;
        tested.set_account("usage_period", blank).await;
        tested.set_account("usage", null()).await;
        let executions = tested.database.executions();
        let accepted = executions.accept(&execution("a", "1", 0), march(Some(1))).await;
        assert_eq!(accepted, Ok(Acceptance::Accepted));
        assert_eq!(tested.account().await.usage.monthly_executions, 1);
    }
}

#[tokio::test]
async fn an_account_that_is_missing_or_locked_accepts_nothing() {
    let tested = Tested::with_accounts().await;
    let executions = tested.database.executions();
    let missing = executions.accept(&execution("ghost", "1", 0), march(None)).await;
    assert_eq!(missing, Ok(Acceptance::AccountMissing));
    for status in ["suspended", "cancelled"] {
        tested.set_account("status", s(status)).await;
        let refused = executions.accept(&execution("a", "2", 0), march(None)).await;
        assert_eq!(refused, Ok(Acceptance::AccountInactive), "{status}");
    }
    assert_eq!(executions.get_any(&execution_id("1")).await, Ok(None));
    assert_eq!(executions.get_any(&execution_id("2")).await, Ok(None));
}

#[tokio::test]
async fn a_delayed_execution_is_due_at_its_time() {
    let tested = Tested::with_accounts().await;
    let executions = tested.database.executions();
    let mut delayed = execution("a", "1", 0);
    delayed.summary.status = ExecutionStatus::Waiting;
    delayed.next_attempt_at = Some(NOW + 3_600);
    executions.accept(&delayed, march(None)).await.unwrap();
    let shard = pending_shard(&execution_id("1"));
    assert!(executions.due(shard, NOW + 3_599, 10).await.unwrap().is_empty());
    let due = executions.due(shard, NOW + 3_600, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].summary.status, ExecutionStatus::Waiting);
}

#[tokio::test]
async fn an_execution_that_is_too_large_is_refused_as_such() {
    let tested = Tested::with_accounts().await;
    let mut large = execution("a", "1", 0);
    large
        .config
        .insert("text".to_owned(), serde_json::json!("x".repeat(500_000)));
    let answer = tested.database.executions().accept(&large, march(None)).await;
    assert_eq!(answer, Err(DatabaseError::TooLarge));
    assert_eq!(tested.account().await.usage.monthly_executions, 0);
}
