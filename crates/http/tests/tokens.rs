//! Which tokens count, and how often the pool is asked for its keys.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use mfh_http::{JwtVerifier, KeySource, KeysUnavailable, TokenFault, subject_of_issued_token};
use mfh_types::{ManualClock, Secret};
use serde_json::{Value, json};

const ISSUER: &str = "https://pool.example/us-west-2_1";
const CLIENT: &str = "client-1";
const NOW: i64 = 1_800_000_000;

static OURS: LazyLock<EncodingKey> = LazyLock::new(new_key);
static FOREIGN: LazyLock<EncodingKey> = LazyLock::new(new_key);

fn new_key() -> EncodingKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    // The encoder wants the bare RSA key, which PKCS #8 wraps in a header of this length for 2048 bits.
    EncodingKey::from_rsa_der(&der.as_ref()[26..])
}

fn jwk(key: &EncodingKey, kid: &str) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::RS256).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    jwk
}

/// A pool whose fetches are counted and may fail.
#[derive(Debug, Default)]
struct Pool {
    fetches: AtomicUsize,
    is_down: AtomicBool,
}

#[async_trait]
impl KeySource for Pool {
    async fn fetch(&self) -> Result<JwkSet, KeysUnavailable> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        // Gives other requests the chance to ask at the same time.
        tokio::task::yield_now().await;
        if self.is_down.load(Ordering::SeqCst) {
            return Err(KeysUnavailable("down".to_owned()));
        }
        Ok(JwkSet {
            keys: vec![jwk(&OURS, "key-1")],
        })
    }
}

struct Setup {
    verifier: Arc<JwtVerifier>,
    pool: Arc<Pool>,
    clock: Arc<ManualClock>,
}

fn setup() -> Setup {
    let pool = Arc::new(Pool::default());
    let start = DateTime::from_timestamp(NOW, 0).unwrap();
    let clock = Arc::new(ManualClock::at(start));
    let verifier = JwtVerifier::new(ISSUER, CLIENT, pool.clone(), clock.clone());
    Setup {
        verifier: Arc::new(verifier),
        pool,
        clock,
    }
}

fn claims() -> Value {
    json!({
        "sub": "sub-1",
        "iss": ISSUER,
        "client_id": CLIENT,
        "token_use": "access",
        "iat": NOW - 60,
        "exp": NOW + 3_600,
    })
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn header(kid: Option<&str>) -> Header {
    Header {
        kid: kid.map(str::to_owned),
        ..Header::new(Algorithm::RS256)
    }
}

fn token(claims: &Value) -> Secret {
    Secret::new(encode(&header(Some("key-1")), claims, &OURS).unwrap())
}

async fn is_refused(setup: &Setup, token: Secret) -> bool {
    matches!(setup.verifier.verify(&token).await, Err(TokenFault::Invalid(_)))
}

#[tokio::test]
async fn a_token_of_the_pool_counts() {
    let setup = setup();
    let token = token(&claims());
    assert_eq!(setup.verifier.verify(&token).await.unwrap().sub, "sub-1");
    assert_eq!(subject_of_issued_token(&token).unwrap(), "sub-1");
}

#[tokio::test]
async fn claims_of_others_are_refused() {
    let setup = setup();
    for wrong in [
        with(json!({"iss": "https://pool.example/us-west-2_2"})),
        with(json!({"client_id": "client-2"})),
        with(json!({"token_use": "id"})),
        with(json!({"exp": NOW - 31})),
        with(json!({"nbf": NOW + 31})),
        without("iss"),
        without("exp"),
        without("sub"),
        without("token_use"),
        without("client_id"),
    ] {
        assert!(is_refused(&setup, token(&wrong)).await, "{wrong}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_half_a_minute() {
    let setup = setup();
    let near = token(&with(json!({"exp": NOW - 29, "nbf": NOW + 29})));
    assert!(setup.verifier.verify(&near).await.is_ok());
}

#[tokio::test]
async fn a_token_ends_with_the_clock() {
    let setup = setup();
    let token = token(&claims());
    assert!(setup.verifier.verify(&token).await.is_ok());
    setup.clock.advance(Duration::seconds(3_631));
    assert!(is_refused(&setup, token).await);
}

#[tokio::test]
async fn unsigned_tokens_are_refused() {
    let setup = setup();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE"] {
        let head = part(&json!({"alg": alg, "typ": "JWT", "kid": "key-1"}));
        let body = part(&claims());
        for signature in ["", "AAAA"] {
            let token = Secret::new(format!("{head}.{body}.{signature}"));
            assert!(is_refused(&setup, token).await);
        }
    }
}

#[tokio::test]
async fn the_public_key_is_not_taken_for_a_shared_secret() {
    let setup = setup();
    let public = jwk(&OURS, "key-1");
    let modulus = serde_json::to_value(&public).unwrap()["n"].clone();
    let modulus = modulus.as_str().unwrap();
    for secret in [
        modulus.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        serde_json::to_vec(&public).unwrap(),
    ] {
        let header = Header {
            kid: Some("key-1".to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let key = EncodingKey::from_secret(&secret);
        let token = Secret::new(encode(&header, &claims(), &key).unwrap());
        assert!(is_refused(&setup, token).await);
    }
    assert_eq!(setup.pool.fetches.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn foreign_signatures_and_other_algorithms_are_refused() {
    let setup = setup();
    let forged = encode(&header(Some("key-1")), &claims(), &FOREIGN).unwrap();
    assert!(is_refused(&setup, Secret::new(forged)).await);
    let rs512 = Header {
        kid: Some("key-1".to_owned()),
        ..Header::new(Algorithm::RS512)
    };
    let other = encode(&rs512, &claims(), &OURS).unwrap();
    assert!(is_refused(&setup, Secret::new(other)).await);
}

#[tokio::test]
async fn a_token_without_a_key_id_is_refused_without_a_fetch() {
    let setup = setup();
    let token = Secret::new(encode(&header(None), &claims(), &OURS).unwrap());
    assert!(is_refused(&setup, token).await);
    assert!(is_refused(&setup, Secret::new("not a token")).await);
    assert_eq!(setup.pool.fetches.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_costs_one_fetch_in_half_a_minute() {
    let setup = setup();
    let mut flood = tokio::task::JoinSet::new();
    for n in 0..200 {
        let verifier = setup.verifier.clone();
        let header = header(Some(&format!("unknown-{n}")));
        let token = Secret::new(encode(&header, &claims(), &FOREIGN).unwrap());
        flood.spawn(async move { verifier.verify(&token).await.is_err() });
    }
    assert!(flood.join_all().await.into_iter().all(|refused| refused));
    assert_eq!(setup.pool.fetches.load(Ordering::SeqCst), 1);
    assert!(setup.verifier.verify(&token(&claims())).await.is_ok());

    setup.clock.advance(Duration::seconds(30));
    let header = header(Some("unknown"));
    let unknown = Secret::new(encode(&header, &claims(), &FOREIGN).unwrap());
    assert!(is_refused(&setup, unknown).await);
    assert_eq!(setup.pool.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn known_keys_outlive_a_pool_that_is_down_and_unknown_ones_are_no_verdict() {
    let setup = setup();
    setup.pool.is_down.store(true, Ordering::SeqCst);
    let token = token(&claims());
    for _ in 0..3 {
        let verdict = setup.verifier.verify(&token).await;
        assert!(matches!(verdict, Err(TokenFault::Unavailable(_))));
    }
    assert_eq!(setup.pool.fetches.load(Ordering::SeqCst), 1);

    setup.pool.is_down.store(false, Ordering::SeqCst);
    setup.clock.advance(Duration::seconds(2));
    assert!(setup.verifier.verify(&token).await.is_ok());
    setup.pool.is_down.store(true, Ordering::SeqCst);
    assert!(setup.verifier.verify(&token).await.is_ok());
}
