/// Why a quota refuses; figures in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    #[error("this quota has not been opened")]
    NotOpen,
    #[error("this quota is already open")]
    AlreadyOpen,
    #[error("{requested} bytes do not fit: {used} used and {reserved} reserved of {limit}")]
    Exceeded { limit: u64, used: u64, reserved: u64, requested: u64 },
    #[error("cannot free {bytes} bytes of {used} used")]
    FreesMoreThanUsed { used: u64, bytes: u64 },
}
