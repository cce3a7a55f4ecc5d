use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::authenticator::{codes, mfa_token};
use super::{Authenticator, Browser, PASSWORD};
use crate::fixture::{Answer, Vault};
use crate::http::router;

async fn login(browser: &mut Browser, code: &str) -> Answer {
    let token = mfa_token(browser, "ana@example.org").await;
    browser.post("/auth/login/backup-code", json!({ "mfa_token": token, "code": code })).await
}

/// A16
#[sqlx::test(migrations = "./migrations")]
async fn a_backup_code_opens_one_login(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, authenticator, backup) = Authenticator::of(&vault, "ana@example.org").await;
    for code in &backup {
        let groups: Vec<_> = code.split('-').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4), "{code}");
    }
    let opened = login(&mut ana, &backup[0]).await;
    assert_eq!((opened.status, &opened.body["backup_codes_left"]), (StatusCode::OK, &json!(9)));
    assert!(opened.headers.contains_key("set-cookie") && opened.body["access_token"].is_string());
    assert_eq!(login(&mut ana, &backup[0]).await.status, StatusCode::UNAUTHORIZED);
    let typed = backup[1].to_lowercase().replace('-', "  ");
    assert_eq!(login(&mut ana, &typed).await.body["backup_codes_left"], json!(8));
    let tail = format!("{}-AAAA-AAAA-AAAA", &backup[2][..4]);
    assert_eq!(login(&mut ana, &tail).await.status, StatusCode::UNAUTHORIZED);

    // Each kind has its route.
    let token = mfa_token(&mut ana, "ana@example.org").await;
    for (path, code) in [("totp", backup[2].clone()), ("backup-code", authenticator.code(&vault, 1))] {
        let body = json!({ "mfa_token": token, "code": code });
        let refused = ana.post(&format!("/auth/login/{path}"), body).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT selector || code_hash FROM backup_codes").fetch_all(&pool).await.unwrap();
    assert_eq!(stored.len(), 8);
    for hash in &stored {
        assert!(hash[4..].starts_with("$dv-argon2id$"), "{hash}");
    }
    let left: Vec<Value> = sqlx::query_scalar(
        "SELECT payload::jsonb -> 'BackupCodeUsed' -> 'left' FROM events WHERE event_type = 'BackupCodeUsed' ORDER BY position",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(left, [json!(9), json!(8)]);
}

/// A16: twenty at once, on two instances.
#[sqlx::test(migrations = "./migrations")]
async fn a_backup_code_opens_one_session_whoever_sends_it(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, _, backup) = Authenticator::of(&vault, "ana@example.org").await;
    let token = mfa_token(&mut ana, "ana@example.org").await;
    let stop = CancellationToken::new();
    let other = router(&vault.process(|_| {}, &stop).await);
    let tries = (0..20).map(|number| {
        let mut browser = if number % 2 == 0 { ana.clone() } else { ana.at(other.clone()) };
        let body = json!({ "mfa_token": token, "code": backup[0] });
        async move { browser.post("/auth/login/backup-code", body).await.status }
    });
    let statuses = join_all(tries).await;
    let known = [StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
    assert!(statuses.iter().all(|status| known.contains(status)), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{statuses:?}");
}

/// A22: new ones take both factors, and the old ones die.
#[sqlx::test(migrations = "./migrations")]
async fn new_backup_codes_replace_the_old_ones(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut bo = Browser::user(&vault, "bo@example.org").await;
    let both = |password: &str, code: &str| json!({ "password": password, "code": code });
    let none = bo.post("/auth/backup-codes", both(PASSWORD, "123456")).await;
    assert_eq!(none.status, StatusCode::CONFLICT, "there is no second factor");

    let (mut ana, authenticator, old) = Authenticator::of(&vault, "ana@example.org").await;
    let code = authenticator.wait(&vault);
    for body in [both("not the password", &code), both(PASSWORD, &authenticator.wrong(&vault))] {
        assert_eq!(ana.post("/auth/backup-codes", body).await.status, StatusCode::UNAUTHORIZED);
    }
    let replaced = ana.post("/auth/backup-codes", both(PASSWORD, &code)).await;
    assert_eq!(replaced.status, StatusCode::OK, "{:?}", replaced.body);
    let new = codes(&replaced);
    assert!(new.len() == 10 && new.iter().all(|code| !old.contains(code)));
    let again = ana.post("/auth/backup-codes", both(PASSWORD, &code)).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "a code counts once, here too");
    assert_eq!(ana.get("/me").await.status, StatusCode::OK, "this session goes on");
    let mut elsewhere = Browser::new(&vault);
    assert_eq!(login(&mut elsewhere, &old[3]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&mut elsewhere, &new[3]).await.status, StatusCode::OK);

    // Whoever has lost the authenticator turns it off by a backup code.
    let disabled = ana.post("/auth/totp/disable", both(PASSWORD, &new[4])).await;
    assert_eq!(disabled.status, StatusCode::NO_CONTENT, "{:?}", disabled.body);
}
