use aggregates::document::InspectionRefusal;
use pdf_extract::{ConvertToFmt, Document, Error, OutputError, PlainTextOutput, output_doc};

use super::Bounded;

impl ConvertToFmt for &mut Bounded {
    type Writer = Self;

    fn convert(self) -> Self {
        self
    }
}

pub(super) fn extract(bytes: &[u8], text: &mut Bounded) -> Result<(), InspectionRefusal> {
    let mut document = Document::load_mem(bytes).map_err(|error| refusal(&error))?;
    // Many are encrypted with an empty password, which only forbids changes.
    if document.is_encrypted() {
        document.decrypt("").map_err(|_| InspectionRefusal::Encrypted)?;
    }
    let written = output_doc(&document, &mut PlainTextOutput::new(&mut *text));
    match written {
        Ok(()) => Ok(()),
        Err(_) if text.is_exceeded() => Err(InspectionRefusal::OutputLimit),
        Err(OutputError::PdfError(error)) => Err(refusal(&error)),
        Err(_) => Err(InspectionRefusal::Malformed),
    }
}

const fn refusal(error: &Error) -> InspectionRefusal {
    match error {
        Error::Decryption(_) | Error::InvalidPassword => InspectionRefusal::Encrypted,
        _ => InspectionRefusal::Malformed,
    }
}
