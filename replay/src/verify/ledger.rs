//! What the vault's bytes add up to, kept twice: as the quotas say it, and as the documents do. After every append
//! both must agree, for every person.

use std::collections::HashMap;

use aggregates::document::Stage;
use aggregates::{DocumentEvent, Event, QuotaEvent, UserId};
use event_store::RecordedEvent;
use uuid::Uuid;

/// The books of all people, up to some position.
#[derive(Default)]
pub(super) struct Ledger {
    accounts: HashMap<UserId, Account>,
    /// Documents that are not in a final stage.
    documents: HashMap<Uuid, Live>,
    /// Whose accounts have changed since the last balance.
    touched: Vec<UserId>,
}

/// One person's books, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    open: bool,
    limit: u64,
    pub(super) used: u64,
    pub(super) reserved: u64,
    /// Sizes of the documents whose bytes count as used.
    retained: u64,
    /// Sizes of the documents whose bytes are reserved.
    held: u64,
}

/// Size and stage of a live document in one word, the stage in the lowest byte: there may be millions.
#[derive(Clone, Copy)]
struct Live(u64);

/// Stages by their number in [`Live`].
const STAGES: [Stage; 6] =
    [Stage::Absent, Stage::Pending, Stage::Verifying, Stage::Active, Stage::Trashed, Stage::Rejected];

impl Live {
    const ABSENT: Self = Self(0);

    /// `None`: a size of 2^56 bytes or more, or a stage in which a document no longer lives.
    fn new(stage: Stage, size: u64) -> Option<Self> {
        let number = STAGES.iter().position(|live| *live == stage)?;
        Some(Self(size.checked_mul(256)? | u64::try_from(number).ok()?))
    }

    const fn stage(self) -> Stage {
        STAGES[(self.0 & 0xFF) as usize]
    }

    const fn size(self) -> u64 {
        self.0 >> 8
    }
}

impl Ledger {
    /// Enters one event. Refuses what cannot have happened.
    pub(super) fn enter(&mut self, event: &RecordedEvent) -> Result<(), String> {
        match &event.event {
            Event::Document(change) => self.enter_document(event, change)?,
            Event::Quota(change) => {
                self.accounts.entry(event.owner_id).or_default().enter(change)?;
            }
            Event::User(_) | Event::Access(_) | Event::Log(_) => return Ok(()),
        }
        self.touched.push(event.owner_id);
        Ok(())
    }

    /// At the end of an append: do quotas and documents agree?
    pub(super) fn balance(&mut self) -> Result<(), String> {
        for owner in self.touched.drain(..) {
            let Account { used, reserved, retained, held, .. } =
                self.accounts.get(&owner).copied().unwrap_or_default();
            if (used, reserved) != (retained, held) {
                return Err(format!(
                    "the quota of user {owner} has {used} bytes used and {reserved} reserved, \
                     the documents {retained} and {held}"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn account(&self, owner: UserId) -> Account {
        self.accounts.get(&owner).copied().unwrap_or_default()
    }

    fn enter_document(&mut self, event: &RecordedEvent, change: &DocumentEvent) -> Result<(), String> {
        let id: Uuid = event.aggregate_id.parse().map_err(|_| "the stream is not named by a document id")?;
        let before = self.documents.get(&id).copied().unwrap_or(Live::ABSENT);
        let Some((stage, size)) = next(before, event.owner_id, change) else {
            return Err(format!("this cannot happen to a document that is {:?}", before.stage()));
        };
        let account = self.accounts.entry(event.owner_id).or_default();
        account.move_bytes(before, stage, size).ok_or("the sizes of the documents do not add up")?;
        if STAGES.contains(&stage) {
            self.documents.insert(id, Live::new(stage, size).ok_or("a document of an impossible size")?);
        } else {
            self.documents.remove(&id);
        }
        Ok(())
    }
}

/// Stage and size after `change`; `None`: it cannot happen here.
fn next(before: Live, owner: UserId, change: &DocumentEvent) -> Option<(Stage, u64)> {
    let size = before.size();
    let agrees = match change {
        DocumentEvent::UploadRequested(request) => {
            let begins = before.stage() == Stage::Absent && request.owner_id == owner;
            return begins.then_some((Stage::Pending, request.size));
        }
        DocumentEvent::UploadCompleted { bytes, .. }
        | DocumentEvent::DocumentTrashed { bytes }
        | DocumentEvent::DocumentRestored { bytes } => *bytes == size,
        DocumentEvent::DocumentPurged { from, bytes, .. } => {
            *from == before.stage() && *bytes == if from.is_retained() { size } else { 0 }
        }
        DocumentEvent::DocumentInspected { .. } => before.stage().is_retained(),
        DocumentEvent::DocumentRenamed { .. } => before.stage().is_reserved() || before.stage().is_retained(),
        DocumentEvent::VerificationStarted { .. }
        | DocumentEvent::UploadRejected { .. }
        | DocumentEvent::UploadCancelled { .. }
        | DocumentEvent::UploadExpired { .. } => true,
    };
    let legal = change.leads_to().is_none_or(|stage| before.stage().may_become(stage));
    (agrees && legal).then(|| (change.leads_to().unwrap_or(before.stage()), size))
}

impl Account {
    fn enter(&mut self, change: &QuotaEvent) -> Result<(), String> {
        self.apply(change).ok_or("this cannot happen to this quota")?;
        let taken = self.used.saturating_add(self.reserved);
        if matches!(change, QuotaEvent::SpaceReserved { .. }) && taken > self.limit {
            return Err(format!("{taken} bytes are taken of a quota of {}", self.limit));
        }
        Ok(())
    }

    /// `None`: it cannot happen.
    fn apply(&mut self, change: &QuotaEvent) -> Option<()> {
        if self.open == matches!(change, QuotaEvent::QuotaOpened { .. }) {
            return None;
        }
        match *change {
            QuotaEvent::QuotaOpened { limit } | QuotaEvent::LimitChanged { limit } => {
                self.open = true;
                self.limit = limit;
            }
            QuotaEvent::SpaceReserved { bytes, .. } => self.reserved = self.reserved.checked_add(bytes)?,
            QuotaEvent::SpaceCommitted { bytes, .. } => {
                self.reserved = self.reserved.checked_sub(bytes)?;
                self.used = self.used.checked_add(bytes)?;
            }
            QuotaEvent::SpaceReleased { bytes, .. } => self.reserved = self.reserved.checked_sub(bytes)?,
            QuotaEvent::SpaceFreed { bytes, .. } => self.used = self.used.checked_sub(bytes)?,
        }
        Some(())
    }

    fn move_bytes(&mut self, before: Live, stage: Stage, size: u64) -> Option<()> {
        if before.stage().is_retained() {
            self.retained = self.retained.checked_sub(before.size())?;
        }
        if before.stage().is_reserved() {
            self.held = self.held.checked_sub(before.size())?;
        }
        if stage.is_retained() {
            self.retained = self.retained.checked_add(size)?;
        }
        if stage.is_reserved() {
            self.held = self.held.checked_add(size)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_document_takes_little_room() {
        // A hash table at its emptiest, 7/16 full, holds an entry and a control byte in 58 bytes.
        assert_eq!(size_of::<(Uuid, Live)>(), 24);
        for stage in STAGES {
            let live = Live::new(stage, 5 << 40).unwrap();
            assert_eq!((live.stage(), live.size()), (stage, 5 << 40));
        }
        assert!(Live::new(Stage::Active, u64::MAX).is_none());
        assert!(Live::new(Stage::Purged, 1).is_none());
    }
}
