use aggregates::Role;
use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::fixture::Vault;

#[sqlx::test(migrations = "./migrations")]
async fn what_does_not_fit_is_refused_with_the_figures(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.person(Role::User, 10).await;
    user.upload("a.txt", b"hello").await;
    user.request("b.txt", b"12").await;
    let refused = user.request("c.txt", b"1234").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    let body = refused.body;
    assert_eq!(body["type"], "/problems/quota-exceeded");
    assert_eq!(
        (&body["limit"], &body["used"], &body["reserved"], &body["requested"]),
        (&json!(10), &json!(5), &json!(2), &json!(4))
    );
    let quota = user.get("/quota").await.body;
    let expected = json!({
        "limit": 10, "used": 5, "reserved": 2, "available": 3, "documents": 1, "trashed_bytes": 0
    });
    assert_eq!(quota, expected);
}

/// U12
#[sqlx::test(migrations = "./migrations")]
async fn a_hundred_racing_for_the_last_bytes_fit_exactly(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.person(Role::User, 35).await;
    let answers = join_all((0..100).map(|_| user.request("a.txt", b"hello"))).await;
    let winners = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(winners, 7);
    assert!(
        answers
            .iter()
            .all(|answer| { matches!(answer.status, StatusCode::CREATED | StatusCode::PAYLOAD_TOO_LARGE) })
    );
    assert_eq!(vault.quota(&user).await.reserved(), 35);
}
