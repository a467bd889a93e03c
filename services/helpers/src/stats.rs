//! Statistics of executions, as the reports page shows them (`api-automation` §5.3).

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use mfh_types::{ExecutionStatus, ExecutionSummary, HelperId, TimestampMs};
use serde::Serialize;
use utoipa::ToSchema;

/// Helpers and errors listed, the most frequent first.
const TOP: usize = 10;

/// What ran in a time.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Stats {
    summary: Summary,
    /// Every day (UTC) of the time, also those without runs.
    daily_trend: Vec<Day>,
    /// The helpers that ran most.
    top_helpers: Vec<HelperStats>,
    /// The most frequent errors.
    error_breakdown: Vec<ErrorCount>,
    /// Whether there were too many executions to count them all; the oldest were left out.
    truncated: bool,
}

/// All executions together.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Summary {
    total: usize,
    completed: usize,
    failed: usize,
    cancelled: usize,
    running: usize,
    /// Pending and waiting ones.
    pending: usize,
    /// Completed ones in percent of completed and failed ones; 0 when there are none.
    success_rate: f64,
    /// Over those that tell their duration.
    avg_duration_ms: u64,
    unique_contacts: usize,
    unique_helpers: usize,
}

/// One day (UTC).
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Day {
    #[schema(value_type = String, format = Date)]
    date: NaiveDate,
    total: usize,
    completed: usize,
    failed: usize,
}

/// One helper.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct HelperStats {
    helper_id: HelperId,
    /// Its name in its newest execution.
    helper_name: Option<String>,
    total: usize,
    completed: usize,
    failed: usize,
    avg_duration_ms: u64,
}

/// One error text.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ErrorCount {
    error: String,
    count: usize,
}

#[derive(Debug, Default)]
struct Tally {
    total: usize,
    completed: usize,
    failed: usize,
    timed: u64,
    duration_ms: u64,
}

impl Tally {
    fn add(&mut self, execution: &ExecutionSummary) {
        self.total += 1;
        match execution.status {
            ExecutionStatus::Completed => self.completed += 1,
            ExecutionStatus::Failed => self.failed += 1,
            _ => {}
        }
        if let Some(duration_ms) = execution.duration_ms {
            self.timed += 1;
            self.duration_ms = self.duration_ms.saturating_add(duration_ms);
        }
    }

    fn avg_duration_ms(&self) -> u64 {
        self.duration_ms.checked_div(self.timed).unwrap_or(0)
    }
}

/// Statistics in the making.
#[derive(Debug)]
pub(crate) struct Counts {
    all: Tally,
    cancelled: usize,
    running: usize,
    pending: usize,
    days: BTreeMap<NaiveDate, Tally>,
    helpers: BTreeMap<HelperId, (Option<String>, Tally)>,
    errors: HashMap<String, usize>,
    contacts: HashSet<String>,
}

impl Counts {
    /// Nothing yet, with every day of the time.
    pub fn between(from: TimestampMs, to: TimestampMs) -> Self {
        let last = to.0.date_naive();
        let days = from.0.date_naive().iter_days().take_while(|day| *day <= last);
        Self {
            all: Tally::default(),
            cancelled: 0,
            running: 0,
            pending: 0,
            days: days.map(|day| (day, Tally::default())).collect(),
            helpers: BTreeMap::new(),
            errors: HashMap::new(),
            contacts: HashSet::new(),
        }
    }

    /// Counts one more; they come newest first.
    pub fn add(&mut self, execution: &ExecutionSummary) {
        self.all.add(execution);
        match execution.status {
            ExecutionStatus::Cancelled => self.cancelled += 1,
            ExecutionStatus::Running => self.running += 1,
            ExecutionStatus::Pending | ExecutionStatus::Waiting => self.pending += 1,
            ExecutionStatus::Completed | ExecutionStatus::Failed => {}
        }
        let day = execution.created_at.0.date_naive();
        self.days.entry(day).or_default().add(execution);
        let helper = self.helpers.entry(execution.helper_id.clone());
        let (_, tally) = helper.or_insert_with(|| (execution.helper_name.clone(), Tally::default()));
        tally.add(execution);
        if execution.status == ExecutionStatus::Failed {
            let error = execution.error_message.as_deref().unwrap_or("Unknown error");
            *self.errors.entry(error.to_owned()).or_default() += 1;
        }
        if let Some(contact) = &execution.contact_id {
            self.contacts.insert(contact.clone());
        }
    }

    /// How many were counted.
    pub fn total(&self) -> usize {
        self.all.total
    }

    /// The statistics.
    pub fn finish(self, truncated: bool) -> Stats {
        let all = &self.all;
        let summary = Summary {
            total: all.total,
            completed: all.completed,
            failed: all.failed,
            cancelled: self.cancelled,
            running: self.running,
            pending: self.pending,
            success_rate: percent(all.completed, all.completed + all.failed),
            avg_duration_ms: all.avg_duration_ms(),
            unique_contacts: self.contacts.len(),
            unique_helpers: self.helpers.len(),
        };
        let days = self.days.into_iter().map(|(date, tally)| Day {
            date,
            total: tally.total,
            completed: tally.completed,
            failed: tally.failed,
        });
        Stats {
            summary,
            daily_trend: days.collect(),
            top_helpers: top_helpers(self.helpers),
            error_breakdown: top_errors(self.errors),
            truncated,
        }
    }
}

/// With one decimal.
#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part as f64 * 1000.0 / whole as f64).round() / 10.0
}

fn top_helpers(helpers: BTreeMap<HelperId, (Option<String>, Tally)>) -> Vec<HelperStats> {
    let mut top: Vec<HelperStats> = helpers
        .into_iter()
        .map(|(helper_id, (helper_name, tally))| HelperStats {
            helper_id,
            helper_name,
            total: tally.total,
            completed: tally.completed,
            failed: tally.failed,
            avg_duration_ms: tally.avg_duration_ms(),
        })
        .collect();
    top.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.helper_id.cmp(&b.helper_id)));
    top.truncate(TOP);
    top
}

fn top_errors(errors: HashMap<String, usize>) -> Vec<ErrorCount> {
    let counts = errors.into_iter().map(|(error, count)| ErrorCount { error, count });
    let mut top: Vec<ErrorCount> = counts.collect();
    top.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.error.cmp(&b.error)));
    top.truncate(TOP);
    top
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn execution(status: &str, day: u32, contact: &str, error: Option<&str>) -> ExecutionSummary {
        serde_json::from_value(json!({
            "execution_id": "exec:1",
            "account_id": "account:1",
            "helper_id": format!("helper:{contact}"),
            "contact_id": contact,
            "status": status,
            "trigger_type": "api",
            "error_message": error,
            "duration_ms": day * 100,
            "created_at": format!("2026-03-{day:02}T10:00:00.000Z"),
        }))
        .unwrap()
    }

    fn counts() -> Counts {
        let at = |text: &str| TimestampMs(text.parse().unwrap());
        Counts::between(at("2026-03-01T12:00:00Z"), at("2026-03-03T09:00:00Z"))
    }

    #[test]
    fn executions_are_counted_by_status_day_helper_and_error() {
        let mut counts = counts();
        for (status, day, contact, error) in [
            ("completed", 3, "a", None),
            ("completed", 3, "b", None),
            ("failed", 1, "a", Some("No such tag")),
            ("waiting", 1, "a", None),
            ("cancelled", 1, "a", None),
        ] {
            counts.add(&execution(status, day, contact, error));
        }
        let stats = counts.finish(false);
        let summary = &stats.summary;
        assert_eq!((summary.total, summary.completed, summary.failed), (5, 2, 1));
        assert_eq!((summary.pending, summary.cancelled, summary.running), (1, 1, 0));
        assert_eq!((summary.unique_contacts, summary.unique_helpers), (2, 2));
        assert!((summary.success_rate - 66.7).abs() < f64::EPSILON);
        assert_eq!(summary.avg_duration_ms, 180);
        let days: Vec<_> = stats.daily_trend.iter().map(|day| (day.total, day.failed)).collect();
        assert_eq!(days, [(3, 1), (0, 0), (2, 0)]);
        assert_eq!(stats.top_helpers[0].helper_id.as_str(), "helper:a");
        assert_eq!(stats.top_helpers[0].total, 4);
        let error = ErrorCount {
            error: "No such tag".to_owned(),
            count: 1,
        };
        assert_eq!(stats.error_breakdown, [error]);
    }

    #[test]
    fn nothing_has_no_rate_and_no_duration() {
        let stats = counts().finish(false);
        assert!(stats.summary.success_rate.abs() < f64::EPSILON);
        assert_eq!(stats.summary.avg_duration_ms, 0);
        assert_eq!(stats.daily_trend.len(), 3);
    }
}
