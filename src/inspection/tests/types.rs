use std::io::Cursor;

use super::super::sniff::{head, sniff};
use super::files::{archive, docx, odt, pdf};

fn type_of(bytes: &[u8]) -> &'static str {
    let mut file = Cursor::new(bytes);
    let head = head(&mut file).unwrap();
    sniff(&head, &mut file)
}

/// U02
#[test]
fn bytes_say_what_a_file_is() {
    let utf16: Vec<u8> = "\u{FEFF}Grüße".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cut = ["a".repeat(super::super::sniff::HEAD - 1).into_bytes(), "é".into()].concat();
    let cases: [(&[u8], &str); 22] = [
        (b"hello", "text/plain"),
        (b"", "text/plain"),
        ("Grüße 日本".as_bytes(), "text/plain"),
        (b"Gr\xFC\xDFe", "text/plain"),
        (&utf16, "text/plain"),
        (&cut, "text/plain"),
        (b"BMW, MZ and PK are only letters", "text/plain"),
        (b"#!/bin/sh\necho hi", "text/plain"),
        (b"a;b\n1;2", "text/plain"),
        (b"<!DOCTYPE html><p>x", "text/html"),
        (b"<!-- hi --> <html><p>x", "text/html"),
        (b"<?xml version='1.0'?><!DOCTYPE html><html/>", "text/html"),
        (b"<?xml version='1.0'?><svg/>", "text/xml"),
        (&pdf(&["x".into()]), "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"GIF89a\x01\0\x01\0<script>", "image/gif"),
        (&docx(""), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (&odt("", ""), "application/vnd.oasis.opendocument.text"),
        (&archive(&[("a", b"b")]), "application/zip"),
        (
            &archive(&[("[Content_Types].xml", b""), ("xl/workbook.xml", b"")]),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        (b"\x00\x01\x02\x03", "application/octet-stream"),
        (b"text\x00with a zero", "application/octet-stream"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(type_of(bytes), expected, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
    }
}
