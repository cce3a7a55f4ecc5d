//! The place where a document was found, for people to see.

use std::ops::Range;

use super::words::words;

/// Bytes of context before the first mark.
const BEFORE: usize = 60;
/// Bytes of a snippet, before its markup.
const LENGTH: usize = 220;
/// How much longer than its stem a word may be.
const ENDING: usize = 6;

/// What a query looks for.
pub(super) struct Terms<'a> {
    /// As written; the last one may be unfinished.
    pub(super) words: &'a [String],
    /// What the stemmers made of them.
    pub(super) stems: &'a [String],
}

impl Terms<'_> {
    fn match_word(&self, word: &str) -> bool {
        self.words.iter().any(|wanted| wanted == word)
            || self.words.last().is_some_and(|unfinished| word.starts_with(unfinished.as_str()))
            || self.stems.iter().any(|stem| has_stem(word, stem))
    }

    /// The neighbourhood of the first word of `text` that matches; `None`: there is none.
    pub(super) fn find_in(&self, text: &str) -> Option<String> {
        let (first, _) = words(text).find(|(_, word)| self.match_word(word))?;
        Some(self.mark(text, &window(text, first.start)))
    }

    /// The beginning of `text`.
    pub(super) fn begin(&self, text: &str) -> String {
        self.mark(text, &window(text, 0))
    }

    /// `text[window]` as HTML, with every matching word marked.
    fn mark(&self, text: &str, window: &Range<usize>) -> String {
        let shown = &text[window.clone()];
        let mut html = String::with_capacity(shown.len() + 64);
        if window.start > 0 {
            html.push('…');
        }
        let mut done = 0;
        for (place, word) in words(shown) {
            if self.match_word(&word) {
                escape(&shown[done..place.start], &mut html);
                html.push_str("<mark>");
                escape(&shown[place.clone()], &mut html);
                html.push_str("</mark>");
                done = place.end;
            }
        }
        escape(&shown[done..], &mut html);
        if window.end < text.len() {
            html.push('…');
        }
        html
    }
}

/// A stemmer's word with one of its endings, nearly always: only what is shown depends on it.
fn has_stem(word: &str, stem: &str) -> bool {
    let with_ending = |stem: &str| word.starts_with(stem) && word.len() <= stem.len() + ENDING;
    stem.len() >= 3 && (with_ending(stem) || stem.strip_suffix('i').is_some_and(with_ending))
}

/// Whole words around `at`.
fn window(text: &str, at: usize) -> Range<usize> {
    let start = match text.floor_char_boundary(at.saturating_sub(BEFORE)) {
        0 => 0,
        earliest => text[earliest..at].find(char::is_whitespace).map_or(earliest, |space| {
            text[earliest + space..at]
                .find(|c: char| !c.is_whitespace())
                .map_or(at, |gap| earliest + space + gap)
        }),
    };
    let latest = text.floor_char_boundary(start.saturating_add(LENGTH));
    let end = if latest == text.len() {
        latest
    } else {
        text[at..latest]
            .rfind(char::is_whitespace)
            .filter(|space| *space > 0)
            .map_or(latest, |space| at + space)
    };
    start..end
}

/// Runs of white space become one space; what could be markup does not stay it.
fn escape(text: &str, html: &mut String) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            space if space.is_whitespace() || space.is_control() => {
                if !html.is_empty() && !html.ends_with(' ') {
                    html.push(' ');
                }
            }
            other => html.push(other),
        }
    }
}
