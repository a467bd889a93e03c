//! Questions beyond the contact: records of the CRM, statistics, earlier executions, counters, secrets.

use std::sync::Arc;

use mfh_connectors::Question;
use mfh_types::{Action, Random, Secret};
use serde_json::{Value, json};

use super::Context;
use super::step::Repeat;
use super::world::StoreError;
use crate::HelperError;
use crate::settings::FieldKey;

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "********";

/// How often a counter that others change at the same time is tried.
const TRIES: u32 = 20;

impl Context<'_> {
    /// Asks the CRM about the contact; null when there is no such record or statistic.
    ///
    /// # Errors
    /// By the kind of the failure; permanent for a CRM that cannot answer.
    pub async fn ask(&mut self, question: &Question) -> Result<Value, HelperError> {
        let name = format!("answer_{question}");
        if let Some(answer) = self.recall(&name) {
            return Ok(answer);
        }
        let contact = self.contact_id()?.to_owned();
        let answer = Arc::clone(self.crm()?).ask(&contact, question).await?;
        self.remember(&name, &answer);
        Ok(answer)
    }

    /// Whether an earlier execution of the account achieved this goal for the contact; null when none is known.
    ///
    /// # Errors
    /// Retryable when the history cannot be read.
    pub async fn goal_achieved(&mut self, goal: &str) -> Result<Value, HelperError> {
        let name = format!("goal_{goal}");
        if let Some(answer) = self.recall(&name) {
            return Ok(answer);
        }
        let contact = self.contact_id()?.to_owned();
        let answer = match (&self.world.history, &self.caller) {
            (Some(history), Some(caller)) => {
                let answer = history.goal_achieved(&caller.account_id, &contact, goal).await;
                answer.map_err(|error| out_of_reach("The history of executions", &error))?
            }
            _ => Value::Null,
        };
        self.remember(&name, &answer);
        Ok(answer)
    }

    /// The source of randomness.
    pub fn random(&self) -> &dyn Random {
        &*self.world.random
    }

    /// Adds one to the helper's counter and gives the value before; remembered over deliveries, and only read in a dry
    /// run.
    ///
    /// # Errors
    /// Retryable when the counter cannot be reached.
    pub async fn take_number(&mut self) -> Result<u64, HelperError> {
        if let Some(number) = self.recall("number") {
            return Ok(number);
        }
        let key = self.counter_key()?;
        let counters = Arc::clone(&self.world.counters);
        let number = if self.run.dry_run {
            counters.read(&key).await
        } else {
            counters.take(&key).await
        };
        let number = number.map_err(|error| out_of_reach("The counter of this helper", &error))?;
        self.remember("number", &number);
        Ok(number)
    }

    /// Moves the helper's counter on by a rule, all at once, and gives the new value; remembered over deliveries, and
    /// not stored in a dry run.
    ///
    /// # Errors
    /// Retryable when the counter cannot be reached.
    pub async fn advance_state(&mut self, next: impl Fn(u64) -> u64) -> Result<u64, HelperError> {
        if let Some(state) = self.recall("state") {
            return Ok(state);
        }
        let key = self.counter_key()?;
        let counters = Arc::clone(&self.world.counters);
        let unreachable = |error: StoreError| out_of_reach("The state of this helper", &error);
        for _ in 0..TRIES {
            let now = counters.read(&key).await.map_err(unreachable)?;
            let new = next(now);
            if self.run.dry_run || counters.replace(&key, now, new).await.map_err(unreachable)? {
                self.remember("state", &new);
                return Ok(new);
            }
        }
        Err(HelperError::retryable(
            "UNAVAILABLE",
            "Too many runs of this helper change its state at the same time",
        ))
    }

    fn counter_key(&self) -> Result<String, HelperError> {
        let caller = self.caller.as_ref();
        let key = caller.map(|caller| format!("split#{}#{}", caller.account_id, caller.helper_id));
        key.ok_or_else(|| {
            HelperError::permanent(
                "INTERNAL",
                "It is not known which helper runs, so its counter cannot be read",
            )
        })
    }

    /// Sets a field to a secret: what the run records and reports shows asterisks.
    ///
    /// # Errors
    /// By the kind of the failure, naming the field.
    pub async fn set_secret_field(&mut self, key: &FieldKey, secret: &Secret) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let value = json!(secret.expose());
        self.step("set_field", Repeat::Safe, key.as_str(), json!(MASK), async move || {
            let written = crm.set_field_value(&contact, key.as_str(), &value).await;
            written.map(|()| Value::Null)
        })
        .await
        .map_err(|error| error.context(format!("Field {key} cannot be written")))?;
        self.actions.push(Action {
            kind: "field_updated".to_owned(),
            target: key.to_string(),
            value: json!(MASK),
        });
        Ok(())
    }

    /// A secret that an earlier delivery of this run remembered.
    ///
    /// # Errors
    /// Retryable when it cannot be opened now.
    pub async fn recall_secret(&mut self, name: &str) -> Result<Option<Secret>, HelperError> {
        let (Some(sealer), Some(sealed)) = (&self.world.sealer, self.recall::<String>(name)) else {
            return Ok(None);
        };
        let opened = sealer.open(&sealed).await;
        opened
            .map(Some)
            .map_err(|error| out_of_reach("A secret of this run", &error))
    }

    /// Remembers a secret, encrypted; it is written down before the next step is sent.
    ///
    /// # Errors
    /// Retryable when it cannot be sealed now.
    pub async fn remember_secret(&mut self, name: &str, secret: &Secret) -> Result<(), HelperError> {
        if self.run.dry_run {
            return Ok(());
        }
        let Some(sealer) = self.world.sealer.clone() else {
            return Ok(());
        };
        let sealed = sealer.seal(secret).await;
        let sealed = sealed.map_err(|error| out_of_reach("The store for secrets", &error))?;
        self.remember(name, &sealed);
        Ok(())
    }
}

fn out_of_reach(what: &str, error: &StoreError) -> HelperError {
    HelperError::retryable("UNAVAILABLE", format!("{what} cannot be reached: {error}"))
}
