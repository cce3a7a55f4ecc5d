//! Lists by keyset: a page, and an opaque cursor that says where the next one begins.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

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

/// Which page of a list that is filtered by nothing.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Place {
    /// 1 to 200, default 50
    #[serde(default)]
    #[param(value_type = Option<u16>)]
    pub limit: Limit,
    pub cursor: Option<String>,
}

/// Where a page ended, and in which list: good for no other one, and for one lineage of the log only.
#[derive(Serialize, Deserialize)]
struct Bookmark<T> {
    lineage: Uuid,
    list: String,
    place: T,
}

/// Writes down where a page of `list` ended. `list` names the list and what it is filtered by.
pub fn to_cursor<T: Serialize>(
    lineage: Uuid,
    list: &str,
    place: Option<T>,
) -> Result<Option<String>, ApiError> {
    let Some(place) = place else { return Ok(None) };
    let bookmark = Bookmark { lineage, list: list.into(), place };
    Ok(Some(BASE64.encode(serde_json::to_vec(&bookmark).map_err(anyhow::Error::from)?)))
}

/// Reads what [`to_cursor`] wrote for the same list.
pub fn from_cursor<T: DeserializeOwned>(
    lineage: Uuid,
    list: &str,
    cursor: Option<&str>,
) -> Result<Option<T>, ApiError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let read = BASE64.decode(cursor).ok().and_then(|json| serde_json::from_slice::<Bookmark<T>>(&json).ok());
    let bookmark = read
        .filter(|bookmark| bookmark.list == list)
        .ok_or_else(|| ApiError::field("cursor", "invalid", "This cursor was not made by this list."))?;
    if bookmark.lineage != lineage {
        let detail = "The log was restored from a backup since this cursor was made: begin the list again.";
        return Err(ApiError::Gone(detail.into()));
    }
    Ok(Some(bookmark.place))
}
