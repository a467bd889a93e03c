//! `last_click_it`: stores when an e-mail to a contact was last clicked, and what came of it.

use chrono::{TimeDelta, Utc};
use mfh_connectors::{EmailEvent, Question};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{last_email, store_optional};
use crate::settings::{FieldKey, Flag, GoalKey, Whole};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Need, Outcome, dates, numbers, register, values};

/// The only kind of click that CRMs report.
const SOURCE: &str = "email";

/// Stores the date of the last e-mail click of a contact in a field.
///
/// Asks the CRM when the contact last clicked a link in an e-mail and stores the date exactly as the CRM gives it.
/// Without an address or a click nothing is written. With a window, a click that is older, or whose date cannot be
/// read, changes nothing at all.
///
/// On request it also stores the kind of click, whether the contact reached a goal (`true` or `false`, from the runs of
/// your own helpers), and how many e-mails were clicked in the last days.
///
/// Keap and HubSpot report clicks; only Keap can count them for a period. With other CRMs the run fails and says so.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LastClickIt {
    /// The contact field with the e-mail address to look up.
    #[serde(default = "last_email::main_address")]
    email_field: FieldKey,
    /// The contact field that receives the date of the last click.
    save_to: FieldKey,
    /// How many days old a click may be to count; 0 counts every click.
    #[serde(default)]
    #[schemars(range(min = 0))]
    attribution_window_days: Whole,
    /// The contact field that receives the kind of click, which is always `email`.
    click_source_field: Option<FieldKey>,
    /// Whether the contact reached a goal, and where to note it.
    #[serde(default)]
    conversion_tracking: ConversionTracking,
    /// How often the contact clicks, and where to note it.
    #[serde(default)]
    click_frequency_analysis: ClickFrequency,
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct ConversionTracking {
    /// Look up whether the contact reached the goal.
    enabled: Flag,
    /// The goal that counts as a conversion.
    goal_name: Option<GoalKey>,
    /// The contact field that receives true or false.
    conversion_field: Option<FieldKey>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct ClickFrequency {
    /// Count the e-mails that were clicked in a period.
    enabled: Flag,
    /// The period, in days before the run.
    #[schemars(range(min = 1, max = 36500))]
    analysis_period_days: Whole,
    /// The contact field that receives the number of clicked e-mails.
    frequency_field: Option<FieldKey>,
}

impl Default for ClickFrequency {
    fn default() -> Self {
        Self {
            enabled: Flag(false),
            analysis_period_days: Whole(7),
            frequency_field: None,
        }
    }
}

impl Helper for LastClickIt {
    const META: Meta = Meta::new(
        "last_click_it",
        "Last Click It",
        Category::Data,
        "Stores the date of the last e-mail click of a contact in a field.",
    )
    .needs_crm()
    .repeatable()
    .with_needs(&[Need::History]);

    const EXAMPLE: &'static str = r#"{"email_field": "Email", "save_to": "_LastClick", "attribution_window_days": 30,
        "click_frequency_analysis": {"enabled": true, "analysis_period_days": 7, "frequency_field": "_ClicksPerWeek"}}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let Some(address) = last_email::address(cx, &self.email_field).await? else {
            return Ok(Outcome::done(format!(
                "{} is empty: nothing to look up",
                self.email_field
            )));
        };
        let Some(clicked) = last_email::time(cx, &address, EmailEvent::Click).await? else {
            return Ok(Outcome::done("The CRM knows of no click yet"));
        };
        if !self.is_inside_window(cx, &clicked) {
            return Ok(Outcome::done("The last click lies outside the attribution window"));
        }
        let converted = self.conversion(cx).await?;
        let clicks = self.clicks(cx, &address).await?;

        let mut failures = Failures::new();
        if failures.note("Date", cx.set_field(&self.save_to, clicked.clone()).await) {
            cx.set_result("last_click_date", clicked);
        }
        store_optional(
            cx,
            &mut failures,
            "Source",
            self.click_source_field.as_ref(),
            SOURCE.into(),
        )
        .await;
        if let Some(converted) = converted {
            let field = self.conversion_tracking.conversion_field.as_ref();
            store_optional(cx, &mut failures, "Conversion", field, converted.to_string().into()).await;
        }
        let count = numbers::json_number(clicks.unwrap_or_default());
        if clicks.is_some() {
            let field = self.click_frequency_analysis.frequency_field.as_ref();
            store_optional(cx, &mut failures, "Clicks", field, count.clone()).await;
        }
        cx.set_result("click_source", SOURCE);
        cx.set_result("converted", converted.unwrap_or_default());
        cx.set_result("clicks_per_period", count);
        cx.set_result("within_window", true);
        failures.into_result()?;
        Ok(Outcome::done(format!(
            "{} holds the date of the last click",
            self.save_to
        )))
    }
}

impl LastClickIt {
    fn is_inside_window(&self, cx: &Context<'_>, clicked: &str) -> bool {
        let days = self.attribution_window_days.0;
        if days == 0 {
            return true;
        }
        let start = TimeDelta::try_days(days).and_then(|days| cx.now().checked_sub_signed(days));
        let clicked = dates::read_text(clicked).map(|moment| moment.in_zone(chrono_tz::UTC));
        match (clicked, start) {
            (Some(clicked), Some(start)) => clicked.with_timezone(&Utc) >= start,
            // A window that reaches back beyond the calendar holds every date.
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Whether the goal was reached; nothing when that is not asked.
    async fn conversion(&self, cx: &mut Context<'_>) -> Result<Option<bool>, HelperError> {
        let goal = self.conversion_tracking.goal_name.as_ref();
        let Some(goal) = goal.filter(|_| self.conversion_tracking.enabled.0) else {
            return Ok(None);
        };
        let achieved = values::text(&cx.goal_achieved(goal.as_str()).await?);
        Ok(Some(matches!(
            achieved.trim().to_ascii_lowercase().as_str(),
            "true" | "1"
        )))
    }

    /// The clicked e-mails of the period; nothing when that is not asked.
    async fn clicks(&self, cx: &mut Context<'_>, address: &str) -> Result<Option<Decimal>, HelperError> {
        if !self.click_frequency_analysis.enabled.0 {
            return Ok(None);
        }
        let days = u32::try_from(self.click_frequency_analysis.analysis_period_days.0).unwrap_or_default();
        let question = Question::ClicksInLast {
            address: address.to_owned(),
            days,
            until: cx.now(),
        };
        let answer: Value = cx.ask(&question).await.map_err(last_email::no_statistics)?;
        Ok(Some(values::number(&answer).unwrap_or_default()))
    }
}

register!(LastClickIt);
