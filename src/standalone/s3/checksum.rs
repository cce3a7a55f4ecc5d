//! The one checksum that S3 keeps with an object, and how it reaches and leaves a request.

use base64::{Engine, prelude::BASE64_STANDARD};
use crc_fast::{CrcAlgorithm, checksum_combine};
use s3s::{
    S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
    dto::{self, ChecksumAlgorithm, ChecksumType},
    s3_error,
};
use serde::{Deserialize, Serialize};

use super::storage::Part;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub algorithm: Algorithm,
    /// Base64; over the checksums of N parts it ends in `-N`.
    pub value: String,
    /// Whether it is taken over the checksums of the parts instead of the bytes.
    pub composite: bool,
}

/// The checksum among the `checksum_*` fields of a request, at most one.
macro_rules! given_checksum {
    ($fields:expr) => {
        $crate::standalone::s3::checksum::only([
            (Algorithm::Crc32, &$fields.checksum_crc32),
            (Algorithm::Crc32c, &$fields.checksum_crc32c),
            (Algorithm::Crc64Nvme, &$fields.checksum_crc64nvme),
            (Algorithm::Sha1, &$fields.checksum_sha1),
            (Algorithm::Sha256, &$fields.checksum_sha256),
        ])
    };
}

/// Fills the `checksum_*` field of a response.
macro_rules! show_checksum {
    ($fields:expr, $checksum:expr) => {
        match $checksum.algorithm {
            Algorithm::Crc32 => $fields.checksum_crc32 = Some($checksum.value.clone()),
            Algorithm::Crc32c => $fields.checksum_crc32c = Some($checksum.value.clone()),
            Algorithm::Crc64Nvme => $fields.checksum_crc64nvme = Some($checksum.value.clone()),
            Algorithm::Sha1 => $fields.checksum_sha1 = Some($checksum.value.clone()),
            Algorithm::Sha256 => $fields.checksum_sha256 = Some($checksum.value.clone()),
        }
    };
}

pub(super) use {given_checksum, show_checksum};

pub(super) fn only(fields: [(Algorithm, &Option<String>); 5]) -> S3Result<Option<(Algorithm, String)>> {
    let mut given = fields.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value.clone()?)));
    let first = given.next();
    match given.next() {
        None => Ok(first),
        Some(_) => Err(s3_error!(InvalidRequest, "Expecting a single x-amz-checksum- header")),
    }
}

impl Algorithm {
    pub(super) fn parse(name: &ChecksumAlgorithm) -> S3Result<Self> {
        match name.as_str() {
            ChecksumAlgorithm::CRC32 => Ok(Self::Crc32),
            ChecksumAlgorithm::CRC32C => Ok(Self::Crc32c),
            ChecksumAlgorithm::CRC64NVME => Ok(Self::Crc64Nvme),
            ChecksumAlgorithm::SHA1 => Ok(Self::Sha1),
            ChecksumAlgorithm::SHA256 => Ok(Self::Sha256),
            _ => Err(s3_error!(InvalidRequest, "Unknown checksum algorithm")),
        }
    }

    pub(super) fn name(self) -> ChecksumAlgorithm {
        ChecksumAlgorithm::from_static(match self {
            Self::Crc32 => ChecksumAlgorithm::CRC32,
            Self::Crc32c => ChecksumAlgorithm::CRC32C,
            Self::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
            Self::Sha1 => ChecksumAlgorithm::SHA1,
            Self::Sha256 => ChecksumAlgorithm::SHA256,
        })
    }

    /// The header or trailer that carries it.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(super) fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
        hasher
    }

    fn digest(self, bytes: &[u8]) -> S3Result<String> {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        let digest: dto::Checksum = hasher.finalize();
        given_checksum!(digest)?.map(|(_, value)| value).ok_or_else(|| s3_error!(InternalError))
    }

    /// The CRC whose sum over a whole is computable from the sums of its parts.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

impl Checksum {
    pub(super) fn kind(&self) -> ChecksumType {
        ChecksumType::from_static(if self.composite {
            ChecksumType::COMPOSITE
        } else {
            ChecksumType::FULL_OBJECT
        })
    }

    /// The checksum of an object made of parts; `None` when the parts carry different kinds.
    /// Without a wish it is over the whole object for CRC-64/NVME only, as in S3.
    pub(super) fn of_parts(parts: &[Part], full_object: Option<bool>) -> S3Result<Option<Self>> {
        let Some(algorithm) = parts.first().map(|part| part.checksum.algorithm) else { return Ok(None) };
        if parts.iter().any(|part| part.checksum.algorithm != algorithm) {
            return Ok(None);
        }
        if full_object.unwrap_or(algorithm == Algorithm::Crc64Nvme) {
            let crc =
                algorithm.crc().ok_or_else(|| s3_error!(InvalidRequest, "Not a full object checksum"))?;
            return Ok(Some(Self { algorithm, value: combine(crc, parts)?, composite: false }));
        }
        let mut sums = Vec::new();
        for part in parts {
            sums.extend(decode(&part.checksum.value)?);
        }
        let value = format!("{}-{}", algorithm.digest(&sums)?, parts.len());
        Ok(Some(Self { algorithm, value, composite: true }))
    }
}

fn combine(crc: CrcAlgorithm, parts: &[Part]) -> S3Result<String> {
    let mut whole: Option<u64> = None;
    let mut width = 0;
    for part in parts {
        let sum = decode(&part.checksum.value)?;
        width = sum.len();
        let sum = sum.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        whole = Some(whole.map_or(sum, |before| checksum_combine(crc, before, sum, part.size)));
    }
    let bytes = whole.unwrap_or_default().to_be_bytes();
    Ok(BASE64_STANDARD.encode(&bytes[bytes.len() - width..]))
}

fn decode(value: &str) -> S3Result<Vec<u8>> {
    BASE64_STANDARD.decode(value).map_err(s3s::S3Error::internal_error)
}
