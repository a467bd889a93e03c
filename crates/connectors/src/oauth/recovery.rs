//! Tokens that a vendor gave and no table took (`pipeline` §7.4). Where the vendor rotates refresh tokens the old one
//! is spent, so that losing the new one would end the sign-in: it waits in a queue, sealed as in the table.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mfh_aws::SealedSecrets;
use mfh_database::{DatabaseError, NewSecrets};
use mfh_types::{AccountId, AuthId, ConnectionId, PlatformId, Timestamp};
use serde::{Deserialize, Serialize};

/// The message in the recovery queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptTokens {
    /// Version of the message, 1.
    pub(crate) v: u32,
    pub(crate) account_id: AccountId,
    pub(crate) connection_id: ConnectionId,
    pub(crate) auth_id: AuthId,
    pub(crate) platform_id: PlatformId,
    /// The version of the record that they were to replace.
    pub(crate) version: u64,
    /// All credentials of the connection, sealed for it, in base64.
    secrets: String,
    secrets_key_id: String,
    expires_at: Option<i64>,
    scope: Option<String>,
    token_type: Option<String>,
    pub(crate) kept_at: Timestamp,
}

impl KeptTokens {
    /// The message that keeps `secrets` for a record of this version.
    pub(crate) fn new(
        (account, connection, auth): (&AccountId, &ConnectionId, &AuthId),
        platform: &PlatformId,
        version: u64,
        secrets: NewSecrets,
        kept_at: Timestamp,
    ) -> Self {
        Self {
            v: 1,
            account_id: account.clone(),
            connection_id: connection.clone(),
            auth_id: auth.clone(),
            platform_id: platform.clone(),
            version,
            secrets: STANDARD.encode(secrets.sealed.bytes),
            secrets_key_id: secrets.sealed.key_id,
            expires_at: secrets.expires_at,
            scope: secrets.scope,
            token_type: secrets.token_type,
            kept_at,
        }
    }

    /// What the table is to take.
    ///
    /// # Errors
    /// `Unreadable` for secrets that are no base64.
    pub(crate) fn secrets(&self) -> Result<NewSecrets, RecoverError> {
        let bytes = STANDARD.decode(&self.secrets).map_err(|_| RecoverError::Unreadable)?;
        Ok(NewSecrets {
            sealed: SealedSecrets {
                bytes,
                key_id: self.secrets_key_id.clone(),
            },
            expires_at: self.expires_at,
            scope: self.scope.clone(),
            token_type: self.token_type.clone(),
        })
    }
}

/// What became of tokens from the recovery queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// The record has them now.
    Stored,
    /// The record has other ones, such as those of a new sign-in, or the connection is gone.
    NotNeeded,
}

/// Tokens of the recovery queue could not be stored; they have to come again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The message is none of ours.
    #[error("the message cannot be read")]
    Unreadable,
    /// The record changed at the same time.
    #[error("the record changed at the same time")]
    Busy,
    /// The tables are out of reach.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
