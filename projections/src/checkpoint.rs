//! How far a subscription has come, and who may move it on.

use sqlx::{PgConnection, PgPool};

/// A runner's hold on a checkpoint: good until another runner claims it.
#[derive(Debug)]
pub struct Checkpoint {
    name: &'static str,
    position: i64,
    epoch: i64,
}

impl Checkpoint {
    /// Takes the checkpoint `name` over, from whoever had it. A new one stands at 0.
    pub async fn claim(pool: &PgPool, name: &'static str) -> Result<Self, sqlx::Error> {
        let row = sqlx::query!(
            "INSERT INTO checkpoints (name) VALUES ($1)
             ON CONFLICT (name) DO UPDATE SET epoch = checkpoints.epoch + 1 RETURNING position, epoch",
            name
        )
        .fetch_one(pool)
        .await?;
        Ok(Self { name, position: row.position, epoch: row.epoch })
    }

    /// As [`Self::claim`], but only from a runner that has left events lying for five seconds.
    pub(crate) async fn claim_abandoned(
        pool: &PgPool,
        name: &'static str,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            "UPDATE checkpoints SET epoch = epoch + 1
             WHERE name = $1 AND updated_at < now() - interval '5 seconds' AND EXISTS (
                 SELECT FROM events
                 WHERE events.position = checkpoints.position + 1 AND recorded_at < now() - interval '5 seconds')
             RETURNING position, epoch",
            name
        )
        .fetch_optional(pool)
        .await?;
        Ok(row.map(|row| Self { name, position: row.position, epoch: row.epoch }))
    }

    /// Everything up to here is handled.
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// Moves on to `position`, inside the transaction that wrote the rows. False: another runner has the checkpoint,
    /// and the transaction must not commit.
    ///
    /// The commit need not wait for the disk: should it be lost, so are the rows, and both are made again.
    pub async fn advance(&mut self, tx: &mut PgConnection, position: i64) -> Result<bool, sqlx::Error> {
        let advanced = sqlx::query!(
            "WITH advanced AS (
                 UPDATE checkpoints SET position = $4, error = NULL, updated_at = clock_timestamp()
                 WHERE name = $1 AND position = $2 AND epoch = $3 RETURNING name, position)
             SELECT set_config('synchronous_commit', 'off', true),
                    pg_notify('docuvault_checkpoint', name || ' ' || position) AS notified
             FROM advanced",
            self.name,
            self.position,
            self.epoch,
            position
        )
        .fetch_optional(tx)
        .await?;
        if advanced.is_some() {
            self.position = position;
        }
        Ok(advanced.is_some())
    }

    /// Makes it visible that the event after the checkpoint cannot be handled.
    pub async fn fail(&self, pool: &PgPool, error: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE checkpoints SET error = $4, updated_at = clock_timestamp()
             WHERE name = $1 AND position = $2 AND epoch = $3",
            self.name,
            self.position,
            self.epoch,
            error
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}
