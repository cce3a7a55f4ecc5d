//! A fold does not depend on how the log is cut into batches.

use aggregates::document::RejectionReason;
use aggregates::{DocumentCommand, DocumentId, UserId};
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::PgPool;

use super::fold;
use crate::fixture::Vault;

/// One thing that happens in a random history; what the domain refuses does not happen.
#[derive(Clone, Debug)]
enum Step {
    Register,
    Request { size: u64, name: String },
    Change { document: usize, change: Change },
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Verify,
    Complete,
    Reject,
    Cancel,
    Expire,
    Rename,
    Trash,
    Restore,
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop::sample::select(vec![
        Change::Verify,
        Change::Complete,
        Change::Complete,
        Change::Complete,
        Change::Reject,
        Change::Cancel,
        Change::Expire,
        Change::Rename,
        Change::Trash,
        Change::Trash,
        Change::Restore,
        Change::Purge,
    ]);
    prop_oneof![
        1 => Just(Step::Register),
        6 => (0..3_000_u64, "[A-Za-zéß日]{1,8}").prop_map(|(size, name)| Step::Request { size, name }),
        16 => (any::<usize>(), change).prop_map(|(document, change)| Step::Change { document, change }),
    ]
}

pub(super) async fn random_history(vault: &Vault, steps: usize) {
    let mut runner = TestRunner::deterministic();
    let steps = prop::collection::vec(step(), steps).new_tree(&mut runner).unwrap().current();
    let mut users = vec![vault.register("first@example.org", 100_000).await];
    let mut documents: Vec<(UserId, DocumentId)> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Register => users.push(vault.register(&format!("{number}@example.org"), 50_000).await),
            Step::Request { size, name } => {
                let owner = users[number % users.len()];
                if let Ok(document) = vault.request(owner, &name, size).await {
                    documents.push((owner, document));
                }
            }
            Step::Change { document, change } if !documents.is_empty() => {
                let (owner, document) = documents[document % documents.len()];
                // Refused: nothing happened.
                drop(vault.change(owner, document, command(vault, owner, change)).await);
            }
            Step::Change { .. } => {}
        }
    }
}

fn command(vault: &Vault, owner: UserId, change: Change) -> DocumentCommand {
    let now = vault.store.clock().now();
    match change {
        Change::Verify => DocumentCommand::BeginVerification { now },
        Change::Complete => DocumentCommand::CompleteUpload { now },
        Change::Reject => DocumentCommand::RejectUpload { reason: RejectionReason::SizeMismatch },
        Change::Cancel => DocumentCommand::CancelUpload,
        Change::Expire => DocumentCommand::ExpireUpload { now: now + TimeDelta::days(2) },
        Change::Rename => {
            let name = aggregates::Name::parse(&format!("{} renamed", now.timestamp_micros())).unwrap();
            DocumentCommand::Rename { name: aggregates::Personal::new(owner, name) }
        }
        Change::Trash => DocumentCommand::Trash,
        Change::Restore => DocumentCommand::Restore,
        Change::Purge => DocumentCommand::Purge,
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn batches_of_any_size_give_the_same_rows(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    random_history(&vault, 300).await;
    for projection in crate::all() {
        let name = projection.name();
        let mut folded = Vec::new();
        for batch in [1, 7, usize::MAX] {
            let empty = format!("TRUNCATE {name}");
            sqlx::query(&empty).execute(&pool).await.unwrap();
            fold(&vault, projection.as_ref(), batch).await;
            let rows = format!("SELECT to_jsonb(t)::text FROM {name} t ORDER BY 1");
            folded.push(sqlx::query_scalar::<_, String>(&rows).fetch_all(&pool).await.unwrap());
        }
        assert!(!folded[0].is_empty(), "{name} folded nothing");
        assert_eq!(folded[0], folded[1], "{name}");
        assert_eq!(folded[0], folded[2], "{name}");
    }
}
