//! One worker: the life of a delivery.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::error::DisplayErrorContext;
use mfh_aws::{Queues, Stage};
use mfh_connectors::{ConnectorError, ErrorKind, Loaded, Loader, patiently};
use mfh_database::{Claim, Database, DatabaseError, Finish, Release, Return};
use mfh_helpers::{Caller, Context, FailureKind, HelperError, Journal, Registration, Report, Run, World, execute};
use mfh_types::{
    Attempt, Clock, Execution, ExecutionError, ExecutionId, ExecutionMessage, ExecutionStatus, MeterState,
    PlatformConnection, Timestamp,
};

use crate::event::{BatchResponse, Delivery, SqsEvent};
use crate::gate;
use crate::journal::RecordJournal;
use crate::outputs::Outputs;
use crate::retry::{self, Retry};
use crate::world::{self, Reach, TableCounters, TableHistory, VaultSealer};

/// Kept back from the time of an invocation, to write down the end of the run.
const RESERVE: Duration = Duration::from_secs(15);

/// Kept back from the time of an invocation when a run waits for its turn at a vendor, for the calls after that.
const AFTER_WAITING: Duration = Duration::from_secs(60);

/// A lease ends before the message is visible again (360 s), or the redelivery after a crash would meet a live lease.
const LONGEST_LEASE_SECS: u64 = 310;

/// Added to the rest of the invocation: a worker that is stopped late must not lose its lease before.
const LEASE_MARGIN_SECS: u64 = 10;

/// When nothing says how long to wait: the table or the queue is out of reach.
const SOON: Duration = Duration::from_secs(30);

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Handled: the message may go.
    Done,
    /// Not handled: the message stays and is seen again after this time.
    Again(Duration),
}

/// What an invocation has left.
#[derive(Debug, Clone, Copy)]
struct Time {
    budget: Duration,
    /// Deliveries of the same batch that come after this one.
    waiters: usize,
}

/// A worker for one helper type.
#[derive(Debug)]
pub struct Worker {
    registration: &'static Registration,
    stage: Stage,
    database: Database,
    loader: Arc<Loader>,
    reach: Reach,
    sqs: aws_sdk_sqs::Client,
    queues: Queues,
    outputs: Outputs,
    clock: Arc<dyn Clock>,
}

impl Worker {
    /// A worker for the type of `registration`.
    pub fn new(
        registration: &'static Registration,
        stage: Stage,
        database: Database,
        loader: Loader,
        sqs: aws_sdk_sqs::Client,
        outputs: Outputs,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let queues = Queues::new(sqs.clone(), stage.clone());
        Self {
            registration,
            stage,
            database,
            loader: Arc::new(loader),
            reach: Reach::default(),
            sqs,
            queues,
            outputs,
            clock,
        }
    }

    /// What its runs reach outside; without it there is no network.
    #[must_use]
    pub fn reaching(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Handles a batch within `budget`, which is what is left of the invocation; `owner` names the lease holder.
    ///
    /// Messages of a group keep their order: after one that stays, the rest of its group stays too.
    pub async fn handle(&self, event: SqsEvent, budget: Duration, owner: &str) -> BatchResponse {
        let started = self.clock.now();
        let mut response = BatchResponse::default();
        let mut stopped = HashSet::new();
        for (n, delivery) in event.records.iter().enumerate() {
            if delivery
                .attributes
                .group_id
                .as_ref()
                .is_some_and(|group| stopped.contains(group))
            {
                response.fail(&delivery.message_id);
                continue;
            }
            let spent = (self.clock.now() - started).to_std().unwrap_or_default();
            let time = Time {
                budget: budget.saturating_sub(spent),
                waiters: event.records.len() - n - 1,
            };
            match self.process(delivery, time, owner).await {
                Disposition::Done => {}
                Disposition::Again(after) => {
                    self.hide(delivery, after).await;
                    response.fail(&delivery.message_id);
                    stopped.extend(delivery.attributes.group_id.clone());
                }
            }
        }
        response
    }

    async fn process(&self, delivery: &Delivery, time: Time, owner: &str) -> Disposition {
        let message: ExecutionMessage = match serde_json::from_str(&delivery.body) {
            Ok(message) => message,
            Err(error) => return self.bury(delivery, &error.to_string()).await,
        };
        let id = &message.execution_id;
        let result = if message.helper_type.as_str() == self.registration.meta.type_name {
            self.claim_and_run(id, delivery, time, owner).await
        } else {
            self.refuse_misrouted(&message).await
        };
        match result {
            Ok(disposition) => disposition,
            Err(error) => {
                tracing::warn!(execution_id = %id, %error, "the delivery could not be handled; it stays in the queue");
                self.let_go(id, owner).await;
                Disposition::Again(SOON)
            }
        }
    }

    /// Gives up the lease of a run that this worker could not bring to an end, so that the next delivery need not wait
    /// until the lease is over. Nothing can be done when the table is still out of reach.
    async fn let_go(&self, id: &ExecutionId, owner: &str) {
        let executions = self.database.executions();
        if let Err(error) = executions.let_go(id, owner).await {
            tracing::debug!(execution_id = %id, %error, "a lease could not be given up");
        }
    }

    async fn claim_and_run(
        &self,
        id: &ExecutionId,
        delivery: &Delivery,
        time: Time,
        owner: &str,
    ) -> Result<Disposition, DatabaseError> {
        let now = self.clock.now();
        let lease = (time.budget.as_secs() + LEASE_MARGIN_SECS).min(LONGEST_LEASE_SECS);
        let lease_until = now.timestamp() + lease.cast_signed();
        match self
            .database
            .executions()
            .claim(id, owner, now.into(), lease_until)
            .await?
        {
            Claim::Claimed(execution) => self.run_claimed(*execution, delivery, time, owner).await,
            Claim::Ended(status) => {
                tracing::info!(execution_id = %id, status = status.as_str(), "a second delivery of an ended execution");
                Ok(Disposition::Done)
            }
            Claim::Missing => {
                tracing::warn!(execution_id = %id, "the execution does not exist any more");
                Ok(Disposition::Done)
            }
            Claim::Leased { until } | Claim::NotDue { at: until } => {
                let rest = u64::try_from(until - now.timestamp()).unwrap_or_default();
                Ok(Disposition::Again(Duration::from_secs(rest.max(1))))
            }
        }
    }

    async fn run_claimed(
        &self,
        execution: Execution,
        delivery: &Delivery,
        time: Time,
        owner: &str,
    ) -> Result<Disposition, DatabaseError> {
        if retry::is_lost(execution.summary.attempt, execution.attempts.len()) {
            return self.finish(&execution, lost(), owner, Duration::ZERO).await;
        }
        let found = self.database.executions().surroundings(&execution.summary).await?;
        if let Some(reason) = gate::closed(&execution.summary, &found) {
            return self.cancel(&execution, owner, reason).await;
        }
        let started = self.clock.now();
        let loaded = match self.connect(found.connection).await {
            Ok(loaded) => loaded,
            Err(error) if error.kind == ErrorKind::ConnectionDisabled => {
                let reason = ExecutionError::new(error.kind.code(), gate::CONNECTION_GONE);
                return self.cancel(&execution, owner, reason).await;
            }
            Err(error) => {
                let report = Report::of_failure(HelperError::from(error));
                return self.end(execution, report, delivery, owner, Duration::ZERO).await;
            }
        };
        let marked = loaded.as_ref().is_some_and(|loaded| loaded.marked);
        let run = Box::pin(self.execute(&execution, loaded, time.budget, owner));
        let report = if time.waiters == 0 && delivery.receive_count() >= retry::MAX_RECEIVES {
            // The message does not come again: this is the time to wait.
            patiently(started + time.budget.saturating_sub(RESERVE + AFTER_WAITING), run).await
        } else {
            run.await
        };
        if marked && report.failure.is_none() {
            self.clear_mark(&execution).await;
        }
        let took = (self.clock.now() - started).to_std().unwrap_or_default();
        self.end(execution, report, delivery, owner, took).await
    }

    async fn connect(&self, connection: Option<PlatformConnection>) -> Result<Option<Loaded>, ConnectorError> {
        match connection {
            Some(connection) => self.loader.load_connection(connection).await.map(Some),
            None => Ok(None),
        }
    }

    async fn execute(&self, execution: &Execution, loaded: Option<Loaded>, budget: Duration, owner: &str) -> Report {
        let id = &execution.summary.execution_id;
        let world = match self.world(execution).await {
            Ok(world) => world,
            Err(failure) => return Report::of_failure(failure),
        };
        let mut store = RecordJournal {
            database: &self.database,
            execution: id,
            owner,
        };
        let run = Run {
            contact_id: execution.summary.contact_id.clone(),
            crm: loaded.map(|loaded| loaded.connector),
            input: execution.input.as_ref(),
            started_at: execution.summary.created_at.0,
            dry_run: false,
        };
        let caller = Caller {
            account_id: execution.summary.account_id.clone(),
            user_id: execution.summary.user_id.clone(),
            helper_id: execution.summary.helper_id.clone(),
            execution_id: id.clone(),
        };
        let cx = Context::new(run, Journal::new(execution.journal.clone(), &mut store))
            .called_by(caller)
            .storing_in(&self.outputs)
            .in_world(world);
        let deadline = tokio::time::sleep(budget.saturating_sub(RESERVE));
        execute(self.registration, &execution.config, cx, deadline).await
    }

    /// What the run reaches besides its CRM.
    async fn world(&self, execution: &Execution) -> Result<World, HelperError> {
        let run = &execution.summary;
        let sealer = run.connection_id.clone().map(|connection| {
            Arc::new(VaultSealer {
                loader: Arc::clone(&self.loader),
                account: run.account_id.clone(),
                connection,
            }) as _
        });
        Ok(World {
            services: world::services(&self.loader, execution).await?,
            counters: Arc::new(TableCounters(self.database.clone())),
            history: Some(Arc::new(TableHistory(self.database.clone()))),
            sealer,
            clock: Arc::clone(&self.clock),
            ..self.reach.world()
        })
    }

    /// Ends the run, or gives it back for a later attempt.
    async fn end(
        &self,
        execution: Execution,
        report: Report,
        delivery: &Delivery,
        owner: &str,
        took: Duration,
    ) -> Result<Disposition, DatabaseError> {
        if let Some(failure) = &report.failure {
            self.flag_refused_connection(&execution, failure).await;
            if failure.kind == FailureKind::Retryable {
                match self.retry(&execution, delivery, failure) {
                    Retry::GiveUp => {}
                    Retry::Visible(after) => {
                        return self
                            .give_back(&execution, &report, failure, owner, Return::Pending, after)
                            .await;
                    }
                    Retry::Wait(after) => {
                        self.give_back(&execution, &report, failure, owner, Return::Waiting, after)
                            .await?;
                        return Ok(Disposition::Done);
                    }
                }
            }
        }
        self.finish(&execution, report, owner, took).await
    }

    fn retry(&self, execution: &Execution, delivery: &Delivery, failure: &HelperError) -> Retry {
        let age = self.clock.now() - execution.summary.created_at.0;
        let age = age.to_std().unwrap_or_default();
        if failure.held_back {
            return retry::decide_held_back(delivery.receive_count(), age, failure.retry_after);
        }
        let failed = execution.attempts.len() + 1;
        let decided = retry::decide(delivery.receive_count(), failed, failure.retry_after);
        if !self.registration.meta.patient {
            return decided;
        }
        retry::decide_patiently(decided, age, failure.retry_after)
    }

    async fn finish(
        &self,
        execution: &Execution,
        report: Report,
        owner: &str,
        took: Duration,
    ) -> Result<Disposition, DatabaseError> {
        let run = &execution.summary;
        let status = if report.failure.is_some() {
            ExecutionStatus::Failed
        } else {
            ExecutionStatus::Completed
        };
        let output = match self
            .outputs
            .fit(&run.account_id, &run.execution_id, report.output)
            .await
        {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(execution_id = %run.execution_id, error, "the output could not be stored");
                return Ok(Disposition::Again(SOON));
            }
        };
        let error = report
            .failure
            .map(|failure| ExecutionError::new(failure.code, failure.message));
        let error_code = error.as_ref().map(|error| error.code.clone());
        let finish = Finish {
            status,
            output: Some(output),
            error,
            duration_ms: Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            meter_state: MeterState::None,
            refund: false,
        };
        let helper = Some((&run.account_id, &run.helper_id));
        let now = Timestamp::now(&*self.clock);
        let ended = self
            .database
            .executions()
            .finish(&run.execution_id, owner, finish, helper, now)
            .await?;
        tracing::info!(
            helper_type = self.registration.meta.type_name,
            execution_id = %run.execution_id,
            account_id = %run.account_id,
            attempt = run.attempt,
            outcome = if ended { status.as_str() } else { "lease lost" },
            error_code,
            duration_ms = took.as_millis(),
            "run ended"
        );
        Ok(Disposition::Done)
    }

    async fn give_back(
        &self,
        execution: &Execution,
        report: &Report,
        failure: &HelperError,
        owner: &str,
        status: Return,
        after: Duration,
    ) -> Result<Disposition, DatabaseError> {
        let run = &execution.summary;
        let executions = self.database.executions();
        if !report.unsaved.is_empty() {
            executions.journal(&run.execution_id, owner, &report.unsaved).await?;
        }
        let now = Timestamp::now(&*self.clock);
        let message = match status {
            Return::Waiting => format!("{}. The run goes on by itself", failure.message),
            Return::Pending => failure.message.clone(),
        };
        let attempt = Attempt {
            n: run.attempt,
            started_at: run.started_at.unwrap_or(now),
            ended_at: Some(now),
            error: Some(failure.message.clone()),
        };
        let release = Release {
            status,
            next_attempt_at: now.0.timestamp() + after.as_secs().cast_signed(),
            error: ExecutionError::new(failure.code, message),
            attempt: (!failure.held_back).then_some(attempt),
        };
        executions.release(&run.execution_id, owner, release, now).await?;
        tracing::warn!(
            helper_type = self.registration.meta.type_name,
            execution_id = %run.execution_id,
            attempt = run.attempt,
            error_code = failure.code,
            retry_in_secs = after.as_secs(),
            "run will be tried again"
        );
        Ok(Disposition::Again(after))
    }

    async fn cancel(
        &self,
        execution: &Execution,
        owner: &str,
        reason: ExecutionError,
    ) -> Result<Disposition, DatabaseError> {
        let run = &execution.summary;
        tracing::info!(execution_id = %run.execution_id, reason = reason.code, "run cancelled before it started");
        let finish = Finish {
            status: ExecutionStatus::Cancelled,
            output: None,
            error: Some(reason),
            duration_ms: None,
            meter_state: MeterState::None,
            refund: true,
        };
        let now = Timestamp::now(&*self.clock);
        self.database
            .executions()
            .finish(&run.execution_id, owner, finish, None, now)
            .await?;
        Ok(Disposition::Done)
    }

    /// The vendor does not accept the credentials any more: the connection says so from now on.
    async fn flag_refused_connection(&self, execution: &Execution, failure: &HelperError) {
        let run = &execution.summary;
        let ended = [ErrorKind::Unauthorized, ErrorKind::ConnectionReauthRequired];
        let Some(kind) = ended.into_iter().find(|kind| failure.code == kind.code()) else {
            return;
        };
        if let Some(connection) = &run.connection_id
            && let Err(error) = self
                .loader
                .mark(&run.account_id, connection, kind, &failure.message)
                .await
        {
            tracing::warn!(connection_id = %connection, %error, "the refused connection could not be marked");
        }
    }

    /// The vendor accepts the credentials again.
    async fn clear_mark(&self, execution: &Execution) {
        let run = &execution.summary;
        if let Some(connection) = &run.connection_id
            && let Err(error) = self.loader.works(&run.account_id, connection).await
        {
            tracing::warn!(connection_id = %connection, %error, "the mark of a working connection could not be cleared");
        }
    }

    async fn refuse_misrouted(&self, message: &ExecutionMessage) -> Result<Disposition, DatabaseError> {
        tracing::error!(execution_id = %message.execution_id, helper_type = %message.helper_type, "a message of another type");
        let finish = Finish {
            status: ExecutionStatus::Failed,
            output: None,
            error: Some(ExecutionError::new(
                "MISROUTED",
                "The run reached the worker of another helper type. Run it again",
            )),
            duration_ms: None,
            meter_state: MeterState::None,
            refund: true,
        };
        let now = Timestamp::now(&*self.clock);
        self.database
            .executions()
            .end_unclaimed(&message.execution_id, finish, now)
            .await?;
        Ok(Disposition::Done)
    }

    /// Moves a message that is no execution message to the dead-letter queue, whose consumer ends the execution if it
    /// can tell which.
    async fn bury(&self, delivery: &Delivery, reason: &str) -> Disposition {
        tracing::error!(
            message_id = delivery.message_id,
            reason,
            "a message that cannot be read goes to the dead-letter queue"
        );
        let Some(helper_type) = mfh_types::HelperType::parse(self.registration.meta.type_name) else {
            return Disposition::Again(SOON);
        };
        let name = Queues::helper_dlq(&self.stage, &helper_type);
        let sent = async {
            let url = self
                .sqs
                .get_queue_url()
                .queue_name(name)
                .send()
                .await
                .map_err(|e| DisplayErrorContext(e).to_string())?;
            self.sqs
                .send_message()
                .set_queue_url(url.queue_url)
                .message_body(&delivery.body)
                .message_group_id(delivery.attributes.group_id.as_deref().unwrap_or(&delivery.message_id))
                .message_deduplication_id(&delivery.message_id)
                .send()
                .await
                .map_err(|e| DisplayErrorContext(e).to_string())
        };
        match sent.await {
            Ok(_) => Disposition::Done,
            Err(error) => {
                tracing::error!(error, "the dead-letter queue cannot be reached");
                Disposition::Again(SOON)
            }
        }
    }

    /// Sets when the message is seen again; should that fail, its own visibility timeout does the same later.
    async fn hide(&self, delivery: &Delivery, after: Duration) {
        let Some(helper_type) = mfh_types::HelperType::parse(self.registration.meta.type_name) else {
            return;
        };
        let url = match self.queues.url(&helper_type).await {
            Ok(url) => url,
            Err(error) => {
                return tracing::warn!(%error, "the visibility of a message could not be set");
            }
        };
        let seconds = i32::try_from(after.as_secs()).unwrap_or(i32::MAX).min(43_200);
        let changed = self
            .sqs
            .change_message_visibility()
            .queue_url(url)
            .receipt_handle(&delivery.receipt_handle)
            .visibility_timeout(seconds)
            .send()
            .await;
        if let Err(error) = changed {
            tracing::warn!(error = %DisplayErrorContext(&error), "the visibility of a message could not be set");
        }
    }
}

/// What a run reports that stopped its worker again and again.
fn lost() -> Report {
    let message = "The run was begun again and again, and its worker stopped each time. Check the helper's settings and the \
                   contact for something unusually large, then run it again";
    Report::of_failure(HelperError::permanent("DEAD_LETTER", message))
}
