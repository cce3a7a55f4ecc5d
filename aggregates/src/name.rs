//! Names that people give to documents (and later folders and topics).

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A name in NFC, 1–255 bytes of UTF-8, without control or bidi-override characters and without `/`. Something of it
/// can be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name needs at least one character that can be seen")]
    Empty,
    #[error("a name has at most 255 bytes in UTF-8; this one has {0}")]
    TooLong(usize),
    #[error("a name must not contain `/`")]
    Slash,
    #[error("a name must not contain control or direction-override characters (found U+{0:04X})")]
    Forbidden(u32),
    #[error("`.` and `..` are not names")]
    Dots,
}

impl Name {
    /// Normalises to NFC, then checks. White space at the ends is kept out.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let normal: String = text.nfc().collect();
        // Before the ends are trimmed: some control characters are white space, and are refused all the same.
        if let Some(c) = normal.chars().find(|c| is_forbidden(*c)) {
            return Err(NameError::Forbidden(u32::from(c)));
        }
        let name = normal.trim();
        if name.chars().all(is_invisible) {
            return Err(NameError::Empty);
        }
        if name.len() > 255 {
            return Err(NameError::TooLong(name.len()));
        }
        if name == "." || name == ".." {
            return Err(NameError::Dots);
        }
        if name.contains('/') {
            return Err(NameError::Slash);
        }
        Ok(Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The extension with its dot in lower case, if it is 1–10 ASCII letters or digits; otherwise nothing.
    pub fn extension(&self) -> String {
        match self.0.rsplit_once('.') {
            Some((stem, ext))
                if !stem.is_empty()
                    && (1..=10).contains(&ext.len())
                    && ext.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                format!(".{}", ext.to_ascii_lowercase())
            }
            _ => String::new(),
        }
    }
}

/// Control characters (Cc), line and paragraph separators, and the bidi controls of UAX #9.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// White space, and what is drawn as nothing: Default_Ignorable_Code_Point (UAX #44) and the empty Braille pattern.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_and_normalises() {
        assert_eq!(Name::parse("  re\u{301}sume\u{301}.pdf ").unwrap().as_str(), "résumé.pdf");
        assert_eq!(Name::parse("日本語 🗂.txt").unwrap().as_str(), "日本語 🗂.txt");
        let family = "👩\u{200D}👧.png";
        assert_eq!(Name::parse(family).unwrap().as_str(), family, "a joiner between what can be seen");
        assert_eq!(Name::parse(&"n".repeat(255)).unwrap().as_str().len(), 255);
    }

    #[test]
    fn refuses_what_could_mislead() {
        assert_eq!(Name::parse("  "), Err(NameError::Empty));
        for unseen in [
            "\u{200B}",
            "\u{FEFF}\u{2060}",
            " \u{AD} ",
            "\u{3164}",
            "\u{2800}",
            "\u{E0041}",
            "\u{200D}\u{FE0F}",
        ] {
            assert_eq!(Name::parse(unseen), Err(NameError::Empty), "{}", unseen.escape_unicode());
        }
        assert_eq!(Name::parse("a.pdf\r\n"), Err(NameError::Forbidden(0x0D)));
        assert_eq!(Name::parse("\u{2028}a"), Err(NameError::Forbidden(0x2028)));
        assert_eq!(Name::parse("\ta"), Err(NameError::Forbidden(0x09)));
        assert_eq!(Name::parse(&"é".repeat(128)), Err(NameError::TooLong(256)));
        assert_eq!(Name::parse("../etc/passwd"), Err(NameError::Slash));
        assert_eq!(Name::parse(".."), Err(NameError::Dots));
        assert_eq!(Name::parse("a\0b"), Err(NameError::Forbidden(0)));
        assert_eq!(Name::parse("a\r\nSet-Cookie: x"), Err(NameError::Forbidden(0x0D)));
        assert_eq!(Name::parse("invoice\u{202E}fdp.exe"), Err(NameError::Forbidden(0x202E)));
    }

    #[test]
    fn keeps_only_harmless_extensions() {
        let ext = |name: &str| Name::parse(name).unwrap().extension();
        assert_eq!(ext("Scan.PDF"), ".pdf");
        assert_eq!(ext("archive.tar.gz"), ".gz");
        assert_eq!(ext(".bashrc"), "");
        assert_eq!(ext("a.b c"), "");
        assert_eq!(ext("no extension"), "");
    }

    #[test]
    fn is_stored_as_its_text() {
        let name = Name::parse("résumé.pdf").unwrap();
        assert_eq!(serde_json::to_value(&name).unwrap(), "résumé.pdf");
        assert_eq!(serde_json::from_value::<Name>("résumé.pdf".into()).unwrap(), name);
    }
}
