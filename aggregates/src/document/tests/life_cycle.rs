//! Any commands at any time, to a few documents of one person beside their quota, appended as the application does:
//! both aggregates or neither.

use proptest::prelude::*;

use super::*;
use crate::{DocumentId, Quota, QuotaCommand};

const DOCUMENTS: usize = 3;

#[derive(Default)]
struct Vault {
    documents: [Document; DOCUMENTS],
    quota: Quota,
    /// All events so far, by document.
    history: [Vec<DocumentEvent>; DOCUMENTS],
}

impl Vault {
    fn with_limit(limit: u64) -> Self {
        let mut vault = Self::default();
        for event in vault.quota.decide(&QuotaCommand::Open { limit }).unwrap() {
            vault.quota.apply(event);
        }
        vault
    }

    /// One append. A refusal of either aggregate leaves both as they were.
    fn append(&mut self, index: usize, command: DocumentCommand) -> Result<(), TestCaseError> {
        let Ok(events) = self.documents[index].decide(command) else { return Ok(()) };
        prop_assert!(events.len() <= 1, "one business fact each");
        for event in events {
            let document_id = DocumentId(id(index as u128));
            if let Some(command) = quota_command(document_id, &event) {
                let quota_events = match self.quota.decide(&command) {
                    Ok(events) => events,
                    Err(error) => {
                        prop_assert!(matches!(command, QuotaCommand::Reserve { .. }), "{command:?}: {error}");
                        return Ok(());
                    }
                };
                prop_assert_eq!(quota_events.len(), 1, "the quota follows: {:?}", command);
                for event in quota_events {
                    self.quota.apply(event);
                }
            }
            self.check_step(index, &event)?;
            self.documents[index].apply(event.clone());
            self.history[index].push(event);
        }
        self.check_sums()
    }

    fn check_step(&self, index: usize, event: &DocumentEvent) -> Result<(), TestCaseError> {
        let stage = self.documents[index].stage();
        let is_final = matches!(stage, Stage::Cancelled | Stage::Expired | Stage::Purged);
        prop_assert!(!is_final, "{:?} after {:?}", event, stage);
        if let Some(next) = event.leads_to() {
            prop_assert!(stage.may_become(next), "{:?} to {:?}", stage, next);
        }
        Ok(())
    }

    fn check_sums(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.quota.used(), self.bytes(Stage::is_retained));
        prop_assert_eq!(self.quota.reserved(), self.bytes(Stage::is_reserved));
        prop_assert!(self.quota.used() + self.quota.reserved() <= self.quota.limit());
        Ok(())
    }

    fn bytes(&self, counts: impl Fn(Stage) -> bool) -> u64 {
        let counted = self.documents.iter().filter(|document| counts(document.stage()));
        counted.filter_map(Document::request).map(|request| request.size).sum()
    }
}

/// What the quota is asked in the same append.
fn quota_command(document_id: DocumentId, event: &DocumentEvent) -> Option<QuotaCommand> {
    match *event {
        DocumentEvent::UploadRequested(ref request) => {
            Some(QuotaCommand::Reserve { upload_id: request.upload_id, bytes: request.size })
        }
        DocumentEvent::UploadCompleted { upload_id, .. } => Some(QuotaCommand::Commit { upload_id }),
        DocumentEvent::UploadRejected { upload_id, .. }
        | DocumentEvent::UploadCancelled { upload_id, .. }
        | DocumentEvent::UploadExpired { upload_id, .. } => Some(QuotaCommand::Release { upload_id }),
        DocumentEvent::DocumentPurged { bytes, .. } => Some(QuotaCommand::Free { document_id, bytes }),
        DocumentEvent::VerificationStarted { .. }
        | DocumentEvent::DocumentInspected { .. }
        | DocumentEvent::DocumentRenamed { .. }
        | DocumentEvent::DocumentTrashed { .. }
        | DocumentEvent::DocumentRestored { .. } => None,
    }
}

fn any_request(index: usize) -> impl Strategy<Value = DocumentCommand> {
    (0..60_u64, prop_oneof![Just(single()), Just(multipart())]).prop_map(move |(size, transfer)| {
        DocumentCommand::RequestUpload(request(index as u128, size, transfer))
    })
}

/// A document and a command at any hour before, at or after the deadline.
fn any_step() -> impl Strategy<Value = (usize, DocumentCommand)> {
    (0..DOCUMENTS, prop_oneof![0..48_i64, Just(24)]).prop_flat_map(|(index, hour)| {
        let now = at(hour);
        let reasons = [RejectionReason::SizeMismatch, RejectionReason::ChecksumMismatch];
        let command = prop_oneof![
            3 => any_request(index),
            2 => Just(DocumentCommand::BeginVerification { now }),
            2 => Just(DocumentCommand::CompleteUpload { now }),
            1 => prop::sample::select(reasons.to_vec()).prop_map(|reason| DocumentCommand::RejectUpload { reason }),
            1 => Just(DocumentCommand::CancelUpload),
            1 => Just(DocumentCommand::ExpireUpload { now }),
            1 => any::<bool>().prop_map(move |readable| DocumentCommand::RecordInspection {
                upload_id: UploadId(id(index as u128)),
                content_type: "text/plain".into(),
                inspection: if readable { text() } else { unreadable() },
            }),
            1 => "[a-c]".prop_map(|text| DocumentCommand::Rename { name: name(&text) }),
            2 => Just(DocumentCommand::Trash),
            2 => Just(DocumentCommand::Restore),
            1 => Just(DocumentCommand::Purge),
        ];
        (Just(index), command)
    })
}

fn settles(event: &DocumentEvent) -> bool {
    let stage = event.leads_to();
    let given_up = matches!(stage, Some(Stage::Rejected | Stage::Cancelled | Stage::Expired));
    given_up || matches!(event, DocumentEvent::UploadCompleted { .. })
}

proptest! {
    #[test]
    fn any_history_is_a_legal_life_that_the_quota_follows(
        limit in 0..150_u64,
        steps in prop::collection::vec(any_step(), 0..50),
    ) {
        let mut vault = Vault::with_limit(limit);
        for (index, command) in steps {
            vault.append(index, command)?;
        }
        for (document, history) in vault.documents.iter().zip(&vault.history) {
            prop_assert_eq!(document, &fold(history));
            let settlements = history.iter().filter(|event| settles(event)).count();
            let unsettled = matches!(document.stage(), Stage::Absent | Stage::Pending | Stage::Verifying);
            prop_assert_eq!(settlements, usize::from(!unsettled));
        }
    }
}

#[test]
fn final_stages_lead_nowhere() {
    let stages = [
        Stage::Absent,
        Stage::Pending,
        Stage::Verifying,
        Stage::Active,
        Stage::Trashed,
        Stage::Rejected,
        Stage::Cancelled,
        Stage::Expired,
        Stage::Purged,
    ];
    for stage in stages {
        let is_final = !stages.iter().any(|next| stage.may_become(*next));
        assert_eq!(is_final, matches!(stage, Stage::Cancelled | Stage::Expired | Stage::Purged), "{stage:?}");
        assert!(!stage.may_become(stage) && !stage.may_become(Stage::Absent), "{stage:?}");
        assert!(!(stage.is_reserved() && stage.is_retained()), "{stage:?}");
    }
}
