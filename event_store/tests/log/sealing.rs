//! Personal data: never readable in what is stored, bound to its place, gone with its key.

use aggregates::document::ContentHash;
use aggregates::{Document, DocumentCommand, Personal, PersonalValue, User, UserCommand, UserId};
use event_store::keys::MasterKeyError;
use event_store::{
    Clock, Context, EventStore, ExecuteError, InstallationKey, MasterKeys, SealError, StoreError,
};
use futures::FutureExt;
use serde_json::Value;
use sqlx::{Executor, PgPool};

use crate::vault::{self, MASTER_1, MASTER_2, Refusal};

/// Everything that the database stores, as text.
async fn stored(admin: &PgPool) -> String {
    sqlx::query_scalar("SELECT string_agg(payload::text || metadata::text, E'\n') FROM events")
        .fetch_one(admin)
        .await
        .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_personal_is_stored_nowhere_in_clear(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 100).await;
    vault::request_upload(&store, user, 10).await.unwrap();
    let mut context = vault::context(&store, user);
    context.metadata.ip = Some(Personal::new(user, "198.51.100.77".into()));
    change_password(&store, context).await.unwrap();

    let stored = stored(&admin).await;
    for canary in ["canary", "c4c4c4c4", "0e0e0e0e", "198.51.100.77", "\"open\""] {
        assert!(!stored.contains(canary), "{canary} in {stored}");
    }
    let log = vault::store(&admin).await.read(0, 100).await.unwrap();
    assert_eq!(log.last().unwrap().metadata["ip"], "198.51.100.77");
}

async fn change_password(store: &EventStore, context: Context) -> vault::Outcome<usize> {
    let user = context.owner_id;
    let decide = store.execute(context, move |unit| {
        async move {
            let mut account = unit.load::<User>(user.0).await?;
            Ok::<_, Refusal>(unit.handle(&mut account, UserCommand::ChangePassword).await?)
        }
        .boxed()
    });
    decide.await
}

/// Alters the payload at `position`, as somebody with the rights of the log's owner could.
async fn tamper(admin: &PgPool, position: i64, alter: impl FnOnce(&mut Value)) {
    let query = sqlx::query_scalar("SELECT payload FROM events WHERE position = $1").bind(position);
    let mut payload: Value = query.fetch_one(admin).await.unwrap();
    alter(&mut payload);
    admin.execute("ALTER TABLE events DISABLE TRIGGER append_only").await.unwrap();
    sqlx::query("UPDATE events SET payload = $1 WHERE position = $2")
        .bind(payload)
        .bind(position)
        .execute(admin)
        .await
        .unwrap();
    admin.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER append_only").await.unwrap();
}

/// A log of two people; the first uploads twice (positions 4 and 6).
async fn two_uploads(admin: &PgPool) -> (UserId, UserId) {
    let store = vault::store(admin).await;
    let (user, other) = (vault::person(&store, 100).await, vault::register(&store).await);
    vault::request_upload(&store, user, 10).await.unwrap();
    vault::request_upload(&store, user, 10).await.unwrap();
    (user, other)
}

async fn opens_nowhere(admin: &PgPool, position: i64) {
    let store = vault::store(admin).await;
    let error = store.read(0, 100).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Open { position: p, source: SealError::Decrypt } if p == position),
        "{error}"
    );
    let id: String = sqlx::query_scalar("SELECT aggregate_id FROM events WHERE position = $1")
        .bind(position)
        .fetch_one(admin)
        .await
        .unwrap();
    assert!(matches!(store.load::<Document>(&id).await, Err(StoreError::Open { .. })));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_value_moved_to_another_field_does_not_open(admin: PgPool) {
    two_uploads(&admin).await;
    tamper(&admin, 5, |payload| {
        let hash = &mut payload["UploadRequested"]["content_hash"];
        let (nonce, sha256) = (hash["nonce"].take(), hash["sha256"].take());
        (hash["nonce"], hash["sha256"]) = (sha256, nonce);
    })
    .await;
    opens_nowhere(&admin, 5).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_value_moved_to_another_event_does_not_open(admin: PgPool) {
    two_uploads(&admin).await;
    let payload: Value =
        sqlx::query_scalar("SELECT payload FROM events WHERE position = 5").fetch_one(&admin).await.unwrap();
    tamper(&admin, 7, |target| {
        target["UploadRequested"]["name"] = payload["UploadRequested"]["name"].clone();
    })
    .await;
    opens_nowhere(&admin, 7).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_value_given_to_another_person_does_not_open(admin: PgPool) {
    let (_, other) = two_uploads(&admin).await;
    tamper(&admin, 5, |payload| payload["UploadRequested"]["name"]["subject"] = other.to_string().into())
        .await;
    opens_nowhere(&admin, 5).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_erased_person_reads_as_erased_and_takes_no_more_data(admin: PgPool) {
    let ours = vault::store(&admin).await;
    let user = vault::person(&ours, 100).await;
    let document = vault::request_upload(&ours, user, 10).await.unwrap().value;
    sqlx::query("UPDATE user_keys SET wrapped = NULL WHERE user_id = $1")
        .bind(user.0)
        .execute(&admin)
        .await
        .unwrap();

    let fresh = vault::store(&admin).await;
    let (state, _) = fresh.load::<Document>(&document.to_string()).await.unwrap();
    let request = state.request().unwrap();
    let ContentHash { nonce, sha256, .. } = &request.content_hash;
    assert!(request.name.value == PersonalValue::Erased(true));
    assert!([nonce, sha256].iter().all(|personal| personal.value == PersonalValue::Erased(true)));
    assert!(fresh.read(0, 100).await.is_ok());

    // One store finds no key; the other still has it at hand, and the door refuses.
    for store in [fresh, ours] {
        let name = Personal::new(user, aggregates::Name::parse("after the end").unwrap());
        let rename =
            vault::send::<Document>(&store, user, document.0, DocumentCommand::Rename { name }).await;
        assert!(matches!(rename, Err(ExecuteError::NoKey)), "{rename:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_newest_master_key_wraps_and_the_old_ones_open(admin: PgPool) {
    let old = vault::store(&admin).await;
    let first = vault::register(&old).await;
    let pepper = old.keyring().installation_key(InstallationKey::Pepper, vault::new_id()).await.unwrap();

    let with = |master: String| {
        let options = vault::app_options(&admin);
        async move { vault::store_with(options, &master, Clock::system()).await }
    };
    let rotated = with(format!("# newest last\n{MASTER_1}\n\n{MASTER_2}\n")).await;
    let second = vault::register(&rotated).await;
    let versions: Vec<(uuid::Uuid, i32)> =
        sqlx::query_as("SELECT user_id, master_version FROM user_keys ORDER BY master_version")
            .fetch_all(&admin)
            .await
            .unwrap();
    assert_eq!(versions, [(first.0, 1), (second.0, 2)]);
    assert_eq!(rotated.read(0, 10).await.unwrap().len(), 2);
    assert_eq!(
        *rotated.keyring().installation_key(InstallationKey::Pepper, vault::new_id()).await.unwrap(),
        *pepper
    );

    let forgetful = with(MASTER_2.into()).await;
    let error = forgetful.read(0, 10).await.unwrap_err();
    assert!(matches!(error, StoreError::Seal(SealError::NoMasterKey(1))), "{error}");
    let wrong = with(MASTER_2.replace("2 ", "1 ")).await;
    assert!(matches!(wrong.read(0, 1).await, Err(StoreError::Seal(SealError::Decrypt))));
}

#[sqlx::test(migrations = "../migrations")]
async fn processes_that_race_make_one_installation_key(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    for purpose in [InstallationKey::Refresh, InstallationKey::EmailIndex] {
        let key = |store: EventStore| async move {
            store.keyring().installation_key(purpose, vault::new_id()).await.unwrap()
        };
        let (a, b) = futures::join!(key(ours.clone()), key(theirs.clone()));
        assert_eq!(*a, *b);
    }
}

#[test]
fn a_master_key_file_is_private_and_well_formed() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("docuvault-master-{}", vault::new_id()));
    std::fs::write(&path, MASTER_1).unwrap();
    let read = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        MasterKeys::read(&path).err()
    };
    for exposed in [0o644, 0o640, 0o604, 0o620] {
        assert!(matches!(read(exposed), Some(MasterKeyError::Exposed { mode, .. }) if mode == exposed));
    }
    assert!(read(0o600).is_none() && read(0o400).is_none());
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(MasterKeys::read(&path).err(), Some(MasterKeyError::Unreadable { .. })));

    let parse = |text: &str| MasterKeys::parse(text).err();
    assert!(matches!(parse("# nothing\n\n"), Some(MasterKeyError::Empty)));
    for bad in ["1 c2hvcnQ=", "x bW0=", "0 bW1t", "1", MASTER_1.trim_start_matches("1 ")] {
        let third = format!("{MASTER_1}\n\n{bad}");
        assert!(matches!(parse(&third), Some(MasterKeyError::Malformed { line: 3 })), "{bad}");
    }
    assert!(matches!(parse(&format!("{MASTER_1}\n{MASTER_1}")), Some(MasterKeyError::Repeated { line: 2 })));
}
