use chrono::TimeDelta;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::mailbox::{mails, token};

use crate::fixture::{Answer, Browser, MailServer, PASSWORD, Vault, eventually};
use crate::mail::{self, Kind};

async fn ask(browser: &mut Browser, email: &str) -> Answer {
    browser.post("/me/email", json!({ "email": email, "password": PASSWORD })).await
}

async fn confirm(vault: &Vault, token: &str) -> Answer {
    Browser::new(vault).post("/me/email/confirm", json!({ "token": token })).await
}

#[sqlx::test(migrations = "./migrations")]
async fn an_account_has_another_address_once_it_is_confirmed(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let asked = ask(&mut ana, "ana@example.com").await;
    assert_eq!((asked.status, &asked.body), (StatusCode::ACCEPTED, &serde_json::Value::Null));
    assert_eq!(mails(&vault).await, ["confirm_email", "email_change_requested"]);
    assert_eq!(ana.get("/me").await.body["email"], "ana@example.org");

    let token = token(&vault, Kind::ConfirmEmail).await;
    assert_eq!(confirm(&vault, &token).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ana.get("/me").await.body["email"], "ana@example.com", "and the session goes on");
    let again = confirm(&vault, &token).await;
    assert_eq!(
        (again.status, &again.body["type"]),
        (StatusCode::BAD_REQUEST, &json!("/problems/invalid-token"))
    );
    let mut browser = Browser::new(&vault);
    assert_eq!(browser.login("ana@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.login("ana@example.com", PASSWORD).await.status, StatusCode::OK);
    Browser::user(&vault, "ana@example.org").await;
}

/// A22, and it takes an address.
#[sqlx::test(migrations = "./migrations")]
async fn the_password_is_asked_for_again(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let wrong = json!({ "email": "ana@example.com", "password": "not the password" });
    assert_eq!(ana.post("/me/email", wrong).await.status, StatusCode::UNAUTHORIZED);
    for (email, field) in [("nonsense", "email"), ("ANA@example.org", "email")] {
        let refused = ask(&mut ana, email).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    assert_eq!(ask(&mut Browser::new(&vault), "ana@example.com").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(mails(&vault).await, [""; 0]);
}

/// A01: that an address belongs to somebody else is told to nobody but whoever reads its mails.
#[sqlx::test(migrations = "./migrations")]
async fn a_taken_address_is_no_oracle(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    Browser::user(&vault, "bo@example.org").await;
    let free = ask(&mut ana, "nobody@example.org").await;
    let taken = ask(&mut ana, "BO@example.org").await;
    let names = |answer: &Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
    assert_eq!((taken.status, &taken.body, names(&taken)), (free.status, &free.body, names(&free)));
    let refused = confirm(&vault, &token(&vault, Kind::ConfirmEmail).await).await;
    assert_eq!((refused.status, &refused.body["type"]), (StatusCode::CONFLICT, &json!("/problems/conflict")));
    assert_eq!(Browser::new(&vault).login("bo@example.org", PASSWORD).await.status, StatusCode::OK);
    assert_eq!(ana.get("/me").await.body["email"], "ana@example.org");
}

/// Somebody else was first: the link of both is good, and one has the address.
#[sqlx::test(migrations = "./migrations")]
async fn of_two_who_confirm_one_address_one_has_it(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    let mut bo = Browser::user(&vault, "bo@example.org").await;
    ask(&mut ana, "both@example.org").await;
    let of_ana = token(&vault, Kind::ConfirmEmail).await;
    ask(&mut bo, "both@example.org").await;
    let of_bo = token(&vault, Kind::ConfirmEmail).await;
    let (one, other) = tokio::join!(confirm(&vault, &of_ana), confirm(&vault, &of_bo));
    let mut both = [one.status, other.status];
    both.sort();
    assert_eq!(both, [StatusCode::NO_CONTENT, StatusCode::CONFLICT]);
}

/// A17: links that went to the old address are dead, and so is the link of an older wish, and one that is too old.
#[sqlx::test(migrations = "./migrations")]
async fn a_new_address_ends_the_links_of_the_old_one(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    Browser::new(&vault).post("/auth/password/forgot", json!({ "email": "ana@example.org" })).await;
    let reset = token(&vault, Kind::ResetPassword).await;
    ask(&mut ana, "first@example.com").await;
    let first = token(&vault, Kind::ConfirmEmail).await;
    ask(&mut ana, "second@example.com").await;
    let second = token(&vault, Kind::ConfirmEmail).await;
    assert_eq!(confirm(&vault, &first).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(confirm(&vault, &reset).await.status, StatusCode::BAD_REQUEST, "each has its purpose");
    assert_eq!(confirm(&vault, &second).await.status, StatusCode::NO_CONTENT);
    let body = json!({ "token": reset, "new_password": "quite another long passphrase" });
    let refused = Browser::new(&vault).post("/auth/password/reset", body).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (StatusCode::BAD_REQUEST, &json!("/problems/invalid-token"))
    );
    ask(&mut ana, "third@example.com").await;
    let third = token(&vault, Kind::ConfirmEmail).await;
    vault.advance(TimeDelta::hours(25));
    assert_eq!(confirm(&vault, &third).await.status, StatusCode::BAD_REQUEST);
}

/// What the notice to the old address promises: whoever did not ask for it changes the password, and it is off.
#[sqlx::test(migrations = "./migrations")]
async fn a_changed_password_calls_it_off(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    ask(&mut ana, "thief@example.com").await;
    let change = json!({ "current_password": PASSWORD, "new_password": "quite another long passphrase" });
    assert_eq!(ana.post("/auth/password/change", change).await.status, StatusCode::NO_CONTENT);
    let refused = confirm(&vault, &token(&vault, Kind::ConfirmEmail).await).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

/// The link goes to the new address alone, word of it to the old one; a mail whose link has died meanwhile is not sent.
#[sqlx::test(migrations = "./migrations")]
async fn each_mail_goes_where_it_belongs(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut ana = Browser::user(&vault, "ana@example.org").await;
    ask(&mut ana, "mistyped@example.com").await;
    ask(&mut ana, "ana@example.com").await;
    let link = format!("/confirm-email#token={}", token(&vault, Kind::ConfirmEmail).await);
    let (mut server, stop) = (MailServer::down(), CancellationToken::new());
    server.come_up().await;
    let sending = vault.process(|config| config.mail = server.config(), &stop).await;
    tokio::spawn(mail::run(sending, stop.clone()));
    let waiting = "SELECT count(*) FROM outbox WHERE done_at IS NULL";
    eventually("all are done with", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() == 0
    })
    .await;
    let mut taken = server.taken();
    taken.sort_by(|one, other| one.to.cmp(&other.to));
    let to: Vec<_> = taken.iter().map(|mail| &*mail.to).collect();
    assert_eq!(to, ["ana@example.com", "ana@example.org", "ana@example.org"]);
    assert!(taken[0].text.contains(&link), "{}", taken[0].text);
    for notice in &taken[1..] {
        assert!(!notice.text.contains("token=") && !notice.text.contains("example.com"), "{}", notice.text);
    }
    stop.cancel();
}
