//! What workers, the sweeper and users do with accepted executions.

use std::collections::BTreeMap;

use mfh_database::{
    Acceptance, Cancellation, Claim, Creation, Finish, Release, Reservation, Return, Stalled, pending_shard,
};
use mfh_types::{Attempt, Execution, ExecutionError, ExecutionOutput, ExecutionStatus, MeterState, UsagePeriod};
use serde_json::json;

use crate::support::*;

const LEASE: i64 = NOW + 310;

fn finish(status: ExecutionStatus) -> Finish {
    Finish {
        status,
        output: None,
        error: None,
        duration_ms: Some(42),
        meter_state: MeterState::None,
        refund: false,
    }
}

fn attempt(n: u32) -> Attempt {
    Attempt {
        n,
        started_at: at(NOW),
        ended_at: Some(at(NOW + 1)),
        error: Some("busy".to_owned()),
    }
}

fn release(status: Return, next_attempt_at: i64) -> Release {
    Release {
        status,
        next_attempt_at,
        error: ExecutionError::new("RATE_LIMITED", "The CRM is busy."),
        attempt: Some(attempt(1)),
    }
}

impl Tested {
    /// Two accounts, helper `h` of `a`, and its accepted execution `1`.
    async fn with_execution() -> Self {
        let tested = Self::with_accounts().await;
        let created = tested.database.helpers().create(&helper("a", "h"), 0).await;
        assert_eq!(created, Ok(Creation::Created));
        let reservation = Reservation {
            period: UsagePeriod::of(at(NOW).0),
            cap: None,
        };
        let accepted = tested
            .database
            .executions()
            .accept(&execution("a", "1", 0), reservation)
            .await;
        assert_eq!(accepted, Ok(Acceptance::Accepted));
        tested
    }

    async fn claimed() -> Self {
        let tested = Self::with_execution().await;
        assert!(matches!(tested.claim("w", NOW).await, Claim::Claimed(_)));
        tested
    }

    async fn claim(&self, owner: &str, now: i64) -> Claim {
        let executions = self.database.executions();
        executions
            .claim(&execution_id("1"), owner, at(now), now + 310)
            .await
            .unwrap()
    }

    async fn execution(&self) -> Execution {
        self.database
            .executions()
            .get_any(&execution_id("1"))
            .await
            .unwrap()
            .unwrap()
    }

    async fn is_listed_as_open(&self) -> bool {
        let executions = self.database.executions();
        let due = executions
            .due(pending_shard(&execution_id("1")), i64::MAX / 4, 10)
            .await;
        !due.unwrap().is_empty()
    }

    async fn used(&self) -> i64 {
        self.account().await.usage.monthly_executions
    }
}

#[tokio::test]
async fn one_of_two_claims_wins() {
    let tested = Tested::with_execution().await;
    let (first, second) = tokio::join!(tested.claim("w1", NOW), tested.claim("w2", NOW));
    let claims = [first, second];
    let won: Vec<&Claim> = claims
        .iter()
        .filter(|claim| matches!(claim, Claim::Claimed(_)))
        .collect();
    assert_eq!(won.len(), 1);
    assert!(claims.contains(&Claim::Leased { until: LEASE }), "{claims:?}");
    let record = tested.execution().await;
    assert_eq!(
        (record.summary.status, record.summary.attempt),
        (ExecutionStatus::Running, 1)
    );
    assert_eq!(record.summary.started_at, Some(at(NOW)));
    assert_eq!(
        (record.lease_until, record.next_action_at),
        (Some(LEASE), Some(LEASE + 120))
    );
}

#[tokio::test]
async fn a_claim_whose_answer_got_lost_is_given_again() {
    let tested = Tested::claimed().await;
    assert!(matches!(tested.claim("w", NOW).await, Claim::Claimed(_)));
    assert_eq!(tested.execution().await.summary.attempt, 1);
}

#[tokio::test]
async fn a_dead_worker_s_execution_is_claimed_when_its_lease_is_over() {
    let tested = Tested::claimed().await;
    assert_eq!(tested.claim("w2", LEASE).await, Claim::Leased { until: LEASE });
    let Claim::Claimed(record) = tested.claim("w2", LEASE + 1).await else {
        panic!("not claimed");
    };
    assert_eq!((record.summary.attempt, record.lease_owner.as_deref()), (2, Some("w2")));
    assert_eq!(record.summary.started_at, Some(at(NOW)), "the first claim");
    let executions = tested.database.executions();
    let id = execution_id("1");
    let late = executions.finish(&id, "w", finish(ExecutionStatus::Completed), None, at(LEASE + 2));
    assert_eq!(late.await, Ok(false), "the first worker lost it");
}

#[tokio::test]
async fn an_execution_that_waits_ended_or_never_was_is_not_claimed() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let waiting = release(Return::Waiting, NOW + 3_600);
    assert_eq!(
        executions.release(&execution_id("1"), "w", waiting, at(NOW)).await,
        Ok(true)
    );
    assert_eq!(tested.claim("w", NOW + 10).await, Claim::NotDue { at: NOW + 3_600 });
    let ended = executions
        .end_unclaimed(&execution_id("1"), finish(ExecutionStatus::Failed), at(NOW))
        .await;
    assert_eq!(ended, Ok(true));
    assert_eq!(tested.claim("w", NOW + 10).await, Claim::Ended(ExecutionStatus::Failed));
    let missing = executions.claim(&execution_id("9"), "w", at(NOW), LEASE).await;
    assert_eq!(missing, Ok(Claim::Missing));
    assert_eq!(executions.get_any(&execution_id("9")).await, Ok(None));
}

#[tokio::test]
async fn the_old_word_for_pending_can_be_claimed() {
    let tested = Tested::with_execution().await;
    let key = ("execution_id", "exec:1");
    tested
        .set_raw(&tested.tables.executions, key, "status", s("queued"))
        .await;
    assert!(matches!(tested.claim("w", NOW).await, Claim::Claimed(_)));
}

#[tokio::test]
async fn the_journal_is_written_by_the_owner_alone_and_read_by_the_next_attempt() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let entries: BTreeMap<_, _> = (0..120)
        .map(|n| (format!("{n}.tag:apply"), json!({"status": "sent", "value": ""})))
        .collect();
    assert_eq!(
        executions.journal(&execution_id("1"), "other", &entries).await,
        Ok(false)
    );
    assert!(tested.execution().await.journal.is_empty());
    assert_eq!(executions.journal(&execution_id("1"), "w", &entries).await, Ok(true));
    let done = BTreeMap::from([("7.tag:apply".to_owned(), json!({"status": "done"}))]);
    assert_eq!(executions.journal(&execution_id("1"), "w", &done).await, Ok(true));

    let Claim::Claimed(record) = tested.claim("w2", LEASE + 1).await else {
        panic!("not claimed");
    };
    assert_eq!(record.journal.len(), 120);
    assert_eq!(record.journal["7.tag:apply"], json!({"status": "done"}));
    assert_eq!(
        executions.journal(&execution_id("1"), "w", &done).await,
        Ok(false),
        "the lease is another's"
    );
}

#[tokio::test]
async fn a_run_given_back_keeps_its_reason_and_attempts() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let id = execution_id("1");
    let refused = executions
        .release(&id, "other", release(Return::Pending, NOW + 30), at(NOW))
        .await;
    assert_eq!(refused, Ok(false));
    let released = executions
        .release(&id, "w", release(Return::Pending, NOW + 30), at(NOW))
        .await;
    assert_eq!(released, Ok(true));
    let record = tested.execution().await;
    assert_eq!(record.summary.status, ExecutionStatus::Pending);
    assert_eq!(record.summary.error_message.as_deref(), Some("The CRM is busy."));
    assert_eq!(record.attempts, [attempt(1)]);
    assert_eq!((record.lease_owner, record.next_attempt_at), (None, Some(NOW + 30)));
    assert_eq!(record.next_action_at, Some(NOW + 150));

    assert!(matches!(tested.claim("w2", NOW + 31).await, Claim::Claimed(_)));
    let done = executions
        .finish(&id, "w2", finish(ExecutionStatus::Completed), None, at(NOW + 40))
        .await;
    assert_eq!(done, Ok(true));
    let record = tested.execution().await;
    assert_eq!((record.summary.error_message, record.summary.error_code), (None, None));
    assert_eq!(record.attempts.len(), 1);
}

#[tokio::test]
async fn a_run_that_was_only_held_back_has_no_attempt() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let held_back = Release {
        attempt: None,
        ..release(Return::Waiting, NOW + 3_600)
    };
    let released = executions.release(&execution_id("1"), "w", held_back, at(NOW)).await;
    assert_eq!(released, Ok(true));
    let record = tested.execution().await;
    assert_eq!((record.summary.attempt, record.attempts.len()), (0, 0));
    assert_eq!(record.summary.status, ExecutionStatus::Waiting);
}

#[tokio::test]
async fn a_worker_lets_go_of_its_own_run_only() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let id = execution_id("1");
    assert_eq!(executions.let_go(&id, "other").await, Ok(false));
    assert!(matches!(tested.claim("w2", NOW + 1).await, Claim::Leased { .. }));
    assert_eq!(executions.let_go(&id, "w").await, Ok(true));
    assert!(matches!(tested.claim("w2", NOW + 1).await, Claim::Claimed(_)));
}

#[tokio::test]
async fn a_finished_run_counts_on_its_helper_and_leaves_the_index() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let entries = BTreeMap::from([("0".to_owned(), json!(1))]);
    executions.journal(&execution_id("1"), "w", &entries).await.unwrap();
    assert!(tested.is_listed_as_open().await);
    let (account, helper) = (account_id("a"), helper_id("h"));
    let finish = Finish {
        output: Some(ExecutionOutput {
            success: true,
            message: "1 tag".to_owned(),
            modified_data: Some(json!({"count": 1, "rate": 0.25}).as_object().unwrap().clone()),
            ..ExecutionOutput::default()
        }),
        meter_state: MeterState::Pending,
        ..finish(ExecutionStatus::Completed)
    };
    let target = Some((&account, &helper));
    let stolen = executions
        .finish(&execution_id("1"), "other", finish.clone(), target, at(NOW + 5))
        .await;
    assert_eq!(stolen, Ok(false));
    let id = execution_id("1");
    let (first, second) = tokio::join!(
        executions.finish(&id, "w", finish.clone(), target, at(NOW + 5)),
        executions.finish(&id, "w", finish.clone(), target, at(NOW + 5)),
    );
    assert_ne!(first.unwrap(), second.unwrap(), "it ends once");

    let record = tested.execution().await;
    assert_eq!(record.summary.status, ExecutionStatus::Completed);
    assert_eq!(
        (record.summary.completed_at, record.summary.duration_ms),
        (Some(at(NOW + 5)), Some(42))
    );
    assert_eq!(
        (record.output, record.meter_state),
        (finish.output, MeterState::Pending)
    );
    assert_eq!(
        (record.pending_shard, record.next_action_at, record.lease_until),
        (None, None, None)
    );
    assert!(record.journal.is_empty());
    assert!(!tested.is_listed_as_open().await);
    let helper = tested.database.helpers().get(&account, &helper).await.unwrap().unwrap();
    assert_eq!(
        (helper.execution_count, helper.last_executed_at),
        (1, Some(at(NOW + 5)))
    );
    assert_eq!(
        (helper.version, helper.updated_at),
        (0, at(NOW)),
        "no change by the user"
    );
}

#[tokio::test]
async fn a_run_ends_although_its_helper_is_deleted_missing_or_foreign() {
    for (account, name) in [("a", "h"), ("a", "ghost"), ("b", "h")] {
        let tested = Tested::claimed().await;
        if (account, name) == ("a", "h") {
            tested
                .database
                .helpers()
                .delete(&account_id("a"), &helper_id("h"), at(NOW))
                .await
                .unwrap();
        }
        let (owner, helper) = (account_id(account), helper_id(name));
        let executions = tested.database.executions();
        let answer = executions
            .finish(
                &execution_id("1"),
                "w",
                finish(ExecutionStatus::Completed),
                Some((&owner, &helper)),
                at(NOW),
            )
            .await;
        assert_eq!(answer, Ok(true), "{account} {name}");
        assert_eq!(tested.execution().await.summary.status, ExecutionStatus::Completed);
        let stored = tested.database.helpers().get_any(&helper).await.unwrap();
        assert_eq!(stored.map_or(0, |helper| helper.execution_count), 0);
    }
}

#[tokio::test]
async fn a_refund_is_given_once_and_only_within_its_month() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    assert_eq!(tested.used().await, 1);
    let refund = Finish {
        refund: true,
        error: Some(ExecutionError::new("HELPER_DELETED", "The helper was deleted.")),
        ..finish(ExecutionStatus::Cancelled)
    };
    let (account, helper) = (account_id("a"), helper_id("h"));
    for expected in [true, false] {
        let answer = executions
            .finish(
                &execution_id("1"),
                "w",
                refund.clone(),
                Some((&account, &helper)),
                at(NOW),
            )
            .await;
        assert_eq!(answer, Ok(expected));
        assert_eq!(tested.used().await, 0);
    }

    let tested = Tested::with_execution().await;
    tested.set_account("usage_period", s("2026-04")).await;
    let answer = tested
        .database
        .executions()
        .end_unclaimed(&execution_id("1"), refund, at(NOW))
        .await;
    assert_eq!(answer, Ok(true));
    assert_eq!(tested.used().await, 1, "another month's counter is left alone");
    assert_eq!(
        tested.execution().await.summary.error_code.as_deref(),
        Some("HELPER_DELETED")
    );
}

#[tokio::test]
async fn an_execution_under_a_lease_is_ended_by_its_worker_alone() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let id = execution_id("1");
    let end = |now| executions.end_unclaimed(&id, finish(ExecutionStatus::Failed), at(now));
    assert_eq!(end(LEASE).await, Ok(false));
    assert_eq!(end(LEASE + 1).await, Ok(true));
    assert_eq!(end(LEASE + 2).await, Ok(false), "a terminal state is never left");
    assert_eq!(tested.execution().await.summary.completed_at, Some(at(LEASE + 1)));
    let missing = executions
        .end_unclaimed(&execution_id("9"), finish(ExecutionStatus::Failed), at(NOW))
        .await;
    assert_eq!(missing, Ok(false));
    assert_eq!(executions.get_any(&execution_id("9")).await, Ok(None), "no ghost");
}

#[tokio::test]
async fn a_cancelled_run_is_given_back_once() {
    let tested = Tested::with_execution().await;
    let executions = tested.database.executions();
    let (account, id) = (account_id("a"), execution_id("1"));
    assert_eq!(
        executions.cancel(&account_id("b"), &id, at(NOW)).await,
        Ok(Cancellation::Missing)
    );
    let cancel = || executions.cancel(&account, &id, at(NOW + 3));
    let (first, second) = tokio::join!(cancel(), cancel());
    let answers = [first.unwrap(), second.unwrap()];
    assert!(
        answers.contains(&Cancellation::NotCancellable(ExecutionStatus::Cancelled)),
        "{answers:?}"
    );
    let cancelled = answers.into_iter().find_map(|answer| match answer {
        Cancellation::Cancelled(record) => Some(*record),
        _ => None,
    });
    assert_eq!(
        cancelled,
        Some(tested.execution().await),
        "the answer is what is stored"
    );
    assert_eq!(tested.used().await, 0);
    assert!(!tested.is_listed_as_open().await);
    assert_eq!(tested.claim("w", NOW).await, Claim::Ended(ExecutionStatus::Cancelled));
}

#[tokio::test]
async fn a_cancellation_in_the_next_month_or_after_an_attempt_gives_nothing_back() {
    let tested = Tested::with_execution().await;
    tested.set_account("usage_period", s("2026-04")).await;
    let (account, id) = (account_id("a"), execution_id("1"));
    let answer = tested
        .database
        .executions()
        .cancel(&account, &id, at(NOW))
        .await
        .unwrap();
    assert!(matches!(answer, Cancellation::Cancelled(_)));
    assert_eq!(tested.used().await, 1);

    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let running = executions.cancel(&account, &id, at(NOW)).await;
    assert_eq!(running, Ok(Cancellation::NotCancellable(ExecutionStatus::Running)));
    executions
        .release(&id, "w", release(Return::Waiting, NOW + 3_600), at(NOW))
        .await
        .unwrap();
    let answer = executions.cancel(&account, &id, at(NOW)).await.unwrap();
    assert!(matches!(answer, Cancellation::Cancelled(_)));
    assert_eq!(tested.used().await, 1);
}

#[tokio::test]
async fn a_routed_execution_is_marked_while_it_is_pending() {
    let tested = Tested::with_execution().await;
    let executions = tested.database.executions();
    let id = execution_id("1");
    assert_eq!(executions.mark_routed(&id, at(NOW + 1), NOW + 900).await, Ok(true));
    let shard = pending_shard(&id);
    assert!(executions.due(shard, NOW + 899, 10).await.unwrap().is_empty());
    let due = executions.due(shard, NOW + 900, 10).await.unwrap();
    assert_eq!((due[0].routed_at, due[0].summary.attempt), (Some(NOW + 1), 0));
    assert_eq!(due[0].summary.contact_id.as_deref(), Some("c"));
    assert_eq!(due[0].summary.helper_type.as_ref().unwrap().as_str(), "tag_it");
    tested.claim("w", NOW + 2).await;
    assert_eq!(executions.mark_routed(&id, at(NOW + 3), NOW + 900).await, Ok(false));
    assert_eq!(
        executions.mark_routed(&execution_id("9"), at(NOW), NOW).await,
        Ok(false)
    );
}

#[tokio::test]
async fn a_waiting_run_is_opened_again_when_due_and_once() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let id = execution_id("1");
    executions
        .release(&id, "w", release(Return::Waiting, NOW + 3_600), at(NOW))
        .await
        .unwrap();
    let reopen = |now| executions.reopen(&id, Stalled::Waiting, at(now), now + 60);
    assert_eq!(reopen(NOW + 3_599).await, Ok(None));
    let opened = reopen(NOW + 3_600).await.unwrap().unwrap();
    assert_eq!(
        (opened.summary.status, opened.summary.attempt),
        (ExecutionStatus::Pending, 1)
    );
    assert_eq!((opened.next_attempt_at, opened.routed_at), (None, None));
    assert_eq!(reopen(NOW + 3_601).await, Ok(None));
}

#[tokio::test]
async fn a_run_of_a_dead_worker_is_opened_again_with_its_attempt_noted() {
    let tested = Tested::claimed().await;
    let executions = tested.database.executions();
    let id = execution_id("1");
    let reopen = |now| executions.reopen(&id, Stalled::Running(Some(attempt(1))), at(now), now + 60);
    assert_eq!(reopen(LEASE).await, Ok(None));
    let opened = reopen(LEASE + 120).await.unwrap().unwrap();
    assert_eq!(opened.summary.status, ExecutionStatus::Pending);
    assert_eq!((opened.lease_owner, opened.attempts.len()), (None, 1));
    let wrong = executions.reopen(&id, Stalled::Waiting, at(LEASE + 500), LEASE).await;
    assert_eq!(wrong, Ok(None));
}

#[tokio::test]
async fn an_old_record_with_nulls_and_text_output_is_read() {
    let tested = Tested::with_accounts().await;
    let old = [
        ("execution_id", s("exec:1")),
        ("account_id", s("account:a")),
        ("helper_id", s("helper:h")),
        ("helper_type", s("tag_it")),
        ("connection_id", s("")),
        ("contact_id", null()),
        ("status", s("completed")),
        ("trigger_type", s("api")),
        ("config", null()),
        ("input", null()),
        ("output", s("{\"success\":true,\"message\":\"ok\"}")),
        ("created_at", s("2026-01-01T00:00:00Z")),
        ("started_at", s("")),
        ("ttl", n(5)),
    ];
    tested.put_raw(&tested.tables.executions, &old).await;
    let record = tested.execution().await;
    assert!(record.output.unwrap().success);
    assert_eq!((record.summary.connection_id, record.summary.started_at), (None, None));
}
