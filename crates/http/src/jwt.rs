//! Verification of the user pool's access tokens (`api-identity` S11).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use mfh_types::{Clock, Secret};
use serde::Deserialize;

use crate::keys::KeyCache;
use crate::{ApiError, KeySource, KeysUnavailable};

/// Seconds by which clocks may differ.
const LEEWAY_SECS: i64 = 30;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The user's subject in the pool.
    pub sub: String,
    /// `access` for the only kind of token we take.
    pub token_use: String,
    /// The app client that signed in.
    pub client_id: String,
    /// End of validity in Unix seconds.
    pub exp: i64,
    /// Start of validity in Unix seconds.
    #[serde(default)]
    pub nbf: Option<i64>,
}

/// A token does not count.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenFault {
    /// Forged, expired, of another pool or client, or not an access token.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// It cannot be told at present.
    #[error(transparent)]
    Unavailable(#[from] KeysUnavailable),
}

impl From<TokenFault> for ApiError {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Invalid(reason) => Self::unauthenticated().detail(reason),
            TokenFault::Unavailable(error) => Self::unavailable(error.to_string()),
        }
    }
}

/// Verifies RS256 access tokens of one pool and one app client.
#[derive(Debug)]
pub struct JwtVerifier {
    client_id: String,
    validation: Validation,
    keys: KeyCache,
    clock: Arc<dyn Clock>,
}

impl JwtVerifier {
    /// A verifier of tokens from `issuer` for `client_id`.
    pub fn new(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        source: Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[issuer.into()]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Times are checked against the injected clock; access tokens of the pool carry no audience.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            client_id: client_id.into(),
            validation,
            keys: KeyCache::new(source, clock.clone()),
            clock,
        }
    }

    /// Verifies an access token.
    ///
    /// # Errors
    /// `Invalid` for a token that does not count, `Unavailable` when the pool's keys cannot be read.
    pub async fn verify(&self, token: &Secret) -> Result<Claims, TokenFault> {
        let invalid = TokenFault::Invalid;
        let header = decode_header(token.expose()).map_err(|_| invalid("unreadable header"))?;
        // Checked before the key is looked up, so that nothing but RS256 ever costs a fetch.
        if header.alg != Algorithm::RS256 {
            return Err(invalid("not RS256"));
        }
        let kid = header.kid.ok_or(invalid("no key id"))?;
        let key = self.keys.get(&kid).await?.ok_or(invalid("unknown key id"))?;
        let claims = decode::<Claims>(token.expose(), &key, &self.validation)
            .map_err(|_| invalid("wrong signature, issuer or claims"))?
            .claims;
        self.check(claims)
    }

    fn check(&self, claims: Claims) -> Result<Claims, TokenFault> {
        let now = self.clock.unix();
        let reason = if claims.exp.saturating_add(LEEWAY_SECS) <= now {
            "expired"
        } else if claims.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY_SECS) > now) {
            "not valid yet"
        } else if claims.token_use != "access" {
            "not an access token"
        } else if claims.client_id != self.client_id {
            "of another app client"
        } else {
            return Ok(claims);
        };
        Err(TokenFault::Invalid(reason))
    }
}

/// The subject of a token that the pool itself has just handed to us; nothing is verified.
pub fn subject_of_issued_token(token: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let payload = token.expose().split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let subject: Subject = serde_json::from_slice(&payload).ok()?;
    Some(subject.sub)
}
