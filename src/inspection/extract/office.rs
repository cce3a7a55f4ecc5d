//! DOCX and ODT: XML in archives. The XML is read as a stream, entities are never expanded and a DTD is refused, so
//! that nothing but the unpacked size matters; that is bounded.

use std::io::{BufRead, BufReader, Read, Seek};

use aggregates::document::InspectionRefusal;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use zip::ZipArchive;
use zip::result::ZipError;

use super::Bounded;

/// Of one member of an archive, in bytes.
const UNPACKED: u64 = 64 * 1024 * 1024;

/// How a format marks its text.
struct Format {
    /// Only what is in these elements is text.
    text: &'static [&'static str],
    paragraph: &'static [&'static str],
    line_break: &'static [&'static str],
    space: &'static [&'static str],
}

const WORD: Format =
    Format { text: &["t"], paragraph: &["p"], line_break: &["br", "cr"], space: &["tab", "tc"] };
const OPEN_DOCUMENT: Format = Format {
    text: &["p", "h"],
    paragraph: &["p", "h"],
    line_break: &["line-break"],
    space: &["tab", "s", "table-cell"],
};

pub(super) fn docx(file: impl Read + Seek, text: &mut Bounded) -> Result<(), InspectionRefusal> {
    let mut archive = open(file)?;
    let notes = |name: &String| {
        let stem = name.strip_prefix("word/").and_then(|name| name.strip_suffix(".xml")).unwrap_or_default();
        ["header", "footer", "footnotes", "endnotes"].iter().any(|kind| stem.starts_with(kind))
    };
    let mut members: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).filter(notes).collect();
    members.sort();
    members.insert(0, "word/document.xml".into());
    for member in members {
        member_text(&mut archive, &member, &WORD, text)?;
    }
    Ok(())
}

pub(super) fn odt(file: impl Read + Seek, text: &mut Bounded) -> Result<(), InspectionRefusal> {
    let mut archive = open(file)?;
    let mut manifest = String::new();
    if let Ok(member) = archive.by_name("META-INF/manifest.xml") {
        member.take(1 << 20).read_to_string(&mut manifest).map_err(|_| InspectionRefusal::Malformed)?;
    }
    if manifest.contains("encryption-data") {
        return Err(InspectionRefusal::Encrypted);
    }
    member_text(&mut archive, "content.xml", &OPEN_DOCUMENT, text)
}

/// Whether a compound file holds an encrypted document of a newer format.
pub(super) fn is_encrypted(compound: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    compound.windows(name.len()).any(|window| window == name)
}

fn open<F: Read + Seek>(file: F) -> Result<ZipArchive<F>, InspectionRefusal> {
    ZipArchive::new(file).map_err(|error| refusal(&error))
}

fn refusal(error: &ZipError) -> InspectionRefusal {
    match error {
        ZipError::InvalidPassword | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            InspectionRefusal::Encrypted
        }
        _ => InspectionRefusal::Malformed,
    }
}

fn member_text(
    archive: &mut ZipArchive<impl Read + Seek>,
    name: &str,
    format: &Format,
    text: &mut Bounded,
) -> Result<(), InspectionRefusal> {
    let member = archive.by_name(name).map_err(|error| refusal(&error))?;
    // One byte more than allowed shows that there is more; what the archive says about itself shows nothing.
    let mut unpacked = BufReader::new(member.take(UNPACKED + 1));
    let parsed = xml_text(&mut unpacked, format, text);
    if unpacked.get_ref().limit() == 0 { Err(InspectionRefusal::OutputLimit) } else { parsed }
}

fn xml_text(xml: impl BufRead, format: &Format, text: &mut Bounded) -> Result<(), InspectionRefusal> {
    let mut reader = Reader::from_reader(xml);
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    let is = |names: &[&str], name: &str| names.contains(&name);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|_| InspectionRefusal::Malformed)? {
            Event::Start(tag) => {
                let name = tag.local_name();
                depth += usize::from(is(format.text, name.as_ref()));
                gap(format, name.as_ref(), text)?;
            }
            Event::Empty(tag) => gap(format, tag.local_name().as_ref(), text)?,
            Event::End(tag) => {
                let name = tag.local_name();
                depth = depth.saturating_sub(usize::from(is(format.text, name.as_ref())));
                if is(format.paragraph, name.as_ref()) {
                    text.push("\n")?;
                }
            }
            Event::Text(words) if depth > 0 => text.push(&words.xml10_content())?,
            Event::CData(words) if depth > 0 => text.push(&words.xml10_content())?,
            Event::GeneralRef(reference) if depth > 0 => {
                if let Ok(Some(character)) = reference.resolve_char_ref() {
                    text.push(character.encode_utf8(&mut [0; 4]))?;
                } else if let Some(known) = resolve_predefined_entity(&reference) {
                    text.push(known)?;
                }
            }
            // Neither format has one: it is there for its entities.
            Event::DocType(_) => return Err(InspectionRefusal::Malformed),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn gap(format: &Format, name: &str, text: &mut Bounded) -> Result<(), InspectionRefusal> {
    if format.line_break.contains(&name) {
        text.push("\n")
    } else if format.space.contains(&name) {
        text.push(" ")
    } else {
        Ok(())
    }
}
