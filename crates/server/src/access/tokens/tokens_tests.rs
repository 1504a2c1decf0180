//! Tests of tokens. Those signed with private keys were made once, by another implementation, with keys that were
//! thrown away then; they say `{"sub":"42","info":{"name":"Ann"}}`.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::access::role::Role;

const NOW_S: i64 = 1_800_000_000;
const RSA_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4XEcvcjWQyMjBOZ5GdbN
xav/SsTwRpHeAR2ka5i1dXWj4PZSYTMaA0PMtDToT12u2WINt991c5aTVAI2bBlj
qck3Yfxr4dukIotEtjJB2wHfvrCccmusUMHUxG2k1mWyFXhE2nycchs7fnsZca9Y
N0vbTlCu67WpxWj5Has0PxCxd5NsFm5WqD97TP/DGppxlRy2vpoi+jNfzzZ0zBv3
tSYhFGz5OKoKA8PoI8MYLJk07pRPpu6XXuz5TPCQ8euvLDEs2ocqm38FScjxNNOd
3Bcke3+W5ghhhOhi+kJyaj6PRFkCwpYd8DA8PXOQ9auPddDxQnyvR4WVGeT4eUZk
EwIDAQAB
-----END PUBLIC KEY-----
";
const P256_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMzpoVQ5kedkLFeOqb70Oq5ZTHkaV
A0MzJSZnfL4RGrQ2DOxKmWAt+SxqfEumGC+ZRy2v3r+IYWIaAMbCDHuQbw==
-----END PUBLIC KEY-----
";
const P384_KEY: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAETrwKMck5/1sATJWnGB9Exg45Ki/3sy41
KO/k0/4EG/dS7WtkCBx5em24bWgLhiBFSFdJz/CwntFe7p/K8vjNp8akN5+s3DXQ
AvA/LrMJHg0+BLyYJdlXGBSK9/R5EwcN
-----END PUBLIC KEY-----
";
const ED25519_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAl503ArHL5DMil/mw4YQaWGaM/O+5YsV4vye//EzWj7M=
-----END PUBLIC KEY-----
";
const RS256_TOKEN: &str = "\
eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImluZm8iOnsibmFtZSI6IkFubiJ9fQ.BVbuB0a0QOoltctDh9V16ho9Er\
wYeH2CQyzrVlIsiBu5AaZSzivx1Jyp6XHFNQXMeiruhG6jAIXA95i1w7cJpDpa3NzvrklDpr5C2fj1eSonOQj4DLBJaoIc8XLhwd2JUSR0JHoB\
ndp7fsjJO7cQZ7pWiX9MpiHkjTRmuJtJK7nJj79VQINHaYZFANXwMvl1qb8nw0rRMx1d-oMpb7HfzMMpxp-PXcpL9Mq3daHEd1qCJ5WiE6-now\
xNJk8kTkxAcNI3b0tmTTXw-nz88I80Rw1cTGrsvGLmrHLGYjsyTAuNkpGnX9DiKK6m6WJEQaU6vU0Y4xl-bnvmF3mbt38muA";
const RS512_TOKEN: &str = "\
eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImluZm8iOnsibmFtZSI6IkFubiJ9fQ.4IAddBR4la3d9el9T1i9GcSKCE\
psonXRxmwisGvCr0F0YZsmZuQWba7BbDG0mylgDCDCEAsUkf1Oky2oeOPZeUBe4MflCBve6xfaixM_PDJjDhdIFJ2vVDnJlS4BKQ3-zapii6Ec\
8qEY5h6AIReDPSt3epQlWIjFPIt7Q2-mTQSbYoPTQjQcGQ8vWh34yCfxHDDqgIPD4IzbJpuUgTGoyCldwIINDwkHNKz5NC9PeJoplByk5LB9eB\
FrSXeMyzV_n3Vneqg8UOjV15cKx9R4G67e5RRFZsv9DPsS0Ex4-T4C1HSFM0jMJ3isvW2MFCv99uBmHO13VR7GRza33hFi_A";
const ES256_TOKEN: &str = "\
eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImluZm8iOnsibmFtZSI6IkFubiJ9fQ.AD-KyO1zxCOZTDlV5YcN0OnfhE\
MLi5Fn7X_gNFzDOfnnIBa7AzhXXxxxFT7XLOktVrNYsbmCHiscUKnBkD8tQQ";
const ES384_TOKEN: &str = "\
eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImluZm8iOnsibmFtZSI6IkFubiJ9fQ.fFaheG9yFhdrBSHSc-zsxHLm-r\
FNDIQn1QW74CCrXrM8YIOF5QCGn3eqUj0UCSxPx3JS1XIs4sS4SbJi8-h_sdhIkquaZPsFACmC9u4Q4AIVzEJCg48K5wRCP20-RvdN";
const EDDSA_TOKEN: &str = "\
eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImluZm8iOnsibmFtZSI6IkFubiJ9fQ.pEcggc0MsMXO08PRc1gTh37cix\
86Nym_-R3ihGbrM1vRG3sVUATZuxt8WwV4xDr-sh1q6HFxZrG8rTvVVn5bBg";

fn keys(change: impl FnOnce(&mut TokenKeys)) -> Tokens {
    let mut keys = TokenKeys { hmac_secret: Some(Secret::new("secret")), ..TokenKeys::default() };
    change(&mut keys);
    Tokens::new(&keys).unwrap()
}

fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn hmac(claims: &Value) -> String {
    signed(Algorithm::HS256, "secret", claims)
}

/// `{"sub":"1"}`, signed by the right key, with a header that asks for more than is understood.
fn critical_token() -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","crit":["exp"]}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(r#"{"sub":"1","channel":""}"#));
    let key = EncodingKey::from_secret(b"secret");
    format!("{message}.{}", jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap())
}

#[test]
fn every_family_is_checked_by_its_key() {
    let (rsa, p256) = (Some(RSA_KEY.to_owned()), Some(P256_KEY.to_owned()));
    let eddsa = Some(ED25519_KEY.to_owned());
    let tokens = keys(|keys| {
        (keys.rsa_public_key, keys.ecdsa_public_key, keys.eddsa_public_key) = (rsa, p256, eddsa);
    });
    let p384 = keys(|keys| keys.ecdsa_public_key = Some(P384_KEY.to_owned()));
    for (tokens, token) in [
        (&tokens, RS256_TOKEN),
        (&tokens, RS512_TOKEN),
        (&tokens, ES256_TOKEN),
        (&p384, ES384_TOKEN),
        (&tokens, EDDSA_TOKEN),
    ] {
        let claims = tokens.connection(token, NOW_S).unwrap();
        assert_eq!((&*claims.sub, &claims.info[..]), ("42", &br#"{"name":"Ann"}"#[..]), "{token}");
    }
    for algorithm in HMAC {
        assert_eq!(tokens.connection(&signed(algorithm, "secret", &json!({"sub": "1"})), NOW_S).unwrap().sub, "1");
    }
    for (tokens, token) in [(&p384, ES256_TOKEN), (&tokens, ES384_TOKEN), (&p384, RS256_TOKEN), (&p384, EDDSA_TOKEN)] {
        assert!(matches!(tokens.connection(token, NOW_S), Err(TokenError::Invalid(_))), "{token}");
    }
}

#[test]
fn forged_tokens_are_refused() {
    let tokens = keys(|keys| keys.rsa_public_key = Some(RSA_KEY.to_owned()));
    let good = hmac(&json!({"sub": "1"}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiIxIn0.";
    // The public key of RSA used as the secret of HMAC.
    let confused = signed(Algorithm::HS256, RSA_KEY, &json!({"sub": "1"}));
    let mixed = format!("{}.{}", RS256_TOKEN.rsplit_once('.').unwrap().0, signature);
    let critical = critical_token();
    assert!(matches!(tokens.subscription(&critical, NOW_S), Err(TokenError::Invalid(why)) if why.contains("crit")));
    for token in [
        "",
        "a.b.c",
        "..",
        none,
        message,
        &confused,
        &mixed,
        &signed(Algorithm::HS256, "other", &json!({"sub": "1"})),
        &format!("{good}A"),
        &"x".repeat(MAX_TOKEN_BYTES + 1),
        &hmac(&json!({"sub": 1})),
        &hmac(&json!({"exp": "soon"})),
        &hmac(&json!({"role": "king"})),
        &hmac(&json!({"b64info": "%"})),
        &hmac(&json!([])),
        // The token of a subscription.
        &hmac(&json!({"sub": "1", "channel": "room:1"})),
        &hmac(&json!({"sub": "1", "channel": 7})),
        &critical,
    ] {
        assert!(matches!(tokens.connection(token, NOW_S), Err(TokenError::Invalid(_))), "{token}");
    }
    assert!(matches!(Tokens::default().connection(&good, NOW_S), Err(TokenError::Invalid(_))));
}

#[test]
fn tokens_have_their_time() {
    let tokens = keys(|_| {});
    for (claims, expected) in [
        (json!({"exp": NOW_S + 1}), Ok(Some(NOW_S + 1))),
        (json!({"exp": NOW_S}), Err(TokenError::Expired)),
        (json!({"exp": 1.5}), Err(TokenError::Expired)),
        (json!({"exp": NOW_S + 1, "expire_at": 0}), Ok(None)),
        (json!({"exp": NOW_S + 1, "expire_at": NOW_S + 9}), Ok(Some(NOW_S + 9))),
        (json!({"nbf": NOW_S + 1}), Err(TokenError::Invalid("it does not hold yet".to_owned()))),
        (json!({"nbf": NOW_S, "iat": NOW_S, "jti": "x"}), Ok(None)),
    ] {
        let expires_at = tokens.connection(&hmac(&claims), NOW_S).map(|claims| claims.expires_at());
        assert_eq!(expires_at, expected, "{claims}");
        let expires_at = tokens.subscription(&hmac(&claims), NOW_S).map(|claims| claims.expires_at());
        assert_eq!(expires_at, expected, "{claims}");
    }
}

#[test]
fn audience_and_issuer_must_be_named() {
    let tokens = keys(|keys| (keys.audience, keys.issuer) = (Some("here".to_owned()), Some("us".to_owned())));
    for (claims, accepted) in [
        (json!({"aud": "here", "iss": "us"}), true),
        (json!({"aud": ["there", "here"], "iss": "us"}), true),
        (json!({"aud": "there", "iss": "us"}), false),
        (json!({"aud": "here", "iss": "them"}), false),
        (json!({"iss": "us"}), false),
        (json!({"aud": "here"}), false),
    ] {
        assert_eq!(tokens.connection(&hmac(&claims), NOW_S).is_ok(), accepted, "{claims}");
    }
    let claims = json!({"aud": "anywhere", "iss": "anyone"});
    assert!(keys(|_| {}).connection(&hmac(&claims), NOW_S).is_ok(), "nothing is asked, so anything goes");
}

#[test]
fn claims_are_read() {
    let tokens = keys(|_| {});
    let claims = json!({
        "sub": "42", "role": "staff", "customer_id": "c_1", "b64info": "aGk=", "info": {"a": 1}, "meta": {"m": 1},
        "channels": ["a"], "subs": {"b": {"data": {"d": 1}, "override": {"presence": {"value": true}}}},
    });
    let claims = tokens.connection(&hmac(&claims), NOW_S).unwrap();
    assert_eq!((claims.role, claims.customer_id.as_deref()), (Some(Role::Staff), Some("c_1")));
    assert_eq!((&claims.public_info()[..], &claims.meta[..]), (&b"hi"[..], &br#"{"m":1}"#[..]));
    assert_eq!((&claims.channels[..], claims.subs["b"].overrides.presence), (&["a".to_owned()][..], Some(true)));
    assert_eq!(&claims.subs["b"].public_data()[..], br#"{"d":1}"#);
    let claims = json!({
        "sub": "42", "channel": "a", "client": "x", "info": [1],
        "override": {"join_leave": {"value": false}, "force_recovery": {"value": true}, "presence": null},
    });
    let claims = tokens.subscription(&hmac(&claims), NOW_S).unwrap();
    assert_eq!((&*claims.channel, claims.client.as_deref()), ("a", Some("x")));
    let options = claims.into_options();
    let overrides = Overrides { join_leave: Some(false), force_recovery: Some(true), ..Overrides::default() };
    assert_eq!((&options.public_info()[..], options.overrides), (&b"[1]"[..], overrides));
}

#[test]
fn broken_keys_are_named() {
    for (keys, field) in [
        (TokenKeys { rsa_public_key: Some("no".to_owned()), ..TokenKeys::default() }, "rsa_public_key"),
        (TokenKeys { rsa_public_key: Some(P256_KEY.to_owned()), ..TokenKeys::default() }, "rsa_public_key"),
        (TokenKeys { ecdsa_public_key: Some(RSA_KEY.to_owned()), ..TokenKeys::default() }, "ecdsa_public_key"),
        (TokenKeys { eddsa_public_key: Some(P256_KEY.to_owned()), ..TokenKeys::default() }, "eddsa_public_key"),
        (TokenKeys { hmac_secret: Some(Secret::new("")), ..TokenKeys::default() }, "hmac_secret"),
    ] {
        assert_eq!(Tokens::new(&keys).unwrap_err().field, field);
    }
    assert!(Tokens::new(&TokenKeys::default()).unwrap().is_empty());
}
