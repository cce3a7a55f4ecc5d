//! Z06: administration opens nobody's vault. What the routes answer is shown by the tests of the routes; here, that there is
//! no route and no code that could.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixture::contract::DOCUMENT;

/// What only an owner may see of a document.
const OF_DOCUMENTS: [&str; 8] =
    ["content_type", "sha256", "folder_id", "topics", "version", "upload", "url", "snippet"];

/// The modules that lead to documents, and the calls that make somebody signed in.
const WAYS_IN: [&str; 9] = [
    "document_listing",
    "document_search",
    "document_history",
    "Document>",
    "blobs",
    "texts",
    "tokens.access",
    "session::start",
    "user_keys",
];

/// Names of the schemas that `value` leads to.
fn schemas(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                let name = name.rsplit('/').next().unwrap().to_owned();
                if found.insert(name.clone()) {
                    schemas(&DOCUMENT["components"]["schemas"][&name], found);
                }
            }
            fields.values().for_each(|field| schemas(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| schemas(item, found)),
        _ => {}
    }
}

fn property_names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                found.extend(properties.keys().cloned());
            }
            fields.values().for_each(|field| property_names(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| property_names(item, found)),
        _ => {}
    }
}

#[test]
fn no_route_of_the_administration_answers_with_documents() {
    let mut answers = 0;
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let roles = operation["security"][0]["access_token"].as_array().cloned().unwrap_or_default();
            let is_for_others =
                path.contains("/admin/") || (!roles.is_empty() && !roles.contains(&"user".into()));
            if !is_for_others {
                continue;
            }
            assert!(!roles.contains(&"user".into()), "{method} {path} is open to users");
            assert!(!path.contains("impersonate") && !path.contains("/documents"), "{path}");
            let mut names = BTreeSet::new();
            schemas(&operation["responses"], &mut names);
            let mut properties = BTreeSet::new();
            property_names(&operation["responses"], &mut properties);
            for name in &names {
                property_names(&DOCUMENT["components"]["schemas"][name], &mut properties);
            }
            // The fold of a read model has a version, too.
            let of_documents =
                OF_DOCUMENTS.iter().filter(|name| !(path.contains("projections") && **name == "version"));
            for name in of_documents {
                assert!(!properties.contains(*name), "{method} {path} answers `{name}`");
            }
            answers += 1;
        }
    }
    assert!(answers >= 12, "only {answers} operations are for administrators");
}

/// An operation that chooses a password for somebody would have a field for it.
#[test]
fn no_route_of_the_administration_takes_a_password() {
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values().filter(|_| path.contains("/admin/")) {
            let mut names = BTreeSet::new();
            schemas(&operation["requestBody"], &mut names);
            let mut properties = BTreeSet::new();
            for name in &names {
                property_names(&DOCUMENT["components"]["schemas"][name], &mut properties);
            }
            assert!(!properties.iter().any(|name| name.contains("password")), "{path}: {properties:?}");
        }
    }
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_code_of_the_administration_knows_a_way_into_a_vault() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let mut seen = 0;
    for path in &found {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let is_administration = ["http/admin/", "people/", "cli/users"]
            .iter()
            .any(|room| name.starts_with(room))
            || (name.starts_with("http/") && !name.starts_with("http/extract") && text.contains("Admin,"));
        if is_administration {
            seen += 1;
            for way in WAYS_IN {
                assert!(!text.contains(way), "{name} knows `{way}`");
            }
        }
        if text.contains("tokens.access(") {
            assert!(
                name == "http/accounts/signed_in.rs" || name.starts_with("fixture/"),
                "{name} signs somebody in"
            );
        }
    }
    assert!(seen >= 15, "only {seen} files are about administration");
}
