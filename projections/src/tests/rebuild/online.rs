use std::sync::Arc;

use futures::future::join_all;
use sqlx::{Connection, PgPool};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{assert_equal_to_fresh_folds, begin, generation, rebuild, tables, until};
use crate::document_listing::{self, DocumentListing, ListQuery, Shelf, Sort};
use crate::fixture::Vault;
use crate::tests::folds::random_history;
use crate::tests::subscription::{PATIENCE, project_all, subscriptions};
use crate::{Freshness, Projection, Rebuild};

fn listing() -> Arc<dyn Projection> {
    Arc::new(DocumentListing)
}

/// F14: whoever writes and then reads finds everything, whatever is being rebuilt meanwhile.
#[sqlx::test(migrations = "../migrations")]
async fn lists_are_never_empty_and_never_stale_during_rebuilds(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    project_all(&vault.store, &stop);
    let names: Vec<_> = crate::all().iter().map(|projection| projection.name()).collect();
    let freshness = Freshness::start(vault.pool().clone(), &names, stop.clone());
    let rebuilt = CancellationToken::new();
    let people = (0..4).map(|person| {
        let (vault, freshness, rebuilt) = (&vault, &freshness, &rebuilt);
        async move {
            let owner = vault.register(&format!("{person}@example.org"), 1_000_000).await;
            let mut documents = 0;
            while !rebuilt.is_cancelled() || documents < 10 {
                vault.upload_done(owner, &format!("document {documents}"), 1).await;
                documents += 1;
                let position = vault.store.head().await.unwrap();
                assert_eq!(freshness.wait(position, PATIENCE).await, [""; 0]);
                let query = ListQuery {
                    owner,
                    shelf: Shelf::Active,
                    sort: Sort::default(),
                    matching: None,
                    after: None,
                    limit: 200,
                };
                let page = document_listing::list(vault.pool(), &query).await.unwrap();
                assert_eq!(page.rows.len(), documents.min(200));
                let usage = crate::quota_usage::find(vault.pool(), owner).await.unwrap().unwrap();
                assert_eq!(usage.documents, i64::try_from(documents).unwrap());
            }
        }
    });
    let rebuilding = async {
        for _ in 0..2 {
            join_all(crate::all().iter().map(|projection| rebuild(&vault, projection))).await;
        }
        rebuilt.cancel();
    };
    tokio::join!(join_all(people), rebuilding);
    for name in names {
        assert!(generation(&pool, name).await > 1, "{name}");
        until("old generations go", async || {
            crate::rebuild::drop_retired(vault.pool(), name).await.unwrap();
            tables(&pool, name).await == 1
        })
        .await;
    }
    assert_equal_to_fresh_folds(&vault).await;
    stop.cancel();
}

/// A transaction that has read the listing and stays open delays neither swap nor readers, and keeps what it saw.
#[sqlx::test(migrations = "../migrations")]
async fn a_long_reader_delays_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    random_history(&vault, 60).await;
    let stop = CancellationToken::new();
    project_all(&vault.store, &stop);
    let head = vault.store.head().await.unwrap();
    let freshness = Freshness::start(vault.pool().clone(), &["document_listing"], stop.clone());
    freshness.wait(head, PATIENCE).await;

    let count = "SELECT count(*) FROM document_listing
        WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'document_listing')";
    let mut connection = vault.pool().acquire().await.unwrap();
    let mut reader = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    assert!(seen > 0);

    timeout(PATIENCE, rebuild(&vault, &listing())).await.expect("nobody waits for the reader");
    assert_eq!(generation(&pool, "document_listing").await, 2);
    let now: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.unwrap();
    let still: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    assert_eq!((now, still), (seen, seen));
    assert_eq!(tables(&pool, "document_listing").await, 2, "what is being read stays");

    reader.rollback().await.unwrap();
    let carrying = subscriptions(&vault.store, &stop).carry_on_rebuilds(crate::all(), stop.clone());
    tokio::spawn(carrying);
    until("a projector drops it", async || tables(&pool, "document_listing").await == 1).await;
    assert_equal_to_fresh_folds(&vault).await;
    stop.cancel();
}

/// F12: a forgotten transaction that holds xmin back hides nothing and stops nothing.
#[sqlx::test(migrations = "../migrations")]
async fn an_idle_transaction_stops_neither_projections_nor_rebuilds(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut idle = pool.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id(), (SELECT count(*) FROM events)")
        .execute(&mut *idle)
        .await
        .unwrap();
    random_history(&vault, 60).await;
    let stop = CancellationToken::new();
    project_all(&vault.store, &stop);
    rebuild(&vault, &listing()).await;
    let names: Vec<_> = crate::all().iter().map(|projection| projection.name()).collect();
    let freshness = Freshness::start(vault.pool().clone(), &names, stop.clone());
    let head = vault.store.head().await.unwrap();
    assert_eq!(freshness.wait(head, PATIENCE).await, [""; 0]);
    assert_equal_to_fresh_folds(&vault).await;
    idle.rollback().await.unwrap();
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn two_at_once_are_refused_and_a_cancelled_one_leaves_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    random_history(&vault, 30).await;
    for attached in [false, true] {
        let mut drive = begin(&vault, &listing()).await;
        assert!(!Rebuild::begin(vault.pool(), &DocumentListing, None).await.unwrap());
        if attached {
            drive.build().await.unwrap();
        }
        assert_eq!(tables(&pool, "document_listing").await, 2);
        assert!(Rebuild::cancel(vault.pool(), "document_listing").await.unwrap());
        assert_eq!(tables(&pool, "document_listing").await, 1);
        assert!(drive.build().await.is_err());
        assert!(drive.swap().await.is_err());
        assert_eq!(generation(&pool, "document_listing").await, 1);
    }
    assert!(!Rebuild::cancel(vault.pool(), "document_listing").await.unwrap());
    let checkpoints = "SELECT count(*) FROM checkpoints WHERE name = 'document_listing'";
    assert_eq!(sqlx::query_scalar::<_, i64>(checkpoints).fetch_one(&pool).await.unwrap(), 1);
}

/// A page of 50 costs what it costs, however long the list is, and also beside a second generation.
#[sqlx::test(migrations = "../migrations")]
async fn a_page_of_a_long_list_reads_a_handful_of_blocks(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let fill = "INSERT INTO document_listing (generation, document_id, owner_id, name, sort_name, content_type, size,
            sha256, status, version, created_at, updated_at, uploaded_at, upload_id, object_key, expires_at, position,
            revision)
        SELECT 1, md5(n::text)::uuid, md5((n % 2)::text)::uuid, 'n', 'n' || n, 'text/plain', n, '', 'active', 1,
               now() + n * interval '1 s', now(), now(), md5(n::text)::uuid, 'k' || n, now(), n, 1
        FROM generate_series(1, 40000) n";
    sqlx::query(fill).execute(&pool).await.unwrap();
    sqlx::query("VACUUM ANALYZE document_listing_g1").execute(&pool).await.unwrap();
    let page = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM document_listing
        WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'document_listing')
          AND owner_id = md5('1')::uuid AND shelf = 'active' AND (created_at, document_id) < ('infinity', md5('x')::uuid)
        ORDER BY created_at DESC, document_id DESC LIMIT 51";
    let blocks = async || {
        let plan: serde_json::Value = sqlx::query_scalar(page).fetch_one(&pool).await.unwrap();
        let plan = &plan[0]["Plan"];
        let read = plan["Shared Hit Blocks"].as_i64().unwrap() + plan["Shared Read Blocks"].as_i64().unwrap();
        assert!(!plan.to_string().contains("\"Sort\""), "{plan:#}");
        read
    };
    assert!(blocks().await < 80, "{}", blocks().await);
    let mut drive = begin(&vault, &listing()).await;
    drive.build().await.unwrap();
    assert_eq!(tables(&pool, "document_listing").await, 2);
    assert!(blocks().await < 80, "{}", blocks().await);
}
