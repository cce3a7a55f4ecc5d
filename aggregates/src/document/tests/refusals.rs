//! The matrix state × command: what happens, or why it is refused. A new command does not compile without its row,
//! a new state not without its column.

use super::*;

type Outcome = Result<Vec<DocumentEvent>, DocumentError>;

/// The states, in the order of the columns: a stage, what led there, and the hour of the command.
fn states() -> [(&'static str, Vec<DocumentEvent>, i64); 12] {
    let upload_id = UploadId(id(2));
    let verifying = DocumentEvent::VerificationStarted { upload_id };
    let rejected =
        DocumentEvent::UploadRejected { upload_id, reason: RejectionReason::SizeMismatch, objects: vec![] };
    let cancelled = DocumentEvent::UploadCancelled { upload_id, objects: vec![] };
    let expired = DocumentEvent::UploadExpired { upload_id, objects: vec![] };
    let trashed = DocumentEvent::DocumentTrashed { bytes: 500 };
    let purged = DocumentEvent::DocumentPurged { from: Stage::Trashed, bytes: 500, objects: vec![] };
    [
        ("absent", vec![], 23),
        ("pending", vec![requested(single())], 23),
        ("pending multipart", vec![requested(multipart())], 23),
        ("overdue", vec![requested(single())], 24),
        ("overdue multipart", vec![requested(multipart())], 24),
        ("verifying", vec![requested(multipart()), verifying], 48),
        ("active", vec![requested(single()), completed()], 48),
        ("trashed", vec![requested(single()), completed(), trashed.clone()], 48),
        ("rejected", vec![requested(single()), rejected], 48),
        ("cancelled", vec![requested(single()), cancelled], 48),
        ("expired", vec![requested(single()), expired], 48),
        ("purged", vec![requested(single()), completed(), trashed, purged], 48),
    ]
}

fn commands(hour: i64) -> [DocumentCommand; 11] {
    let now = at(hour);
    [
        DocumentCommand::RequestUpload(request(2, 500, single())),
        DocumentCommand::BeginVerification { now },
        DocumentCommand::CompleteUpload { now },
        DocumentCommand::RejectUpload { reason: RejectionReason::ChecksumMismatch },
        DocumentCommand::CancelUpload,
        DocumentCommand::ExpireUpload { now },
        DocumentCommand::RecordInspection {
            upload_id: UploadId(id(2)),
            content_type: "text/plain".into(),
            inspection: text(),
        },
        DocumentCommand::Rename { name: name("invoice.pdf") },
        DocumentCommand::Trash,
        DocumentCommand::Restore,
        DocumentCommand::Purge,
    ]
}

#[expect(clippy::unnecessary_wraps, reason = "a cell of the matrix, beside the refusals")]
fn event(event: DocumentEvent) -> Outcome {
    Ok(vec![event])
}

/// All that an upload may have left behind.
fn leftovers(transfer: &Transfer) -> Vec<StoredObject> {
    let key = "1/2/3.pdf".to_owned();
    let first = match transfer {
        Transfer::Single { staging_key } => StoredObject::Object { key: staging_key.clone() },
        Transfer::Multipart { multipart_id, .. } => {
            StoredObject::Multipart { key: key.clone(), multipart_id: multipart_id.clone() }
        }
    };
    vec![first, StoredObject::Object { key }]
}

fn rejected(transfer: &Transfer) -> Outcome {
    event(DocumentEvent::UploadRejected {
        upload_id: UploadId(id(2)),
        reason: RejectionReason::ChecksumMismatch,
        objects: leftovers(transfer),
    })
}

fn cancelled(transfer: &Transfer) -> Outcome {
    event(DocumentEvent::UploadCancelled { upload_id: UploadId(id(2)), objects: leftovers(transfer) })
}

fn expired(transfer: &Transfer) -> Outcome {
    event(DocumentEvent::UploadExpired { upload_id: UploadId(id(2)), objects: leftovers(transfer) })
}

fn purged(from: Stage, bytes: u64, objects: Vec<StoredObject>) -> Outcome {
    event(DocumentEvent::DocumentPurged { from, bytes, objects })
}

/// What `command` does in each of the states. Columns:
/// absent, pending ×2, overdue ×2, verifying, active, trashed, rejected, cancelled, expired, purged.
#[rustfmt::skip]
fn outcomes(command: &DocumentCommand) -> [Outcome; 12] {
    use DocumentError::{
        AlreadyRequested, AlreadyUploaded, Cancelled, Expired, NotExpired, NotFound, NotUploaded, NotVerified,
        NothingToVerify, Purged, Rejected,
    };
    let no = Err::<Vec<DocumentEvent>, DocumentError>;
    let nothing = || Ok(vec![]);
    let (single, multi) = (&single(), &multipart());
    match command {
        DocumentCommand::RequestUpload(request) => {
            let again = || no(AlreadyRequested);
            [event(DocumentEvent::UploadRequested(request.clone())), again(), again(), again(), again(),
             again(), again(), again(), again(), again(), again(), again()]
        }
        DocumentCommand::BeginVerification { .. } => {
            let started = event(DocumentEvent::VerificationStarted { upload_id: UploadId(id(2)) });
            [no(NotFound), no(NothingToVerify), started, no(Expired), no(Expired),
             nothing(), nothing(), nothing(), no(Rejected), no(Cancelled), no(Expired), no(Purged)]
        }
        DocumentCommand::CompleteUpload { .. } =>
            [no(NotFound), event(completed()), no(NotVerified), no(Expired), no(Expired),
             event(completed()), nothing(), nothing(), no(Rejected), no(Cancelled), no(Expired), no(Purged)],
        DocumentCommand::RejectUpload { .. } =>
            [no(NotFound), rejected(single), rejected(multi), rejected(single), rejected(multi),
             rejected(multi), no(AlreadyUploaded), no(AlreadyUploaded), nothing(), no(Cancelled), no(Expired),
             no(Purged)],
        DocumentCommand::CancelUpload =>
            [no(NotFound), cancelled(single), cancelled(multi), cancelled(single), cancelled(multi),
             no(AlreadyUploaded), no(AlreadyUploaded), no(AlreadyUploaded), nothing(), nothing(), nothing(),
             no(Purged)],
        DocumentCommand::ExpireUpload { .. } =>
            [no(NotFound), no(NotExpired), no(NotExpired), expired(single), expired(multi),
             nothing(), nothing(), nothing(), nothing(), nothing(), nothing(), nothing()],
        DocumentCommand::Rename { name } => {
            let renamed = || event(DocumentEvent::DocumentRenamed { name: name.clone() });
            [no(NotFound), renamed(), renamed(), renamed(), renamed(),
             renamed(), renamed(), renamed(), no(Rejected), no(Cancelled), no(Expired), no(Purged)]
        }
        DocumentCommand::RecordInspection { .. } =>
            [no(NotFound), no(NotUploaded), no(NotUploaded), no(NotUploaded), no(NotUploaded),
             no(NotUploaded), event(inspected(text())), event(inspected(text())), no(Rejected),
             no(Cancelled), no(Expired), no(Purged)],
        DocumentCommand::Trash =>
            [no(NotFound), no(NotUploaded), no(NotUploaded), no(NotUploaded), no(NotUploaded),
             no(NotUploaded), event(DocumentEvent::DocumentTrashed { bytes: 500 }), nothing(), no(Rejected),
             no(Cancelled), no(Expired), no(Purged)],
        DocumentCommand::Restore =>
            [no(NotFound), no(NotUploaded), no(NotUploaded), no(NotUploaded), no(NotUploaded),
             no(NotUploaded), nothing(), event(DocumentEvent::DocumentRestored { bytes: 500 }), no(Rejected),
             no(Cancelled), no(Expired), no(Purged)],
        DocumentCommand::Purge => {
            let object = vec![StoredObject::Object { key: "1/2/3.pdf".into() }];
            [no(NotFound), no(NotUploaded), no(NotUploaded), no(NotUploaded), no(NotUploaded),
             no(NotUploaded), purged(Stage::Active, 500, object.clone()), purged(Stage::Trashed, 500, object),
             purged(Stage::Rejected, 0, vec![]), no(Cancelled), no(Expired), no(Purged)]
        }
    }
}

#[test]
fn every_command_in_every_state() {
    for (column, (state, given, hour)) in states().into_iter().enumerate() {
        for command in commands(hour) {
            let then = outcomes(&command)[column].clone();
            let result = TestFramework::<Document>::with(())
                .given(given.clone())
                .when(command.clone())
                .inspect_result();
            assert_eq!(result, then, "{command:?} when {state}");
        }
    }
}

#[test]
fn a_name_that_stays_is_no_event() {
    for (state, given, _) in states() {
        let document = fold(&given);
        if document.stage().is_reserved() || document.stage().is_retained() {
            let result = document.decide(DocumentCommand::Rename { name: name("scan.pdf") });
            assert_eq!(result, Ok(vec![]), "{state}");
        }
    }
}
