use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::authenticator::mfa_token;
use super::{Authenticator, Browser, PASSWORD};
use crate::auth::credentials::Credentials;
use crate::fixture::contract::DOCUMENT;
use crate::fixture::{Vault, create_user};
use crate::people::by_operator;
use crate::people::issue_password::issue_password;

const NOBODYS: &str = "01900000-0000-7000-8000-000000000000";

/// A09: what the password opens is no session, on any route there is.
#[sqlx::test(migrations = "./migrations")]
async fn an_mfa_token_opens_nothing_else(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, _, _) = Authenticator::of(&vault, "ana@example.org").await;
    let token = mfa_token(&mut ana, "ana@example.org").await;
    ana.cookie = None;
    ana.token = token.as_str().map(str::to_owned);
    let mut routes = 0;
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"].is_null() {
                continue;
            }
            routes += 1;
            let path = path.replace("/api/v1", "").replace("{id}", NOBODYS).replace("{name}", "x");
            let body = (method != "get").then(|| json!({}));
            let refused = ana.send(&method.to_uppercase(), &path, &[], body).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
    assert!(routes > 20, "{routes}");
    let change = json!({ "change_token": token, "new_password": "an entirely new password" });
    assert_eq!(ana.post("/auth/password/change", change).await.status, StatusCode::UNAUTHORIZED);
    ana.cookie = token.as_str().map(str::to_owned);
    assert_eq!(ana.refresh().await.status, StatusCode::UNAUTHORIZED);
}

/// A09, the other way round, and each in its time.
#[sqlx::test(migrations = "./migrations")]
async fn nothing_else_opens_the_second_step(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, authenticator, backup) = Authenticator::of(&vault, "ana@example.org").await;
    let temporary = create_user(&vault.app, "bo@example.org", aggregates::Role::User).await.unwrap();
    let mut bo = Browser::new(&vault);
    let change = bo.login("bo@example.org", temporary.expose()).await.body["change_token"].clone();
    let access = json!(ana.token);
    let late = mfa_token(&mut ana, "ana@example.org").await;
    vault.advance(TimeDelta::seconds(306));
    for token in [change, access, late, json!("made up")] {
        for (path, code) in [("totp", authenticator.code(&vault, 0)), ("backup-code", backup[0].clone())] {
            let body = json!({ "mfa_token": token, "code": code });
            let refused = ana.post(&format!("/auth/login/{path}"), body).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{token}");
        }
    }
    let unused: i64 = sqlx::query_scalar("SELECT count(*) FROM backup_codes").fetch_one(&pool).await.unwrap();
    assert_eq!(unused, 10);
}

/// A21: what was on its way when the password was changed does not arrive.
#[sqlx::test(migrations = "./migrations")]
async fn a_login_that_is_half_way_ends_with_the_sessions(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, authenticator, _) = Authenticator::of(&vault, "ana@example.org").await;
    let mut thief = Browser::new(&vault);
    let token = mfa_token(&mut thief, "ana@example.org").await;
    let change = json!({ "current_password": PASSWORD, "new_password": "an entirely new password" });
    assert_eq!(ana.post("/auth/password/change", change).await.status, StatusCode::NO_CONTENT);
    let body = json!({ "mfa_token": token, "code": authenticator.wait(&vault) });
    assert_eq!(thief.post("/auth/login/totp", body).await.status, StatusCode::UNAUTHORIZED);
}

/// A19: a temporary password does not replace the second factor, which comes first.
#[sqlx::test(migrations = "./migrations")]
async fn the_second_factor_comes_before_a_temporary_password_is_changed(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, authenticator, backup) = Authenticator::of(&vault, "ana@example.org").await;
    let hash = vault.app.emails.hash("ana@example.org");
    let known = Credentials::of_email(vault.app.store.pool(), &hash).await.unwrap().unwrap();
    let context = by_operator(known.user_id, vault.app.clock());
    let temporary = issue_password(&vault.app, context).await.unwrap().value;
    let login = ana.login("ana@example.org", temporary.expose()).await;
    assert_eq!((&login.body["mfa_required"], &login.body["change_token"]), (&json!(true), &Value::Null));

    let code = authenticator.wait(&vault);
    let body = json!({ "mfa_token": login.body["mfa_token"], "code": code });
    let stepped = ana.post("/auth/login/totp", body.clone()).await;
    assert_eq!((stepped.status, &stepped.body["password_change_required"]), (StatusCode::OK, &json!(true)));
    assert!(stepped.body["access_token"].is_null() && stepped.body["backup_codes_left"].is_null());
    assert_eq!(
        ana.post("/auth/login/totp", body).await.status,
        StatusCode::UNAUTHORIZED,
        "the code is used up"
    );
    let body = json!({ "mfa_token": login.body["mfa_token"], "code": backup[0] });
    let by_backup_code = ana.post("/auth/login/backup-code", body.clone()).await;
    assert_eq!(by_backup_code.body["backup_codes_left"], json!(9));
    assert!(by_backup_code.body["change_token"].is_string());
    assert_eq!(ana.post("/auth/login/backup-code", body).await.status, StatusCode::UNAUTHORIZED);
    let change =
        json!({ "change_token": stepped.body["change_token"], "new_password": "an entirely new password" });
    assert_eq!(ana.post("/auth/password/change", change).await.status, StatusCode::NO_CONTENT);
}

/// A01: only whoever knows the password learns what the account is waiting for.
#[sqlx::test(migrations = "./migrations")]
async fn an_account_that_may_not_sign_in_says_so_to_its_owner_alone(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let unknown = ana.login("nobody@example.org", PASSWORD).await;
    sqlx::query("UPDATE credentials SET unverified = true").execute(&pool).await.unwrap();
    let right = ana.login("ana@example.org", PASSWORD).await;
    assert_eq!(
        (right.status, &right.body["type"]),
        (StatusCode::FORBIDDEN, &json!("/problems/email-not-verified"))
    );
    let wrong = ana.login("ana@example.org", "not the password").await;
    assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
    sqlx::query("UPDATE credentials SET is_active = false").execute(&pool).await.unwrap();
    let deactivated = ana.login("ana@example.org", PASSWORD).await;
    assert_eq!((deactivated.status, &deactivated.body), (unknown.status, &unknown.body));
}
