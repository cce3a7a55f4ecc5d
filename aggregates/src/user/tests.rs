use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::UserId;

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

#[test]
fn every_command_before_and_after_registration() {
    let ada = || registered(Some("Ada"), Role::Admin);
    for (given, when, then) in [
        (vec![], register(Some("Ada"), Role::Admin), Ok(vec![ada()])),
        (vec![], register(None, Role::User), Ok(vec![registered(None, Role::User)])),
        (vec![], UserCommand::ChangePassword, Err(UserError::NotRegistered)),
        (vec![ada()], register(Some("Ada"), Role::Admin), Err(UserError::AlreadyRegistered)),
        (vec![ada()], UserCommand::ChangePassword, Ok(vec![UserEvent::PasswordChanged {}])),
        (
            vec![ada(), UserEvent::PasswordChanged {}],
            UserCommand::ChangePassword,
            Ok(vec![UserEvent::PasswordChanged {}]),
        ),
    ] {
        let result = TestFramework::<User>::with(()).given(given).when(when.clone()).inspect_result();
        assert_eq!(result, then, "{when:?}");
    }
}

#[test]
fn an_account_keeps_its_role() {
    let mut user = User::default();
    assert_eq!(user.role(), None);
    user.apply(registered(None, Role::Auditor));
    user.apply(UserEvent::PasswordChanged {});
    assert_eq!(user.role(), Some(Role::Auditor));
}

#[test]
fn roles_read_as_they_are_written() {
    for role in [Role::User, Role::Admin, Role::Auditor] {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    for text in ["", "Admin", "root"] {
        assert!(text.parse::<Role>().is_err(), "{text}");
    }
}
