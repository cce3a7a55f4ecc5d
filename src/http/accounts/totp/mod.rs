//! The second factor, from the first look at its QR code to its end.

pub mod activate;
pub mod disable;
pub mod enroll;
pub mod replace_backup_codes;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::auth::secret::Secret;

/// Both factors again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BothFactors {
    #[schema(value_type = String)]
    password: Secret,
    /// Of the authenticator app, or a backup code
    #[schema(value_type = String)]
    code: Secret,
}

/// Ten codes that open one login each when the second factor is lost, shown this once.
#[derive(Serialize, ToSchema)]
pub struct BackupCodes {
    backup_codes: Vec<String>,
}

impl BackupCodes {
    fn new(codes: &[Zeroizing<String>]) -> Self {
        Self { backup_codes: codes.iter().map(|code| String::clone(code)).collect() }
    }
}
