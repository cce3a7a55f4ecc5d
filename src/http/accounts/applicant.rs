use aggregates::Name;

use crate::app::App;
use crate::auth::email::Email;
use crate::auth::password::Password;
use crate::auth::password_hash::PasswordHash;
use crate::auth::secret::Secret;
use crate::error::ApiError;

/// Somebody who wants an account, with what they gave checked. Whether the address is known makes no difference here, in
/// time neither: the password is hashed for everybody.
pub(super) struct Applicant {
    pub(super) email: Email,
    pub(super) display_name: Option<Name>,
    pub(super) password: PasswordHash,
}

impl Applicant {
    pub(super) async fn check(
        app: &App,
        email: &str,
        password: Secret,
        display_name: Option<&str>,
    ) -> Result<Self, ApiError> {
        let email = Email::parse(email);
        let email = email.map_err(|error| ApiError::field("email", "invalid", error.to_string()))?;
        let display_name = display_name.map(Name::parse).transpose();
        let display_name =
            display_name.map_err(|error| ApiError::field("display_name", "invalid", error.to_string()))?;
        let password = Password::parse(password.0).map_err(|error| error.of_field("password"))?;
        let own = [Some(email.as_str()), display_name.as_ref().map(Name::as_str)];
        let own: Vec<_> = own.into_iter().flatten().map(str::to_owned).collect();
        app.policy.check("password", &password, &own).await?;
        Ok(Self { email, display_name, password: app.passwords.hash(password).await? })
    }
}
