//! How the bytes of a document are cut for their way to the object store.

const MIB: u64 = 1024 * 1024;

/// Up to and including this size, in bytes, a document is one PUT.
pub const SINGLE_PUT_AT_MOST: u64 = 64 * MIB;

/// So that a confirmation, which lists them all, fits into the body of a request. S3 would allow 10,000.
const WISHED_PARTS: u64 = 900;
const SMALLEST_PART: u64 = 8 * MIB;
/// What S3 allows: the largest documents have a few more parts.
const LARGEST_PART: u64 = 5 * 1024 * MIB;

/// One part of a multipart upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u16,
    /// Bytes.
    pub size: u64,
}

/// The size, in whole MiB, of every part but the last one.
pub fn part_size(size: u64) -> u64 {
    size.div_ceil(WISHED_PARTS).next_multiple_of(MIB).clamp(SMALLEST_PART, LARGEST_PART)
}

/// The parts that `size` bytes are cut into.
pub fn parts(size: u64, part_size: u64) -> impl Iterator<Item = Part> {
    (1..)
        .zip((0..size).step_by(usize::try_from(part_size).unwrap_or(usize::MAX)))
        .map(move |(number, start)| Part { number, size: part_size.min(size - start) })
}
