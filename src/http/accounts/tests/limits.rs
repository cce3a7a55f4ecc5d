use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use chrono::TimeDelta;
use event_store::InstallationKey;
use futures::future::join_all;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{Browser, PASSWORD};
use crate::auth::password::{Parameters, Password, Passwords};
use crate::fixture::{Answer, Vault, contract, eventually};
use crate::http::router;

const WRONG: &str = "not the password at all";

/// A login from `peer`, by which it says that it speaks for `forwarded`.
async fn login(router: &Router, peer: &str, forwarded: &str, email: &str, password: &str) -> Answer {
    send(router, peer, forwarded, json!({ "email": email, "password": password })).await
}

async fn send(router: &Router, peer: &str, forwarded: &str, body: Value) -> Answer {
    let mut request = Request::post("/api/v1/auth/login")
        .header(HOST, "127.0.0.1:8080")
        .header(CONTENT_TYPE, "application/json")
        .header("x-request-id", "the-same")
        .header("x-forwarded-for", forwarded)
        .header("forwarded", format!("for={forwarded}"))
        .header("x-real-ip", forwarded)
        .body(Body::from(body.to_string()))
        .unwrap();
    let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
    request.extensions_mut().insert(ConnectInfo(peer));
    contract::send(router, request).await
}

/// A03, A01: known and unknown addresses are limited alike; waiting helps, and nothing else.
#[sqlx::test(migrations = "./migrations")]
async fn five_wrong_passwords_close_an_account_for_a_while(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let attempt = async |email: &str, password: &str| {
        login(&vault.router, "192.0.2.1", "198.51.100.1", email, password).await
    };
    for _ in 0..5 {
        for email in ["ana@example.org", "nobody@example.org"] {
            assert_eq!(attempt(email, WRONG).await.status, StatusCode::UNAUTHORIZED);
        }
    }
    let right = attempt("ana@example.org", PASSWORD).await;
    let unknown = attempt("nobody@example.org", PASSWORD).await;
    assert_eq!(
        (right.status, &right.body["type"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("/problems/rate-limited"))
    );
    let seconds: u64 = right.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((800..=901).contains(&seconds), "{seconds}");
    assert_eq!((unknown.status, &unknown.body), (right.status, &right.body));
    vault.advance(TimeDelta::seconds(901));
    assert_eq!(attempt("ana@example.org", PASSWORD).await.status, StatusCode::OK);
}

/// A03, A01: after a hundred in a row it is said what helps, of whichever address.
#[sqlx::test(migrations = "./migrations")]
async fn a_hundred_wrong_passwords_in_a_row_need_a_reset(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let mut bodies = Vec::new();
    for email in ["ana@example.org", "nobody@example.org"] {
        for number in 0..100 {
            if number % 5 == 0 {
                vault.advance(TimeDelta::minutes(16));
            }
            let wrong = login(&vault.router, "192.0.2.1", "", email, WRONG).await;
            assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        }
        vault.advance(TimeDelta::days(1));
        let locked = login(&vault.router, "192.0.2.1", "", email, PASSWORD).await;
        assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(locked.headers.contains_key("retry-after"));
        assert!(locked.body["detail"].as_str().unwrap().contains("Reset the password"), "{}", locked.body);
        bodies.push(locked.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    sqlx::query("SELECT forget_attempts(user_id) FROM credentials").execute(&pool).await.unwrap();
    let opened = login(&vault.router, "192.0.2.1", "", "ana@example.org", PASSWORD).await;
    assert_eq!(opened.status, StatusCode::OK);
}

/// A05: nothing in the request makes another account or another client of it.
#[sqlx::test(migrations = "./migrations")]
async fn no_field_and_no_header_gives_more_attempts(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let spellings =
        ["ana@example.org", "ANA@example.org", " ana@Example.Org ", "Ana@example.org", "ana@example.org "];
    for (number, email) in spellings.into_iter().enumerate() {
        let wrong = login(&vault.router, &format!("192.0.2.{number}"), "198.51.100.1", email, WRONG).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "{email}");
    }
    let spelt = login(&vault.router, "192.0.2.9", "198.51.100.1", "aNa@example.org", PASSWORD).await;
    assert_eq!(spelt.status, StatusCode::TOO_MANY_REQUESTS);
    for field in ["identifier", "username", "provider", "attempt"] {
        let body = json!({ "email": "ana@example.org", "password": PASSWORD, field: "1" });
        assert_eq!(send(&vault.router, "192.0.2.9", "", body).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    for number in 0..20 {
        let forged = format!("198.51.100.{number}");
        let email = format!("{number}@example.org");
        let wrong = login(&vault.router, "2001:db8::1", &forged, &email, WRONG).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "{number}");
    }
    for (peer, forged) in [("2001:db8::1", "203.0.113.1"), ("2001:db8::ffff:1", "127.0.0.1")] {
        let one_more = login(&vault.router, peer, forged, "one@example.org", WRONG).await;
        assert_eq!(one_more.status, StatusCode::TOO_MANY_REQUESTS, "{peer}");
    }
    let elsewhere = login(&vault.router, "2001:db8:0:1::1", "", "one@example.org", WRONG).await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
}

/// A trusted proxy's clients are told apart; what they say of themselves is not believed.
#[sqlx::test(migrations = "./migrations")]
async fn behind_a_trusted_proxy_clients_have_their_own_limit(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let trusted = vec!["10.0.0.0/8".parse().unwrap()];
    let app = vault.process(|config| config.http.trusted_proxies = trusted, &stop).await;
    let router = router(&app);
    for number in 0..20 {
        let forwarded = format!("198.51.100.{number}, 203.0.113.1");
        let email = format!("{number}@example.org");
        assert_eq!(
            login(&router, "10.0.0.1", &forwarded, &email, WRONG).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let limited = login(&router, "10.0.0.2", "203.0.113.1", "one@example.org", WRONG).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    let other = login(&router, "10.0.0.1", "203.0.113.2", "one@example.org", WRONG).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
}

/// A05: whatever two instances are asked at once, five are looked at.
#[sqlx::test(migrations = "./migrations")]
async fn fifty_wrong_logins_at_once_on_two_instances_are_five(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let stop = CancellationToken::new();
    let other = router(&vault.process(|_| {}, &stop).await);
    let tries = (0..50).map(|number| {
        let router = if number % 2 == 0 { &vault.router } else { &other };
        async move { login(router, &format!("192.0.2.{number}"), "", "ana@example.org", WRONG).await.status }
    });
    let statuses = join_all(tries).await;
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(StatusCode::UNAUTHORIZED), count(StatusCode::TOO_MANY_REQUESTS)), (5, 45));
}

/// However many sign in at once, from one place and even to one account: who is right gets in.
#[sqlx::test(migrations = "./migrations")]
async fn right_logins_are_not_limited(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let tries = (0..50).map(|_| login(&vault.router, "192.0.2.1", "", "ana@example.org", PASSWORD));
    for answer in join_all(tries).await {
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    }
}

/// The parameters have risen since the password was set.
#[sqlx::test(migrations = "./migrations")]
async fn a_login_replaces_a_hash_that_is_too_cheap(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let keyring = vault.app.store.keyring();
    let pepper = keyring.installation_key(InstallationKey::Pepper, vault.app.clock().new_id()).await.unwrap();
    let cheap = Passwords::new(Parameters { memory_kib: 32, passes: 1, lanes: 1 }, pepper);
    let password = Password::parse(Zeroizing::new(PASSWORD.into())).unwrap();
    let old = cheap.hash(password).await.unwrap().to_string();
    sqlx::query("UPDATE credentials SET password_hash = $1").bind(&old).execute(&pool).await.unwrap();
    let stored = async || {
        let hash: String =
            sqlx::query_scalar("SELECT password_hash FROM credentials").fetch_one(&pool).await.unwrap();
        hash
    };
    assert_eq!(ana.login("ana@example.org", WRONG).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stored().await, old);
    assert_eq!(ana.login("ana@example.org", PASSWORD).await.status, StatusCode::OK);
    eventually("it is hashed anew", async || stored().await.contains("$m=64,t=1,p=1$")).await;
    let new = stored().await;
    assert_eq!(ana.get("/me").await.status, StatusCode::OK, "no session ends");
    assert_eq!(ana.login("ana@example.org", PASSWORD).await.status, StatusCode::OK);
    vault.app.afterwards.close();
    vault.app.afterwards.wait().await;
    assert_eq!(stored().await, new, "once is enough");
}
