//! The second factor of a person: whether a code is right, and what using it up takes. A code that is right is a [`Proof`], and
//! good for nothing until a statement has used it up together with what it permits (attacks A13, A16).

use aggregates::access::RevocationReason;
use aggregates::{AccessEvent, SessionId, User, UserCommand, UserId};
use event_store::{Context, ExecuteError, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use zeroize::Zeroizing;

use super::backup_code::{self, BackupCode};
use super::password_hash::PasswordHash;
use super::session::record_ended;
use super::totp;
use crate::app::App;
use crate::error::ApiError;

/// A code that was right when it was looked at.
#[derive(Clone)]
pub enum Proof {
    /// Of the authenticator with this seed, sealed.
    Step {
        step: i64,
        seed: Vec<u8>,
    },
    BackupCode {
        selector: String,
        hash: String,
    },
}

/// Which codes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    Totp,
    BackupCode,
    Either,
    /// Of an authenticator that is not on yet.
    Enrolled,
}

/// The seed of an authenticator, as it is at rest.
pub(super) struct Factor {
    pub(super) seed: Vec<u8>,
    pub(super) is_on: bool,
    pub(super) last_step: i64,
}

impl Proof {
    pub fn step(&self) -> Option<i64> {
        match self {
            Self::Step { step, .. } => Some(*step),
            Self::BackupCode { .. } => None,
        }
    }

    /// Selector and hash.
    pub fn backup_code(&self) -> Option<(&str, &str)> {
        match self {
            Self::Step { .. } => None,
            Self::BackupCode { selector, hash } => Some((selector, hash)),
        }
    }
}

impl Factor {
    pub(super) async fn of(pool: &PgPool, user: UserId) -> Result<Option<Self>, ApiError> {
        let factor = sqlx::query_as!(
            Self,
            "SELECT seed, is_on, last_step FROM second_factors WHERE user_id = $1",
            user.0
        );
        Ok(factor.fetch_optional(pool).await?)
    }
}

/// What `code` proves, if it is right and of a kind that is taken.
pub(super) async fn prove(
    app: &App,
    user: UserId,
    accepts: Accepts,
    code: &str,
) -> Result<Option<Proof>, ApiError> {
    let Some(factor) = Factor::of(app.store.pool(), user).await? else { return Ok(None) };
    if factor.is_on == (accepts == Accepts::Enrolled) {
        return Ok(None);
    }
    let digits: Zeroizing<String> = Zeroizing::new(code.split_whitespace().collect());
    if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return if accepts == Accepts::BackupCode {
            Ok(None)
        } else {
            prove_step(app, user, factor, &digits).await
        };
    }
    match BackupCode::parse(code) {
        Some(code) if matches!(accepts, Accepts::BackupCode | Accepts::Either) => {
            prove_backup_code(app, user, code).await
        }
        _ => Ok(None),
    }
}

async fn prove_step(app: &App, user: UserId, factor: Factor, code: &str) -> Result<Option<Proof>, ApiError> {
    let seed = app.store.keyring().open_seed(user, &factor.seed).await?;
    let Some(seed) = seed else { return Ok(None) };
    let step = totp::step_of(&seed, code, app.clock().now())?;
    Ok(step.filter(|step| *step > factor.last_step).map(|step| Proof::Step { step, seed: factor.seed }))
}

/// A selector that nobody has is checked for as long.
async fn prove_backup_code(app: &App, user: UserId, code: BackupCode) -> Result<Option<Proof>, ApiError> {
    let BackupCode { selector, rest } = code;
    let hash = sqlx::query_scalar!(
        "SELECT code_hash FROM backup_codes WHERE user_id = $1 AND selector = $2",
        user.0,
        selector
    );
    let hash = hash.fetch_optional(app.store.pool()).await?;
    let stored = hash.as_deref().map(str::parse::<PasswordHash>).transpose().map_err(anyhow::Error::from)?;
    let fits = app.passwords.verify(rest, stored.as_ref()).await?;
    Ok(hash.filter(|_| fits).map(|hash| Proof::BackupCode { selector, hash }))
}

/// Uses `proof` up for nothing but that it was shown. Answers how many backup codes are left, if it was one of them.
pub async fn use_up(app: &App, context: Context, proof: Proof) -> Result<Option<u8>, ExecuteError<ApiError>> {
    let (user, pool) = (context.owner_id, app.store.pool().clone());
    let (selector, hash) = match proof {
        Proof::Step { step, .. } => {
            return if take_step(&pool, user, step).await? {
                Ok(None)
            } else {
                Err(ExecuteError::Precondition)
            };
        }
        Proof::BackupCode { selector, hash } => (selector, hash),
    };
    let reading = pool.clone();
    let done = app.store.execute_with(
        context,
        move |unit| record_use(unit, user, reading.clone()).boxed(),
        move |append| take_backup_code(pool.clone(), append, user, selector.clone(), hash.clone()).boxed(),
    );
    Ok(Some(done.await?.value))
}

async fn take_step(pool: &PgPool, user: UserId, step: i64) -> Result<bool, ExecuteError<ApiError>> {
    let taken = sqlx::query!(
        "UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND is_on AND last_step < $2",
        user.0,
        step
    );
    let taken = taken.execute(pool).await.map_err(|error| ExecuteError::Refused(error.into()))?;
    Ok(taken.rows_affected() > 0)
}

async fn record_use(unit: &mut Unit, user: UserId, pool: PgPool) -> Result<u8, ApiError> {
    let left = backup_code::count(&pool, user).await?.saturating_sub(1);
    unit.record(user, &AccessEvent::BackupCodeUsed { left })?;
    Ok(left)
}

async fn take_backup_code(
    pool: PgPool,
    append: Value,
    user: UserId,
    selector: String,
    hash: String,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH code AS (
             DELETE FROM backup_codes WHERE user_id = $2 AND selector = $3 AND code_hash = $4 RETURNING 1
         )
         SELECT append_or_fail($1) FROM code",
        append,
        user.0,
        selector,
        hash
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}

/// Decides a change of the second factor by `command`: every session but `kept` ends with it.
pub(super) async fn decide_change(
    unit: &mut Unit,
    user_id: UserId,
    kept: SessionId,
    command: UserCommand,
    pool: PgPool,
) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(user_id.0).await?;
    unit.handle(&mut user, command).await?;
    unit.answer(Value::Null);
    record_ended(unit, &pool, user_id, Some(kept), RevocationReason::FactorChanged).await
}
