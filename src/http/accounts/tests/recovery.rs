use std::net::SocketAddr;

use aggregates::Role;
use axum::body::Body;
use axum::extract::ConnectInfo;
use chrono::TimeDelta;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::mailbox::{mails, token};

use crate::fixture::{Answer, Browser, MailServer, PASSWORD, Vault, contract, create_user, eventually};
use crate::mail::{self, Kind};

const NEW_PASSWORD: &str = "quite another long passphrase";

async fn forget(vault: &Vault, email: &str) {
    let answer = Browser::new(vault).post("/auth/password/forgot", json!({ "email": email })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    vault.settle().await;
}

async fn reset(browser: &mut Browser, token: &str) -> Answer {
    let answer =
        browser.post("/auth/password/reset", json!({ "token": token, "new_password": NEW_PASSWORD })).await;
    if answer.status == StatusCode::BAD_REQUEST {
        assert_eq!(answer.body["type"], "/problems/invalid-token");
    }
    answer
}

/// A19: the second factor stays, and nobody is signed in by it. A21: what the old password opened is closed.
#[sqlx::test(migrations = "./migrations")]
async fn a_reset_ends_what_the_old_password_opened_and_opens_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    for statement in [
        "INSERT INTO second_factors (user_id, seed, is_on, created_at) SELECT user_id, 'seed', true, now() FROM credentials",
        "INSERT INTO api_tokens (token_id, user_id, token_hash, name, scopes, created_at, expires_at)
         SELECT user_id, user_id, 'hash', 'script', '{read}', now(), now() + interval '1 day' FROM credentials",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let email_hash = vault.app.emails.hash("ana@example.org");
    for _ in 0..5 {
        vault.app.attempts.at_password(&email_hash, None).await.unwrap().failed().await.unwrap();
    }
    assert!(vault.app.attempts.at_password(&email_hash, None).await.is_err(), "locked out");

    forget(&vault, "ana@example.org").await;
    let token = token(&vault, Kind::ResetPassword).await;
    let mut stranger = Browser::new(&vault);
    let done = reset(&mut stranger, &token).await;
    assert_eq!((done.status, &done.body), (StatusCode::NO_CONTENT, &serde_json::Value::Null));
    assert!(done.headers.contains_key("docuvault-position") && !done.headers.contains_key("set-cookie"));
    assert_eq!(stranger.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.refresh().await.status, StatusCode::UNAUTHORIZED);
    vault.app.attempts.at_password(&email_hash, None).await.expect("let in again").succeeded().await.unwrap();
    let left = "SELECT (SELECT count(*) FROM second_factors WHERE is_on), (SELECT count(*) FROM api_tokens),
                (SELECT count(*) FROM sessions)";
    assert_eq!(sqlx::query_as::<_, (i64, i64, i64)>(left).fetch_one(&pool).await.unwrap(), (1, 0, 0));
    let told = "SELECT event_type FROM events WHERE event_type IN ('PasswordReset', 'ApiTokenRevoked', 'SessionRevoked',
                'EmailVerified', 'PasswordResetRequested') ORDER BY position";
    let told: Vec<String> = sqlx::query_scalar(told).fetch_all(&pool).await.unwrap();
    let expected =
        ["PasswordResetRequested", "PasswordReset", "EmailVerified", "ApiTokenRevoked", "SessionRevoked"];
    assert_eq!(told, expected);

    sqlx::query("DELETE FROM second_factors").execute(&pool).await.unwrap();
    assert_eq!(ana.login("ana@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.login("ana@example.org", NEW_PASSWORD).await.status, StatusCode::OK);
}

/// A17: a link is good once, for half an hour, and until the next one; looking at its form uses nothing up.
#[sqlx::test(migrations = "./migrations")]
async fn a_link_is_good_once(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let mut browser = Browser::new(&vault);
    forget(&vault, "ana@example.org").await;
    let first = token(&vault, Kind::ResetPassword).await;
    forget(&vault, "ana@example.org").await;
    let second = token(&vault, Kind::ResetPassword).await;
    let unknown = reset(&mut browser, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
    let superseded = reset(&mut browser, &first).await;
    assert_eq!(superseded.status, StatusCode::BAD_REQUEST);

    let look = Request::get(format!("/reset-password?token={second}")).header(HOST, "127.0.0.1:8080");
    assert_eq!(contract::send(&vault.router, look.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    let short = json!({ "token": second, "new_password": "too short" });
    let refused = browser.post("/auth/password/reset", short).await;
    assert_eq!(refused.body["errors"][0]["field"], "new_password");
    assert_eq!(reset(&mut browser, &second).await.status, StatusCode::NO_CONTENT, "still good");
    let used = reset(&mut browser, &second).await;

    forget(&vault, "ana@example.org").await;
    let third = token(&vault, Kind::ResetPassword).await;
    vault.advance(TimeDelta::minutes(31));
    let expired = reset(&mut browser, &third).await;
    // A01: all alike.
    for bad in [&superseded, &used, &expired] {
        assert_eq!((bad.status, &bad.headers, &bad.body), (unknown.status, &unknown.headers, &unknown.body));
    }
}

/// A17: on two instances at once.
#[sqlx::test(migrations = "./migrations")]
async fn of_twenty_at_once_one_resets(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let other = crate::http::router(&vault.process(|_| {}, &stop).await);
    Browser::user(&vault, "ana@example.org").await;
    forget(&vault, "ana@example.org").await;
    let token = token(&vault, Kind::ResetPassword).await;
    let all = (0..20).map(|n| {
        let mut browser =
            if n % 2 == 0 { Browser::new(&vault) } else { Browser::new(&vault).at(other.clone()) };
        let token = token.clone();
        async move { reset(&mut browser, &token).await.status }
    });
    let all = futures::future::join_all(all).await;
    let count = |status| all.iter().filter(|found| **found == status).count();
    assert_eq!((count(StatusCode::NO_CONTENT), count(StatusCode::BAD_REQUEST)), (1, 19), "{all:?}");
    let resets: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'PasswordReset'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(resets, 1);
    stop.cancel();
}

/// A17: what ends every session ends the links of before.
#[sqlx::test(migrations = "./migrations")]
async fn a_changed_password_ends_links(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    forget(&vault, "ana@example.org").await;
    let token = token(&vault, Kind::ResetPassword).await;
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    assert_eq!(ana.post("/auth/password/change", change).await.status, StatusCode::NO_CONTENT);
    assert_eq!(reset(&mut Browser::new(&vault), &token).await.status, StatusCode::BAD_REQUEST);
}

#[sqlx::test(migrations = "./migrations")]
async fn whoever_has_a_temporary_password_can_reset_it(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    create_user(&vault.app, "bo@example.org", Role::User).await.unwrap();
    vault.advance(TimeDelta::hours(25));
    forget(&vault, "bo@example.org").await;
    let mut bo = Browser::new(&vault);
    let token = token(&vault, Kind::ResetPassword).await;
    assert_eq!(reset(&mut bo, &token).await.status, StatusCode::NO_CONTENT);
    let login = bo.login("bo@example.org", NEW_PASSWORD).await;
    assert!(login.body["access_token"].is_string(), "{:?}", login.body);
}

#[sqlx::test(migrations = "./migrations")]
async fn whoever_is_deactivated_gets_no_mail_and_no_way_in(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    forget(&vault, "ana@example.org").await;
    let token = token(&vault, Kind::ResetPassword).await;
    sqlx::query("UPDATE credentials SET is_active = false").execute(&pool).await.unwrap();
    assert_eq!(reset(&mut Browser::new(&vault), &token).await.status, StatusCode::BAD_REQUEST);
    forget(&vault, "ana@example.org").await;
    let body = json!({ "email": "ana@example.org", "password": PASSWORD });
    assert_eq!(Browser::new(&vault).post("/auth/register", body).await.status, StatusCode::ACCEPTED);
    assert_eq!(mails(&vault).await, ["reset_password"], "the one of before");
}

/// The link went to the address, and came back: that verifies it as well.
#[sqlx::test(migrations = "./migrations")]
async fn a_reset_verifies_the_address(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let body = json!({ "email": "bo@example.org", "password": PASSWORD });
    Browser::new(&vault).post("/auth/register", body).await;
    let verification = token(&vault, Kind::VerifyEmail).await;
    forget(&vault, "bo@example.org").await;
    let mut bo = Browser::new(&vault);
    let token = token(&vault, Kind::ResetPassword).await;
    assert_eq!(reset(&mut bo, &token).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bo.login("bo@example.org", NEW_PASSWORD).await.status, StatusCode::OK);
    let late = bo.post("/auth/verify-email", json!({ "token": verification })).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST, "nothing is left to verify");
}

/// Ten an hour from one network, whoever they are about: then 429, and word of when to come again.
#[sqlx::test(migrations = "./migrations")]
async fn a_network_asks_ten_times_an_hour(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let ask = async |ip: &str, email: &str| {
        let address: SocketAddr = format!("{ip}:4711").parse().unwrap();
        let body = Body::from(json!({ "email": email }).to_string());
        let request = Request::post("/api/v1/auth/password/forgot")
            .header(HOST, "127.0.0.1:8080")
            .header("x-request-id", "the-same")
            .header(CONTENT_TYPE, "application/json")
            .extension(ConnectInfo(address));
        contract::send(&vault.router, request.body(body).unwrap()).await
    };
    for n in 0..10 {
        let email = if n % 2 == 0 { "ana@example.org" } else { "nobody@example.org" };
        assert_eq!(ask(&format!("[2001:db8::{n}]"), email).await.status, StatusCode::ACCEPTED);
    }
    let known = ask("[2001:db8::99]", "ana@example.org").await;
    let unknown = ask("[2001:db8::98]", "nobody@example.org").await;
    assert_eq!(known.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let pause: u64 = known.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&pause), "{pause}");
    assert_eq!(ask("192.0.2.1", "ana@example.org").await.status, StatusCode::ACCEPTED);
    vault.advance(TimeDelta::minutes(61));
    assert_eq!(ask("[2001:db8::97]", "ana@example.org").await.status, StatusCode::ACCEPTED);
}

/// A18: links lead to the configured origin, whatever a request says of its host. F16: nothing waits for the mail server.
#[sqlx::test(migrations = "./migrations")]
async fn a_link_leads_to_the_configured_origin(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    let (mut server, stop) = (MailServer::down(), CancellationToken::new());
    let sending = vault.process(|config| config.mail = server.config(), &stop).await;
    tokio::spawn(mail::run(sending, stop.clone()));
    let headers = [
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-original-host", "evil.example"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ];
    let body = Some(json!({ "email": "ana@example.org" }));
    let mut browser = Browser::new(&vault);
    assert_eq!(
        browser.send("POST", "/auth/password/forgot", &headers, body).await.status,
        StatusCode::ACCEPTED
    );
    let failed = "SELECT count(*) FROM outbox WHERE error IS NOT NULL";
    eventually("the server is down", async || {
        sqlx::query_scalar::<_, i64>(failed).fetch_one(&pool).await.unwrap() == 1
    })
    .await;
    server.come_up().await;
    eventually("the mail goes out", async || server.taken().len() == 1).await;
    let mail = server.taken().remove(0);
    let link =
        format!("http://127.0.0.1:8080/reset-password#token={}", token(&vault, Kind::ResetPassword).await);
    assert_eq!(mail.to, "ana@example.org");
    // Alone in its line of the text; as target and as words of the HTML.
    assert_eq!(mail.text.matches(&format!("\r\n{link}\r\n")).count(), 2, "{}", mail.text);
    assert_eq!(mail.text.matches(&link).count(), 3, "{}", mail.text);
    assert!(!mail.text.contains("evil"), "{}", mail.text);
    stop.cancel();
}
