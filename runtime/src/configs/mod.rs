//! How each pallet is configured, one file per theme.

mod accounts;
mod consensus;
mod governance;
mod money;
mod openledger;
mod system;

pub use accounts::ProxyType;
pub use consensus::SessionLength;
pub use governance::Electorate;
pub use system::{BlockWeights, MAX_BLOCK_LENGTH, MAX_BLOCK_WEIGHT, NORMAL_RATIO};
