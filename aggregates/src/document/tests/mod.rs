//! Every command in every state a document can be in, and the life cycle as a whole.

mod inspection;
mod life_cycle;
mod refusals;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::UploadId;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// `hours` after the epoch; uploads of these tests expire at 24.
fn at(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
}

fn personal<T>(value: T) -> Personal<T> {
    Personal::new(UserId(id(1)), value)
}

fn name(text: &str) -> Personal<Name> {
    personal(Name::parse(text).unwrap())
}

fn single() -> Transfer {
    Transfer::Single { staging_key: "staging/2".into() }
}

fn multipart() -> Transfer {
    Transfer::Multipart { multipart_id: "m".into(), part_size: 64 }
}

fn request(number: u128, size: u64, transfer: Transfer) -> Box<UploadRequest> {
    Box::new(UploadRequest {
        owner_id: UserId(id(1)),
        upload_id: UploadId(id(number)),
        name: name("scan.pdf"),
        content_type: "application/pdf".into(),
        size,
        content_hash: ContentHash {
            salted: "aa".into(),
            nonce: personal("bb".into()),
            sha256: personal("cc".into()),
        },
        object_key: "1/2/3.pdf".into(),
        transfer,
        folder_id: None,
        expires_at: at(24),
    })
}

fn fold(events: &[DocumentEvent]) -> Document {
    events.iter().cloned().fold(Document::default(), |mut document, event| {
        document.apply(event);
        document
    })
}

fn requested(transfer: Transfer) -> DocumentEvent {
    DocumentEvent::UploadRequested(request(2, 500, transfer))
}

fn completed() -> DocumentEvent {
    DocumentEvent::UploadCompleted { upload_id: UploadId(id(2)), version: 1, bytes: 500 }
}

fn text() -> Inspection {
    Inspection::TextExtracted {
        language: "deu".into(),
        characters: 9,
        key: "derived/1/2/3".into(),
        bytes: 11,
    }
}

fn unreadable() -> Inspection {
    Inspection::NotInspected { reason: InspectionRefusal::Encrypted }
}

fn inspected(inspection: Inspection) -> DocumentEvent {
    DocumentEvent::DocumentInspected {
        upload_id: UploadId(id(2)),
        content_type: "text/plain".into(),
        inspection,
    }
}

#[test]
fn the_newest_name_is_part_of_the_state() {
    let renamed = DocumentEvent::DocumentRenamed { name: name("invoice.pdf") };
    let document = fold(&[requested(single()), completed(), renamed.clone()]);
    assert_eq!(document.request().unwrap().name, name("invoice.pdf"));
    TestFramework::<Document>::with(())
        .given(vec![requested(single()), completed(), renamed.clone()])
        .when(DocumentCommand::Rename { name: name("scan.pdf") })
        .then_expect_events(vec![DocumentEvent::DocumentRenamed { name: name("scan.pdf") }]);
    TestFramework::<Document>::with(())
        .given(vec![requested(single()), completed(), renamed])
        .when(DocumentCommand::Rename { name: name("invoice.pdf") })
        .then_expect_events(vec![]);
}

#[test]
fn only_the_owner_gets_at_the_request() {
    let document = fold(&[requested(single())]);
    assert!(document.owned_by(UserId(id(1))).is_some());
    assert!(document.owned_by(UserId(id(9))).is_none());
    assert!(Document::default().owned_by(UserId(id(1))).is_none());
}

#[test]
fn restoring_brings_back_what_was_trashed_and_purging_remembers_from_where() {
    let trashed = DocumentEvent::DocumentTrashed { bytes: 500 };
    let restored = DocumentEvent::DocumentRestored { bytes: 500 };
    TestFramework::<Document>::with(())
        .given(vec![requested(single()), completed(), trashed, restored])
        .when(DocumentCommand::Purge)
        .then_expect_events(vec![DocumentEvent::DocumentPurged {
            from: Stage::Active,
            bytes: 500,
            objects: vec![StoredObject::Object { key: "1/2/3.pdf".into() }],
        }]);
}
