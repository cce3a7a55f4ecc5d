//! Sizes as people write them: bytes, or a number with a binary unit.

const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// Bytes, at most 2^63 - 1 (what the log can carry). The error is the reason.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size: write bytes, or a number with KiB, MiB, GiB or TiB");
    let (number, factor) = UNITS
        .into_iter()
        .find_map(|(unit, factor)| Some((text.trim().strip_suffix(unit)?, factor)))
        .ok_or_else(wrong)?;
    let number = number.trim_end();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    number
        .parse::<i64>()
        .ok()
        .and_then(|number| u64::try_from(number).ok()?.checked_mul(factor))
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(wrong)
}
