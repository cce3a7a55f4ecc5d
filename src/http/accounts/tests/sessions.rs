use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Browser, PASSWORD};
use crate::auth::refresh::refresh;
use crate::fixture::Vault;

async fn listed(browser: &mut Browser) -> Vec<Value> {
    let list = browser.get("/sessions").await;
    assert_eq!((list.status, &list.body["next_cursor"]), (StatusCode::OK, &Value::Null));
    list.body["items"].as_array().unwrap().clone()
}

async fn login_with(vault: &Vault, user_agent: &str) -> Browser {
    let mut browser = Browser::new(vault);
    let body = json!({ "email": "ana@example.org", "password": PASSWORD });
    let login = browser.send("POST", "/auth/login", &[("user-agent", user_agent)], Some(body)).await;
    browser.token = login.body["access_token"].as_str().map(str::to_owned);
    browser
}

#[sqlx::test(migrations = "./migrations")]
async fn a_person_sees_where_they_are_signed_in(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.freeze();
    let mut here = Browser::user(&vault, "ana@example.org").await;
    let mut bo = Browser::user(&vault, "bo@example.org").await;
    vault.advance(TimeDelta::seconds(1));
    let there = login_with(&vault, "Telephone/1.0").await;
    vault.advance(TimeDelta::seconds(1));
    let token = vault.app.refresh_tokens.read(there.cookie.as_ref().unwrap()).unwrap();
    let from = Some("192.0.2.7".parse().unwrap());
    refresh(&vault.app, token, Some("Telephone/1.1"), from).await.unwrap();

    let sessions = listed(&mut here).await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["id"], token.session_id.to_string());
    assert_eq!(
        (&sessions[0]["user_agent"], &sessions[0]["ip"], &sessions[0]["current"], &sessions[1]["current"]),
        (&json!("Telephone/1.1"), &json!("192.0.2.7"), &json!(false), &json!(true))
    );
    let times = |name: &str| sessions[0][name].as_str().unwrap().to_owned();
    assert!(times("created_at") < times("last_used_at"));
    assert_eq!(sessions[0].as_object().unwrap().len(), 6, "a whitelist");

    let first = here.get("/sessions?limit=1").await;
    assert_eq!(first.body["items"][0], sessions[0]);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = here.get(&format!("/sessions?limit=1&cursor={cursor}")).await;
    assert_eq!((&second.body["items"], &second.body["next_cursor"]), (&json!([sessions[1]]), &Value::Null));
    assert_eq!(listed(&mut bo).await.len(), 1);

    // What idleness has ended is not shown.
    vault.advance(TimeDelta::hours(11));
    here.refresh().await;
    vault.advance(TimeDelta::hours(2));
    here.refresh().await;
    assert_eq!(listed(&mut here).await.len(), 1);
}

/// A21: ended at once, and nobody else's.
#[sqlx::test(migrations = "./migrations")]
async fn one_session_is_ended(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut here = Browser::user(&vault, "ana@example.org").await;
    let mut there = login_with(&vault, "Telephone/1.0").await;
    let mut bo = Browser::user(&vault, "bo@example.org").await;
    let path = format!("/sessions/{}", listed(&mut here).await[0]["id"].as_str().unwrap());
    let foreign = bo.send("DELETE", &path, &[], None).await;
    let unknown = bo.send("DELETE", "/sessions/01900000-0000-7000-8000-000000000000", &[], None).await;
    assert_eq!((foreign.status, unknown.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(foreign.body["detail"], unknown.body["detail"]);
    assert_eq!(there.get("/me").await.status, StatusCode::OK);

    for _ in 0..2 {
        let ended = here.send("DELETE", &path, &[("idempotency-key", "lost")], None).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT, "{:?}", ended.body);
        assert!(ended.headers.contains_key("docuvault-position"));
    }
    assert_eq!(here.send("DELETE", &path, &[], None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(there.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(there.refresh().await.status, StatusCode::UNAUTHORIZED);
    let reason: String = sqlx::query_scalar(
        "SELECT payload::jsonb -> 'SessionRevoked' ->> 'reason' FROM events WHERE event_type = 'SessionRevoked'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(reason, "revoked");
}

#[sqlx::test(migrations = "./migrations")]
async fn all_others_are_ended(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut here = Browser::user(&vault, "ana@example.org").await;
    let mut others = [login_with(&vault, "one").await, login_with(&vault, "two").await];
    let mut bo = Browser::user(&vault, "bo@example.org").await;
    let ended = here.send("DELETE", "/sessions", &[], None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{:?}", ended.body);
    for other in &mut others {
        assert_eq!(other.get("/me").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(listed(&mut here).await.len(), 1);
    assert_eq!(bo.get("/me").await.status, StatusCode::OK);
    let again = here.send("DELETE", "/sessions", &[], None).await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    assert!(!again.headers.contains_key("docuvault-position"), "nothing happened");
}

/// The limits of an administrator, who is signed in for half a day at most.
#[sqlx::test(migrations = "./migrations")]
async fn an_administrator_signs_in_again_after_twelve_hours(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut admin = Browser::set_up(&vault).await;
    admin.login("ana@example.org", PASSWORD).await;
    for _ in 0..24 {
        vault.advance(TimeDelta::minutes(29));
        assert_eq!(admin.refresh().await.status, StatusCode::OK);
    }
    vault.advance(TimeDelta::minutes(25));
    assert_eq!(admin.refresh().await.status, StatusCode::UNAUTHORIZED);
}
