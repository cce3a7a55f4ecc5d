use std::fmt;

use aggregates::document::InspectionRefusal;

/// Text that is refused rather than cut when it gets too long. NUL, which PostgreSQL cannot keep, is left out.
pub(in crate::inspection) struct Bounded {
    text: String,
    limit: usize,
}

impl Bounded {
    pub(in crate::inspection) const fn new(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), InspectionRefusal> {
        if text.len() > self.limit.saturating_sub(self.text.len()) {
            // Whatever is written from now on is too much as well.
            self.limit = 0;
            return Err(InspectionRefusal::OutputLimit);
        }
        self.text.extend(text.chars().filter(|character| *character != '\0'));
        Ok(())
    }

    pub(super) const fn is_exceeded(&self) -> bool {
        self.limit == 0
    }

    pub(in crate::inspection) fn into_string(self) -> String {
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text).map_err(|_| fmt::Error)
    }
}
