use aggregates::Role;
use chrono::TimeDelta;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{Browser, PASSWORD};
use crate::fixture::{Vault, create_user, eventually};

async fn count(pool: &PgPool, event_type: &str) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1");
    count.bind(event_type).fetch_one(pool).await.unwrap()
}

/// An answer that holds secrets is not kept.
#[sqlx::test(migrations = "./migrations")]
async fn a_login_is_not_repeated(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let mut login = async |key: &str| {
        let body = json!({ "email": "ana@example.org", "password": PASSWORD });
        ana.send("POST", "/auth/login", &[("idempotency-key", key)], Some(body)).await.status
    };
    assert_eq!(login("once").await, StatusCode::OK);
    assert_eq!(login("once").await, StatusCode::CONFLICT);
    assert_eq!(login("another").await, StatusCode::OK);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_login_answers_tokens_and_the_account(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::set_up(&vault).await;
    let login = ana.login("ANA@example.org", PASSWORD).await;
    assert_eq!(login.status, StatusCode::OK);
    assert_eq!((&login.body["token_type"], &login.body["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(login.body["user"]["email"], "ana@example.org");
    let cookie = login.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; Max-Age=1800; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(ana.get("/me").await.status, StatusCode::OK);
    assert_eq!(count(&pool, "SessionStarted").await, 1);
}

/// A01, and the failure of a known account is on record.
#[sqlx::test(migrations = "./migrations")]
async fn an_unknown_address_is_answered_like_a_wrong_password(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::set_up(&vault).await;
    let wrong = ana.login("ana@example.org", "not the password").await;
    let unknown = ana.login("nobody@example.org", "not the password").await;
    let absurd = ana.login("not even an address", "").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    for other in [&unknown, &absurd] {
        assert_eq!((other.status, &other.body), (wrong.status, &wrong.body));
        assert_eq!(other.headers, wrong.headers);
    }
    eventually("the failure is recorded", async || count(&pool, "LoginFailed").await == 1).await;
}

#[sqlx::test(migrations = "./migrations")]
async fn an_access_token_ends_with_its_time_and_with_its_session(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    vault.advance(TimeDelta::seconds(304));
    assert_eq!(ana.get("/me").await.status, StatusCode::OK, "five minutes and the leeway");
    vault.advance(TimeDelta::seconds(2));
    assert_eq!(ana.get("/me").await.status, StatusCode::UNAUTHORIZED);

    ana.refresh().await;
    let mut thief = ana.clone();
    assert_eq!(ana.post("/auth/logout", json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ana.cookie, None);
    assert_eq!(thief.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(thief.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(count(&pool, "SessionRevoked").await, 1);
}

/// A21: what ends a session at one instance ends it at the others, which remember for a moment that it went on.
#[sqlx::test(migrations = "./migrations")]
async fn a_session_ends_at_every_instance(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let elsewhere = crate::http::router(&vault.process(|_| {}, &stop).await);
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let there = ana.at(elsewhere);
    let status = async || there.clone().get("/me").await.status;
    assert_eq!(status().await, StatusCode::OK);
    assert_eq!(ana.post("/auth/logout", json!({})).await.status, StatusCode::NO_CONTENT);
    eventually("the other one notices", async || status().await == StatusCode::UNAUTHORIZED).await;
}

/// A20
#[sqlx::test(migrations = "./migrations")]
async fn a_login_never_takes_over_a_session(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let planted = ana.cookie.clone();
    ana.login("ana@example.org", PASSWORD).await;
    assert_ne!(ana.cookie, planted);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_temporary_password_opens_only_its_own_change(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let temporary = create_user(&vault.app, "bo@example.org", Role::Auditor).await.unwrap();
    let mut bo = Browser::new(&vault);
    let login = bo.login("bo@example.org", temporary.expose()).await;
    assert_eq!((login.status, &login.body["password_change_required"]), (StatusCode::OK, &json!(true)));
    assert_eq!((bo.cookie.as_ref(), bo.token.as_ref()), (None, None));
    let change_token = login.body["change_token"].as_str().unwrap().to_owned();
    bo.token = Some(change_token.clone());
    assert_eq!(bo.get("/me").await.status, StatusCode::UNAUTHORIZED);
    bo.token = None;

    let change = |new: &str| json!({ "change_token": change_token, "new_password": new });
    let again = bo.post("/auth/password/change", change(temporary.expose())).await;
    assert_eq!(again.body["errors"][0]["field"], "new_password");
    assert_eq!(bo.post("/auth/password/change", change(PASSWORD)).await.status, StatusCode::NO_CONTENT);
    let twice = bo.post("/auth/password/change", change("another long password")).await;
    assert_eq!(twice.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.login("bo@example.org", PASSWORD).await.status, StatusCode::OK);
    assert_eq!(bo.get("/me").await.body["role"], "auditor");
}

#[sqlx::test(migrations = "./migrations")]
async fn a_temporary_password_and_its_change_token_expire(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let temporary = create_user(&vault.app, "bo@example.org", Role::User).await.unwrap();
    let mut bo = Browser::new(&vault);
    let login = bo.login("bo@example.org", temporary.expose()).await;
    vault.advance(TimeDelta::minutes(11));
    let change = json!({ "change_token": login.body["change_token"], "new_password": PASSWORD });
    assert_eq!(bo.post("/auth/password/change", change).await.status, StatusCode::UNAUTHORIZED);
    vault.advance(TimeDelta::hours(24));
    assert_eq!(bo.login("bo@example.org", temporary.expose()).await.status, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrations = "./migrations")]
async fn an_address_has_one_account(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    create_user(&vault.app, "bo@example.org", Role::User).await.unwrap();
    let again = create_user(&vault.app, "BO@Example.org", Role::User).await;
    assert_eq!(again.err().unwrap().to_string(), "this e-mail address already has an account");
    assert!(create_user(&vault.app, "nonsense", Role::User).await.is_err());
    let keys = sqlx::query_scalar!("SELECT count(*) FROM user_keys").fetch_one(&pool).await.unwrap();
    assert_eq!(keys, Some(1));
}
