//! How the bytes of a document are cut for their way to the object store.

const MIB: u64 = 1024 * 1024;

/// Up to and including this size, in bytes, a document is one PUT.
pub const SINGLE_PUT_AT_MOST: u64 = 64 * MIB;

/// What S3 allows.
const PARTS_AT_MOST: u64 = 10_000;
const SMALLEST_PART: u64 = 8 * MIB;

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
    size.div_ceil(PARTS_AT_MOST).next_multiple_of(MIB).max(SMALLEST_PART)
}

/// The parts that `size` bytes are cut into.
pub fn parts(size: u64, part_size: u64) -> impl Iterator<Item = Part> {
    (1..)
        .zip((0..size).step_by(usize::try_from(part_size).unwrap_or(usize::MAX)))
        .map(move |(number, start)| Part { number, size: part_size.min(size - start) })
}
