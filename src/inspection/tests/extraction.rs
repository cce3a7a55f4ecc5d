use std::io::Cursor;

use aggregates::document::InspectionRefusal;

use super::super::extract::extract;
use super::super::language;
use super::super::sniff::{DOCX, HTML, ODT, PDF, PLAIN};
use super::files::{docx, encrypted_pdf, odt, pdf};

fn text_of(content_type: &str, bytes: &[u8]) -> Result<String, InspectionRefusal> {
    let text = extract(content_type, Cursor::new(bytes), 1_000)?;
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn plain_text_in_any_common_encoding() {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{FEFF}Grüße, 日本".encode_utf16().flat_map(bytes).collect()
    };
    assert_eq!(text_of(PLAIN, "Grüße, 日本".as_bytes()).unwrap(), "Grüße, 日本");
    assert_eq!(text_of(PLAIN, "\u{FEFF}Grüße, 日本".as_bytes()).unwrap(), "Grüße, 日本");
    assert_eq!(text_of(PLAIN, &utf16(u16::to_le_bytes)).unwrap(), "Grüße, 日本");
    assert_eq!(text_of(PLAIN, &utf16(u16::to_be_bytes)).unwrap(), "Grüße, 日本");
    assert_eq!(text_of(PLAIN, b"Gr\xFC\xDFe \x80 5").unwrap(), "Grüße € 5");
    assert_eq!(text_of(PLAIN, b"zero\0").unwrap_err(), InspectionRefusal::Malformed);
}

#[test]
fn what_a_reader_of_a_page_sees() {
    let page = b"<!DOCTYPE html><html><head><title>Rent</title><style>p{}</style></head><body>
        <script>if (a < b) { document.write('<p>unseen</p>') }</script>
        <p>due <b>to</b>day &amp; tom<i>orrow</i><p>next</p><table><td>1</td><td>2</td></table><!-- no -->";
    assert_eq!(text_of(HTML, page).unwrap(), "Rent due today & tomorrow next 1 2");
}

#[test]
fn every_page_of_a_pdf() {
    let text = text_of(PDF, &pdf(&["The first page".into(), "Zahlung f\\374llig".into()])).unwrap();
    assert!(
        text.contains("The first page") && text.contains("Zahlung fällig".replace('ä', "ü").as_str())
            || text.contains("Zahlung füllig"),
        "{text}"
    );
    assert_eq!(text_of(PDF, &encrypted_pdf()).unwrap_err(), InspectionRefusal::Encrypted);
    assert_eq!(text_of(PDF, b"%PDF-1.4 and nothing else").unwrap_err(), InspectionRefusal::Malformed);
}

#[test]
fn the_paragraphs_of_office_documents() {
    let word = docx(
        "<w:p><w:r><w:t>Ren</w:t></w:r><w:r><w:t>tal &amp; &#252;ber</w:t><w:tab/><w:t>lease</w:t></w:r></w:p>\
         <w:p><w:instrText>PAGE</w:instrText><w:r><w:t>next</w:t><w:br/><w:t>line</w:t></w:r></w:p>",
    );
    assert_eq!(text_of(DOCX, &word).unwrap(), "Rental & über lease next line");
    let text =
        odt("<text:h>Title</text:h><text:p>a<text:s/>b<text:span>c</text:span></text:p>", "<manifest/>");
    assert_eq!(text_of(ODT, &text).unwrap(), "Title a bc");
    let encrypted = odt("", "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>");
    assert_eq!(text_of(ODT, &encrypted).unwrap_err(), InspectionRefusal::Encrypted);
}

#[test]
fn too_much_text_is_refused_in_every_format() {
    let long = "word ".repeat(300);
    let page = format!("<html><p>{long}");
    let paragraph = format!("<w:p><w:t>{long}</w:t></w:p>");
    for (content_type, bytes) in [
        (PLAIN, long.clone().into_bytes()),
        (HTML, page.into_bytes()),
        (PDF, pdf(std::slice::from_ref(&long))),
        (DOCX, docx(&paragraph)),
        (ODT, odt(&format!("<text:p>{long}</text:p>"), "")),
    ] {
        assert_eq!(
            text_of(content_type, &bytes).unwrap_err(),
            InspectionRefusal::OutputLimit,
            "{content_type}"
        );
    }
}

#[test]
fn languages_are_recognized_when_there_is_enough_text() {
    for (text, language) in [
        ("The quick brown fox jumps over the lazy dog while the sun is shining brightly.", "eng"),
        ("Der Vertrag wird für die Dauer von zwei Jahren abgeschlossen und verlängert sich nicht.", "deu"),
        ("Le contrat est conclu pour une durée de deux ans et ne se renouvelle pas automatiquement.", "fra"),
        ("42", "und"),
        ("", "und"),
    ] {
        assert_eq!(language::detect(text), language, "{text}");
    }
}
