//! Lists by keyset: a page, and an opaque cursor that says where the next one begins.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it back as `?cursor=`; `null` on the last page.
    pub next_cursor: Option<String>,
}

/// `?limit=`: 1 to 200, default 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u16);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer)? {
            limit @ 1..=200 => Ok(Self(limit)),
            _ => Err(D::Error::custom("a limit is 1 to 200")),
        }
    }
}

/// Writes down where a page ended.
pub fn to_cursor(place: &impl Serialize) -> Result<String, ApiError> {
    Ok(BASE64.encode(serde_json::to_vec(place).map_err(anyhow::Error::from)?))
}

/// Reads what [`to_cursor`] wrote.
pub fn from_cursor<T: DeserializeOwned>(cursor: &str) -> Result<T, ApiError> {
    let place = BASE64.decode(cursor).ok().and_then(|json| serde_json::from_slice(&json).ok());
    place.ok_or_else(|| ApiError::field("cursor", "invalid", "This cursor was not made by this list."))
}
