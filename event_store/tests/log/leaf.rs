//! The leaf hash is the same in the door and here, and stays what it was: it is frozen.

use event_store::leaf::Leaf;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::PgPool;
use uuid::Uuid;

use crate::vault;

/// The bytes under the hash, for position 1, event 00…01, owner 00…02, `quota` stream `q`, sequence 1, `QuotaOpened` 1.0
/// at 1 µs, payload `{}`, metadata `{"é":"🗂"}`:
/// `00 01` · `00000008 0000000000000001` · `00000010 00…01` · `00000010 00…02` · `00000005 quota` · `00000001 q` ·
/// `00000008 0000000000000001` · `0000000b QuotaOpened` · `00000003 1.0` · `00000008 0000000000000001` ·
/// `00000002 {}` · `0000000d {"é":"🗂"}`. Hashed by Python's hashlib.
const FIRST: &str = "6d1be8d4fedc1709e3d1f329d08a188a19a2a897adec694c81ff3caf24d366ab";
/// The same, with every number at its largest, ids of all ones, time −1 µs and empty texts.
const EXTREME: &str = "6590bd6eb72a37f7e6e0d13b1ed216205708f27d6fe64a861c356bdea46c42f0";

const fn first() -> Leaf<'static> {
    Leaf {
        position: 1,
        event_id: Uuid::from_u128(1),
        owner_id: Uuid::from_u128(2),
        aggregate_type: "quota",
        aggregate_id: "q",
        sequence: 1,
        event_type: "QuotaOpened",
        event_version: "1.0",
        recorded_at_us: 1,
        payload: "{}",
        metadata: r#"{"é":"🗂"}"#,
    }
}

const fn extreme() -> Leaf<'static> {
    Leaf {
        position: i64::MAX,
        event_id: Uuid::max(),
        owner_id: Uuid::max(),
        aggregate_type: "",
        aggregate_id: "",
        sequence: i64::MAX,
        event_type: "",
        event_version: "",
        recorded_at_us: -1,
        payload: "",
        metadata: "",
    }
}

async fn in_sql(admin: &PgPool, leaf: &Leaf<'_>) -> Vec<u8> {
    sqlx::query_scalar("SELECT event_leaf_hash($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(leaf.position)
        .bind(leaf.event_id)
        .bind(leaf.owner_id)
        .bind(leaf.aggregate_type)
        .bind(leaf.aggregate_id)
        .bind(leaf.sequence)
        .bind(leaf.event_type)
        .bind(leaf.event_version)
        .bind(leaf.recorded_at_us)
        .bind(leaf.payload)
        .bind(leaf.metadata)
        .fetch_one(admin)
        .await
        .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn the_frozen_vectors_hold(admin: PgPool) {
    for (leaf, expected) in [(first(), FIRST), (extreme(), EXTREME)] {
        assert_eq!(hex::encode(leaf.hash()), expected);
        assert_eq!(hex::encode(in_sql(&admin, &leaf).await), expected);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn rust_and_sql_agree(admin: PgPool) {
    let text = || "[^\0]{0,40}";
    let fields = (any::<[i64; 3]>(), any::<[u128; 2]>(), [text(), text(), text(), text(), text(), text()]);
    let mut runner = TestRunner::deterministic();
    for _ in 0..256 {
        let ([position, sequence, recorded_at_us], [event, owner], texts) =
            fields.new_tree(&mut runner).unwrap().current();
        let [aggregate_type, aggregate_id, event_type, event_version, payload, metadata] =
            texts.each_ref().map(String::as_str);
        let (event_id, owner_id) = (Uuid::from_u128(event), Uuid::from_u128(owner));
        let leaf = Leaf {
            position,
            event_id,
            owner_id,
            aggregate_type,
            aggregate_id,
            sequence,
            event_type,
            event_version,
            recorded_at_us,
            payload,
            metadata,
        };
        assert_eq!(in_sql(&admin, &leaf).await, leaf.hash(), "{leaf:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_stored_hashes_to_what_the_door_stored(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 1 << 20).await;
    vault::request_upload(&store, user, 7).await.unwrap();
    let stored = event_store::RawEvent::after(&mut admin.acquire().await.unwrap(), 0, 100).await.unwrap();
    assert_eq!(stored.len(), 4);
    for event in stored {
        assert_eq!(event.leaf_hash, event.hash(), "position {}", event.position);
    }
}
