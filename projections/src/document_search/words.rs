//! What a word is, and when two are the same to somebody who searches.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longer ones are no words, and PostgreSQL would not index them.
const LONGEST: usize = 255;
/// Characters of a query.
const LONGEST_QUERY: usize = 500;
/// Of a query: each is looked up in every language of its owner.
const MOST_WORDS: usize = 32;

/// The words of a query: at least one. The last one may be unfinished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(pub(super) Vec<String>);

/// Why nothing can be searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    #[error("there is nothing to search for: name at least one word")]
    Empty,
    #[error("a search has at most {MOST_WORDS} words and {LONGEST_QUERY} characters")]
    TooLong,
}

impl std::str::FromStr for Words {
    type Err = WordsError;

    /// Operators and quotes are nothing special: what is no word separates words.
    fn from_str(text: &str) -> Result<Self, WordsError> {
        if text.chars().nth(LONGEST_QUERY).is_some() {
            return Err(WordsError::TooLong);
        }
        let words: Vec<String> = words(text).map(|(_, word)| word).collect();
        match words.len() {
            0 => Err(WordsError::Empty),
            1..=MOST_WORDS => Ok(Self(words)),
            _ => Err(WordsError::TooLong),
        }
    }
}

/// The words of `text` in their common form, each with its place.
pub(super) fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let start = from + rest.find(is_of_word)?;
            let end = text[start..].find(|c| !is_of_word(c)).map_or(text.len(), |length| start + length);
            from = end;
            let word = common_form(&text[start..end]);
            if !word.is_empty() && word.len() <= LONGEST {
                return Some((start..end, word));
            }
        }
    })
}

/// `text` as PostgreSQL is given it: words in their common form, a space between them.
pub(super) fn to_words(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for (_, word) in words(text) {
        joined.push_str(&word);
        joined.push(' ');
    }
    joined
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}

/// Without case, accents and ligatures. Marks of scripts in which they are letters stay.
fn common_form(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let bare = word.nfkd().filter(|c| !matches!(c, '\u{300}'..='\u{36F}')).flat_map(char::to_lowercase);
    let mut spelled = String::with_capacity(word.len());
    for character in bare.nfc() {
        match character {
            'ß' => spelled.push_str("ss"),
            'æ' => spelled.push_str("ae"),
            'œ' => spelled.push_str("oe"),
            'þ' => spelled.push_str("th"),
            'ø' => spelled.push('o'),
            'đ' | 'ð' => spelled.push('d'),
            'ł' => spelled.push('l'),
            'ħ' => spelled.push('h'),
            'ı' => spelled.push('i'),
            // A compatibility form may decompose into what is no letter.
            other if is_of_word(other) => spelled.push(other),
            _ => {}
        }
    }
    // Lower-casing may have made new marks (the Turkish İ).
    spelled.retain(|c| !matches!(c, '\u{300}'..='\u{36F}'));
    spelled
}
