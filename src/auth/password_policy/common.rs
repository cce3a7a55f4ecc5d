//! Passwords that many people use (ASVS 5.0 V6.2.4), of those that are long enough for us. Where they are from stands in
//! NOTICE, beside the list.

use std::sync::LazyLock;

/// Sorted, in lower case.
static LIST: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

/// Whether `password` is on the list, in whatever case.
pub(super) fn is_common(password: &str) -> bool {
    LIST.binary_search(&password.to_lowercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{LIST, is_common};

    #[test]
    fn the_list_is_long_sorted_and_of_passwords_that_the_policy_would_take() {
        assert!(LIST.len() >= 3_000, "{}", LIST.len());
        assert!(LIST.is_sorted_by(|one, next| one < next));
        for password in LIST.iter() {
            assert!(
                (12..=1024).contains(&password.len()) && *password == password.to_lowercase(),
                "{password}"
            );
        }
    }

    #[test]
    fn case_makes_no_password_rare() {
        for common in ["1qaz2wsx3edc", "LeaveMeAlone", "SONYERICSSON", "ЙЦУКЕНГШЩЗ"] {
            assert!(is_common(common), "{common}");
        }
        for rare in ["leavemealone!", "eavemealone", "correct horse battery staple", ""] {
            assert!(!is_common(rare), "{rare}");
        }
    }
}
