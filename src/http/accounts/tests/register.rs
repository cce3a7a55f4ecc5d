use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::mailbox::{mails, token};

use crate::fixture::{Answer, Browser, PASSWORD, Vault};
use crate::mail::Kind;

const OTHER_PASSWORD: &str = "quite another long passphrase";

fn newcomer(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "display_name": "Bo" })
}

async fn register(vault: &Vault, body: Value) -> Answer {
    let answer = Browser::new(vault).post("/auth/register", body).await;
    vault.settle().await;
    answer
}

async fn verify(vault: &Vault, token: &str) -> StatusCode {
    let answer = Browser::new(vault).post("/auth/verify-email", json!({ "token": token })).await;
    if answer.status == StatusCode::BAD_REQUEST {
        assert_eq!(answer.body["type"], "/problems/invalid-token");
    }
    answer.status
}

async fn unverified(vault: &Vault) -> Vec<bool> {
    let rows = sqlx::query_scalar("SELECT unverified FROM credentials ORDER BY created_at");
    rows.fetch_all(vault.app.store.pool()).await.unwrap()
}

#[sqlx::test(migrations = "./migrations")]
async fn whoever_registers_verifies_and_signs_in(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    assert_eq!(register(&vault, newcomer("bo@example.org")).await.status, StatusCode::ACCEPTED);
    assert_eq!(mails(&vault).await, ["verify_email"]);
    assert_eq!(unverified(&vault).await, [true]);
    let token = token(&vault, Kind::VerifyEmail).await;
    for table in ["outbox", "link_tokens", "events"] {
        let rows: Vec<String> =
            sqlx::query_scalar(&format!("SELECT t::text FROM {table} t")).fetch_all(&pool).await.unwrap();
        assert!(!rows.is_empty());
        assert!(!rows.iter().any(|row| row.contains(&token) || row.contains("bo@example.org")), "{rows:?}");
    }

    let mut bo = Browser::new(&vault);
    let early = bo.login("bo@example.org", PASSWORD).await;
    assert_eq!(
        (early.status, &early.body["type"]),
        (StatusCode::FORBIDDEN, &json!("/problems/email-not-verified"))
    );
    let wrong = bo.login("bo@example.org", OTHER_PASSWORD).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "told to nobody but who knows the password");
    assert_eq!(bo.cookie, None);
    assert_eq!(verify(&vault, &token).await, StatusCode::NO_CONTENT);
    assert_eq!(unverified(&vault).await, [false]);
    let login = bo.login("bo@example.org", PASSWORD).await;
    assert_eq!(login.status, StatusCode::OK, "{:?}", login.body);
    let me = bo.get("/me").await.body;
    assert_eq!((&me["role"], &me["display_name"]), (&json!("user"), &json!("Bo")));
    for bad in [&token, "", "guessed", "0000000000000000000000000000000000000000000"] {
        assert_eq!(verify(&vault, bad).await, StatusCode::BAD_REQUEST, "{bad}");
    }
}

/// A01: an address that has an account is answered for like one that has none.
#[sqlx::test(migrations = "./migrations")]
async fn every_address_is_answered_alike(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Browser::user(&vault, "ana@example.org").await;
    register(&vault, newcomer("unverified@example.org")).await;
    for route in ["/auth/register", "/auth/verify-email/resend", "/auth/password/forgot"] {
        let mut answers = Vec::new();
        for email in ["ana@example.org", "unverified@example.org", "nobody@example.org"] {
            let body = if route == "/auth/register" { newcomer(email) } else { json!({ "email": email }) };
            let answer = Browser::new(&vault).post(route, body).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{route} {:?}", answer.body);
            answers.push(answer);
        }
        for other in &answers[1..] {
            assert_eq!((&other.headers, &other.body), (&answers[0].headers, &answers[0].body), "{route}");
        }
        vault.settle().await;
    }
    let absurd = Browser::new(&vault).post("/auth/password/forgot", json!({ "email": "no address" })).await;
    assert_eq!(absurd.status, StatusCode::ACCEPTED);
    let mut all = mails(&vault).await;
    all.sort();
    let to_ana = ["registration_repeated", "reset_password"];
    // Who has registered by the first route.
    let to_nobody = ["verify_email", "verify_email", "reset_password"];
    let to_unverified = ["verify_email", "verify_email", "verify_email", "reset_password"];
    let mut expected = [&to_ana[..], &to_nobody, &to_unverified].concat();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_closed_vault_registers_nobody(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let closed = vault.process(|config| config.vault.registration_is_open = false, &stop).await;
    let mut browser = Browser::new(&vault).at(crate::http::router(&closed));
    let answer = browser.post("/auth/register", newcomer("bo@example.org")).await;
    assert_eq!((answer.status, &answer.body["type"]), (StatusCode::NOT_FOUND, &json!("/problems/not-found")));
    stop.cancel();
}

/// Before the address is verified, whoever registers again has mistyped the password, or finds that somebody squats on the address:
/// the link that comes back decides, and brings along the password that was registered with it.
#[sqlx::test(migrations = "./migrations")]
async fn the_registration_whose_link_comes_back_counts(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    register(&vault, newcomer("bo@example.org")).await;
    let squatter = token(&vault, Kind::VerifyEmail).await;
    register(&vault, json!({ "email": "BO@example.org", "password": OTHER_PASSWORD })).await;
    let own = token(&vault, Kind::VerifyEmail).await;
    register(&vault, newcomer("bo@example.org")).await;
    assert_eq!(verify(&vault, &own).await, StatusCode::NO_CONTENT);
    for other in [squatter, token(&vault, Kind::VerifyEmail).await] {
        assert_eq!(verify(&vault, &other).await, StatusCode::BAD_REQUEST);
    }
    let mut bo = Browser::new(&vault);
    assert_eq!(bo.login("bo@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.login("bo@example.org", OTHER_PASSWORD).await.status, StatusCode::OK);

    register(&vault, newcomer("bo@example.org")).await;
    assert_eq!(bo.login("bo@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let expected = ["verify_email", "verify_email", "verify_email", "registration_repeated"];
    assert_eq!(mails(&vault).await, expected);
    let accounts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM credentials").fetch_one(&pool).await.unwrap();
    assert_eq!(accounts, 1);

    register(&vault, newcomer("cy@example.org")).await;
    let own = token(&vault, Kind::VerifyEmail).await;
    register(&vault, json!({ "email": "cy@example.org", "password": OTHER_PASSWORD })).await;
    assert_eq!(verify(&vault, &own).await, StatusCode::NO_CONTENT);
    let mut cy = Browser::new(&vault);
    assert_eq!(cy.login("cy@example.org", OTHER_PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(cy.login("cy@example.org", PASSWORD).await.status, StatusCode::OK);
}

#[sqlx::test(migrations = "./migrations")]
async fn two_at_once_open_one_account(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let other = vault.process(|_| {}, &stop).await;
    let (mut here, mut there) = (Browser::new(&vault), Browser::new(&vault).at(crate::http::router(&other)));
    let (one, two) = tokio::join!(
        here.post("/auth/register", newcomer("bo@example.org")),
        there.post("/auth/register", newcomer("bo@example.org"))
    );
    assert_eq!((one.status, two.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    other.afterwards.close();
    other.afterwards.wait().await;
    assert_eq!(mails(&vault).await, ["verify_email", "verify_email"]);
    assert_eq!(unverified(&vault).await, [true]);
    assert_eq!(verify(&vault, &token(&vault, Kind::VerifyEmail).await).await, StatusCode::NO_CONTENT);
    stop.cancel();
}

/// A23, Z07: nobody gives themselves what only the vault gives.
#[sqlx::test(migrations = "./migrations")]
async fn wrong_fields_are_named(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    for (field, value) in [
        ("verified", json!(true)),
        ("unverified", json!(false)),
        ("role", json!("admin")),
        ("quota_limit", json!(1)),
        ("user_id", json!("01900000-0000-7000-8000-000000000000")),
        ("email", json!("bo")),
        ("email", json!("bo@example.org\r\nBcc: all@example.org")),
        ("password", json!("too short")),
        ("password", json!("x".repeat(1025))),
        ("password", json!("bo@example.org")),
        ("password", json!("password1234")),
        ("display_name", json!("a\u{202e}b")),
    ] {
        let mut body = newcomer("bo@example.org");
        body[field] = value;
        let refused = register(&vault, body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    assert_eq!(mails(&vault).await, [""; 0]);
}

/// Three an hour of each kind: nobody's mailbox is flooded by way of this vault.
#[sqlx::test(migrations = "./migrations")]
async fn an_address_is_mailed_three_times_an_hour(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    register(&vault, newcomer("bo@example.org")).await;
    let ask = async |route: &str| {
        let answer = Browser::new(&vault).post(route, json!({ "email": "bo@example.org" })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        vault.settle().await;
    };
    for _ in 0..5 {
        ask("/auth/verify-email/resend").await;
        ask("/auth/password/forgot").await;
    }
    let count = async |kind: &str| mails(&vault).await.iter().filter(|mail| *mail == kind).count();
    assert_eq!((count("verify_email").await, count("reset_password").await), (1 + 3, 3));
    assert_eq!(verify(&vault, &token(&vault, Kind::VerifyEmail).await).await, StatusCode::NO_CONTENT);
    vault.advance(chrono::TimeDelta::minutes(61));
    ask("/auth/password/forgot").await;
    ask("/auth/verify-email/resend").await;
    assert_eq!((count("verify_email").await, count("reset_password").await), (1 + 3, 4), "nothing to verify");
}

/// F01: the answer was lost.
#[sqlx::test(migrations = "./migrations")]
async fn a_repeat_with_its_key_sends_nothing_more(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut browser = Browser::new(&vault);
    let mut send = async |key: &str, path: &str, body: Value| {
        let answer = browser.send("POST", path, &[("idempotency-key", key)], Some(body)).await;
        vault.settle().await;
        answer.status
    };
    for _ in 0..2 {
        assert_eq!(send("a", "/auth/register", newcomer("bo@example.org")).await, StatusCode::ACCEPTED);
    }
    assert_eq!(mails(&vault).await, ["verify_email"]);
    let verification = json!({ "token": token(&vault, Kind::VerifyEmail).await });
    for _ in 0..2 {
        assert_eq!(send("b", "/auth/verify-email", verification.clone()).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(send("c", "/auth/verify-email", verification).await, StatusCode::BAD_REQUEST);
    for _ in 0..2 {
        let body = json!({ "email": "bo@example.org" });
        assert_eq!(send("d", "/auth/password/forgot", body).await, StatusCode::ACCEPTED);
    }
    assert_eq!(mails(&vault).await, ["verify_email", "reset_password"]);
}
