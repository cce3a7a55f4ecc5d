//! Text out of files, one module a format. Each of them gives up with the reason that is recorded; panics, loops and
//! exhausted memory are the business of the process around.

mod bounded;
mod html;
mod office;
mod pdf;
pub(super) mod plain;

use std::io::{self, Read, Seek};

use aggregates::document::InspectionRefusal;

pub(super) use bounded::Bounded;

use super::sniff::{DOCX, HTML, ODT, OLE, PDF, PLAIN};

/// The text of `file`, of at most `limit` bytes.
pub(super) fn extract(
    content_type: &str,
    mut file: impl Read + Seek,
    limit: usize,
) -> Result<String, InspectionRefusal> {
    let mut text = Bounded::new(limit);
    match content_type {
        PLAIN => plain::extract(&read(&mut file)?, &mut text)?,
        HTML => html::extract(&read(&mut file)?, &mut text)?,
        PDF => pdf::extract(&read(&mut file)?, &mut text)?,
        DOCX => office::docx(file, &mut text)?,
        ODT => office::odt(file, &mut text)?,
        OLE if office::is_encrypted(&read(&mut file)?) => return Err(InspectionRefusal::Encrypted),
        _ => return Err(InspectionRefusal::Unsupported),
    }
    Ok(text.into_string())
}

fn read(file: &mut impl Read) -> Result<Vec<u8>, InspectionRefusal> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| refusal(&error))?;
    Ok(bytes)
}

fn refusal(error: &io::Error) -> InspectionRefusal {
    match error.kind() {
        io::ErrorKind::OutOfMemory => InspectionRefusal::MemoryLimit,
        _ => InspectionRefusal::Malformed,
    }
}
