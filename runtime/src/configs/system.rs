//! The frame around everything: blocks, weights, clock and governed parameters.

use crate::{
	currency::SS58_PREFIX, time::SLOT_MILLIS, weights, AccountId, Babe, Balance, Block, Hash,
	Nonce, PalletInfo, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, RuntimeParameters,
	RuntimeTask, VERSION,
};
use frame_support::{
	derive_impl,
	dispatch::DispatchClass,
	parameter_types,
	traits::{AsEnsureOriginWithArg, ConstU64, Contains},
	weights::{
		constants::{
			BlockExecutionWeight, ExtrinsicBaseWeight, ParityDbWeight, WEIGHT_REF_TIME_PER_SECOND,
		},
		Weight,
	},
};
use frame_system::{limits, EnsureNever};
use sp_runtime::Perbill;
use sp_version::RuntimeVersion;

/// Part of a block that ordinary transactions may fill; the rest is kept for operational ones.
pub const NORMAL_RATIO: Perbill = Perbill::from_percent(75);
/// Compute time of a full block: a third of its slot. Proof size is not limited on a chain that
/// proves nothing to a relay chain.
pub const MAX_BLOCK_WEIGHT: Weight = Weight::from_parts(2 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX);
/// Bytes of a full block.
pub const MAX_BLOCK_LENGTH: u32 = 5 * 1024 * 1024;
/// Part of a block that the largest transaction leaves to hooks, so that it finds room in an ordinary
/// block. What hooks do take is measured, and counted before any transaction is.
const HOOKS_RATIO: Perbill = Perbill::from_percent(5);

fn normal_block_weight() -> Weight {
	Weight::from_parts(
		NORMAL_RATIO.mul_floor(MAX_BLOCK_WEIGHT.ref_time()),
		NORMAL_RATIO.mul_floor(MAX_BLOCK_WEIGHT.proof_size()),
	)
}

parameter_types! {
	pub const Version: RuntimeVersion = VERSION;
	pub const BlockHashCount: u32 = 2_400;
	pub const SS58Prefix: u16 = SS58_PREFIX as u16;
	pub BlockLength: limits::BlockLength = limits::BlockLength::builder()
		.max_length(MAX_BLOCK_LENGTH)
		.modify_max_length_for_class(DispatchClass::Normal, |max| *max = NORMAL_RATIO.mul_floor(*max))
		.build();
	pub BlockWeights: limits::BlockWeights = limits::BlockWeights::builder()
		.base_block(BlockExecutionWeight::get())
		.for_class(DispatchClass::all(), |weights| {
			weights.base_extrinsic = ExtrinsicBaseWeight::get();
		})
		.for_class(DispatchClass::Normal, |weights| {
			weights.max_total = Some(normal_block_weight());
		})
		.for_class(DispatchClass::Operational, |weights| {
			weights.max_total = Some(MAX_BLOCK_WEIGHT);
			weights.reserved = Some(MAX_BLOCK_WEIGHT.saturating_sub(normal_block_weight()));
		})
		.avg_block_initialization(HOOKS_RATIO)
		.build_or_panic();
}

/// Refuses what could stop the chain or fill it.
///
/// - A validator that drops its keys leaves at once, and with the last one the chain ends.
///   `Stakes::purge_keys` is for those who have left the set.
/// - A report of an equivocation pays no fee, and who signs twice can sign for a million rounds that
///   never were, each good for a report. Only the unsigned reports are left, which get into a block by
///   its author alone; every validator's node makes them of what it sees.
pub struct CallFilter;

impl Contains<RuntimeCall> for CallFilter {
	fn contains(call: &RuntimeCall) -> bool {
		!matches!(
			call,
			RuntimeCall::Session(pallet_session::Call::purge_keys { .. })
				| RuntimeCall::Babe(pallet_babe::Call::report_equivocation { .. })
				| RuntimeCall::Grandpa(pallet_grandpa::Call::report_equivocation { .. })
		)
	}
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
	type AccountData = pallet_balances::AccountData<Balance>;
	type AccountId = AccountId;
	type BaseCallFilter = CallFilter;
	type Block = Block;
	type BlockHashCount = BlockHashCount;
	type BlockLength = BlockLength;
	type BlockWeights = BlockWeights;
	type DbWeight = ParityDbWeight;
	type ExtensionsWeightInfo = weights::frame_system_extensions::WeightInfo<Runtime>;
	type Hash = Hash;
	type Nonce = Nonce;
	type SS58Prefix = SS58Prefix;
	type SingleBlockMigrations = crate::migrations::SingleBlockMigrations;
	type SystemWeightInfo = weights::frame_system::WeightInfo<Runtime>;
	type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
	type MinimumPeriod = ConstU64<{ SLOT_MILLIS / 2 }>;
	type Moment = crate::Moment;
	type OnTimestampSet = Babe;
	type WeightInfo = weights::pallet_timestamp::WeightInfo<Runtime>;
}

impl pallet_parameters::Config for Runtime {
	// It checks no bounds, so nobody may use it; `governance.set` does.
	type AdminOrigin = AsEnsureOriginWithArg<EnsureNever<()>>;
	type RuntimeEvent = RuntimeEvent;
	type RuntimeParameters = RuntimeParameters;
	type WeightInfo = weights::Parameters;
}

impl crate::launch::Config for Runtime {}
