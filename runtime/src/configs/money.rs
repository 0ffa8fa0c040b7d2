//! OPEN and the fees paid in it.

use crate::{
	accounts::TreasuryAccount,
	currency::EXISTENTIAL_DEPOSIT,
	fees::{ComputeFee, FeeAdjustment, LengthFee, PayTreasuryAndAuthor},
	weights, Balance, Balances, Runtime, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason,
	System,
};
use frame_support::traits::{
	tokens::imbalance::ResolveTo, ConstU128, ConstU32, ConstU8, VariantCountOf,
};

impl pallet_balances::Config for Runtime {
	type AccountStore = System;
	type Balance = Balance;
	type DoneSlashHandler = ();
	// What is left of a removed account goes to the treasury, so that only a burn burns.
	type DustRemoval = ResolveTo<TreasuryAccount, Balances>;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type FreezeIdentifier = RuntimeFreezeReason;
	type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
	type MaxLocks = ConstU32<50>;
	type MaxReserves = ConstU32<50>;
	type ReserveIdentifier = [u8; 8];
	type RuntimeEvent = RuntimeEvent;
	type RuntimeFreezeReason = RuntimeFreezeReason;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WeightInfo = weights::pallet_balances::WeightInfo<Runtime>;
}

impl pallet_transaction_payment::Config for Runtime {
	type FeeMultiplierUpdate = FeeAdjustment;
	type LengthToFee = LengthFee;
	type OnChargeTransaction =
		pallet_transaction_payment::FungibleAdapter<Balances, PayTreasuryAndAuthor>;
	// An operational call goes before ordinary ones that tip less than five times its fee; it pays no
	// more for it.
	type OperationalFeeMultiplier = ConstU8<5>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_transaction_payment::WeightInfo<Runtime>;
	type WeightToFee = ComputeFee;
}
