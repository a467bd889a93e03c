//! Lists of executions by pages.

use mfh_database::{ExecutionFilter, ListError, Page, Reservation};
use mfh_types::{ExecutionStatus, TimestampMs, TriggerType, UsagePeriod};

use crate::support::*;

impl Tested {
    /// Executions `00`, `01`, … of account `a`, one a second; every third one failed, every fifth on contact `d`.
    async fn with_executions(count: i64) -> Self {
        let tested = Self::with_accounts().await;
        let reservation = Reservation {
            period: UsagePeriod::of(at(NOW).0),
            cap: None,
        };
        for number in 0..count {
            let mut record = execution("a", &format!("{number:02}"), number);
            if number % 3 == 0 {
                record.summary.status = ExecutionStatus::Failed;
            }
            if number % 5 == 0 {
                record.summary.contact_id = Some("d".to_owned());
                record.summary.trigger_type = TriggerType::Manual;
            }
            if number % 2 == 0 {
                record.summary.helper_id = helper_id("even");
            }
            tested.database.executions().accept(&record, reservation).await.unwrap();
        }
        tested
    }

    async fn page(&self, filter: &ExecutionFilter, limit: usize, token: Option<&str>) -> Result<Page, ListError> {
        self.database
            .executions()
            .list(&account_id("a"), filter, limit, token)
            .await
    }

    /// The numbers of all executions of a list, page by page.
    async fn pages(&self, filter: &ExecutionFilter, limit: usize) -> Vec<Vec<i64>> {
        let (mut pages, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = self.page(filter, limit, token.as_deref()).await.unwrap();
            pages.push(numbers(&page));
            match page.next_token {
                Some(next) => token = Some(next),
                None => return pages,
            }
        }
    }
}

fn numbers(page: &Page) -> Vec<i64> {
    let ids = page.items.iter();
    ids.map(|item| item.execution_id.body().parse().unwrap()).collect()
}

fn ms(after: i64) -> TimestampMs {
    TimestampMs(at(NOW + after).0)
}

#[tokio::test]
async fn pages_visit_every_execution_once_newest_first_and_the_last_has_no_token() {
    let tested = Tested::with_executions(10).await;
    let all = ExecutionFilter::default();
    assert_eq!(
        tested.pages(&all, 4).await,
        [vec![9, 8, 7, 6], vec![5, 4, 3, 2], vec![1, 0]]
    );
    assert_eq!(tested.pages(&all, 5).await.len(), 2, "no empty page at the end");
    assert_eq!(tested.pages(&all, 500).await.concat().len(), 10);
    assert_eq!(tested.pages(&all, 0).await.len(), 10, "at least one a page");
}

#[tokio::test]
async fn filtered_pages_are_full() {
    let tested = Tested::with_executions(20).await;
    let failed = ExecutionFilter {
        statuses: vec![ExecutionStatus::Failed],
        ..ExecutionFilter::default()
    };
    assert_eq!(
        tested.pages(&failed, 3).await,
        [vec![18, 15, 12], vec![9, 6, 3], vec![0]]
    );
    let of_helper = ExecutionFilter {
        helper_id: Some(helper_id("even")),
        statuses: vec![ExecutionStatus::Failed, ExecutionStatus::Completed],
        ..ExecutionFilter::default()
    };
    assert_eq!(tested.pages(&of_helper, 3).await, [vec![18, 12, 6], vec![0]]);
    let on_contact = ExecutionFilter {
        contact_id: Some("d".to_owned()),
        trigger_type: Some(TriggerType::Manual),
        connection_id: Some(connection_id("k")),
        ..ExecutionFilter::default()
    };
    assert_eq!(tested.pages(&on_contact, 10).await, [vec![15, 10, 5, 0]]);
}

#[tokio::test]
async fn a_time_range_includes_its_ends() {
    let tested = Tested::with_executions(6).await;
    let range = |from, to| ExecutionFilter {
        from,
        to,
        ..ExecutionFilter::default()
    };
    for (filter, expected) in [
        (range(Some(ms(2)), Some(ms(4))), vec![4, 3, 2]),
        (range(Some(ms(4)), None), vec![5, 4]),
        (range(None, Some(ms(1))), vec![1, 0]),
        (range(Some(ms(4)), Some(ms(2))), vec![]),
    ] {
        assert_eq!(tested.pages(&filter, 10).await.concat(), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn executions_of_the_same_millisecond_are_all_seen() {
    let tested = Tested::with_accounts().await;
    let reservation = Reservation {
        period: UsagePeriod::of(at(NOW).0),
        cap: None,
    };
    for number in 0..5 {
        let record = execution("a", &format!("{number}"), 0);
        tested.database.executions().accept(&record, reservation).await.unwrap();
    }
    let mut seen = tested.pages(&ExecutionFilter::default(), 2).await.concat();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_token_of_another_account_or_filter_is_refused() {
    let tested = Tested::with_executions(4).await;
    let all = ExecutionFilter::default();
    let token = tested.page(&all, 2, None).await.unwrap().next_token.unwrap();
    let token = Some(token.as_str());
    let executions = tested.database.executions();
    let foreign = executions.list(&account_id("b"), &all, 2, token).await;
    assert_eq!(foreign, Err(ListError::InvalidToken));
    let other = ExecutionFilter {
        contact_id: Some("d".to_owned()),
        ..ExecutionFilter::default()
    };
    assert_eq!(tested.page(&other, 2, token).await, Err(ListError::InvalidToken));
    for bad in ["x", "bm90IGpzb24", "e30", "\u{e4}"] {
        assert_eq!(
            tested.page(&all, 2, Some(bad)).await,
            Err(ListError::InvalidToken),
            "{bad}"
        );
    }
    assert_eq!(
        tested.page(&all, 2, Some("")).await.unwrap().items.len(),
        2,
        "empty means none"
    );
}

#[tokio::test]
async fn the_order_of_statuses_does_not_make_another_list() {
    let tested = Tested::with_executions(6).await;
    let with = |statuses: &[ExecutionStatus]| ExecutionFilter {
        statuses: statuses.to_vec(),
        ..ExecutionFilter::default()
    };
    let (one, other) = (
        with(&[ExecutionStatus::Failed, ExecutionStatus::Pending]),
        with(&[ExecutionStatus::Pending, ExecutionStatus::Failed]),
    );
    let token = tested.page(&one, 2, None).await.unwrap().next_token.unwrap();
    assert_eq!(numbers(&tested.page(&other, 2, Some(&token)).await.unwrap()), [3, 2]);
}

#[tokio::test]
async fn another_account_s_executions_of_the_same_helper_are_not_listed() {
    let tested = Tested::with_executions(4).await;
    let of_helper = ExecutionFilter {
        helper_id: Some(helper_id("even")),
        ..ExecutionFilter::default()
    };
    let executions = tested.database.executions();
    let page = executions.list(&account_id("b"), &of_helper, 10, None).await.unwrap();
    assert_eq!((page.items.len(), page.next_token), (0, None));
    let page = executions
        .list(&account_id("b"), &ExecutionFilter::default(), 10, None)
        .await
        .unwrap();
    assert!(page.items.is_empty());
}

#[tokio::test]
async fn a_broken_row_is_left_out_and_old_words_and_texts_are_understood() {
    let tested = Tested::with_executions(2).await;
    let row = |name: &str, status: &str, created_at: &str| {
        vec![
            ("execution_id", s(name)),
            ("account_id", s("account:a")),
            ("helper_id", s("helper:h")),
            ("status", s(status)),
            ("trigger_type", s("api")),
            ("connection_id", s("")),
            ("contact_id", null()),
            ("output", s("{}")),
            ("created_at", s(created_at)),
        ]
    };
    let table = &tested.tables.executions;
    tested
        .put_raw(table, &row("exec:77", "queued", "2026-03-10T00:00:07Z"))
        .await;
    tested
        .put_raw(table, &row("exec:88", "odd", "2026-03-10T00:00:08Z"))
        .await;
    let pending = ExecutionFilter {
        statuses: vec![ExecutionStatus::Pending],
        ..ExecutionFilter::default()
    };
    assert_eq!(tested.pages(&pending, 10).await, [vec![77, 1]]);
    assert_eq!(tested.pages(&ExecutionFilter::default(), 1).await.concat(), [77, 1, 0]);
}
