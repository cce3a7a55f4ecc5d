//! The leaf of an event in the Merkle tree (RFC 6962), byte for byte as the door hashes it. Frozen, format version 1:
//! the byte 0x01, then each field as its length (4 bytes, big-endian) and its bytes.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The fields of an event that its leaf covers.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    pub position: i64,
    pub event_id: Uuid,
    pub owner_id: Uuid,
    pub aggregate_type: &'a str,
    pub aggregate_id: &'a str,
    pub sequence: i64,
    pub event_type: &'a str,
    pub event_version: &'a str,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at_us: i64,
    /// As stored.
    pub payload: &'a str,
    /// As stored.
    pub metadata: &'a str,
}

impl Leaf<'_> {
    /// SHA-256(0x00 ‖ leaf).
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix([0x00, 0x01]);
        for field in [
            self.position.to_be_bytes().as_slice(),
            self.event_id.as_bytes(),
            self.owner_id.as_bytes(),
            self.aggregate_type.as_bytes(),
            self.aggregate_id.as_bytes(),
            &self.sequence.to_be_bytes(),
            self.event_type.as_bytes(),
            self.event_version.as_bytes(),
            &self.recorded_at_us.to_be_bytes(),
            self.payload.as_bytes(),
            self.metadata.as_bytes(),
        ] {
            hash.update(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(field);
        }
        hash.finalize().into()
    }
}
