//! What a client knows of one of its documents. Only its own client touches it, and not while the outcome of a change
//! is unknown, so what the vault must show is exact.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::call::Call;
use crate::client::announcement;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Asked for; nobody knows yet whether it exists.
    Wanted,
    /// Reserved, without confirmed bytes.
    Pending,
    Active,
    Trashed,
    /// Purged, cancelled or expired.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Request,
    Confirm,
    Cancel,
    Rename(String),
    Trash,
    Restore,
    Purge,
}

pub(super) struct Document {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) content: Vec<u8>,
    pub(super) stage: Stage,
    /// Where the bytes go.
    pub(super) upload: Value,
    /// The store has acknowledged them.
    pub(super) stored: bool,
    /// A change whose outcome is unknown.
    pub(super) open: Option<(Change, Call)>,
    /// Events that its stream must have, by type.
    pub(super) events: BTreeMap<&'static str, i64>,
}

impl Document {
    pub(super) fn wanted(name: String, content: Vec<u8>) -> Self {
        Self {
            id: String::new(),
            name,
            content,
            stage: Stage::Wanted,
            upload: Value::Null,
            stored: false,
            open: None,
            events: BTreeMap::new(),
        }
    }

    /// The request that makes a change.
    pub(super) fn call(&self, change: &Change, key: String) -> Call {
        let path = |rest: &str| format!("/documents/{}{rest}", self.id);
        let (method, path, body) = match change {
            Change::Request => {
                let body = announcement(&self.name, "text/plain", &self.content);
                (Method::POST, "/documents".to_owned(), Some(body))
            }
            Change::Confirm => (Method::POST, path("/confirm"), Some(json!({}))),
            Change::Cancel => (Method::DELETE, path("/upload"), None),
            Change::Rename(name) => (Method::PATCH, path(""), Some(json!({ "name": name }))),
            Change::Trash => (Method::DELETE, path(""), None),
            Change::Restore => (Method::POST, path("/restore"), None),
            Change::Purge => (Method::DELETE, path("/permanently"), None),
        };
        Call::command(method, path, body, key)
    }

    /// The change has happened. `answer`: what the vault said.
    pub(super) fn happened(&mut self, change: Change, answer: &Value) {
        let (event, stage) = match change {
            Change::Request => {
                answer["document_id"].as_str().unwrap().clone_into(&mut self.id);
                self.upload = answer["upload"].clone();
                ("UploadRequested", Stage::Pending)
            }
            Change::Confirm => ("UploadCompleted", Stage::Active),
            Change::Cancel => ("UploadCancelled", Stage::Gone),
            Change::Rename(name) => {
                self.name = name;
                ("DocumentRenamed", self.stage)
            }
            Change::Trash => ("DocumentTrashed", Stage::Trashed),
            Change::Restore => ("DocumentRestored", Stage::Active),
            Change::Purge => ("DocumentPurged", Stage::Gone),
        };
        self.stage = stage;
        *self.events.entry(event).or_default() += 1;
    }

    /// Somebody's clock was a day ahead, and the deadline passed by it.
    pub(super) fn expired(&mut self) {
        self.stage = Stage::Gone;
        *self.events.entry("UploadExpired").or_default() += 1;
    }

    /// Its status as the API shows it; `None`: there is no such document.
    pub(super) const fn status(&self) -> Option<&'static str> {
        match self.stage {
            Stage::Pending => Some("pending"),
            Stage::Active => Some("active"),
            Stage::Trashed => Some("trashed"),
            Stage::Wanted | Stage::Gone => None,
        }
    }

    /// Whether all about it is known.
    pub(super) const fn is_settled(&self) -> bool {
        self.open.is_none() && !matches!(self.stage, Stage::Wanted)
    }
}
