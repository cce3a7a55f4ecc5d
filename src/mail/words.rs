//! What mails say, in ASCII: no secrets but the link that some of them are for, no names of documents, and nothing that
//! somebody else could have chosen, such as the name of a person.

use super::Kind;

/// The words of a mail.
pub(super) struct Words {
    pub(super) subject: &'static str,
    /// What happened at the vault.
    pub(super) news: &'static str,
    /// What the link is for; empty without one.
    pub(super) link: &'static str,
    pub(super) advice: &'static str,
}

const IF_NOT_YOU: &str = "If that was you, there is nothing to do. If not, change your password at once: all other sessions \
     end with it. If you cannot sign in any more, ask for a link to reset your password, or ask your administrator.";

impl Words {
    pub(super) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::VerifyEmail => Self {
                subject: "Verify your e-mail address",
                news: "Somebody, most likely you, has opened an account with this e-mail address.",
                link: "Open this link to show that the address is yours. Then you can sign in.",
                advice: "If that was not you, do not open the link: without it nobody can sign in.",
            },
            Kind::ResetPassword => Self {
                subject: "Reset your password",
                news: "Somebody, most likely you, has asked for a new password for your account.",
                link: "Open this link to choose one. All sessions and API tokens of the account end with it.",
                advice: "If that was not you, do nothing: your password stays as it is.",
            },
            Kind::ConfirmEmail => Self {
                subject: "Confirm your new e-mail address",
                news: "Somebody, most likely you, wants this e-mail address for an account.",
                link: "Open this link to confirm that the address is yours. From then on you sign in with it.",
                advice: "If that was not you, do nothing: the account keeps the address that it has.",
            },
            Kind::EmailChangeRequested => Self {
                subject: "Your e-mail address is about to change",
                news: "Somebody who knows your password has asked for another e-mail address for your account. It counts as \
                       soon as the link is opened that was sent there.",
                link: "",
                advice: "If that was you, there is nothing to do. If not, change your password at once: that link dies with \
                         it, and all other sessions end.",
            },
            Kind::RegistrationRepeated => Self {
                subject: "You have an account already",
                news: "Somebody, most likely you, wanted to open an account with this e-mail address, which has one already.",
                link: "",
                advice: "Sign in as always. If you have forgotten your password, ask for a link to reset it. If that was not \
                         you, there is nothing to do: nothing has changed.",
            },
            Kind::TokenReused => Self {
                subject: "One of your sessions was ended for safety",
                news: "A session of your account was ended, because an old sign-in token was used again. That happens when \
                       somebody has copied it, and sometimes when a browser was restored from a backup.",
                link: "",
                advice: "If you know why it happened, just sign in again. If that was not you, change your password: all other \
                         sessions end with it.",
            },
            Kind::PasswordChanged => {
                Self::notice("Your password was changed", "The password of your account was changed.")
            }
            Kind::PasswordReset => Self {
                subject: "Your password was reset",
                news: "Your account has a new password, by a link that went to this address. All sessions and API tokens \
                       have ended.",
                link: "",
                advice: "If that was you, there is nothing to do. If not, somebody else reads your mails: make your mailbox \
                         safe first, then ask for a link to reset your password.",
            },
            Kind::TemporaryPasswordIssued => Self {
                subject: "You were given a temporary password",
                news: "An administrator has replaced the password of your account by a temporary one, which you are told by \
                       other means. All sessions and API tokens have ended.",
                link: "",
                advice: "It is good for 24 hours and must be changed at the first login. If you did not expect this, ask your \
                         administrator.",
            },
            Kind::TotpEnabled => Self::notice(
                "The second factor was turned on",
                "Signing in to your account takes a code of an authenticator app from now on.",
            ),
            Kind::TotpDisabled => Self::notice(
                "The second factor was turned off",
                "Signing in to your account takes nothing but the password from now on.",
            ),
            Kind::BackupCodesReplaced => Self::notice(
                "Your backup codes were replaced",
                "Your account has ten new backup codes. The old ones are not good any more.",
            ),
            Kind::BackupCodeUsed => Self::notice(
                "A backup code was used",
                "Somebody has signed in to your account with one of your backup codes, which is used up now.",
            ),
            Kind::ApiTokenCreated => Self::notice(
                "An API token was made",
                "Your account has a new API token, with which a program can act for you.",
            ),
        }
    }

    const fn notice(subject: &'static str, news: &'static str) -> Self {
        Self { subject, news, link: "", advice: IF_NOT_YOU }
    }
}
