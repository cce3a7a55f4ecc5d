use aggregates::Role;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use super::{Browser, PASSWORD};
use crate::fixture::Vault;
use crate::fixture::create_user;

const NEW: &str = "an entirely new password";

/// A21
#[sqlx::test(migrations = "./migrations")]
async fn every_other_session_ends_and_this_one_goes_on(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut here = Browser::user(&vault, "ana@example.org").await;
    let mut there = Browser::new(&vault);
    there.login("ana@example.org", PASSWORD).await;
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    let changed = here.post("/auth/password/change", change).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{:?}", changed.body);
    assert!(changed.headers.contains_key("docuvault-position"));

    assert_eq!(there.get("/me").await.status, StatusCode::UNAUTHORIZED, "the access token, too");
    assert_eq!(there.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(here.get("/me").await.status, StatusCode::OK);
    assert_eq!(here.refresh().await.status, StatusCode::OK);
    assert_eq!(here.get("/me").await.status, StatusCode::OK);
    assert_eq!(there.login("ana@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(there.login("ana@example.org", NEW).await.status, StatusCode::OK);
}

/// F01: the answer was lost, with either permission.
#[sqlx::test(migrations = "./migrations")]
async fn a_repeat_with_its_key_changes_nothing_more(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    let repeat = async |browser: &mut Browser, body: &serde_json::Value| {
        for _ in 0..2 {
            let headers = [("idempotency-key", "lost")];
            let changed = browser.send("POST", "/auth/password/change", &headers, Some(body.clone())).await;
            assert_eq!(changed.status, StatusCode::NO_CONTENT, "{:?}", changed.body);
        }
    };
    repeat(&mut ana, &change).await;
    assert_eq!(ana.login("ana@example.org", NEW).await.status, StatusCode::OK);

    let temporary = create_user(&vault.app, "bo@example.org", Role::User).await.unwrap().expose().to_owned();
    let mut bo = Browser::new(&vault);
    let token = bo.login("bo@example.org", &temporary).await.body["change_token"].clone();
    repeat(&mut bo, &json!({ "change_token": token, "new_password": NEW })).await;
    let changes: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'PasswordChanged'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(changes, 3, "one of the fixture's, and one for each key");
}

#[sqlx::test(migrations = "./migrations")]
async fn it_needs_the_current_password_and_a_good_new_one(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    let cases = [
        (change("not the password", NEW), StatusCode::UNAUTHORIZED),
        (change(PASSWORD, "short"), StatusCode::UNPROCESSABLE_ENTITY),
        (change(PASSWORD, PASSWORD), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "new_password": NEW }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "change_token": "made up", "new_password": NEW }), StatusCode::UNAUTHORIZED),
    ];
    for (body, status) in cases {
        assert_eq!(ana.post("/auth/password/change", body.clone()).await.status, status, "{body}");
    }
    let mut nobody = Browser::new(&vault);
    assert_eq!(
        nobody.post("/auth/password/change", change(PASSWORD, NEW)).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ana.get("/me").await.status, StatusCode::OK);
}

/// A22, A05: asking for the password again gives nobody more attempts at it.
#[sqlx::test(migrations = "./migrations")]
async fn the_current_password_cannot_be_guessed_from_an_open_browser(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let change = |current: &str| json!({ "current_password": current, "new_password": NEW });
    for _ in 0..5 {
        let wrong = ana.post("/auth/password/change", change("not the password")).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    }
    let limited = ana.post("/auth/password/change", change(PASSWORD)).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.headers.contains_key("retry-after"));
    let enroll = ana.post("/auth/totp/enroll", json!({ "password": PASSWORD })).await;
    assert_eq!(enroll.status, StatusCode::TOO_MANY_REQUESTS, "one budget");
    assert_eq!(ana.get("/me").await.status, StatusCode::OK, "the session goes on");
}
