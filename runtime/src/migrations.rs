//! What an upgrade to this runtime does to the storage of older ones, before its first block.

use crate::Runtime;

/// In order of execution; each runs once, on a chain that has the version it starts from.
pub type SingleBlockMigrations = (
	pallet_datanets::migrations::V1<Runtime>,
	pallet_models::migrations::V1<Runtime>,
	pallet_models::migrations::V2<Runtime>,
	pallet_attribution::migrations::V0ToV1<Runtime>,
	pallet_attribution::migrations::V1ToV2<Runtime>,
);
