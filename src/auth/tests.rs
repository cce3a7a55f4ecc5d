use aggregates::{SessionId, UserId};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::TimeDelta;
use ed25519_dalek::{Signer, SigningKey};
use event_store::Clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::email::{Email, EmailIndex};
use super::password::{HashError, Parameters, Password, PasswordError, Passwords};
use super::refresh_token::{RefreshToken, RefreshTokens};
use super::token::Tokens;
use super::{Key, keyed_hash};

const CHEAP: Parameters = Parameters { memory_kib: 64, passes: 1, lanes: 1 };
const SUBJECT: UserId = UserId(Uuid::from_u128(1));
const SESSION: SessionId = SessionId(Uuid::from_u128(2));

fn key(byte: u8) -> Key {
    Zeroizing::new([byte; 32])
}

fn tokens() -> Tokens {
    Tokens::new(&key(7), &"https://vault.example.com".parse().unwrap())
}

fn header() -> Value {
    let public = SigningKey::from_bytes(&key(7)).verifying_key();
    let kid = hex::encode(&Sha256::digest(public.as_bytes())[..8]);
    json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": kid })
}

fn claims() -> Value {
    let now = Clock::system().now().timestamp();
    json!({
        "iss": "https://vault.example.com", "aud": "docuvault", "sub": SUBJECT, "sid": SESSION, "sv": 1,
        "exp": now + 300, "nbf": now, "iat": now, "jti": Uuid::from_u128(3),
    })
}

/// Signs whatever it is given with the right key.
fn signed(header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = SigningKey::from_bytes(&key(7)).sign(text.as_bytes());
    format!("{text}.{}", BASE64.encode(signature.to_bytes()))
}

fn is_taken(token: &str) -> bool {
    tokens().verify_access(token, Clock::system().now()).is_some()
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

#[test]
fn our_own_tokens_are_taken_for_what_they_are() {
    let (tokens, clock) = (tokens(), Clock::system());
    let token = tokens.access(SUBJECT, SESSION, 3, &clock).unwrap();
    let claims = tokens.verify_access(&token, clock.now()).unwrap();
    assert_eq!((claims.sub, claims.sid, claims.sv), (SUBJECT, SESSION, 3));
    assert!(tokens.verify_access(&token, clock.now() + TimeDelta::seconds(304)).is_some());
    assert!(tokens.verify_access(&token, clock.now() + TimeDelta::seconds(306)).is_none());
    assert!(tokens.verify_password_change(&token, clock.now()).is_none());
    let change = tokens.password_change(SUBJECT, 3, &clock).unwrap();
    assert!(tokens.verify_access(&change, clock.now()).is_none());
    let mfa = tokens.mfa(SUBJECT, 3, &clock).unwrap();
    assert!(tokens.verify_mfa(&mfa, clock.now() + TimeDelta::seconds(304)).is_some());
    assert!(tokens.verify_mfa(&mfa, clock.now() + TimeDelta::seconds(306)).is_none());
    assert!(tokens.verify_access(&mfa, clock.now()).is_none());
    assert!(tokens.verify_password_change(&mfa, clock.now()).is_none());
    assert!([token, change].iter().all(|other| tokens.verify_mfa(other, clock.now()).is_none()));
    assert!(is_taken(&signed(&header(), &self::claims())), "what the refusals below start from");
}

/// A07
#[test]
fn no_header_but_our_own_is_taken() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let headers = [
        with(header(), "alg", json!("none")),
        with(header(), "alg", json!("HS256")),
        with(header(), "alg", json!("RS256")),
        with(header(), "typ", json!("JWT")),
        with(header(), "typ", json!("password-change+jwt")),
        with(header(), "kid", json!("another")),
        with(header(), "jku", json!("https://evil.example/keys")),
        with(header(), "x5u", json!("https://evil.example/cert")),
        with(header(), "jwk", jwk),
        with(header(), "crit", json!(["exp"])),
        json!({ "alg": "EdDSA" }),
    ];
    for header in headers {
        assert!(!is_taken(&signed(&header, &claims())), "{header}");
    }
    let unsigned = signed(&header(), &claims());
    assert!(!is_taken(&format!("{}.", unsigned.rsplit_once('.').unwrap().0)));
    let public = SigningKey::from_bytes(&key(7)).verifying_key();
    let hs256 = jsonwebtoken::Header { typ: Some("at+jwt".into()), ..jsonwebtoken::Header::default() };
    let secret = jsonwebtoken::EncodingKey::from_secret(public.as_bytes());
    assert!(
        !is_taken(&jsonwebtoken::encode(&hs256, &claims(), &secret).unwrap()),
        "the public key as a secret"
    );
    let stranger = Tokens::new(&key(8), &"https://vault.example.com".parse().unwrap());
    assert!(!is_taken(&stranger.access(SUBJECT, SESSION, 1, &Clock::system()).unwrap()));
}

/// A08
#[test]
fn every_claim_is_required_and_checked() {
    let now = Clock::system().now().timestamp();
    for name in ["iss", "aud", "sub", "sid", "sv", "exp", "nbf", "iat", "jti"] {
        let mut incomplete = claims();
        incomplete.as_object_mut().unwrap().remove(name);
        assert!(!is_taken(&signed(&header(), &incomplete)), "without {name}");
    }
    let wrong = [
        ("iss", json!("https://evil.example")),
        ("aud", json!("docuvault/password-change")),
        ("aud", json!(["docuvault", "other"])),
        ("exp", json!(now - 6)),
        ("exp", json!((now + 300).to_string())),
        ("nbf", json!(now + 60)),
        ("nbf", json!(now.to_string())),
        ("iat", json!(now + 60)),
        ("sub", json!("not an id")),
        ("sv", json!("1")),
    ];
    for (name, value) in wrong {
        assert!(!is_taken(&signed(&header(), &with(claims(), name, value.clone()))), "{name} = {value}");
    }
}

#[test]
fn a_refresh_token_is_known_again_and_nothing_else_is() {
    let tokens = RefreshTokens::new(key(1));
    let token = RefreshToken { session_id: SESSION, generation: 41 };
    let text = tokens.write(token);
    assert_eq!(tokens.read(&text), Some(token));
    assert_eq!(tokens.write(token), text, "the successor can be given twice");
    assert_eq!(RefreshTokens::new(key(2)).read(&text), None);
    let mut bytes = BASE64.decode(&text).unwrap();
    bytes[23] += 1;
    assert_eq!(tokens.read(&BASE64.encode(bytes)), None, "the next generation cannot be guessed");
    assert_eq!(tokens.read(&text[1..]), None);
}

#[tokio::test]
async fn a_password_fits_itself_alone() {
    let passwords = Passwords::new(CHEAP, key(1));
    let text = || Zeroizing::new("correct horse battery".to_owned());
    let stored = passwords.hash(Password::parse(text()).unwrap()).await.unwrap();
    let read = stored.to_string().parse().unwrap();
    assert!(passwords.verify(text(), Some(&read)).await.unwrap());
    assert!(!passwords.verify(Zeroizing::new("correct horse batterY".into()), Some(&read)).await.unwrap());
    assert!(!passwords.verify(text(), None).await.unwrap());
    let elsewhere = Passwords::new(CHEAP, key(2));
    assert!(!elsewhere.verify(text(), Some(&read)).await.unwrap(), "another pepper");
}

#[test]
fn passwords_are_taken_as_typed() {
    let parse = |text: &str| Password::parse(Zeroizing::new(text.to_owned()));
    assert_eq!(parse("eleven byte").err(), Some(PasswordError::TooShort));
    assert_eq!(parse(&"x".repeat(1025)).err(), Some(PasswordError::TooLong));
    assert_eq!(parse(" spaces kept ").unwrap().expose(), " spaces kept ");
    assert_eq!(parse("two re\u{301}sume\u{301}s").unwrap().expose(), "two re\u{301}sume\u{301}s");
}

#[test]
fn the_product_pays_what_it_promises() {
    assert_eq!(Parameters::PRODUCT, Parameters { memory_kib: 65_536, passes: 3, lanes: 1 });
}

#[test]
fn addresses_are_plausible() {
    for fine in ["ada@example.com", " ada+docs@sub.example.co ", "ada@localhost", "jürgen@bücher.example"] {
        assert!(Email::parse(fine).is_ok(), "{fine}");
    }
    let long = format!("{}@example.com", "a".repeat(65));
    for wrong in [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a b@c.d",
        "a@b..c",
        "a@-b.c",
        "a\n@b.c",
        "a@b@c",
        "<a@b.c>",
        &long,
    ] {
        assert!(Email::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn spellings_of_an_address_are_the_same() {
    let index = EmailIndex::new(key(1));
    assert_eq!(index.hash("Ada@Example.COM"), index.hash(" ada@example.com"));
    assert_eq!(index.hash("re\u{301}@b.c"), index.hash("R\u{c9}@b.c"));
    assert_ne!(index.hash("ada@example.com"), EmailIndex::new(key(2)).hash("ada@example.com"));
}

/// RFC 4231, test case 2: a short key stands for itself and zeros.
#[test]
fn the_keyed_hash_is_hmac_sha_256() {
    let mut jefe = key(0);
    jefe[..4].copy_from_slice(b"Jefe");
    let hash = keyed_hash(&jefe, &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(hex::encode(hash), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/// A06: who comes when 256 wait already is turned away, and nobody else suffers.
#[tokio::test]
async fn a_bounded_number_of_hashes_wait() {
    let passwords = Passwords::new(Parameters { memory_kib: 8 * 1024, passes: 1, lanes: 1 }, key(1));
    let text = || Zeroizing::new("correct horse battery".to_owned());
    let all = futures::future::join_all((0..300).map(|_| passwords.verify(text(), None))).await;
    let busy = all.iter().filter(|outcome| matches!(outcome, Err(HashError::Busy))).count();
    assert!((1..=44).contains(&busy), "{busy}");
    assert!(all.iter().all(|outcome| matches!(outcome, Ok(false) | Err(HashError::Busy))));
}
