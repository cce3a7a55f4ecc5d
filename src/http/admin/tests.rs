use aggregates::Role;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::fixture::{Vault, eventually};

#[sqlx::test(migrations = "./migrations")]
async fn administrators_see_read_models_and_rebuild_them(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1 << 20).await;
    let document = admin.upload("a.txt", b"hello").await;
    let one = async || {
        let answer = admin.get("/admin/projections").await;
        assert_eq!(answer.status, StatusCode::OK);
        let items = answer.body["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["name"] == "document_listing").unwrap()
    };
    eventually("it runs and has seen all", async || {
        let one = one().await;
        one["state"] == "running" && one["lag"] == 0 && one["version"] == 1 && one["progress"].is_null()
    })
    .await;

    let path = "/admin/projections/document_listing/rebuild";
    let begun = admin.post(path, Value::Null).await;
    assert_eq!((begun.status, &begun.body["name"]), (StatusCode::ACCEPTED, &json!("document_listing")));
    // Two at once: it takes a projector a second at least.
    let second = admin.post(path, Value::Null).await;
    assert_eq!((second.status, &second.body["type"]), (StatusCode::CONFLICT, &json!("/problems/conflict")));
    eventually("a projector swaps", async || one().await["progress"].is_null()).await;
    let generation = "SELECT generation FROM serving_projections WHERE name = 'document_listing'";
    assert!(sqlx::query_scalar::<_, i64>(generation).fetch_one(&pool).await.unwrap() > 1);
    let listed = admin.get("/documents").await.body;
    assert_eq!(listed["items"][0]["document_id"], document["document_id"]);
    assert_eq!(
        admin.post("/admin/projections/nothing/rebuild", Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
}

#[sqlx::test(migrations = "./migrations")]
async fn others_are_refused(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    for role in [Role::User, Role::Auditor] {
        let person = vault.person(role, 1 << 20).await;
        assert_eq!(person.get("/admin/projections").await.status, StatusCode::FORBIDDEN);
        let rebuild = person.post("/admin/projections/document_listing/rebuild", Value::Null).await;
        assert_eq!(rebuild.status, StatusCode::FORBIDDEN);
    }
}
