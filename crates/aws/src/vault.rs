//! Envelope encryption of credentials (`connectors` §4.4).
//!
//! AES-256-GCM under a KMS data key. Account and connection are both the KMS encryption context and the associated
//! data, so that sealed credentials copied to another connection do not open.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_sdk_kms::Client;
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use mfh_cache::{Cache, Keep};
use mfh_types::{AccountId, ConnectionId, Credentials, Random, SystemRandom};
use zeroize::Zeroizing;

/// The first byte of sealed credentials.
const FORMAT: u8 = 1;

/// Credentials could not be sealed or opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VaultError {
    /// KMS could not be asked; a repeat may help.
    #[error("the key service is not available: {0}")]
    Unavailable(String),
    /// The bytes were not sealed for this connection, or by another key.
    #[error("the stored credentials cannot be opened; connect the CRM again")]
    Unreadable,
}

/// Sealed credentials as they lie in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    /// Format, length of the wrapped data key (2 bytes, big endian), wrapped data key, nonce, ciphertext with tag.
    pub bytes: Vec<u8>,
    /// The KMS key that wraps the data key.
    pub key_id: String,
}

/// Seals and opens the credentials of connections.
#[derive(Debug, Clone)]
pub struct Vault {
    kms: Client,
    key_id: String,
    opened: Cache<Vec<u8>, Arc<Zeroizing<Vec<u8>>>, VaultError>,
}

impl Vault {
    /// A vault under this KMS key (id, ARN or alias). Opened data keys are remembered for five minutes.
    pub fn new(kms: Client, key_id: impl Into<String>) -> Self {
        let opened = Cache::new(Keep {
            most: Some(1_000),
            age: Some(Duration::from_secs(300)),
            idle: None,
        });
        Self {
            kms,
            key_id: key_id.into(),
            opened,
        }
    }

    /// Seals credentials for one connection under a fresh data key and nonce.
    ///
    /// # Errors
    /// `Unavailable` when KMS cannot be asked.
    pub async fn seal(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        credentials: &Credentials,
    ) -> Result<SealedSecrets, VaultError> {
        let answer = self
            .kms
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context(account, connection)))
            .send()
            .await
            .map_err(|error| VaultError::Unavailable(DisplayErrorContext(&error).to_string()))?;
        let (Some(plain), Some(wrapped)) = (answer.plaintext, answer.ciphertext_blob) else {
            return Err(VaultError::Unavailable("KMS returned no data key".to_owned()));
        };
        let plain = Zeroizing::new(plain.into_inner());
        let wrapped = wrapped.into_inner();
        let wrapped_len = u16::try_from(wrapped.len()).map_err(|_| VaultError::Unreadable)?;

        let mut nonce = [0; NONCE_LEN];
        SystemRandom.fill(&mut nonce);
        let pairs = credentials.expose_pairs();
        let mut sealed = Zeroizing::new(serde_json::to_vec(&pairs).map_err(|_| VaultError::Unreadable)?);
        cipher(&plain)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(account, connection)),
                &mut *sealed,
            )
            .map_err(|_| VaultError::Unreadable)?;

        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&wrapped_len.to_be_bytes());
        bytes.extend_from_slice(&wrapped);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        Ok(SealedSecrets {
            bytes,
            key_id: answer.key_id.unwrap_or_else(|| self.key_id.clone()),
        })
    }

    /// Opens credentials that were sealed for this connection.
    ///
    /// # Errors
    /// `Unreadable` when the bytes are damaged or belong to another connection, `Unavailable` when KMS cannot be asked.
    pub async fn open(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        sealed: &[u8],
    ) -> Result<Credentials, VaultError> {
        let (wrapped, nonce, ciphertext) = split(sealed).ok_or(VaultError::Unreadable)?;
        let mut cache_key = wrapped.to_vec();
        cache_key.extend_from_slice(associated_data(account, connection).as_bytes());
        let plain = self
            .opened
            .get_or_load(&cache_key, self.unwrap_key(wrapped, account, connection))
            .await?;

        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let opened = cipher(&plain)?
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(account, connection)),
                &mut buffer,
            )
            .map_err(|_| VaultError::Unreadable)?;
        let pairs: BTreeMap<String, String> = serde_json::from_slice(opened).map_err(|_| VaultError::Unreadable)?;
        Ok(Credentials::from_pairs(pairs))
    }

    async fn unwrap_key(
        &self,
        wrapped: &[u8],
        account: &AccountId,
        connection: &ConnectionId,
    ) -> Result<Arc<Zeroizing<Vec<u8>>>, VaultError> {
        let answer = self
            .kms
            .decrypt()
            .ciphertext_blob(Blob::new(wrapped))
            .set_encryption_context(Some(context(account, connection)))
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(e) if e.is_invalid_ciphertext_exception() => VaultError::Unreadable,
                _ => VaultError::Unavailable(DisplayErrorContext(&error).to_string()),
            })?;
        let plain = answer.plaintext.ok_or(VaultError::Unreadable)?;
        Ok(Arc::new(Zeroizing::new(plain.into_inner())))
    }
}

fn context(account: &AccountId, connection: &ConnectionId) -> HashMap<String, String> {
    HashMap::from([
        ("account_id".to_owned(), account.to_string()),
        ("connection_id".to_owned(), connection.to_string()),
    ])
}

fn associated_data(account: &AccountId, connection: &ConnectionId) -> String {
    format!("{account}|{connection}")
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| VaultError::Unreadable)
}

/// Wrapped data key, nonce and ciphertext of sealed bytes.
fn split(sealed: &[u8]) -> Option<(&[u8], [u8; NONCE_LEN], &[u8])> {
    let (&format, rest) = sealed.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
    (format == FORMAT).then_some((wrapped, *nonce, ciphertext))
}
