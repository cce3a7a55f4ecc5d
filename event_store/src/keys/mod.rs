//! The key hierarchy: master key (a file) → wrapping keys (HKDF) → random keys of persons and purposes (wrapped).
//!
//! Only random keys ever touch data, so rotating the master key rewraps and re-encrypts nothing, and destroying a
//! person's wrapped key makes that person's data unreadable everywhere, backups of the log included.

mod master;
mod seed;
mod wrap;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aggregates::UserId;
use lru::LruCache;
use rand::TryRng;
use rand::rngs::SysRng;
use sqlx::PgPool;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use master::{MasterKeyError, MasterKeys};

use crate::{SealError, StoreError};

/// How many opened user keys are kept at hand.
const CACHED_KEYS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// How long they are: a person whom another process erases can still be read in this one for so long.
const CACHED_FOR: Duration = Duration::from_mins(1);

/// What a random key of this installation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallationKey {
    AccessToken,
    Refresh,
    EmailIndex,
    Pepper,
    Idempotency,
    /// Of the tokens in links that go out by mail.
    Link,
}

/// A person's keys for personal data in events, for snapshots and for the seed of the second factor, derived from the person's random key.
#[derive(Clone)]
pub(crate) struct UserKey {
    pub(crate) key_id: Uuid,
    pub(crate) pii: Zeroizing<[u8; 32]>,
    pub(crate) snapshot: Zeroizing<[u8; 32]>,
    totp: Zeroizing<[u8; 32]>,
}

impl UserKey {
    fn derive(key_id: Uuid, random: &[u8; 32]) -> Result<Self, SealError> {
        Ok(Self {
            key_id,
            pii: wrap::derive_pii(random)?,
            snapshot: wrap::derive_snapshot(random)?,
            totp: wrap::derive_totp(random)?,
        })
    }
}

/// A key for a person who is about to be registered; its row commits with `UserRegistered`.
#[derive(Clone)]
pub struct NewUserKey {
    pub user_id: UserId,
    pub key_id: Uuid,
    pub master_version: i32,
    pub wrapped: Vec<u8>,
    pub(crate) key: UserKey,
}

/// Opens and keeps the keys. Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    pool: PgPool,
    master: MasterKeys,
    salt: Vec<u8>,
    users: Mutex<LruCache<UserId, (UserKey, Instant)>>,
}

impl Keyring {
    /// Reads the installation's salt; fails when the log has not been migrated.
    pub async fn open(pool: PgPool, master: MasterKeys) -> Result<Self, StoreError> {
        let salt = sqlx::query_scalar!("SELECT salt FROM log_identity").fetch_one(&pool).await?;
        let users = Mutex::new(LruCache::new(CACHED_KEYS));
        Ok(Self(Arc::new(Inner { pool, master, salt, users })))
    }

    /// A fresh random key for `user_id`, named `key_id`.
    pub fn new_user_key(&self, user_id: UserId, key_id: Uuid) -> Result<NewUserKey, SealError> {
        let random = random_key()?;
        let master_version = self.0.master.current();
        let kek = self.wrapping_key("user-key", master_version)?;
        let wrapped = wrap::wrap(&kek, &random, &wrap::user_key_aad(user_id, key_id))?;
        let key = UserKey::derive(key_id, &random)?;
        Ok(NewUserKey { user_id, key_id, master_version, wrapped, key })
    }

    /// The random key for `purpose`, made on first use. Two processes that race end with the same key.
    pub async fn installation_key(
        &self,
        purpose: InstallationKey,
        new_key_id: Uuid,
    ) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let name = purpose.name();
        let random = random_key()?;
        let version = self.0.master.current();
        let wrapped = wrap::wrap(
            &*self.wrapping_key(name, version)?,
            &random,
            &wrap::installation_key_aad(name, new_key_id),
        )?;
        sqlx::query!(
            "INSERT INTO installation_keys (purpose, version, key_id, master_version, wrapped)
             VALUES ($1, 1, $2, $3, $4) ON CONFLICT DO NOTHING",
            name,
            new_key_id,
            version,
            wrapped
        )
        .execute(&self.0.pool)
        .await?;
        let row = sqlx::query!(
            "SELECT key_id, master_version, wrapped FROM installation_keys
             WHERE purpose = $1 ORDER BY version DESC LIMIT 1",
            name
        )
        .fetch_one(&self.0.pool)
        .await?;
        let kek = self.wrapping_key(name, row.master_version)?;
        Ok(wrap::unwrap(&kek, &row.wrapped, &wrap::installation_key_aad(name, row.key_id))?)
    }

    /// The keys of those `users` who have one; who is missing was erased or never registered.
    pub(crate) async fn user_keys(&self, users: &[UserId]) -> Result<Vec<(UserId, UserKey)>, StoreError> {
        let mut found = Vec::with_capacity(users.len());
        let mut missing = Vec::new();
        {
            let mut cache = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
            for user in users {
                match cache.get(user) {
                    Some((key, since)) if since.elapsed() < CACHED_FOR => found.push((*user, key.clone())),
                    _ => missing.push(user.0),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let rows = sqlx::query!(
            r#"SELECT user_id, key_id, master_version, wrapped AS "wrapped!" FROM user_keys
               WHERE user_id = ANY($1) AND wrapped IS NOT NULL"#,
            &missing
        )
        .fetch_all(&self.0.pool)
        .await?;
        for row in rows {
            let user = UserId(row.user_id);
            let kek = self.wrapping_key("user-key", row.master_version)?;
            let random = wrap::unwrap(&kek, &row.wrapped, &wrap::user_key_aad(user, row.key_id))?;
            let key = UserKey::derive(row.key_id, &random)?;
            self.0
                .users
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .put(user, (key.clone(), Instant::now()));
            found.push((user, key));
        }
        Ok(found)
    }

    fn wrapping_key(&self, purpose: &str, version: i32) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let master = self.0.master.get(version).ok_or(SealError::NoMasterKey(version))?;
        wrap::derive(master, &self.0.salt, &format!("docuvault/v1/{purpose}/{version}"))
    }
}

impl InstallationKey {
    const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access-token",
            Self::Refresh => "refresh",
            Self::EmailIndex => "email-index",
            Self::Pepper => "pepper",
            Self::Idempotency => "idempotency",
            Self::Link => "link",
        }
    }
}

fn random_key() -> Result<Zeroizing<[u8; 32]>, SealError> {
    let mut key = Zeroizing::new([0; 32]);
    SysRng.try_fill_bytes(key.as_mut()).map_err(|_| SealError::Randomness)?;
    Ok(key)
}
