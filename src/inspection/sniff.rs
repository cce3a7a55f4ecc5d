//! What a file is, by its bytes (attack U02): names and announced types are what somebody says.

use std::io::{self, Read, Seek};

use zip::ZipArchive;

use super::UNKNOWN_TYPE;
use super::extract::plain;

pub(super) const PDF: &str = "application/pdf";
pub(super) const HTML: &str = "text/html";
pub(super) const PLAIN: &str = "text/plain";
pub(super) const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
pub(super) const ODT: &str = "application/vnd.oasis.opendocument.text";
pub(super) const OLE: &str = "application/x-ole-storage";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const ZIP: &str = "application/zip";

/// How many bytes from the beginning say what a file is.
pub(super) const HEAD: usize = 64 * 1024;

/// Formats that are written in characters. Other signatures at the beginning of a text are an accident: many are two
/// letters long.
const WRITTEN: [&str; 5] = [PDF, HTML, "text/xml", "application/rtf", "application/postscript"];

/// The type of `file`, whose beginning is `head`.
pub(super) fn sniff(head: &[u8], file: &mut (impl Read + Seek)) -> &'static str {
    let known = infer::get(head).map(|known| known.mime_type());
    if plain::is_text(head) {
        return match known {
            _ if is_html(head) => HTML,
            Some(known) if WRITTEN.contains(&known) => known,
            _ => PLAIN,
        };
    }
    match known {
        Some(_) if head.starts_with(b"PK") => in_archive(file).unwrap_or(ZIP),
        // All files of Microsoft's compound format, encrypted newer ones included.
        Some(_) if head.starts_with(b"\xD0\xCF\x11\xE0") => OLE,
        Some(known) => known,
        None => UNKNOWN_TYPE,
    }
}

/// Behind comments and declarations, too, of which `infer` knows nothing.
fn is_html(head: &[u8]) -> bool {
    let start: Vec<u8> = head.iter().take(1024).map(u8::to_ascii_lowercase).collect();
    let start = start.trim_ascii_start();
    (start.starts_with(b"<!--") || start.starts_with(b"<?xml"))
        && [b"<html".as_slice(), b"<!doctype html"]
            .iter()
            .any(|tag| start.windows(tag.len()).any(|window| window == *tag))
}

/// Documents of the office suites are archives with known members.
fn in_archive(file: &mut (impl Read + Seek)) -> Option<&'static str> {
    let mut archive = ZipArchive::new(file).ok()?;
    let has = |name: &str| archive.index_for_name(name).is_some();
    if has("[Content_Types].xml") {
        let kinds = [("word/document.xml", DOCX), ("xl/workbook.xml", XLSX), ("ppt/presentation.xml", PPTX)];
        return kinds.into_iter().find(|(member, _)| has(member)).map(|(_, kind)| kind);
    }
    let mut kind = String::new();
    archive.by_name("mimetype").ok()?.take(100).read_to_string(&mut kind).ok()?;
    (kind.trim() == ODT).then_some(ODT)
}

/// The first bytes of `file`, which is then at its beginning again.
pub(super) fn head(file: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}
