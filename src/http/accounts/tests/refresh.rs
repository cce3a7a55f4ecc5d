use chrono::TimeDelta;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use super::Browser;
use crate::fixture::Vault;

async fn live_sessions(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(pool).await.unwrap()
}

/// A11
#[sqlx::test(migrations = "./migrations")]
async fn two_tabs_at_once_are_given_the_same_successor(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut tab = Browser::user(&vault, "ana@example.org").await;
    let mut other = tab.clone();
    let (one, two) = tokio::join!(tab.refresh(), other.refresh());
    assert_eq!((one.status, two.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(tab.cookie, other.cookie);
    assert_eq!(tab.refresh().await.status, StatusCode::OK, "the one live generation");
}

/// A11: the answer was lost, within the grace.
#[sqlx::test(migrations = "./migrations")]
async fn a_lost_answer_is_given_again(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let mut lost = ana.clone();
    lost.refresh().await;
    vault.advance(TimeDelta::seconds(9));
    assert_eq!(ana.refresh().await.status, StatusCode::OK);
    assert_eq!(ana.cookie, lost.cookie);
}

/// A10
#[sqlx::test(migrations = "./migrations")]
async fn an_old_token_after_the_grace_ends_the_family(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let mut elsewhere = ana.clone();
    elsewhere.login("ana@example.org", super::PASSWORD).await;
    let mut thief = ana.clone();
    ana.refresh().await;
    vault.advance(TimeDelta::seconds(11));
    assert_eq!(thief.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.get("/me").await.status, StatusCode::UNAUTHORIZED, "at once");
    assert_eq!(ana.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(elsewhere.refresh().await.status, StatusCode::OK, "another login is another family");
    let told: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE event_type IN ('RefreshTokenReused', 'SessionRevoked')",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(told, 2);
}

/// A12
#[sqlx::test(migrations = "./migrations")]
async fn an_old_token_after_its_successor_was_used_ends_the_family(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let mut thief = ana.clone();
    ana.refresh().await;
    ana.refresh().await;
    assert_eq!(thief.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(live_sessions(&pool).await, 0);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_token_that_nobody_made_ends_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let mut forger = ana.clone();
    let mut cookie = forger.cookie.take().unwrap().into_bytes();
    let last = cookie.len() - 2;
    cookie[last] = if cookie[last] == b'A' { b'B' } else { b'A' };
    forger.cookie = Some(String::from_utf8(cookie).unwrap());
    assert_eq!(forger.refresh().await.status, StatusCode::UNAUTHORIZED);
    forger.cookie = None;
    assert_eq!(forger.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.refresh().await.status, StatusCode::OK);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_session_ends_when_idle_and_in_the_end(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut admin = Browser::set_up(&vault).await;
    admin.login("ana@example.org", super::PASSWORD).await;
    vault.advance(TimeDelta::minutes(29));
    assert_eq!(admin.refresh().await.status, StatusCode::OK);
    vault.advance(TimeDelta::minutes(30));
    assert_eq!(admin.refresh().await.status, StatusCode::UNAUTHORIZED, "an administrator is idle sooner");

    let mut user = Browser::user(&vault, "bo@example.org").await;
    for _ in 0..15 {
        vault.advance(TimeDelta::hours(11));
        assert_eq!(user.refresh().await.status, StatusCode::OK);
    }
    vault.advance(TimeDelta::hours(4));
    assert_eq!(user.refresh().await.status, StatusCode::UNAUTHORIZED, "after seven days");
}

/// W02
#[sqlx::test(migrations = "./migrations")]
async fn another_origin_gets_nothing_from_the_cookie(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let refused: [&[(&str, &str)]; 7] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("x-docuvault-client", "cli")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null"), ("x-docuvault-client", "cli")],
        &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8081")],
    ];
    for headers in refused {
        for route in ["/auth/refresh", "/auth/logout"] {
            let answer = ana.send("POST", route, headers, None).await;
            assert_eq!(
                (answer.status, &answer.body["type"]),
                (StatusCode::FORBIDDEN, &json!("/problems/forbidden"))
            );
        }
    }
    let allowed: [&[(&str, &str)]; 3] = [
        &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8080")],
        &[("origin", "http://127.0.0.1:8080")],
        &[("x-docuvault-client", "cli")],
    ];
    for headers in allowed {
        assert_eq!(ana.send("POST", "/auth/refresh", headers, None).await.status, StatusCode::OK);
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn signing_out_twice_or_without_credentials_is_harmless(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let mut again = ana.clone();
    let (mut nobody, mut forger) = (Browser::new(&vault), Browser::new(&vault));
    forger.cookie = Some("made-up".into());
    forger.token = Some("made.up.too".into());
    for browser in [&mut nobody, &mut forger] {
        let answer = browser.post("/auth/logout", json!({})).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer.body);
        assert!(answer.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(browser.cookie, None);
    }
    assert_eq!(ana.get("/me").await.status, StatusCode::OK, "somebody else's session goes on");
    for browser in [&mut ana, &mut again] {
        assert_eq!(browser.post("/auth/logout", json!({})).await.status, StatusCode::NO_CONTENT);
        assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
    }
    let ended: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'SessionRevoked'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(ended, 1);
}

#[sqlx::test(migrations = "./migrations")]
async fn only_its_own_routes_read_the_cookie(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    ana.token = None;
    assert_eq!(ana.get("/me").await.status, StatusCode::UNAUTHORIZED);
}
