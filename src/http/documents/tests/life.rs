use std::time::Duration;

use aggregates::{DocumentId, Role};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::timeout;

use crate::fixture::{Vault, eventually};

fn path(document: &Value) -> String {
    format!("/documents/{}", document["document_id"].as_str().unwrap())
}

#[sqlx::test(migrations = "./migrations")]
async fn a_document_lives_in_the_trash_and_out_of_it(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.start_processes();
    let user = vault.user().await;
    let document = user.upload("a.txt", b"hello").await;
    let path = path(&document);

    assert_eq!(user.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(user.get(&path).await.body["status"], "trashed");
    assert_eq!(user.get("/documents").await.body["items"], json!([]));
    assert_eq!(user.get("/documents?status=trashed").await.body["items"][0]["name"], "a.txt");
    let quota = user.get("/quota").await.body;
    assert_eq!(
        (&quota["used"], &quota["trashed_bytes"], &quota["documents"]),
        (&json!(5), &json!(5), &json!(1))
    );

    let restored = user.post(&format!("{path}/restore"), Value::Null).await;
    assert_eq!((restored.status, &restored.body["status"]), (StatusCode::OK, &json!("active")));

    assert_eq!(user.delete(&format!("{path}/permanently")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(user.get("/quota").await.body["used"], 0);
    assert_eq!(user.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(user.post(&format!("{path}/confirm"), Value::Null).await.status, StatusCode::GONE);
    eventually("the bytes go", async || vault.objects.keys().await.is_empty()).await;

    let history = user.get(&format!("{path}/history")).await.body;
    let types: Vec<_> = history["items"].as_array().unwrap().iter().map(|entry| &entry["type"]).collect();
    assert_eq!(
        types,
        ["document_purged", "document_restored", "document_trashed", "upload_completed", "upload_requested"]
    );
    let first = user.get(&format!("{path}/history?limit=2")).await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = user.get(&format!("{path}/history?limit=2&cursor={cursor}")).await.body;
    assert_eq!(second["items"][0]["type"], "document_trashed");
}

#[sqlx::test(migrations = "./migrations")]
async fn a_rename_heeds_if_match(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let path = path(&user.upload("a.txt", b"hello").await);
    let tag = user.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let rename = async |name: &str| {
        user.send(Method::PATCH, &path, &[("if-match", &tag)], json!({ "name": name })).await
    };
    let answers = futures::future::join(rename("b.txt"), rename("c.txt")).await;
    let mut statuses = [answers.0.status, answers.1.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::PRECONDITION_FAILED]);
    assert_ne!(user.get(&path).await.headers["etag"].to_str().unwrap(), tag);

    let wrong = user.patch(&path, json!({ "name": "a/b" })).await;
    assert_eq!(
        (wrong.status, &wrong.body["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("name"))
    );
    let null = user.patch(&path, json!({ "name": null })).await;
    assert_eq!(
        (null.status, &null.body["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("name"))
    );
    let before = user.get(&path).await;
    let nothing = user.patch(&path, json!({})).await;
    assert_eq!((nothing.status, &nothing.body), (StatusCode::OK, &before.body));
    assert_eq!(nothing.headers["etag"], before.headers["etag"]);
    let stale = user.send(Method::PATCH, &path, &[("if-match", &tag)], json!({})).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    for later in ["topics", "folder_id"] {
        assert_eq!(user.patch(&path, json!({ later: [] })).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

/// Z01: somebody else's document is as good as none, and the answers do not differ.
#[sqlx::test(migrations = "./migrations")]
async fn nobody_else_has_a_document(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let document = vault.user().await.upload("a.txt", b"hello").await;
    let own = path(&document);
    let none = format!("/documents/{}", DocumentId(vault.app.clock().new_id()));
    let routes = [
        (Method::GET, ""),
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::GET, "/content"),
        (Method::GET, "/history"),
        (Method::POST, "/confirm"),
        (Method::POST, "/upload"),
        (Method::DELETE, "/upload"),
        (Method::POST, "/restore"),
        (Method::DELETE, "/permanently"),
    ];
    for other in [vault.user().await, vault.person(Role::Admin, 1 << 20).await] {
        for (method, route) in &routes {
            let body = if *method == Method::PATCH { json!({ "name": "x" }) } else { Value::Null };
            let foreign = other.send(method.clone(), &format!("{own}{route}"), &[], body.clone()).await;
            let absent = other.send(method.clone(), &format!("{none}{route}"), &[], body).await;
            assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{method} {route}");
            assert_eq!(foreign.body["detail"], absent.body["detail"]);
        }
        assert_eq!(other.get("/documents").await.body["items"], json!([]));
    }
    let auditor = vault.person(Role::Auditor, 0).await;
    for (method, route) in &routes {
        let answer = auditor.send(method.clone(), &format!("{own}{route}"), &[], Value::Null).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {route}");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn content_is_a_redirect_and_is_recorded(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let pending = user.request("b.txt", b"world").await.body;
    assert_eq!(user.get(&format!("{}/content", path(&pending))).await.status, StatusCode::CONFLICT);

    let path = path(&user.upload("a.txt", b"hello").await);
    let answer = user.get(&format!("{path}/content?version=1&disposition=inline")).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    let bytes = reqwest::get(answer.headers["location"].to_str().unwrap()).await.unwrap();
    assert!(bytes.headers()["content-disposition"].to_str().unwrap().starts_with("inline"));
    assert_eq!(bytes.text().await.unwrap(), "hello");
    let followed =
        reqwest::Client::new().head(answer.headers["location"].to_str().unwrap()).send().await.unwrap();
    assert_eq!(followed.headers()["content-length"], "5", "a HEAD on the URL of a GET");
    let head = user.send(Method::HEAD, &format!("{path}/content"), &[], Value::Null).await;
    let head = reqwest::Client::new().head(head.headers["location"].to_str().unwrap()).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "5");

    assert_eq!(user.get(&format!("{path}/content?version=2")).await.status, StatusCode::NOT_FOUND);
    let wrong = user.get(&format!("{path}/content?disposition=dance")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let downloads: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE aggregate_type = 'access' AND event_type = 'DocumentDownloaded'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(downloads, 2);
}

#[sqlx::test(migrations = "./migrations")]
async fn lists_are_sorted_and_paged(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    for (name, content) in [("b.txt", "333"), ("A.txt", "22"), ("c.txt", "1")] {
        user.upload(name, content.as_bytes()).await;
    }
    let names = async |query: &str| {
        let page = user.get(&format!("/documents{query}")).await.body;
        let names = page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap());
        (names.map(str::to_owned).collect::<Vec<_>>(), page["next_cursor"].clone())
    };
    assert_eq!(names("").await.0, ["c.txt", "A.txt", "b.txt"]);
    assert_eq!(names("?sort=size").await.0, ["c.txt", "A.txt", "b.txt"]);
    let (first, cursor) = names("?sort=name&limit=2").await;
    assert_eq!(first, ["A.txt", "b.txt"]);
    let cursor = cursor.as_str().unwrap();
    assert_eq!(
        names(&format!("?sort=name&limit=2&cursor={cursor}")).await,
        (vec!["c.txt".into()], Value::Null)
    );
    for wrong in [
        "sort=colour",
        "limit=0",
        "limit=201",
        "cursor=x",
        "status=lost",
        "folder_id=root",
        "topic=x",
        "as_of=1",
    ] {
        let answer = user.get(&format!("/documents?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert_eq!(answer.body["errors"][0]["field"], wrong.split('=').next().unwrap());
    }
    let wrong_sort = user.get(&format!("/documents?sort=size&cursor={cursor}")).await;
    assert_eq!(wrong_sort.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// Whatever the listing has become by the time the answer leaves: it was read when it was behind.
#[sqlx::test(migrations = "./migrations")]
async fn an_answer_read_from_a_listing_that_was_behind_says_so(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let path = path(&user.upload("a.txt", b"hello").await);
    let mut held = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE document_listing IN SHARE ROW EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let mut renaming = tokio::spawn(async move { user.patch(&path, json!({ "name": "b.txt" })).await });
    // Longer than an answer waits for the listing, shorter than twice as long.
    let early = timeout(Duration::from_secs(3), &mut renaming).await;
    held.rollback().await.unwrap();
    let answer = match early {
        Ok(answer) => answer.unwrap(),
        Err(_) => renaming.await.unwrap(),
    };
    let fresh = answer.body["name"] == "b.txt";
    assert!(fresh || answer.headers.contains_key("docuvault-stale"), "{answer:?}");
}
