//! What a run depends on besides its execution, in one call.

use mfh_types::{Account, ExecutionSummary, Helper, HelperStatus, PlatformConnection};

use super::Executions;
use crate::DatabaseError;
use crate::table::get_one_of_each;

/// What a run depends on, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// Its helper; `None` when it is deleted.
    pub helper: Option<Helper>,
    /// Its account.
    pub account: Option<Account>,
    /// Its connection; `None` when it has none, or none any more.
    pub connection: Option<PlatformConnection>,
}

impl Executions<'_> {
    /// Helper, account and connection of a run. What belongs to another account is absent.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub async fn surroundings(&self, run: &ExecutionSummary) -> Result<Surroundings, DatabaseError> {
        let (helpers, accounts) = (self.0.helpers().table(), self.0.accounts().table());
        let connections = self.0.connections().table();
        let mut wanted = vec![(helpers, run.helper_id.as_str()), (accounts, run.account_id.as_str())];
        wanted.extend(run.connection_id.as_ref().map(|id| (connections, id.as_str())));
        let mut found = get_one_of_each(&self.0.client, &wanted).await?;
        let helper: Option<Helper> = helpers.take_from(&mut found)?;
        let connection: Option<PlatformConnection> = connections.take_from(&mut found)?;
        Ok(Surroundings {
            helper: helper
                .filter(|helper| helper.account_id == run.account_id && helper.status != HelperStatus::Deleted),
            account: accounts.take_from(&mut found)?,
            connection: connection.filter(|connection| connection.account_id == run.account_id),
        })
    }
}
