//! How many bytes a person may keep, and how many are spoken for.
//!
//! used = bytes of all retained versions, active or trashed; reserved = uploads not yet settled. Lowering the
//! limit below use is allowed and blocks only new reservations.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::QuotaCommand;
pub use error::QuotaError;
pub use event::QuotaEvent;

use crate::UploadId;

/// State of one person's quota; all figures in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    limit: Option<u64>,
    used: u64,
    reservations: BTreeMap<UploadId, u64>,
}

impl Quota {
    pub const fn is_open(&self) -> bool {
        self.limit.is_some()
    }

    pub fn limit(&self) -> u64 {
        self.limit.unwrap_or(0)
    }

    pub const fn used(&self) -> u64 {
        self.used
    }

    pub fn reserved(&self) -> u64 {
        self.reservations.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// The events that `command` causes, or why it is refused. No events: it changes nothing.
    pub fn decide(&self, command: &QuotaCommand) -> Result<Vec<QuotaEvent>, QuotaError> {
        let Some(limit) = self.limit else {
            return match *command {
                QuotaCommand::Open { limit } => Ok(vec![QuotaEvent::QuotaOpened { limit }]),
                _ => Err(QuotaError::NotOpen),
            };
        };
        Ok(match *command {
            QuotaCommand::Open { .. } => return Err(QuotaError::AlreadyOpen),
            QuotaCommand::ChangeLimit { limit: new } if new == limit => vec![],
            QuotaCommand::ChangeLimit { limit } => vec![QuotaEvent::LimitChanged { limit }],
            QuotaCommand::Reserve { upload_id, bytes } => self.reserve(limit, upload_id, bytes)?,
            QuotaCommand::Commit { upload_id } => match self.reservations.get(&upload_id) {
                Some(&bytes) => vec![QuotaEvent::SpaceCommitted { upload_id, bytes }],
                None => vec![],
            },
            QuotaCommand::Release { upload_id } => match self.reservations.get(&upload_id) {
                Some(&bytes) => vec![QuotaEvent::SpaceReleased { upload_id, bytes }],
                None => vec![],
            },
            QuotaCommand::Free { document_id, bytes } if bytes <= self.used => {
                vec![QuotaEvent::SpaceFreed { document_id, bytes }]
            }
            QuotaCommand::Free { bytes, .. } => {
                return Err(QuotaError::FreesMoreThanUsed { used: self.used, bytes });
            }
        })
    }

    fn reserve(&self, limit: u64, upload_id: UploadId, bytes: u64) -> Result<Vec<QuotaEvent>, QuotaError> {
        if self.reservations.contains_key(&upload_id) {
            return Ok(vec![]);
        }
        let (used, reserved) = (self.used, self.reserved());
        match used.checked_add(reserved).and_then(|taken| taken.checked_add(bytes)) {
            Some(total) if total <= limit => Ok(vec![QuotaEvent::SpaceReserved { upload_id, bytes }]),
            _ => Err(QuotaError::Exceeded { limit, used, reserved, requested: bytes }),
        }
    }
}

impl Aggregate for Quota {
    const TYPE: &'static str = "quota";
    type Command = QuotaCommand;
    type Event = QuotaEvent;
    type Error = QuotaError;
    type Services = ();

    async fn handle(
        &mut self,
        command: QuotaCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), QuotaError> {
        for event in self.decide(&command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: QuotaEvent) {
        match event {
            QuotaEvent::QuotaOpened { limit } | QuotaEvent::LimitChanged { limit } => {
                self.limit = Some(limit);
            }
            QuotaEvent::SpaceReserved { upload_id, bytes } => {
                self.reservations.insert(upload_id, bytes);
            }
            QuotaEvent::SpaceCommitted { upload_id, bytes } => {
                self.reservations.remove(&upload_id);
                self.used = self.used.saturating_add(bytes);
            }
            QuotaEvent::SpaceReleased { upload_id, .. } => {
                self.reservations.remove(&upload_id);
            }
            QuotaEvent::SpaceFreed { bytes, .. } => self.used = self.used.saturating_sub(bytes),
        }
    }
}
