use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::document_listing::CursorError;

/// The last document of a page of search results by rank. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankCursor {
    pub(super) rank: f32,
    pub(super) document_id: Uuid,
    /// Whether there were too many to rank them by their texts: that stays so on the pages that follow.
    pub(super) coarse: bool,
}

impl RankCursor {
    /// Reads a client's cursor.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let json = BASE64.decode(text).map_err(|_| CursorError::Malformed)?;
        serde_json::from_slice(&json).map_err(|_| CursorError::Malformed)
    }

    /// What a client is given: base64url.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(BASE64.encode(serde_json::to_vec(self)?))
    }
}
