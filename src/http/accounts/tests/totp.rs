use chrono::TimeDelta;
use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::authenticator::{codes, mfa_token};
use super::{Authenticator, Browser, PASSWORD};
use crate::fixture::{Vault, eventually};
use crate::http::router;

async fn count(pool: &PgPool, event_type: &str) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1");
    count.bind(event_type).fetch_one(pool).await.unwrap()
}

/// A21, A22: it takes the password, it counts from its first code on, and every other session ends with it.
#[sqlx::test(migrations = "./migrations")]
async fn a_second_factor_is_enrolled_and_turned_on(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let early = ana.post("/auth/totp/activate", json!({ "code": "123456" })).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "nothing is enrolled");
    let refused = ana.post("/auth/totp/enroll", json!({ "password": "not the password" })).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    eventually("it is told", async || count(&pool, "ReauthenticationFailed").await == 1).await;
    let forgotten = ana.post("/auth/totp/enroll", json!({ "password": PASSWORD })).await;
    let enrolled = ana.post("/auth/totp/enroll", json!({ "password": PASSWORD })).await;
    assert_eq!(enrolled.status, StatusCode::OK, "{:?}", enrolled.body);
    let secret = enrolled.body["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32, "160 bits");
    let url = format!(
        "otpauth://totp/DocuVault:ana%40example%2Eorg?secret={secret}&issuer=DocuVault&algorithm=SHA1&digits=6&period=30"
    );
    assert_eq!(enrolled.body["otpauth_url"], url);
    assert!(enrolled.body["qr_svg"].as_str().unwrap().contains("<svg"));
    let mut elsewhere = Browser::new(&vault);
    assert_eq!(elsewhere.login("ana@example.org", PASSWORD).await.body["mfa_required"], json!(null));

    let authenticator = Authenticator::read(secret);
    let old = Authenticator::read(forgotten.body["secret"].as_str().unwrap()).code(&vault, 0);
    for wrong in [authenticator.wrong(&vault), old, "12345".into(), "AAAA-BBBB-CCCC-DDDD".into()] {
        let refused = ana.post("/auth/totp/activate", json!({ "code": wrong })).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let code = authenticator.code(&vault, 0);
    let activated =
        ana.post("/auth/totp/activate", json!({ "code": format!("{} {}", &code[..3], &code[3..]) })).await;
    assert_eq!(activated.status, StatusCode::OK, "{:?}", activated.body);
    assert_eq!(codes(&activated).len(), 10);
    assert_eq!(elsewhere.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(elsewhere.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.get("/me").await.body["totp_enabled"], json!(true));
    assert_eq!(ana.refresh().await.status, StatusCode::OK);
    assert_eq!((count(&pool, "TotpEnabled").await, count(&pool, "SessionRevoked").await), (1, 1));
    for (path, body) in [("enroll", json!({ "password": PASSWORD })), ("activate", json!({ "code": code }))] {
        assert_eq!(ana.post(&format!("/auth/totp/{path}"), body).await.status, StatusCode::CONFLICT);
    }
}

/// A13, one after the other: the code that turned it on, and one that has opened a session.
#[sqlx::test(migrations = "./migrations")]
async fn a_code_is_good_once(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.freeze();
    let (mut ana, authenticator, _) = Authenticator::of(&vault, "ana@example.org").await;
    let token = mfa_token(&mut ana, "ana@example.org").await;
    let mut step = async |code: String| {
        ana.post("/auth/login/totp", json!({ "mfa_token": token, "code": code })).await.status
    };
    assert_eq!(step(authenticator.code(&vault, 0)).await, StatusCode::UNAUTHORIZED);
    let next = authenticator.wait(&vault);
    assert_eq!(step(next.clone()).await, StatusCode::OK);
    assert_eq!(step(next).await, StatusCode::UNAUTHORIZED);
    assert_eq!(step(authenticator.code(&vault, -1)).await, StatusCode::UNAUTHORIZED, "none from before");
    eventually("they are told", async || count(&pool, "CodeRejected").await == 3).await;
}

/// A13: fifty at once, on two instances.
#[sqlx::test(migrations = "./migrations")]
async fn a_code_opens_one_session_whoever_sends_it(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, authenticator, _) = Authenticator::of(&vault, "ana@example.org").await;
    let token = mfa_token(&mut ana, "ana@example.org").await;
    let before = count(&pool, "SessionStarted").await;
    let stop = CancellationToken::new();
    let other = router(&vault.process(|_| {}, &stop).await);
    let code = authenticator.code(&vault, 1);
    let tries = (0..50).map(|number| {
        let mut browser = if number % 2 == 0 { ana.clone() } else { ana.at(other.clone()) };
        let body = json!({ "mfa_token": token, "code": code });
        async move { browser.post("/auth/login/totp", body).await.status }
    });
    let statuses = join_all(tries).await;
    let opened = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    let refused = [StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
    assert!(statuses.iter().all(|status| refused.contains(status)), "{statuses:?}");
    assert_eq!(opened, 1, "{statuses:?}");
    assert_eq!(count(&pool, "SessionStarted").await, before + 1);
}

/// A15: the step before, this one and the next, each once.
#[sqlx::test(migrations = "./migrations")]
async fn clocks_may_differ_by_one_step(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.freeze();
    let (mut ana, authenticator, _) = Authenticator::of(&vault, "ana@example.org").await;
    vault.advance(TimeDelta::minutes(5));
    let token = mfa_token(&mut ana, "ana@example.org").await;
    for (later, status) in [
        (-2, StatusCode::UNAUTHORIZED),
        (2, StatusCode::UNAUTHORIZED),
        (-1, StatusCode::OK),
        (0, StatusCode::OK),
        (1, StatusCode::OK),
        (1, StatusCode::UNAUTHORIZED),
    ] {
        let body = json!({ "mfa_token": token, "code": authenticator.code(&vault, later) });
        assert_eq!(ana.post("/auth/login/totp", body).await.status, status, "{later}");
    }
}

/// A14: every session and both kinds of code share one budget, and the right code waits with the others.
#[sqlx::test(migrations = "./migrations")]
async fn five_wrong_codes_are_enough(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, authenticator, backup) = Authenticator::of(&vault, "ana@example.org").await;
    for number in 0..5 {
        let token = mfa_token(&mut ana, "ana@example.org").await;
        let (path, code) = if number % 2 == 0 {
            ("/auth/login/totp", authenticator.wrong(&vault))
        } else {
            ("/auth/login/backup-code", "AAAA-BBBB-CCCC-DDDD".into())
        };
        let wrong = ana.post(path, json!({ "mfa_token": token, "code": code })).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    }
    let token = mfa_token(&mut ana, "ana@example.org").await;
    let code = authenticator.wait(&vault);
    for (path, code) in [("totp", &code), ("backup-code", &backup[0])] {
        let body = json!({ "mfa_token": token, "code": code });
        let limited = ana.post(&format!("/auth/login/{path}"), body).await;
        assert_eq!(
            (limited.status, &limited.body["type"]),
            (StatusCode::TOO_MANY_REQUESTS, &json!("/problems/rate-limited"))
        );
        let seconds: u64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((700..=901).contains(&seconds), "{seconds}");
    }
    vault.advance(TimeDelta::minutes(16));
    let token = mfa_token(&mut ana, "ana@example.org").await;
    let body = json!({ "mfa_token": token, "code": authenticator.code(&vault, 0) });
    assert_eq!(ana.post("/auth/login/totp", body).await.status, StatusCode::OK);
}

/// A21, A22: it takes both factors, and every other session ends with it.
#[sqlx::test(migrations = "./migrations")]
async fn a_second_factor_is_turned_off_by_both(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (mut ana, authenticator, backup) = Authenticator::of(&vault, "ana@example.org").await;
    let mut elsewhere = Browser::new(&vault);
    let token = mfa_token(&mut elsewhere, "ana@example.org").await;
    let body = json!({ "mfa_token": token, "code": authenticator.wait(&vault) });
    elsewhere.token = Some(
        elsewhere.post("/auth/login/totp", body).await.body["access_token"].as_str().unwrap().to_owned(),
    );
    assert_eq!(elsewhere.get("/me").await.status, StatusCode::OK);

    let both = |password: &str, code: String| json!({ "password": password, "code": code });
    let code = authenticator.wait(&vault);
    for body in [both("not the password", code.clone()), both(PASSWORD, authenticator.wrong(&vault))] {
        assert_eq!(ana.post("/auth/totp/disable", body).await.status, StatusCode::UNAUTHORIZED);
    }
    let disabled = ana.post("/auth/totp/disable", both(PASSWORD, code)).await;
    assert_eq!(disabled.status, StatusCode::NO_CONTENT, "{:?}", disabled.body);
    assert_eq!(elsewhere.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.get("/me").await.body["totp_enabled"], json!(false));
    let off = ana.post("/auth/totp/disable", both(PASSWORD, backup[0].clone())).await;
    assert_eq!(off.status, StatusCode::CONFLICT);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM backup_codes").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);
    assert_eq!(elsewhere.login("ana@example.org", PASSWORD).await.body["user"]["email"], "ana@example.org");
}

/// W07: neither the seed nor a code is anywhere at rest in clear.
#[sqlx::test(migrations = "./migrations")]
async fn the_seed_is_sealed(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let enrolled = ana.post("/auth/totp/enroll", json!({ "password": PASSWORD })).await;
    let secret = enrolled.body["secret"].as_str().unwrap();
    let seeds: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT seed FROM second_factors").fetch_all(&pool).await.unwrap();
    let open = Authenticator::read(secret);
    assert!(seeds.len() == 1 && !open.is_in(&seeds[0]));
    let log: Vec<String> = sqlx::query_scalar("SELECT payload::text || metadata::text FROM events")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert!(log.iter().any(|event| event.contains("TotpEnrollmentStarted")));
    assert!(log.iter().all(|event| !event.contains(secret)));
}
