//! The tour of the README, from the setup link to `docuvault-replay verify`, with a real PDF and a 200 MiB file.

use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::client::{Client, announcement, expect};
use crate::replay;
use crate::standalone::vault::{Vault, eventually};

/// One page, one word; as small as a valid PDF gets.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype\
/Type1/BaseFont/Helvetica>>>>>>>>endobj\n4 0 obj<</Length 37>>stream\nBT /F 24 Tf 20 100 Td (Hello) Tj ET  \nendstream\nendobj\n\
trailer<</Root 1 0 R>>\n%%EOF\n";
const LARGE: usize = 200 * 1024 * 1024;
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_person_keeps_documents() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;
    assert_eq!(ana.get("/me").await["role"], "admin");

    let document = ana.upload("Hello.pdf", "application/pdf", PDF).await;
    let id = document["document_id"].as_str().unwrap().to_owned();
    assert_eq!((&document["status"], &document["size"]), (&json!("active"), &json!(PDF.len())));
    assert_eq!(ana.download(&id).await, PDF);
    let quota = ana.get("/quota").await;
    assert_eq!((&quota["used"], &quota["reserved"]), (&json!(PDF.len()), &json!(0)));

    let path = format!("/documents/{id}");
    let rename = ana.request(Method::PATCH, &path).json(&json!({ "name": "Greeting.pdf" }));
    assert_eq!(expect(rename.send().await.unwrap(), 200).await["name"], "Greeting.pdf");
    ana.delete(&path).await;
    assert_eq!(ana.get("/documents").await["items"], json!([]));
    assert_eq!(ana.get("/documents?status=trashed").await["items"][0]["document_id"], *id);
    assert_eq!(ana.get("/quota").await["trashed_bytes"], PDF.len());
    ana.post(&format!("{path}/restore"), &json!({}), 200).await;
    assert_eq!(ana.get("/documents").await["items"][0]["name"], "Greeting.pdf");

    let history = ana.get(&format!("{path}/history")).await;
    let types: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    let expected =
        ["upload_requested", "upload_completed", "document_renamed", "document_trashed", "document_restored"];
    // The look into the bytes comes whenever it comes.
    let by_ana: Vec<_> = types.iter().filter(|name| **name != "document_inspected").collect();
    assert!(
        expected.iter().all(|name| by_ana.contains(&name)) && by_ana.len() == expected.len(),
        "{types:?}"
    );

    ana.delete(&format!("{path}/permanently")).await;
    assert_eq!(ana.get("/quota").await["used"], 0);
    assert_eq!(ana.request(Method::GET, &path).send().await.unwrap().status(), 404);

    replay::assert_sound(&vault).await;
    let (code, told) = replay::run(&vault, &["history", "--document", &id]).await;
    assert!(code == Some(0) && told.contains("Greeting.pdf"), "{told}");
    assert_eq!(vault.end_by(Signal::SIGTERM).await.code(), Some(0));
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts_and_is_verified() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;
    let content: Vec<u8> =
        (0..LARGE as u64 / 8).flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect();

    let requested = ana.post("/documents", &announcement("Film.mp4", "video/mp4", &content), 201).await;
    let upload = &requested["upload"];
    let part_size = usize::try_from(upload["part_size"].as_u64().unwrap()).unwrap();
    let mut parts = Vec::new();
    for (part, bytes) in upload["parts"].as_array().unwrap().iter().zip(content.chunks(part_size)) {
        let mut put = ana.http.put(part["url"].as_str().unwrap()).body(bytes.to_vec());
        for (name, value) in part["headers"].as_object().unwrap() {
            put = put.header(name, value.as_str().unwrap());
        }
        let response = put.send().await.unwrap();
        assert_eq!(response.status(), 200);
        parts.push(json!({ "number": part["number"], "etag": response.headers()["etag"].to_str().unwrap() }));
    }
    assert_eq!(parts.len(), LARGE.div_ceil(part_size));
    let path = format!("/documents/{}", requested["document_id"].as_str().unwrap());
    let confirmed = ana.post(&format!("{path}/confirm"), &json!({ "parts": parts }), 202).await;
    assert_eq!(confirmed["status"], "verifying");
    eventually(LIMIT, async || ana.get(&path).await["status"] == "active").await;

    let downloaded = ana.download(requested["document_id"].as_str().unwrap()).await;
    assert_eq!(Sha256::digest(&downloaded), Sha256::digest(&content));
    let quota = ana.get("/quota").await;
    assert_eq!((&quota["used"], &quota["reserved"]), (&json!(LARGE), &json!(0)));
    replay::assert_sound(&vault).await;
    vault.end_by(Signal::SIGTERM).await;
}
