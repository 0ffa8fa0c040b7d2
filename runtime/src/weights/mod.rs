//! What calls and hooks cost on this chain, one file for each pallet of ours. `make weights` measures them and
//! writes these files anew; until it has, they hold estimates, and say so.

pub mod governance;
pub mod pallet_attribution;
pub mod pallet_channels;
pub mod pallet_datanets;
pub mod pallet_models;
pub mod pallet_providers;
pub mod pallet_stakes;
