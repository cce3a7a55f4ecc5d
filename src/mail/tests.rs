use std::os::unix::fs::PermissionsExt;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::*;
use crate::config::{MailConfig, MailRoute};
use crate::fixture::{MailServer, Person, Vault, eventually};

const AT: &str = "2026-02-03T04:05:06Z";

fn about(event: u128, person: &Person) -> Mail {
    let at: DateTime<Utc> = AT.parse().unwrap();
    Mail { event_id: Uuid::from_u128(event), recipient: person.id, kind: Kind::TokenReused, at }
}

/// A process that sends, until the guard is dropped.
async fn sender(vault: &Vault, mail: MailConfig) -> DropGuard {
    let stop = CancellationToken::new();
    let app = vault.process(|config| config.mail = mail, &stop).await;
    tokio::spawn(run(app, stop.clone()));
    stop.drop_guard()
}

async fn states(pool: &PgPool) -> Vec<(bool, i32, Option<String>)> {
    let rows = sqlx::query_as("SELECT done_at IS NOT NULL, tries, error FROM outbox ORDER BY event_id");
    rows.fetch_all(pool).await.unwrap()
}

/// F16: the mail server is down, and nothing waits for it; when it is back, mails go out, each event's once.
#[sqlx::test(migrations = "./migrations")]
async fn mails_wait_for_the_server_and_go_out_when_it_is_back(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let mut server = MailServer::down();
    let _senders = (sender(&vault, server.config()).await, sender(&vault, server.config()).await);
    for event in [1, 2, 3, 1] {
        enqueue(vault.app.store.pool(), &about(event, &user)).await.unwrap();
    }
    eventually("each was tried", async || states(&pool).await.iter().all(|(_, tries, _)| *tries > 0)).await;
    eventually("and failed", async || states(&pool).await.iter().all(|(_, _, error)| error.is_some())).await;
    assert!(!user.upload("Meanwhile.txt", b"hello").await.is_null());

    server.come_up().await;
    eventually("all are sent", async || states(&pool).await.iter().all(|(done, ..)| *done)).await;
    let mut taken = server.taken();
    taken.sort_by(|one, other| one.text.cmp(&other.text));
    assert_eq!(taken.len(), 3, "{taken:#?}");
    let mail = &taken[0];
    assert_eq!(
        (&*mail.from, &*mail.to),
        ("docuvault@vault.example.org", &*format!("{}@example.com", user.id))
    );
    for part in [
        "From: DocuVault <docuvault@vault.example.org>\r\n",
        "Subject: One of your sessions was ended for safety\r\n",
        "Message-ID: <00000000-0000-0000-0000-000000000001.token_reused@vault.example.org>\r\n",
        "Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "change your password",
        "2026-02-03 04:05 UTC",
    ] {
        assert!(taken.iter().any(|mail| mail.text.contains(part)), "{part:?} is not in {}", mail.text);
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn a_refused_mail_is_tried_again_and_its_address_is_told_nowhere(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let mut server = MailServer::down();
    server.refuse(Some("550 5.1.1 <somebody@example.com> unknown"));
    server.come_up().await;
    let _sender = sender(&vault, server.config()).await;
    enqueue(vault.app.store.pool(), &about(1, &user)).await.unwrap();
    let refused = Some("the mail server answered 550".to_owned());
    eventually("it is refused", async || states(&pool).await[0].2 == refused).await;
    server.refuse(None);
    eventually("it is sent", async || states(&pool).await[0].0).await;
    assert_eq!(server.taken().len(), 1);
}

/// Whoever is erased gets no mail any more, and the outbox does not know where it would have gone.
#[sqlx::test(migrations = "./migrations")]
async fn the_mail_of_an_erased_person_is_dropped(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    enqueue(vault.app.store.pool(), &about(1, &user)).await.unwrap();
    let row: String = sqlx::query_scalar("SELECT outbox::text FROM outbox").fetch_one(&pool).await.unwrap();
    assert!(!row.contains('@'), "{row}");
    sqlx::query("UPDATE user_keys SET wrapped = NULL").execute(&pool).await.unwrap();
    let mut server = MailServer::down();
    server.come_up().await;
    // A process that starts now has no key of theirs in memory.
    let _sender = sender(&vault, server.config()).await;
    eventually("it is done with", async || states(&pool).await[0].0).await;
    assert_eq!(server.taken(), []);
}

/// An instance that died while it was sending keeps nobody off for long; one that is alive does.
#[sqlx::test(migrations = "./migrations")]
async fn a_mail_is_one_instances_for_as_long_as_its_lease(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let pool = vault.app.store.pool();
    enqueue(pool, &about(1, &user)).await.unwrap();
    let lease = std::time::Duration::from_secs(1);
    assert_eq!(outbox::take(pool, lease).await.unwrap().unwrap().tries, 1);
    assert!(outbox::take(pool, lease).await.unwrap().is_none());
    eventually("the lease ends", async || {
        outbox::take(pool, lease).await.unwrap().is_some_and(|taken| taken.tries == 2)
    })
    .await;
}

#[sqlx::test(migrations = "./migrations")]
async fn without_a_server_a_standalone_vault_writes_files(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("mail");
    let mut config = MailServer::down().config();
    config.route = MailRoute::Directory(path.clone());
    let _sender = sender(&vault, config).await;
    enqueue(vault.app.store.pool(), &about(7, &user)).await.unwrap();
    eventually("it is written", async || states(&pool).await[0].0).await;
    let file = path.join("00000000-0000-0000-0000-000000000007.token_reused.eml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(std::fs::read_to_string(&file).unwrap().contains(&format!("To: {}@example.com\r\n", user.id)));
}

#[sqlx::test(migrations = "./migrations")]
async fn without_any_way_out_mails_wait(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let mut server = MailServer::down();
    server.come_up().await;
    enqueue(vault.app.store.pool(), &about(1, &user)).await.unwrap();
    let nowhere = sender(&vault, MailConfig { route: MailRoute::Nowhere, ..server.config() }).await;
    drop(nowhere);
    assert_eq!(states(&pool).await, [(false, 0, None)]);
    let _sender = sender(&vault, server.config()).await;
    eventually("they go out once there is one", async || states(&pool).await[0].0).await;
}

/// Whatever a mail is about: two parts that say the same, in lines of ASCII that nobody has to break, with nothing from
/// elsewhere to load.
#[test]
fn every_letter_is_text_and_html() {
    let url = "https://vault.example.org";
    let link = format!("{url}/reset-password#token={}", "x".repeat(43));
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        let letter = letter::Letter {
            kind,
            event_id: Uuid::from_u128(1),
            at: AT.parse().unwrap(),
            vault: url.into(),
            link: kind.purpose().map(|_| link.clone()),
        };
        let written = || {
            let (from, to) = ("vault@example.org".parse().unwrap(), "ana@example.org".parse().unwrap());
            String::from_utf8(letter.write(&from, to).unwrap().formatted()).unwrap()
        };
        let mail = written();
        assert_eq!(mail, written(), "the same whenever it is made");
        assert!(mail.is_ascii() && mail.lines().all(|line| line.len() <= 120), "{mail}");
        assert!(mail.contains("multipart/alternative") && !mail.contains("quoted-printable"), "{mail}");
        let (text, html) = mail.split_once("text/html").unwrap();
        assert!(text.contains("text/plain") && text.contains("2026-02-03 04:05 UTC"), "{mail}");
        for part in [text, html] {
            assert!(part.contains(url), "{mail}");
            assert_eq!(part.contains(&link), kind.purpose().is_some(), "{mail}");
        }
        for foreign in ["<img", "<script", "<style", "src="] {
            assert!(!html.contains(foreign), "{mail}");
        }
    }
}
