//! What an upgrade to this runtime does to the storage of older ones, before its first block.

use crate::{accounts, currency::EXISTENTIAL_DEPOSIT, Balances, Runtime};
use frame_support::{
	defensive,
	traits::{
		fungible::{Inspect, Mutate},
		tokens::Preservation,
		OnRuntimeUpgrade,
	},
	weights::Weight,
};

/// In order of execution; each runs once, on a chain that has the version it starts from.
pub type SingleBlockMigrations = (
	pallet_datanets::migrations::V1<Runtime>,
	pallet_models::migrations::V1<Runtime>,
	pallet_models::migrations::V2<Runtime>,
	pallet_attribution::migrations::V0ToV1<Runtime>,
	pallet_attribution::migrations::V1ToV2<Runtime>,
	EndowEscrow,
	pallet_channels::migrations::V1<Runtime>,
);

/// Gives the escrow account what it has at genesis, out of the community reserve.
pub struct EndowEscrow;

impl OnRuntimeUpgrade for EndowEscrow {
	fn on_runtime_upgrade() -> Weight {
		let weight = <Runtime as frame_system::Config>::DbWeight::get();
		let (escrow, community) = (accounts::escrow(), accounts::community());
		if Balances::balance(&escrow) >= EXISTENTIAL_DEPOSIT {
			return weight.reads(1);
		}
		let moved = <Balances as Mutate<_>>::transfer(
			&community,
			&escrow,
			EXISTENTIAL_DEPOSIT,
			Preservation::Preserve,
		);
		if moved.is_err() {
			defensive!("the community reserve has less than the least balance");
		}
		weight.reads_writes(2, 2)
	}
}
