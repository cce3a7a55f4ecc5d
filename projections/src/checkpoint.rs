//! How far a subscription has come, and who leads it.
//!
//! The leader has a lease of five seconds by the database's clock, and renews it in time. Who takes over raises the
//! epoch, and every advance is a compare-and-set on position and epoch: a leader that was paused and wakes up later
//! writes nothing.

use std::time::Duration;

use event_store::Clock;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// How often the holder of a lease (5 s) renews it.
const RENEW_EVERY: Duration = Duration::from_millis(1_500);
/// How often a follower looks whether the lease has become free.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Checkpoints of other subscriptions than projections have no generations.
const ONLY: i64 = 1;

/// Who asks for a lease.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    pub id: Uuid,
    /// Nobody else can be at work on this database: a lease that is still running was left by a process that died.
    pub alone: bool,
}

impl Holder {
    pub fn new(clock: &Clock, alone: bool) -> Self {
        Self { id: clock.new_id(), alone }
    }
}

/// A leader's hold on a checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    name: &'static str,
    generation: i64,
    position: i64,
    epoch: i64,
}

impl Checkpoint {
    /// Takes the lease of the subscription `name`, if it is free. A new checkpoint stands at 0.
    pub async fn claim(
        pool: &PgPool,
        name: &'static str,
        holder: Holder,
    ) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query!("INSERT INTO checkpoints (name) VALUES ($1) ON CONFLICT DO NOTHING", name)
            .execute(pool)
            .await?;
        Self::claim_generation(pool, name, ONLY, holder).await
    }

    /// Takes the lease of one generation of a projection, if it is free and has not been retired. One that would run for
    /// longer than any does was taken before the database's clock was set back: it is free, too.
    pub async fn claim_generation(
        pool: &PgPool,
        name: &'static str,
        generation: i64,
        holder: Holder,
    ) -> Result<Option<Self>, sqlx::Error> {
        Self::claim_in(&mut *pool.acquire().await?, name, generation, holder).await
    }

    /// As [`Self::claim_generation`], in the caller's transaction.
    pub(crate) async fn claim_in(
        connection: &mut PgConnection,
        name: &'static str,
        generation: i64,
        holder: Holder,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            "UPDATE checkpoints
             SET epoch = epoch + 1, holder = $3, leased_until = clock_timestamp() + interval '5 seconds'
             WHERE name = $1 AND generation = $2
               AND (holder IS NULL OR holder = $3 OR $4
                 OR leased_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 seconds')
             RETURNING position, epoch",
            name,
            generation,
            holder.id,
            holder.alone
        )
        .fetch_optional(connection)
        .await?;
        Ok(row.map(|row| Self { name, generation, position: row.position, epoch: row.epoch }))
    }

    /// How far one generation of a projection is; 0 when it is no more.
    pub async fn standing(pool: &PgPool, name: &str, generation: i64) -> Result<i64, sqlx::Error> {
        let position = sqlx::query_scalar!(
            "SELECT position FROM checkpoints WHERE name = $1 AND generation = $2",
            name,
            generation
        );
        Ok(position.fetch_optional(pool).await?.unwrap_or(0))
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn generation(&self) -> i64 {
        self.generation
    }

    /// Everything up to here is handled.
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// Keeps the lease for another five seconds. False: another leader has taken over.
    pub async fn renew(&self, pool: &PgPool) -> Result<bool, sqlx::Error> {
        let renewed = sqlx::query!(
            "WITH renewed AS (
                 UPDATE checkpoints SET leased_until = clock_timestamp() + interval '5 seconds'
                 WHERE name = $1 AND generation = $2 AND epoch = $3 RETURNING name)
             SELECT set_config('synchronous_commit', 'off', true) FROM renewed",
            self.name,
            self.generation,
            self.epoch
        );
        Ok(renewed.fetch_optional(pool).await?.is_some())
    }

    /// Renews the lease in time, for ever. Returns when another leader has taken over.
    pub async fn keep(&self, pool: &PgPool) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.renew(pool).await {
                Ok(true) => {}
                Ok(false) => return,
                // The lease may run out meanwhile; whether somebody takes it shows when the database is back.
                Err(error) => tracing::warn!(name = self.name, %error, "a lease could not be renewed"),
            }
        }
    }

    /// Gives the lease back: the next one who asks has it.
    pub async fn release(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE checkpoints SET holder = NULL, leased_until = NULL
             WHERE name = $1 AND generation = $2 AND epoch = $3",
            self.name,
            self.generation,
            self.epoch
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    /// Begins a transaction that moves on from here, alone: until it ends nobody else can claim or advance. `None`:
    /// another leader has taken over.
    ///
    /// A process that is stopped amidst it loses the transaction after three seconds, and with it the locks on its
    /// rows. The commit need not wait for the disk: should it be lost, so are the rows, and both are made again. Rows are
    /// found by their keys, whatever the statistics of a table that is being filled say.
    pub async fn begin(&self, pool: &PgPool) -> Result<Option<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut tx = pool.begin().await?;
        Ok(self.lock(&mut tx).await?.then_some(tx))
    }

    /// As [`Self::begin`], in a transaction that has begun. False: another leader has taken over.
    pub(crate) async fn lock(&self, tx: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let locked = sqlx::query!(
            "SELECT set_config('synchronous_commit', 'off', true),
                    set_config('enable_seqscan', 'off', true) AS by_key,
                    set_config('idle_in_transaction_session_timeout', '3000', true) AS timeout
             FROM checkpoints WHERE name = $1 AND generation = $2 AND position = $3 AND epoch = $4 FOR UPDATE",
            self.name,
            self.generation,
            self.position,
            self.epoch
        );
        Ok(locked.fetch_optional(tx).await?.is_some())
    }

    /// Moves on to `position` in `connection`, be it a transaction that wrote rows or not, and keeps the lease.
    /// False: another leader has taken over, and the transaction must not commit.
    pub async fn advance(
        &mut self,
        connection: &mut PgConnection,
        position: i64,
    ) -> Result<bool, sqlx::Error> {
        let advanced = sqlx::query!(
            "WITH advanced AS (
                 UPDATE checkpoints SET position = $5, error = NULL, updated_at = clock_timestamp(),
                        leased_until = clock_timestamp() + interval '5 seconds'
                 WHERE name = $1 AND generation = $2 AND position = $3 AND epoch = $4
                 RETURNING name, generation, position)
             SELECT set_config('synchronous_commit', 'off', true),
                    -- What fills beside the serving generation is nobody's news.
                    (SELECT pg_notify('docuvault_checkpoint', name || ' ' || position)
                     WHERE coalesce(serving.generation, advanced.generation) = advanced.generation) AS notified
             FROM advanced LEFT JOIN serving_projections serving USING (name)",
            self.name,
            self.generation,
            self.position,
            self.epoch,
            position
        )
        .fetch_optional(connection)
        .await?;
        if advanced.is_some() {
            self.position = position;
        }
        Ok(advanced.is_some())
    }

    /// Makes it visible that the event after the checkpoint cannot be handled.
    pub async fn fail(&self, pool: &PgPool, error: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE checkpoints SET error = $5, updated_at = clock_timestamp()
             WHERE name = $1 AND generation = $2 AND position = $3 AND epoch = $4",
            self.name,
            self.generation,
            self.position,
            self.epoch,
            error
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}
