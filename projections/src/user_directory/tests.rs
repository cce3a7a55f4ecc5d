use aggregates::{Personal, Preferences, Role, User, UserCommand, UserId};
use futures::FutureExt;
use sqlx::PgPool;

use super::*;
use crate::fixture::Vault;
use crate::tests::fold;

#[sqlx::test(migrations = "../migrations")]
async fn accounts_are_found_with_their_data_open(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let first = vault.register("first@example.org", 1).await;
    let second = vault.register("second@example.org", 1).await;
    fold(&vault, &UserDirectory, 1).await;

    assert_eq!(count(&pool).await.unwrap(), 2);
    let row = find(&pool, second).await.unwrap().unwrap();
    assert_eq!((row.email.as_str(), row.role.as_str()), ("second@example.org", "user"));
    assert_eq!((row.display_name, row.position), (None, 3));
    assert_ne!(find(&pool, first).await.unwrap().unwrap().email, row.email);
}

#[sqlx::test(migrations = "../migrations")]
async fn without_their_key_people_are_erased(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.register("someone@example.org", 1).await;
    sqlx::query("UPDATE user_keys SET wrapped = NULL").execute(&pool).await.unwrap();
    // A process that starts now has no key of theirs in memory.
    fold(&Vault::open(&pool).await, &UserDirectory, 1).await;
    assert_eq!(find(&pool, user).await.unwrap().unwrap().email, "[erased]");
}

async fn send(vault: &Vault, user: UserId, commands: Vec<UserCommand>) {
    let sent = vault.store.execute(vault.context(user), move |unit| {
        let commands = commands.clone();
        async move {
            let mut account = unit.load::<User>(user.0).await?;
            for command in commands {
                unit.handle(&mut account, command).await?;
            }
            Ok::<_, anyhow::Error>(())
        }
        .boxed()
    });
    sent.await.unwrap();
}

/// However the events come in batches.
#[sqlx::test(migrations = "../migrations")]
async fn a_row_follows_its_account(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.register("first@example.org", 100).await;
    let personal = |text: &str| Personal::new(user, text.to_owned());
    let preferences =
        Preferences { language: Some(personal("de")), time_zone: Some(personal("Europe/Vienna")) };
    let commands = vec![
        UserCommand::ChangeDisplayName { display_name: Some(personal("Ada")) },
        UserCommand::ChangePreferences { preferences },
        UserCommand::RequestEmailChange { email: personal("second@example.org") },
        UserCommand::ChangeRole { role: Role::Auditor },
        UserCommand::StartTotpEnrollment,
        UserCommand::EnableTotp,
        UserCommand::Deactivate,
    ];
    send(&vault, user, commands).await;
    for batch in [1, 3, usize::MAX] {
        sqlx::query("TRUNCATE user_directory").execute(&pool).await.unwrap();
        fold(&vault, &UserDirectory, batch).await;
        let row = find(&pool, user).await.unwrap().unwrap();
        assert_eq!((row.email.as_str(), row.email_verified), ("first@example.org", false));
        assert_eq!((row.display_name.as_deref(), row.language.as_deref()), (Some("Ada"), Some("de")));
        assert_eq!((row.time_zone.as_deref(), row.role.as_str()), (Some("Europe/Vienna"), "auditor"));
        assert_eq!((row.is_active, row.totp_enabled, row.position), (false, true, 9));
    }
    let back = vec![UserCommand::Reactivate, UserCommand::DisableTotp, UserCommand::ConfirmEmailChange];
    send(&vault, user, back).await;
    sqlx::query("TRUNCATE user_directory").execute(&pool).await.unwrap();
    fold(&vault, &UserDirectory, 2).await;
    let row = find(&pool, user).await.unwrap().unwrap();
    assert_eq!((row.email.as_str(), row.email_verified), ("second@example.org", true));
    assert_eq!((row.is_active, row.totp_enabled, row.position), (true, false, 12));
}
