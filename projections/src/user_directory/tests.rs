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
