use http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::fixture::Vault;

#[sqlx::test(migrations = "./migrations")]
async fn what_is_given_changes_and_the_rest_stays(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let before = user.get("/me").await;
    assert_eq!((&before.body["display_name"], &before.body["preferences"]), (&Value::Null, &json!({})));

    let all = json!({
        "display_name": "  Ada Re\u{301}e ", "preferences": { "language": "de-at", "time_zone": "Europe/Vienna" },
    });
    let changed = user.patch("/me", all.clone()).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_eq!(changed.body["display_name"], "Ada R\u{e9}e");
    let preferences = json!({ "language": "de-AT", "time_zone": "Europe/Vienna" });
    assert_eq!(changed.body["preferences"], preferences);
    assert_ne!(changed.headers["etag"], before.headers["etag"]);
    assert_eq!(user.get("/me").await.body, changed.body);

    let again = user.patch("/me", all).await;
    assert!(!again.headers.contains_key("docuvault-position"), "nothing happened");
    let one = user.patch("/me", json!({ "preferences": { "language": null } })).await;
    assert_eq!(one.body["preferences"], json!({ "time_zone": "Europe/Vienna" }));
    assert_eq!(one.body["display_name"], changed.body["display_name"]);
    let unnamed = user.patch("/me", json!({ "display_name": null })).await;
    assert_eq!(unnamed.body["display_name"], Value::Null);
    let old = [("if-match", before.headers["etag"].to_str().unwrap())];
    let late = user.send(Method::PATCH, "/me", &old, json!({ "display_name": "Late" })).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);

    // Nothing of it is in the log in clear.
    let log: Vec<String> =
        sqlx::query_scalar("SELECT payload::text FROM events").fetch_all(&pool).await.unwrap();
    assert!(log.iter().any(|payload| payload.contains("PreferencesChanged")));
    assert!(log.iter().all(|payload| !payload.contains("Vienna") && !payload.contains("Ada")));
}

#[sqlx::test(migrations = "./migrations")]
async fn wrong_values_are_named(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    for (body, field) in [
        (json!({ "display_name": "a/b" }), "display_name"),
        (json!({ "display_name": "" }), "display_name"),
        (json!({ "preferences": null }), "preferences"),
        (json!({ "preferences": { "language": "klingonisch?" } }), "preferences.language"),
        (json!({ "preferences": { "language": "de-AT-Latn" } }), "preferences.language"),
        (json!({ "preferences": { "time_zone": "Europe/Wien" } }), "preferences.time_zone"),
        (json!({ "preferences": { "colour": "red" } }), "preferences.colour"),
        (json!({ "email": "other@example.org" }), "email"),
        (json!({ "totp_enabled": true }), "totp_enabled"),
    ] {
        let refused = user.patch("/me", body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{body}");
    }
}
