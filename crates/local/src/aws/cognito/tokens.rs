//! Access and id tokens: JWTs signed with RS256, with Cognito's claims.

use std::path::Path;

use anyhow::{Context, anyhow};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mfh_types::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::records::{PoolUser, Session, State};
use super::{Fault, Pool, not_authorized, user_not_found};
use crate::aws::store::key_file;

/// How long access and id tokens live, in seconds (DECISIONS 33).
pub(super) const TOKEN_LIFETIME: i64 = 24 * 3600;

/// The key that signs tokens, and its public half.
pub(super) struct SigningKey {
    pair: RsaKeyPair,
    id: String,
    modulus: String,
    exponent: String,
    verifier: DecodingKey,
}

/// The claims of an access token that decide whether it is still good.
#[derive(Deserialize)]
struct AccessClaims {
    sub: String,
    origin_jti: String,
    token_use: String,
    client_id: String,
    exp: i64,
}

impl SigningKey {
    /// Opens the RSA key of 2048 bits in this file (PKCS #8), which is made at the first start.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let pkcs8 = key_file(path, || {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("cannot make a signing key"))?;
            let der = pair.as_der().map_err(|_| anyhow!("cannot write a signing key"))?;
            Ok(der.as_ref().to_vec())
        })?;
        let pair =
            RsaKeyPair::from_pkcs8(&pkcs8).map_err(|error| anyhow!("{} holds no RSA key: {error}", path.display()))?;
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let modulus = BASE64_URL_SAFE_NO_PAD.encode(&public.n);
        let exponent = BASE64_URL_SAFE_NO_PAD.encode(&public.e);
        let verifier = DecodingKey::from_rsa_components(&modulus, &exponent).context("cannot read the public key")?;
        Ok(Self {
            pair,
            id: BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &public.n)),
            modulus,
            exponent,
            verifier,
        })
    }

    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.id,
            "n": self.modulus,
            "e": self.exponent,
        }]})
    }

    fn sign(&self, claims: &Value) -> Result<String, Fault> {
        let header = json!({ "alg": "RS256", "kid": self.id, "typ": "JWT" });
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let mut token = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .map_err(|_| Fault::new("InternalErrorException", "The token cannot be signed."))?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of an access token that this key signed.
    fn verify(&self, token: &str) -> Option<AccessClaims> {
        let mut validation = Validation::new(Algorithm::RS256);
        // Time is the injected clock's, and the issuer may have had another port when the token was made.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let token = jsonwebtoken::decode::<AccessClaims>(token, &self.verifier, &validation).ok()?;
        (token.claims.token_use == "access").then_some(token.claims)
    }
}

/// What both tokens of a user say.
#[derive(Serialize)]
struct CommonClaims<'a> {
    sub: &'a str,
    iss: &'a str,
    origin_jti: &'a str,
    event_id: String,
    auth_time: i64,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(rename = "cognito:groups", skip_serializing_if = "Vec::is_empty")]
    groups: Vec<&'a String>,
}

#[derive(Serialize)]
struct AccessTokenClaims<'a> {
    #[serde(flatten)]
    common: CommonClaims<'a>,
    token_use: &'a str,
    client_id: &'a str,
    scope: &'a str,
    username: &'a str,
}

#[derive(Serialize)]
struct IdTokenClaims<'a> {
    #[serde(flatten)]
    common: CommonClaims<'a>,
    token_use: &'a str,
    aud: &'a str,
    #[serde(rename = "cognito:username")]
    username: &'a str,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_verified: Option<bool>,
    #[serde(flatten)]
    attributes: serde_json::Map<String, Value>,
}

impl Pool {
    /// The `AuthenticationResult` of a session, without its refresh token.
    pub(super) fn issue(&self, user: &PoolUser, session: &Session) -> Result<Value, Fault> {
        let access = AccessTokenClaims {
            common: self.common_claims(user, session),
            token_use: "access",
            client_id: &self.client_id,
            scope: "aws.cognito.signin.user.admin",
            username: &user.sub,
        };
        let is_flag = |name: &str| name.ends_with("_verified");
        let attributes = user.attributes.iter().filter(|(name, _)| !is_flag(name));
        let id = IdTokenClaims {
            common: self.common_claims(user, session),
            token_use: "id",
            aud: &self.client_id,
            username: &user.sub,
            email_verified: user.attribute("email_verified") == "true",
            phone_number_verified: user
                .attributes
                .get("phone_number_verified")
                .map(|verified| verified == "true"),
            attributes: attributes
                .map(|(name, value)| (name.clone(), Value::from(value.clone())))
                .collect(),
        };
        Ok(json!({
            "AccessToken": self.key.sign(&json!(access))?,
            "IdToken": self.key.sign(&json!(id))?,
            "ExpiresIn": TOKEN_LIFETIME,
            "TokenType": "Bearer",
        }))
    }

    fn common_claims<'a>(&'a self, user: &'a PoolUser, session: &'a Session) -> CommonClaims<'a> {
        let now = self.clock.unix();
        CommonClaims {
            sub: &user.sub,
            iss: &self.issuer,
            origin_jti: &session.origin_jti,
            event_id: self.uuid().to_string(),
            auth_time: session.auth_time,
            iat: now,
            exp: now + TOKEN_LIFETIME,
            jti: self.uuid().to_string(),
            groups: user.groups.iter().collect(),
        }
    }

    /// The user of an access token, and the session it belongs to, which must not have been ended.
    pub(super) fn authorize<'a>(
        &self,
        state: &'a State,
        access_token: &Secret,
    ) -> Result<(&'a PoolUser, String), Fault> {
        let claims = self
            .key
            .verify(access_token.expose())
            .filter(|claims| claims.client_id == self.client_id)
            .ok_or_else(|| not_authorized("Invalid Access Token"))?;
        if claims.exp <= self.clock.unix() {
            return Err(not_authorized("Access Token has expired"));
        }
        let user = state.users.get(&claims.sub).ok_or_else(user_not_found)?;
        let mut sessions = user.sessions.iter();
        if !sessions.any(|session| session.origin_jti == claims.origin_jti) {
            return Err(not_authorized("Access Token has been revoked"));
        }
        Ok((user, claims.origin_jti))
    }

    /// The same, to change the user.
    pub(super) fn authorize_mut<'a>(
        &self,
        state: &'a mut State,
        access_token: &Secret,
    ) -> Result<(&'a mut PoolUser, String), Fault> {
        let (user, origin_jti) = self.authorize(state, access_token)?;
        let sub = user.sub.clone();
        let user = state.users.get_mut(&sub).ok_or_else(user_not_found)?;
        Ok((user, origin_jti))
    }
}
