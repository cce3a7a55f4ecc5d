use chrono::DateTime;
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{ApiTokenId, UserId};

fn personal(text: &str) -> Personal<String> {
    Personal::new(UserId(Uuid::from_u128(1)), text.into())
}

fn register(display_name: Option<&str>, role: Role) -> UserCommand {
    UserCommand::Register { email: personal("a@b.example"), display_name: display_name.map(personal), role }
}

fn registered(display_name: Option<&str>, role: Role) -> UserEvent {
    UserEvent::UserRegistered {
        email: personal("a@b.example"),
        display_name: display_name.map(personal),
        role,
    }
}

fn decide(given: Vec<UserEvent>, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
    TestFramework::<User>::with(()).given(given).when(command).inspect_result()
}

/// Of an account that is registered and then went through `history`.
fn decide_after(history: Vec<UserEvent>, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
    decide([vec![registered(None, Role::User)], history].concat(), command)
}

#[test]
fn registration_happens_once_and_comes_first() {
    let ada = || registered(Some("Ada"), Role::Admin);
    assert_eq!(decide(vec![], register(Some("Ada"), Role::Admin)), Ok(vec![ada()]));
    let again = decide(vec![ada()], register(Some("Ada"), Role::Admin));
    assert_eq!(again, Err(UserError::AlreadyRegistered));
    for command in [UserCommand::ChangePassword, UserCommand::Deactivate, UserCommand::EnableTotp] {
        assert_eq!(decide(vec![], command), Err(UserError::NotRegistered));
    }
}

#[test]
fn facts_about_secrets_are_recorded_each_time() {
    for (command, event) in [
        (UserCommand::ChangePassword, UserEvent::PasswordChanged {}),
        (UserCommand::ResetPassword, UserEvent::PasswordReset {}),
        (UserCommand::IssueTemporaryPassword, UserEvent::TemporaryPasswordIssued {}),
        (UserCommand::StartTotpEnrollment, UserEvent::TotpEnrollmentStarted {}),
    ] {
        for history in [vec![], vec![event.clone()]] {
            assert_eq!(decide_after(history, command.clone()), Ok(vec![event.clone()]), "{command:?}");
        }
    }
}

#[test]
fn a_second_factor_is_enrolled_before_it_is_on_and_is_on_before_it_is_off() {
    let (enrolled, on) = (UserEvent::TotpEnrollmentStarted {}, UserEvent::TotpEnabled {});
    let off = UserEvent::TotpDisabled {};
    for (history, command, then) in [
        (vec![], UserCommand::EnableTotp, Err(UserError::TotpNotEnrolled)),
        (vec![], UserCommand::DisableTotp, Err(UserError::TotpNotEnabled)),
        (vec![enrolled.clone()], UserCommand::ReplaceBackupCodes, Err(UserError::TotpNotEnabled)),
        (vec![enrolled.clone()], UserCommand::EnableTotp, Ok(vec![on.clone()])),
        (vec![on.clone()], UserCommand::EnableTotp, Err(UserError::TotpAlreadyEnabled)),
        (vec![on.clone()], UserCommand::StartTotpEnrollment, Err(UserError::TotpAlreadyEnabled)),
        (vec![on.clone()], UserCommand::ReplaceBackupCodes, Ok(vec![UserEvent::BackupCodesReplaced {}])),
        (vec![on.clone()], UserCommand::DisableTotp, Ok(vec![off.clone()])),
        (vec![on, off], UserCommand::StartTotpEnrollment, Ok(vec![enrolled])),
    ] {
        assert_eq!(decide_after(history.clone(), command.clone()), then, "{history:?} {command:?}");
    }
}

#[test]
fn an_address_changes_only_to_the_last_that_was_asked_for() {
    let asked = |text| UserEvent::EmailChangeRequested { email: personal(text) };
    let changed = |text| UserEvent::EmailChanged { email: personal(text) };
    let confirm = || UserCommand::ConfirmEmailChange;
    assert_eq!(decide_after(vec![], confirm()), Err(UserError::NoEmailRequested));
    let history = vec![asked("c@d.example"), asked("e@f.example")];
    assert_eq!(decide_after(history.clone(), confirm()), Ok(vec![changed("e@f.example")]));
    let history = [history, vec![changed("e@f.example")]].concat();
    assert_eq!(decide_after(history.clone(), confirm()), Err(UserError::NoEmailRequested));
    assert_eq!(decide_after(history, UserCommand::VerifyEmail), Ok(vec![]), "a confirmed one is verified");
    assert_eq!(decide_after(vec![], UserCommand::VerifyEmail), Ok(vec![UserEvent::EmailVerified {}]));
}

#[test]
fn what_is_already_so_changes_nothing() {
    let preferences =
        || Preferences { language: Some(personal("de")), time_zone: Some(personal("Europe/Vienna")) };
    let name = || Some(personal("Ada"));
    let cases = [
        (
            UserCommand::ChangeDisplayName { display_name: name() },
            UserEvent::DisplayNameChanged { display_name: name() },
        ),
        (
            UserCommand::ChangePreferences { preferences: preferences() },
            UserEvent::PreferencesChanged { preferences: preferences() },
        ),
        (UserCommand::ChangeRole { role: Role::Auditor }, UserEvent::RoleChanged { role: Role::Auditor }),
        (UserCommand::Deactivate, UserEvent::UserDeactivated {}),
        (UserCommand::VerifyEmail, UserEvent::EmailVerified {}),
    ];
    for (command, event) in cases {
        assert_eq!(decide_after(vec![], command.clone()), Ok(vec![event.clone()]));
        assert_eq!(decide_after(vec![event], command), Ok(vec![]));
    }
    assert_eq!(decide_after(vec![], UserCommand::Reactivate), Ok(vec![]));
}

#[test]
fn of_a_deactivated_account_only_others_decide() {
    let inactive = || vec![UserEvent::TotpEnabled {}, UserEvent::UserDeactivated {}];
    for command in [
        UserCommand::ChangePassword,
        UserCommand::ResetPassword,
        UserCommand::VerifyEmail,
        UserCommand::ConfirmEmailChange,
        UserCommand::RevokeApiToken { token_id: ApiTokenId(Uuid::from_u128(2)) },
    ] {
        assert_eq!(decide_after(inactive(), command.clone()), Err(UserError::Deactivated), "{command:?}");
    }
    for command in [
        UserCommand::IssueTemporaryPassword,
        UserCommand::DisableTotp,
        UserCommand::ChangeRole { role: Role::Admin },
        UserCommand::Reactivate,
    ] {
        assert_eq!(
            decide_after(inactive(), command.clone()).map(|events| events.len()),
            Ok(1),
            "{command:?}"
        );
    }
}

#[test]
fn a_token_is_recorded_without_its_secret() {
    let (token_id, scopes) = (ApiTokenId(Uuid::from_u128(2)), vec![Scope::Read]);
    let (name, expires_at) = (personal("backup"), DateTime::UNIX_EPOCH);
    let create =
        UserCommand::CreateApiToken { token_id, name: name.clone(), scopes: scopes.clone(), expires_at };
    let created = UserEvent::ApiTokenCreated { token_id, name, scopes, expires_at };
    assert_eq!(decide_after(vec![], create), Ok(vec![created]));
    let revoke = UserCommand::RevokeApiToken { token_id };
    assert_eq!(decide_after(vec![], revoke), Ok(vec![UserEvent::ApiTokenRevoked { token_id }]));
}

#[test]
fn an_account_knows_its_role_and_its_profile() {
    let mut user = User::default();
    assert_eq!((user.role(), user.email(), user.requested_email()), (None, None, None));
    user.apply(registered(Some("Ada"), Role::Auditor));
    user.apply(UserEvent::PasswordChanged {});
    user.apply(UserEvent::EmailChangeRequested { email: personal("c@d.example") });
    assert_eq!(user.role(), Some(Role::Auditor));
    assert_eq!(user.email(), Some(&personal("a@b.example")));
    assert_eq!(user.requested_email(), Some(&personal("c@d.example")));
    assert_eq!(user.display_name(), Some(&personal("Ada")));
    assert_eq!(user.preferences(), Some(&Preferences::default()));
    user.apply(UserEvent::RoleChanged { role: Role::User });
    assert_eq!(user.role(), Some(Role::User));
}

#[test]
fn roles_and_scopes_read_as_they_are_written() {
    for role in [Role::User, Role::Admin, Role::Auditor] {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    for scope in [Scope::Read, Scope::Write] {
        assert_eq!(scope.as_str().parse(), Ok(scope));
        assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
    }
    for text in ["", "Admin", "root"] {
        assert!(text.parse::<Role>().is_err() && text.parse::<Scope>().is_err(), "{text}");
    }
}
