//! `phone_lookup`: checks a phone number, stores it in international form and starts the matching goal.

use mfh_types::{ConfigFault, JsonObject};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::phone::{self, PhoneNumber};
use crate::services::twilio_lookup::{self, Line};
use crate::settings::{FieldKey, GoalKey, IntegrationKey, Text};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register, values};

/// The name under which a run remembers Twilio's answer.
const LINE: &str = "line";

/// Checks whether a contact's phone number can exist, stores it in international form and starts the matching campaign
/// goal.
///
/// Checks the number against the numbering plan of its country, not only its length. A number that begins with + or an
/// international prefix is checked by its own country, any other by the country you set; an extension does not matter.
///
/// A valid number starts the goal for valid numbers and is stored as, for example, +14155552671. An invalid one starts
/// the goal for invalid numbers and nothing is stored; an empty field starts the goal for empty fields. Every goal may
/// be left out. Goals exist in Keap only; with another CRM a run that should start one fails.
///
/// A valid number need not be in service. With a Twilio connection Twilio is asked and decides, and the result shows
/// the kind of line and the carrier; Twilio charges for each call.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PhoneLookup {
    /// The contact field with the phone number.
    phone_field: FieldKey,
    /// The country of numbers that are written without an international prefix, as two letters such as US or GB.
    #[serde(default = "united_states")]
    country_code: Text,
    /// The goal to achieve for a valid number.
    valid_goal: Option<GoalKey>,
    /// The goal to achieve for an invalid number.
    invalid_goal: Option<GoalKey>,
    /// The goal to achieve when the field is empty.
    empty_goal: Option<GoalKey>,
    /// The contact field that receives a valid number in the form +14155552671.
    save_formatted_to: Option<FieldKey>,
    /// A Twilio connection, so that Twilio says whether the number exists and what kind of line it is.
    #[serde(default)]
    #[expect(dead_code, reason = "the worker reads it, to load the connections before the run")]
    service_connection_ids: JsonObject,
    /// The integration name under which the goals are set up in Keap.
    #[serde(default = "own_integration")]
    integration: IntegrationKey,
}

fn united_states() -> Text {
    Text::new("US")
}

fn own_integration() -> IntegrationKey {
    IntegrationKey::new("myfusionhelper")
}

/// What is known of a number.
struct Verdict {
    /// The number in E.164 form and the ISO code of its country, when it is valid.
    valid: Option<(String, String)>,
    line: Option<Line>,
}

impl Helper for PhoneLookup {
    const META: Meta = Meta::new(
        "phone_lookup",
        "Phone Lookup",
        Category::Data,
        "Checks whether a contact's phone number can exist, stores it in international form and starts the matching \
         campaign goal.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"phone_field": "Phone1", "country_code": "US", "valid_goal": "phonevalid",
        "invalid_goal": "phoneinvalid", "save_formatted_to": "_PhoneE164"}"#;

    fn check(&self) -> Vec<ConfigFault> {
        if phone::knows(&self.country()) {
            return Vec::new();
        }
        vec![ConfigFault {
            field: "country_code".to_owned(),
            message: "must be the two letters of a country, such as US or GB".to_owned(),
        }]
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let value = cx.get_field(&self.phone_field).await?;
        let text = values::text(&value);
        if values::is_empty(&value) {
            self.achieve(cx, self.empty_goal.as_ref()).await?;
            cx.set_result("status", "empty");
            return Ok(Outcome::done(format!("{} is empty", self.phone_field)));
        }
        if !text.contains(phone::is_digit) {
            self.achieve(cx, self.invalid_goal.as_ref()).await?;
            cx.set_result("status", "invalid");
            cx.set_result("raw_number", text);
            return Ok(Outcome::done(format!("{} holds no phone number", self.phone_field)));
        }
        let verdict = self.judge(cx, &text).await?;
        self.report(cx, text, &verdict)?;
        let mut failures = Failures::new();
        let goal = if verdict.valid.is_some() {
            &self.valid_goal
        } else {
            &self.invalid_goal
        };
        failures.note("Goal", self.achieve(cx, goal.as_ref()).await);
        if let (Some((number, _)), Some(field)) = (&verdict.valid, &self.save_formatted_to) {
            failures.note("Number", cx.set_field(field, number.as_str()).await);
        }
        failures.into_result()?;
        let valid = if verdict.valid.is_some() { "valid" } else { "not valid" };
        Ok(Outcome::done(format!("The number is {valid}")))
    }
}

impl PhoneLookup {
    fn country(&self) -> String {
        self.country_code.as_str().to_uppercase()
    }

    async fn achieve(&self, cx: &mut Context<'_>, goal: Option<&GoalKey>) -> Result<(), HelperError> {
        match goal {
            Some(goal) => cx.achieve_goal(goal.as_str(), self.integration.as_str()).await,
            None => Ok(()),
        }
    }

    /// By the numbering plans; with a Twilio connection its answer decides.
    async fn judge(&self, cx: &mut Context<'_>, text: &str) -> Result<Verdict, HelperError> {
        let Some(number) = PhoneNumber::read(text, &self.country()) else {
            return Ok(Verdict {
                valid: None,
                line: None,
            });
        };
        let line: Option<Line> = match cx.recall(LINE) {
            Some(line) => line,
            None => {
                let line = twilio_lookup::look_up(cx, &number.e164()).await?;
                cx.remember(LINE, &line);
                line
            }
        };
        let valid = match &line {
            None => number.region().map(|region| (number.e164(), region.to_owned())),
            Some(line) if !line.valid => None,
            Some(line) => {
                let region = line.country_code.clone().or_else(|| number.region().map(str::to_owned));
                let e164 = line.phone_number.clone().unwrap_or_else(|| number.e164());
                Some((e164, region.unwrap_or_else(|| self.country())))
            }
        };
        Ok(Verdict { valid, line })
    }

    fn report(&self, cx: &mut Context<'_>, text: String, verdict: &Verdict) -> Result<(), HelperError> {
        match &verdict.valid {
            Some((number, region)) => {
                cx.set_result("status", "valid");
                cx.set_result("number", number.as_str());
                cx.set_result("country_code", region.as_str());
            }
            None => {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                cx.set_result("status", "invalid");
                cx.set_result("number", digits);
                cx.set_result("country_code", self.country());
            }
        }
        let contact = cx.contact_id()?.to_owned();
        cx.set_result("raw_number", text);
        cx.set_result("contact_id", contact);
        let kind = verdict.line.as_ref().map(|line| &line.line_type_intelligence);
        for (name, value) in [
            ("line_type", kind.and_then(|line| line.kind.as_ref())),
            ("carrier", kind.and_then(|line| line.carrier_name.as_ref())),
        ] {
            if let Some(value) = value {
                cx.set_result(name, value.as_str());
            }
        }
        Ok(())
    }
}

register!(PhoneLookup);
