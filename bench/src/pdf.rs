//! The text of a long PDF, by the inspection worker.

use std::fmt::Write as _;
use std::io::{Seek, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, anyhow};
use docuvault::inspection::{Inspector, Limits};

use crate::report::Report;

const PAGES: usize = 200;
const LINES: usize = 45;
const TIMES: usize = 5;

pub(crate) async fn run(binary: &Path, report: &mut Report) -> anyhow::Result<()> {
    let bytes = pdf()?;
    let inspector = Inspector::new(binary.to_owned(), Limits::default());
    let (mut times, mut characters) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let mut file = tempfile::tempfile()?;
        file.write_all(&bytes)?;
        file.rewind()?;
        let started = Instant::now();
        let finding = inspector.inspect(file).await?;
        times.push(started.elapsed());
        characters = finding.text.map_err(|refusal| anyhow!("{refusal:?}"))?.text.chars().count();
    }
    times.sort_unstable();
    report.note(format!(
        "text of a PDF of {PAGES} pages ({} KB, {characters} characters): {} ms, median of {TIMES}",
        bytes.len() / 1024,
        times.get(TIMES / 2).context("no time")?.as_millis()
    ));
    Ok(())
}

/// Full pages of prose in Helvetica.
fn pdf() -> anyhow::Result<Vec<u8>> {
    let kids: Vec<String> = (0..PAGES).map(|page| format!("{} 0 R", 4 + 2 * page)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {PAGES} >>", kids.join(" ")),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for page in 0..PAGES {
        let mut content = String::from("BT /F1 10 Tf 14 TL 50 800 Td\n");
        for line in 0..LINES {
            writeln!(
                content,
                "(On page {page}, line {line}, the tenant pays the rent for the flat before the third day of each \
                 month.) Tj T*"
            )?;
        }
        content.push_str("ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R \
             /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + 2 * page
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let mut file = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        places.push(file.len());
        write!(file, "{number} 0 obj\n{object}\nendobj\n")?;
    }
    let table = file.len();
    write!(file, "xref\n0 {}\n0000000000 65535 f \n", places.len() + 1)?;
    for place in &places {
        writeln!(file, "{place:010} 00000 n ")?;
    }
    write!(file, "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", places.len() + 1)?;
    Ok(file.into_bytes())
}
