//! U08: whatever a file does to the worker, there is a finding, and the next file is looked into.

use std::path::PathBuf;
use std::time::Duration;

use aggregates::document::InspectionRefusal;

use super::super::{Finding, Inspector, Limits, UNKNOWN_TYPE};
use super::files::{archive, docx, odt, pdf};
use super::{file, inspector, program};

async fn refused(inspector: &Inspector, bytes: &[u8]) -> InspectionRefusal {
    inspector.inspect(file(bytes)).await.unwrap().text.expect_err("text of a hostile file")
}

#[tokio::test]
async fn a_worker_answers_with_type_language_and_text() {
    let text = "The rent for the flat is due on the first day of each month, without any reminder.";
    let finding = inspector().inspect(file(&pdf(&[text.into()]))).await.unwrap();
    assert_eq!(finding.content_type, "application/pdf");
    let found = finding.text.unwrap();
    assert_eq!((found.text.trim(), found.language.as_str()), (text, "eng"));

    let finding = inspector().type_of(file(&pdf(&[text.into()])[..100])).await.unwrap();
    let too_large = Err(InspectionRefusal::TooLarge);
    assert_eq!(finding, Finding { content_type: "application/pdf".into(), text: too_large });
    assert_eq!(refused(&inspector(), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").await, InspectionRefusal::Unsupported);
}

/// U08: zip bomb, XML bomb.
#[tokio::test]
async fn bombs_are_refused() {
    let bomb = format!("<w:p><w:t>{}</w:t></w:p>", "0".repeat(70 << 20));
    let bomb = docx(&bomb);
    assert!(bomb.len() < 1 << 20, "it is packed");
    assert_eq!(refused(&inspector(), &bomb).await, InspectionRefusal::OutputLimit);

    let laughs = (1..10).fold(String::from("<!ENTITY l0 'ha'>"), |entities, level| {
        format!("{entities}<!ENTITY l{level} '{}'>", format!("&l{};", level - 1).repeat(10))
    });
    let xml = format!("<?xml version='1.0'?><!DOCTYPE d [{laughs}]><d><w:p><w:t>&l9;</w:t></w:p></d>");
    let bomb = archive(&[("[Content_Types].xml", b""), ("word/document.xml", xml.as_bytes())]);
    assert_eq!(refused(&inspector(), &bomb).await, InspectionRefusal::Malformed);
}

/// U08: nesting costs no stack.
#[tokio::test]
async fn deep_nesting_is_read_or_refused() {
    let page = format!("<html>{}deep", "<div>".repeat(1_000_000));
    let text = inspector().inspect(file(page.as_bytes())).await.unwrap().text.unwrap();
    assert_eq!(text.text.trim(), "deep");
    let nested = odt(&format!("{}<text:p>deep</text:p>", "<text:section>".repeat(500_000)), "");
    // Without its end tags it is not well-formed; it does not have to be read, only to be survived.
    let _ = inspector().inspect(file(&nested)).await.unwrap();
    let nested = format!("%PDF-1.4\n1 0 obj\n{}\nendobj\ntrailer << /Root 1 0 R >>", "[".repeat(1_000_000));
    assert_eq!(refused(&inspector(), nested.as_bytes()).await, InspectionRefusal::Malformed);
}

/// U08: pixel flood. Images are not decoded at all.
#[tokio::test]
async fn a_flood_of_pixels_is_not_decoded() {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 8, 6, 0, 0, 0]);
    let finding = inspector().inspect(file(&png)).await.unwrap();
    assert_eq!(
        (finding.content_type.as_str(), finding.text),
        ("image/png", Err(InspectionRefusal::Unsupported))
    );
}

/// U08: truncated, overwritten and flipped, from a fixed seed.
#[tokio::test]
async fn damaged_files_are_survived() {
    let sound =
        [pdf(&["one".into(), "two".into()]), docx("<w:p><w:t>x</w:t></w:p>"), odt("<text:p>x</text:p>", "")];
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for round in 0..30 {
        let mut bytes = sound[round % 3].clone();
        match round % 2 {
            0 => bytes.truncate(random(bytes.len())),
            _ => (0..20).for_each(|_| {
                let at = random(bytes.len());
                bytes[at] = u8::try_from(random(256)).unwrap();
            }),
        }
        inspector().inspect(file(&bytes)).await.unwrap();
    }
}

/// An inspector with one limit made small.
fn limited(limits: Limits) -> Inspector {
    Inspector::new(program(), limits)
}

#[tokio::test]
async fn memory_computing_and_time_are_limited() {
    let pages: Vec<String> = (0..3_000).map(|page| format!("page {page} of many")).collect();
    let pdf = pdf(&pages);
    // The program itself takes more: there is nothing left to be had.
    let little_memory = Limits { memory: 1 << 20, ..Limits::default() };
    let large = [pdf.as_slice(), &vec![b' '; 40 << 20]].concat();
    assert_eq!(refused(&limited(little_memory), &large).await, InspectionRefusal::MemoryLimit);

    let no_time = Limits { time: Duration::from_millis(1), ..Limits::default() };
    let finding = limited(no_time).inspect(file(&pdf)).await.unwrap();
    assert_eq!(
        (finding.content_type.as_str(), finding.text),
        (UNKNOWN_TYPE, Err(InspectionRefusal::TimeLimit))
    );

    let no_text = Limits { text: 10, ..Limits::default() };
    assert_eq!(refused(&limited(no_text), &pdf).await, InspectionRefusal::OutputLimit);
}

/// A worker that a file has taken over may say anything: only answers of the protocol count.
#[tokio::test]
async fn a_worker_that_lies_or_babbles_finds_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let worker = |script: &str| -> Inspector {
        let path: PathBuf = directory.path().join(format!("worker{}", script.len()));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        Inspector::new(path, Limits { text: 1 << 20, ..Limits::default() })
    };
    let nothing = |reason| Finding { content_type: UNKNOWN_TYPE.into(), text: Err(reason) };
    for script in [
        "exit 0",
        "yes",
        r#"printf '{"content_type":"text/html\\r\\nX: y"}\n"#,
        r#"printf '{"content_type":"x"}\n{"text":{"language":"eng; DROP","bytes":1}}\nx'"#,
        r#"printf '{"content_type":"x"}\n{"text":{"language":"eng","bytes":9}}\nx'"#,
    ] {
        let finding = worker(script).inspect(file(b"x")).await.unwrap();
        assert_eq!(finding, nothing(InspectionRefusal::Malformed), "{script}");
    }
    let environment = worker(
        r#"[ -z "$HOME$DATABASE_URL" ] && printf '{"content_type":"a/b"}\n{"refused":"encrypted"}\n'"#,
    );
    assert_eq!(refused(&environment, b"x").await, InspectionRefusal::Encrypted, "the environment is empty");
}
