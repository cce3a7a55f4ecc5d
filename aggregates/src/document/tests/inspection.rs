//! A look into the bytes is recorded once for each upload, and what was derived goes with the document.

use super::*;

fn record(upload: u128, inspection: Inspection) -> DocumentCommand {
    DocumentCommand::RecordInspection {
        upload_id: UploadId(id(upload)),
        content_type: "text/plain".into(),
        inspection,
    }
}

fn purged(given: &[DocumentEvent]) -> Vec<StoredObject> {
    match fold(given).decide(DocumentCommand::Purge).unwrap().remove(0) {
        DocumentEvent::DocumentPurged { objects, .. } => objects,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_look_counts() {
    for (first, second) in [(text(), text()), (text(), unreadable()), (unreadable(), text())] {
        let given = vec![requested(single()), completed(), inspected(first.clone())];
        let document = fold(&given);
        assert_eq!(document.inspection_of(UploadId(id(2))), Some(&first));
        assert_eq!(document.inspection_of(UploadId(id(9))), None);
        TestFramework::<Document>::with(()).given(given).when(record(2, second)).then_expect_events(vec![]);
    }
}

#[test]
fn another_documents_upload_is_refused() {
    TestFramework::<Document>::with(())
        .given(vec![requested(single()), completed()])
        .when(record(9, text()))
        .then_expect_error(DocumentError::UnknownUpload);
}

#[test]
fn purging_names_the_derived_object_if_there_is_one() {
    let object = |key: &str| StoredObject::Object { key: key.into() };
    let trashed = || DocumentEvent::DocumentTrashed { bytes: 500 };
    let with = purged(&[requested(single()), completed(), inspected(text()), trashed()]);
    assert_eq!(with, [object("1/2/3.pdf"), object("derived/1/2/3")]);
    let without = purged(&[requested(single()), completed(), inspected(unreadable())]);
    assert_eq!(without, [object("1/2/3.pdf")]);
}
