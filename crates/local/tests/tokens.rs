//! Forged tokens open nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use mfh_local::aws::cognito::DEFAULT_CLIENT_ID;
use serde_json::{Value, json};
use support::World;

/// A route that wants a token.
const ROUTE: &str = "/auth/status";

/// A signed-in user, and what a forger could know and more: the pool's own key.
struct Forge<'a> {
    world: &'a World,
    token: String,
    id_token: String,
    claims: Value,
    kid: String,
    jwks: Value,
    pool_key: RsaKeyPair,
}

impl<'a> Forge<'a> {
    async fn of(world: &'a World) -> Self {
        let (token, _) = world.user("eve").await;
        let (_, jwks) = world
            .call(
                "GET",
                "/_cognito/us-west-2_local/.well-known/jwks.json",
                None,
                Value::Null,
            )
            .await;
        let pkcs8 = std::fs::read(world.folder.path().join("cognito/tokens.key")).unwrap();
        Self {
            world,
            id_token: id_token(world).await,
            claims: decoded(&token, 1),
            kid: decoded(&token, 0)["kid"].as_str().unwrap().to_owned(),
            token,
            jwks,
            pool_key: RsaKeyPair::from_pkcs8(&pkcs8).unwrap(),
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": "RS256", "kid": self.kid, "typ": "JWT" })
    }

    /// The claims of the real token with some of them replaced; null removes one.
    fn claims_with(&self, changes: Value) -> Value {
        let mut claims = self.claims.clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// A token with the pool's own signature.
    fn signed(&self, changes: Value) -> String {
        signed(
            &self.pool_key,
            &RSA_PKCS1_SHA256,
            &self.header(),
            &self.claims_with(changes),
        )
    }

    async fn status_of(&self, token: &str) -> u16 {
        let (status, answer) = self.world.call("GET", ROUTE, Some(token), Value::Null).await;
        if status != 200 {
            assert_eq!(answer["success"], false, "{answer}");
            assert!(answer["request_id"].is_string(), "{answer}");
        }
        status
    }

    async fn refuses(&self, name: &str, token: &str) {
        assert_eq!(self.status_of(token).await, 401, "{name} was taken: {token}");
    }
}

/// The id token that the pool gives out with the access token; the API never shows it.
async fn id_token(world: &World) -> String {
    use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
    let cognito = world.platform.cloud.clients.cognito();
    let answer = cognito
        .initiate_auth()
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .client_id(DEFAULT_CLIENT_ID)
        .auth_parameters("USERNAME", "eve@example.com")
        .auth_parameters("PASSWORD", "Passw0rd-1")
        .send()
        .await
        .unwrap();
    answer.authentication_result().unwrap().id_token().unwrap().to_owned()
}

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decoded(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn signed(key: &RsaKeyPair, algorithm: &'static dyn RsaEncoding, header: &Value, claims: &Value) -> String {
    let input = format!("{}.{}", encoded(header), encoded(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(algorithm, &SystemRandom::new(), input.as_bytes(), &mut signature)
        .unwrap();
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_token_and_an_equal_one_are_taken() {
    let world = World::start().await;
    let forge = Forge::of(&world).await;
    assert_eq!(forge.status_of(&forge.token).await, 200);
    // What the other tests change is then the only reason for their refusals.
    assert_eq!(forge.status_of(&forge.signed(json!({}))).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_without_a_signature_are_refused() {
    let world = World::start().await;
    let forge = Forge::of(&world).await;
    let signature = forge.token.rsplit('.').next().unwrap();
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": name, "kid": forge.kid, "typ": "JWT" });
        let unsigned = format!("{}.{}", encoded(&header), encoded(&forge.claims));
        forge.refuses(name, &format!("{unsigned}.")).await;
        forge.refuses(name, &format!("{unsigned}.{signature}")).await;
        forge.refuses(name, &unsigned).await;
    }
    let (body, _) = forge.token.rsplit_once('.').unwrap();
    forge.refuses("no signature", &format!("{body}.")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_key_is_no_shared_secret() {
    let world = World::start().await;
    let forge = Forge::of(&world).await;
    let key = &forge.jwks["keys"][0];
    let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = forge.pool_key.public_key();
    assert_eq!(
        PublicKeyComponents::<Vec<u8>>::from(public).n,
        number("n"),
        "the published key is the pool's"
    );
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(public).unwrap().as_ref().to_vec();
    let lines: Vec<String> = BASE64_STANDARD
        .encode(&der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        lines.join("\n")
    );
    let secrets = [
        format!("{pem}\n").into_bytes(),
        pem.into_bytes(),
        der,
        public.as_ref().to_vec(),
        number("n"),
        key["n"].as_str().unwrap().as_bytes().to_vec(),
        key.to_string().into_bytes(),
        forge.jwks.to_string().into_bytes(),
    ];
    for (name, algorithm) in [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
    ] {
        for secret in &secrets {
            let header = json!({ "alg": name, "kid": forge.kid, "typ": "JWT" });
            let input = format!("{}.{}", encoded(&header), encoded(&forge.claims));
            let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
            forge
                .refuses(name, &format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)))
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_algorithms_are_refused_even_with_the_pools_own_key() {
    let world = World::start().await;
    let forge = Forge::of(&world).await;
    let header = |name: &str| json!({ "alg": name, "kid": forge.kid, "typ": "JWT" });
    let algorithms: [(&str, &'static dyn RsaEncoding); 2] = [("RS512", &RSA_PKCS1_SHA512), ("PS256", &RSA_PSS_SHA256)];
    for (name, algorithm) in algorithms {
        forge
            .refuses(name, &signed(&forge.pool_key, algorithm, &header(name), &forge.claims))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_others_are_refused_whatever_the_header_says_of_them() {
    let world = World::start().await;
    let forge = Forge::of(&world).await;
    let own = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = PublicKeyComponents::<Vec<u8>>::from(own.public_key());
    let jwk = json!({
        "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "mine",
        "n": BASE64_URL_SAFE_NO_PAD.encode(&public.n), "e": BASE64_URL_SAFE_NO_PAD.encode(&public.e),
    });
    let headers = [
        ("unknown kid", json!({ "alg": "RS256", "kid": "mine", "typ": "JWT" })),
        ("kid of the pool", forge.header()),
        ("no kid", json!({ "alg": "RS256", "typ": "JWT" })),
        ("empty kid", json!({ "alg": "RS256", "kid": "", "typ": "JWT" })),
        (
            "path as kid",
            json!({ "alg": "RS256", "kid": "../../../dev/null", "typ": "JWT" }),
        ),
        ("number as kid", json!({ "alg": "RS256", "kid": 17, "typ": "JWT" })),
        (
            "own key in the header",
            json!({ "alg": "RS256", "kid": "mine", "typ": "JWT", "jwk": jwk }),
        ),
        (
            "address of own keys",
            json!({
                "alg": "RS256", "kid": "mine", "typ": "JWT", "jku": format!("{}/_sim/keap/jwks.json", world.url),
            }),
        ),
    ];
    for (name, header) in headers {
        forge
            .refuses(name, &signed(&own, &RSA_PKCS1_SHA256, &header, &forge.claims))
            .await;
    }
    // The pool's own signature does not make up for a key id that is missing.
    let no_kid = json!({ "alg": "RS256", "typ": "JWT" });
    forge
        .refuses(
            "signed, no kid",
            &signed(&forge.pool_key, &RSA_PKCS1_SHA256, &no_kid, &forge.claims),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_for_another_purpose_place_or_time_are_refused() {
    let world = World::start().await;
    let forge = Forge::of(&world).await;
    let issued = forge.claims["iat"].as_i64().unwrap();
    let issuer = forge.claims["iss"].as_str().unwrap();
    for (name, changes) in [
        (
            "another pool",
            json!({ "iss": issuer.replace("us-west-2_local", "us-west-2_other") }),
        ),
        (
            "another host",
            json!({ "iss": "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_local" }),
        ),
        ("issuer with a slash", json!({ "iss": format!("{issuer}/") })),
        ("no issuer", json!({ "iss": null })),
        ("another client", json!({ "client_id": "someone-elses" })),
        ("no client", json!({ "client_id": null })),
        (
            "audience for client",
            json!({ "client_id": null, "aud": forge.claims["client_id"] }),
        ),
        ("id token by claim", json!({ "token_use": "id" })),
        ("refresh token by claim", json!({ "token_use": "refresh" })),
        ("no use", json!({ "token_use": null })),
        ("expired", json!({ "exp": issued - 3600 })),
        ("expired just now", json!({ "exp": issued - 60 })),
        ("no end", json!({ "exp": null })),
        ("end as text", json!({ "exp": "never" })),
        ("not yet valid", json!({ "nbf": issued + 3600 })),
        ("no subject", json!({ "sub": null })),
        ("subject that is no id", json!({ "sub": "../eve" })),
    ] {
        forge.refuses(name, &forge.signed(changes)).await;
    }
    forge.refuses("the pool's real id token", &forge.id_token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_token_is_refused() {
    let world = World::start().await;
    let forge = Forge::of(&world).await;
    let (other, _) = world.user("mallory").await;
    let parts: Vec<&str> = forge.token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);

    let claims = forge.claims_with(json!({ "sub": decoded(&other, 1)["sub"] }));
    forge
        .refuses("another subject", &format!("{header}.{}.{signature}", encoded(&claims)))
        .await;
    let claims = forge.claims_with(json!({ "exp": forge.claims["exp"].as_i64().unwrap() + 1 }));
    forge
        .refuses("a later end", &format!("{header}.{}.{signature}", encoded(&claims)))
        .await;
    let foreign = other.rsplit('.').next().unwrap();
    forge
        .refuses("another's signature", &format!("{header}.{payload}.{foreign}"))
        .await;

    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    forge
        .refuses(
            "one bit",
            &format!("{header}.{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)),
        )
        .await;
    for text in [
        "",
        ".",
        "..",
        "...",
        "x.y.z",
        header,
        payload,
        "null",
        "e30.e30.e30",
        &format!("{header}.{payload}"),
        &format!("{}.x", forge.token),
        &format!("{} {}", forge.token, forge.token),
        &"A".repeat(6000),
    ] {
        forge.refuses("malformed", text).await;
    }
}
