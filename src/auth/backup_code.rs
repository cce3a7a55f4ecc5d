//! Backup codes: ten on a sheet of paper, each good once, for whoever has lost the second factor. The first four characters
//! find a code, the other 60 bits prove it; they are hashed as passwords are, so a stolen database opens nothing.

use std::collections::BTreeMap;

use aggregates::UserId;
use futures::future::try_join_all;
use sqlx::PgPool;
use zeroize::Zeroizing;

use super::password::{HashError, Password, random};
use crate::app::App;
use crate::error::ApiError;

/// How many a person has.
const SHEET: usize = 10;
const LENGTH: usize = 16;
const SELECTOR: usize = 4;
/// RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A code that somebody gave.
pub struct BackupCode {
    pub(super) selector: String,
    pub(super) rest: Zeroizing<String>,
}

/// Codes that are about to be somebody's.
pub struct Sheet {
    /// As they are shown, this once.
    pub codes: Vec<Zeroizing<String>>,
    pub(super) selectors: Vec<String>,
    pub(super) hashes: Vec<String>,
}

impl BackupCode {
    /// `None`: this is none of ours. Case, spaces and hyphens do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let kept = text.chars().filter(|one| !one.is_whitespace() && *one != '-');
        let code: Zeroizing<String> = Zeroizing::new(kept.map(|one| one.to_ascii_uppercase()).collect());
        let is_fine = code.len() == LENGTH && code.bytes().all(|byte| BASE32.contains(&byte));
        is_fine.then(|| {
            let (selector, rest) = code.split_at(SELECTOR);
            Self { selector: selector.to_owned(), rest: Zeroizing::new(rest.to_owned()) }
        })
    }

    fn random() -> Result<Self, HashError> {
        let bytes: Zeroizing<[u8; LENGTH]> = Zeroizing::new(random()?);
        let code: Zeroizing<String> =
            Zeroizing::new(bytes.iter().map(|byte| char::from(BASE32[usize::from(byte % 32)])).collect());
        let (selector, rest) = code.split_at(SELECTOR);
        Ok(Self { selector: selector.to_owned(), rest: Zeroizing::new(rest.to_owned()) })
    }

    fn shown(&self) -> Zeroizing<String> {
        let (one, rest) = self.rest.split_at(4);
        let (two, three) = rest.split_at(4);
        Zeroizing::new(format!("{}-{one}-{two}-{three}", self.selector))
    }
}

impl Sheet {
    /// Makes ten codes that no two begin alike.
    pub async fn new(app: &App) -> Result<Self, ApiError> {
        let mut made = BTreeMap::new();
        while made.len() < SHEET {
            let code = BackupCode::random()?;
            made.insert(code.selector.clone(), code);
        }
        let hashes = try_join_all(made.values().map(|code| async {
            let rest = Password::parse(code.rest.clone()).map_err(anyhow::Error::from)?;
            Ok::<_, ApiError>(app.passwords.hash(rest).await?.to_string())
        }));
        let hashes = hashes.await?;
        let codes = made.values().map(BackupCode::shown).collect();
        Ok(Self { codes, hashes, selectors: made.into_keys().collect() })
    }
}

/// How many `user` has left.
pub async fn count(pool: &PgPool, user: UserId) -> Result<u8, ApiError> {
    let count =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM backup_codes WHERE user_id = $1"#, user.0);
    Ok(u8::try_from(count.fetch_one(pool).await?).unwrap_or(u8::MAX))
}
