//! How soon a password would be guessed, by zxcvbn's estimate: not what characters it has counts, but how often people
//! choose its like.

use zxcvbn::feedback::Feedback;
use zxcvbn::{Score, zxcvbn};

/// Words of a person that are too short to be looked for.
const SHORT: usize = 3;

/// What is wrong with `password` and how to make it better; nothing if it would take 10⁸ guesses. `own` is what is known
/// of the person: whoever guesses begins with that.
pub(super) fn weakness(password: &str, own: &[String]) -> Option<String> {
    let words = words(own);
    let estimate = zxcvbn(password, &words.iter().map(String::as_str).collect::<Vec<_>>());
    if estimate.score() >= Score::Three {
        return None;
    }
    let mut advice = vec!["This password would soon be guessed.".to_owned()];
    let feedback = estimate.feedback();
    advice.extend(feedback.and_then(Feedback::warning).map(|warning| warning.to_string()));
    let folded = password.to_lowercase();
    if words.iter().any(|word| folded.contains(word)) {
        advice.push("Leave your own name and e-mail address out of it.".to_owned());
    }
    let suggestions = feedback.map(Feedback::suggestions).unwrap_or_default();
    advice.extend(suggestions.iter().map(ToString::to_string));
    if suggestions.is_empty() {
        advice.push("Four or more uncommon words make a good one.".to_owned());
    }
    Some(advice.join(" "))
}

/// Addresses and names as they are, the halves of addresses, and every word of them, in lower case.
fn words(own: &[String]) -> Vec<String> {
    let mut words: Vec<String> = own
        .iter()
        .flat_map(|text| {
            let halves = text.split('@');
            let parts = text.split(|c: char| !c.is_alphanumeric());
            [text.as_str()].into_iter().chain(halves).chain(parts)
        })
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() >= SHORT)
        .collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::{weakness, words};

    #[test]
    fn guessable_passwords_are_told_why() {
        for (weak, why) in [
            ("aaaaaaaaaaaaaaaa", "Repeats like \"aaa\" are easy to guess."),
            ("qwertyuiop[]asdf", "Add another word or two."),
            ("password2024password2024", "Avoid repeated words"),
            ("abcdefghijklmnop", "Sequences like abc or 6543 are easy to guess."),
        ] {
            let told = weakness(weak, &[]).unwrap_or_else(|| panic!("{weak} is taken"));
            assert!(
                told.starts_with("This password would soon be guessed. ") && told.contains(why),
                "{told}"
            );
        }
        for strong in ["correct horse battery staple", "an entirely new password", "7f3c9a1e5b2d8046"] {
            assert_eq!(weakness(strong, &[]), None, "{strong}");
        }
    }

    #[test]
    fn what_is_known_of_a_person_is_guessed_first() {
        let own =
            ["thaddeus.quillfeather@wobblethorpe.example".to_owned(), "Zephyrine Quillfeather".to_owned()];
        for password in [
            "thaddeus.quillfeather@wobblethorpe.example",
            "quillfeather",
            "wobblethorpe1",
            "ZephyrineQuillfeather",
        ] {
            let told = weakness(password, &own).unwrap_or_else(|| panic!("{password} is taken"));
            assert!(told.contains("Leave your own name and e-mail address out of it."), "{told}");
        }
        assert_eq!(weakness("wobblethorpe zephyrine", &[]), None, "a stranger's words are as good as any");
    }

    #[test]
    fn words_are_whole_halved_and_single() {
        let words = words(&["Ana.Ng@mail.example".to_owned(), "Ana Ng".to_owned()]);
        assert_eq!(
            words,
            ["ana", "ana ng", "ana.ng", "ana.ng@mail.example", "example", "mail", "mail.example"]
        );
    }
}
