//! Identifiers: a UUIDv7 each (RFC 9562), typed so that a user is never taken for a document.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// A document, through all its versions.
    DocumentId
);
id!(
    /// A person with an account; also the owner of a vault and the subject of personal data.
    UserId
);
id!(
    /// One upload request; also names its quota reservation.
    UploadId
);
id!(
    /// A folder of a library.
    FolderId
);
id!(
    /// One login: the family of refresh tokens that descend from it.
    SessionId
);
id!(
    /// An API token: what a script signs in with.
    ApiTokenId
);
