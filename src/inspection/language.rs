/// The language of `text` (ISO 639-3), or `und` when it is not to be told.
pub(super) fn detect(text: &str) -> &'static str {
    // More text makes the answer slower, and no better.
    const ENOUGH: usize = 20_000;
    let sample = &text[..text.floor_char_boundary(ENOUGH)];
    match whatlang::detect(sample) {
        Some(info) if info.is_reliable() => info.lang().code(),
        _ => "und",
    }
}
