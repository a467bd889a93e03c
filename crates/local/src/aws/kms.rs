//! The key service: one AES-256-GCM key that answers to every key id.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use mfh_aws::REGION;
use mfh_types::{Random, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsService;
use super::fault::{Fault, parse, respond};
use super::store::key_file;

/// The first byte of a ciphertext blob; nonce and ciphertext with tag follow.
const FORMAT: u8 = 1;

/// The most bytes that `Encrypt` takes and `GenerateRandom` or `GenerateDataKey` give.
const MAX_PLAINTEXT: usize = 4096;
const MAX_RANDOM: usize = 1024;

/// KMS with one local key.
pub struct KeyService {
    key: LessSafeKey,
    account_id: String,
    random: Arc<dyn Random>,
}

type EncryptionContext = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateDataKey {
    key_id: String,
    key_spec: Option<String>,
    number_of_bytes: Option<usize>,
    #[serde(default)]
    encryption_context: EncryptionContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypt {
    key_id: String,
    plaintext: Secret,
    #[serde(default)]
    encryption_context: EncryptionContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt {
    ciphertext_blob: String,
    #[serde(default)]
    encryption_context: EncryptionContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeKey {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateRandom {
    number_of_bytes: Option<usize>,
}

impl KeyService {
    /// Opens the key in `dir/kms.key`, which is made at the first start; `account_id` appears in its ARN.
    ///
    /// # Errors
    /// The folder cannot be written, or the key file does not hold 32 bytes.
    pub fn open(dir: &Path, account_id: impl Into<String>, random: Arc<dyn Random>) -> anyhow::Result<Arc<Self>> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join("kms.key");
        let bytes = key_file(&path, || {
            let mut bytes = vec![0; AES_256_GCM.key_len()];
            random.fill(&mut bytes);
            Ok(bytes)
        })?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes)
            .map_err(|_| anyhow!("{} does not hold a key of 32 bytes", path.display()))?;
        Ok(Arc::new(Self {
            key: LessSafeKey::new(key),
            account_id: account_id.into(),
            random,
        }))
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, Fault> {
        const BAD: &str = "ValidationException";
        match operation {
            "GenerateDataKey" => self.generate_data_key(&parse(body, BAD)?, true),
            "GenerateDataKeyWithoutPlaintext" => self.generate_data_key(&parse(body, BAD)?, false),
            "Encrypt" => self.encrypt(&parse(body, BAD)?),
            "Decrypt" => self.decrypt(&parse(body, BAD)?),
            "DescribeKey" => self.describe_key(&parse(body, BAD)?),
            "GenerateRandom" => self.generate_random(&parse(body, BAD)?),
            _ => Err(Fault::unknown_operation()),
        }
    }

    fn generate_data_key(&self, request: &GenerateDataKey, with_plaintext: bool) -> Result<Value, Fault> {
        check_key_id(&request.key_id)?;
        let length = match (request.key_spec.as_deref(), request.number_of_bytes) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(length)) if (1..=MAX_RANDOM).contains(&length) => length,
            _ => {
                return Err(Fault::new(
                    "ValidationException",
                    "Give either KeySpec (AES_256 or AES_128) or NumberOfBytes (1 to 1024).",
                ));
            }
        };
        let mut plain = vec![0; length];
        self.random.fill(&mut plain);
        let mut answer = json!({
            "KeyId": self.arn(),
            "CiphertextBlob": self.seal(&plain, &request.encryption_context)?,
        });
        if with_plaintext {
            answer["Plaintext"] = BASE64_STANDARD.encode(&plain).into();
        }
        Ok(answer)
    }

    fn encrypt(&self, request: &Encrypt) -> Result<Value, Fault> {
        check_key_id(&request.key_id)?;
        let plain = BASE64_STANDARD
            .decode(request.plaintext.expose())
            .ok()
            .filter(|plain| (1..=MAX_PLAINTEXT).contains(&plain.len()))
            .ok_or_else(|| Fault::new("ValidationException", "Plaintext must be 1 to 4096 bytes."))?;
        Ok(json!({
            "KeyId": self.arn(),
            "CiphertextBlob": self.seal(&plain, &request.encryption_context)?,
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    fn decrypt(&self, request: &Decrypt) -> Result<Value, Fault> {
        let plain = self
            .open_blob(&request.ciphertext_blob, &request.encryption_context)
            .ok_or_else(|| {
                Fault::new(
                    "InvalidCiphertextException",
                    "The ciphertext is damaged, was made by another key, or has another encryption context.",
                )
            })?;
        Ok(json!({
            "KeyId": self.arn(),
            "Plaintext": BASE64_STANDARD.encode(plain),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    fn describe_key(&self, request: &DescribeKey) -> Result<Value, Fault> {
        check_key_id(&request.key_id)?;
        Ok(json!({ "KeyMetadata": {
            "AWSAccountId": self.account_id,
            "KeyId": "local",
            "Arn": self.arn(),
            "Description": "The key of this machine",
            "Enabled": true,
            "KeyState": "Enabled",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyManager": "CUSTOMER",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "Origin": "AWS_KMS",
            "MultiRegion": false,
        }}))
    }

    fn generate_random(&self, request: &GenerateRandom) -> Result<Value, Fault> {
        let length = request
            .number_of_bytes
            .filter(|length| (1..=MAX_RANDOM).contains(length))
            .ok_or_else(|| Fault::new("ValidationException", "NumberOfBytes must be 1 to 1024."))?;
        let mut bytes = vec![0; length];
        self.random.fill(&mut bytes);
        Ok(json!({ "Plaintext": BASE64_STANDARD.encode(bytes) }))
    }

    fn seal(&self, plain: &[u8], context: &EncryptionContext) -> Result<String, Fault> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(context)),
                &mut sealed,
            )
            .map_err(|_| Fault::new("KMSInternalException", "The data cannot be encrypted."))?;
        let mut blob = vec![FORMAT];
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        Ok(BASE64_STANDARD.encode(blob))
    }

    fn open_blob(&self, blob: &str, context: &EncryptionContext) -> Option<Vec<u8>> {
        let blob = BASE64_STANDARD.decode(blob).ok()?;
        let (&format, rest) = blob.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        if format != FORMAT {
            return None;
        }
        let mut buffer = sealed.to_vec();
        let plain = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated_data(context)),
                &mut buffer,
            )
            .ok()?;
        Some(plain.to_vec())
    }

    fn arn(&self) -> String {
        format!("arn:aws:kms:{REGION}:{}:key/local", self.account_id)
    }
}

#[async_trait]
impl AwsService for KeyService {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let operation = super::operation(&request).unwrap_or_default();
        respond(self.answer(operation, request.body()))
    }
}

fn check_key_id(key_id: &str) -> Result<(), Fault> {
    if key_id.trim().is_empty() {
        return Err(Fault::new("ValidationException", "KeyId must not be empty."));
    }
    Ok(())
}

/// The context with lengths before each text, so that no two contexts give the same bytes.
fn associated_data(context: &EncryptionContext) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}
