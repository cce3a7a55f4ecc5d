//! Holds the gate shut, so that a test can say what is in flight and what waits behind it.

use sqlx::{PgPool, Postgres, Transaction};

pub(crate) struct Gate(Transaction<'static, Postgres>);

impl Gate {
    pub(crate) async fn shut(admin: &PgPool) -> Self {
        let mut transaction = admin.begin().await.unwrap();
        sqlx::query("LOCK log_gate").execute(&mut *transaction).await.unwrap();
        Self(transaction)
    }

    /// Waits until `count` appends stand at the gate.
    pub(crate) async fn queue(&mut self, count: i64) {
        let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'log_gate'::regclass AND NOT granted";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *self.0).await.unwrap() != count {}
    }

    pub(crate) async fn open(self) {
        self.0.rollback().await.unwrap();
    }
}
