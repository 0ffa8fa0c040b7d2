//! Tools for accounts: batches, multisig, proxies.

use crate::{
	currency::deposit, Balances, OriginCaller, Runtime, RuntimeCall, RuntimeEvent, System,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::{ConstU128, ConstU32, InstanceFilter};
use scale_info::TypeInfo;
use sp_runtime::traits::BlakeTwo256;

impl pallet_utility::Config for Runtime {
	type PalletsOrigin = OriginCaller;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

impl pallet_multisig::Config for Runtime {
	type BlockNumberProvider = System;
	type Currency = Balances;
	// One entry: key, threshold, call hash and the approvals' list.
	type DepositBase = ConstU128<{ deposit(1, 88) }>;
	// One more account id in it.
	type DepositFactor = ConstU128<{ deposit(0, 32) }>;
	type MaxSignatories = ConstU32<100>;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_multisig::weights::SubstrateWeight<Runtime>;
}

/// What a proxy may do for the account that appointed it.
#[derive(
	Clone,
	Copy,
	Debug,
	Decode,
	DecodeWithMemTracking,
	Default,
	Encode,
	Eq,
	MaxEncodedLen,
	Ord,
	PartialEq,
	PartialOrd,
	TypeInfo,
)]
pub enum ProxyType {
	/// Everything.
	#[default]
	#[codec(index = 0)]
	Any,
	/// Everything but sending the account's free OPEN to others.
	#[codec(index = 1)]
	NonTransfer,
	/// Rejecting announced calls of other proxies.
	#[codec(index = 2)]
	CancelProxy,
	/// Proposing and voting.
	#[codec(index = 3)]
	Governance,
}

impl InstanceFilter<RuntimeCall> for ProxyType {
	fn filter(&self, call: &RuntimeCall) -> bool {
		match self {
			ProxyType::Any => true,
			// A channel's escrow goes to whom its vouchers say, so filling one is sending too; so is
			// contributing, since a bond goes in part to who proves a duplicate, a fee to reviewers, and
			// earnings to whom the contributor says.
			ProxyType::NonTransfer => !matches!(
				call,
				RuntimeCall::Balances(..)
					| RuntimeCall::Channels(
						pallet_channels::Call::open { .. }
							| pallet_channels::Call::top_up { .. }
							| pallet_channels::Call::set_delegate { .. }
					) | RuntimeCall::Datanets(
					pallet_datanets::Call::contribute { .. }
						| pallet_datanets::Call::set_payout_account { .. }
						| pallet_datanets::Call::appeal { .. }
				)
			),
			ProxyType::Governance => matches!(
				call,
				RuntimeCall::ConvictionVoting(..)
					| RuntimeCall::Preimage(..)
					| RuntimeCall::Referenda(..)
			),
			ProxyType::CancelProxy => {
				matches!(
					call,
					RuntimeCall::Proxy(pallet_proxy::Call::reject_announcement { .. })
				)
			}
		}
	}

	fn is_superset(&self, other: &Self) -> bool {
		match (self, other) {
			(ProxyType::Any, _) => true,
			(_, ProxyType::Any) => false,
			(ProxyType::NonTransfer, _) => true,
			(mine, theirs) => mine == theirs,
		}
	}
}

impl pallet_proxy::Config for Runtime {
	// One entry with a hash, an account id and a block number more per announcement.
	type AnnouncementDepositBase = ConstU128<{ deposit(1, 16) }>;
	type AnnouncementDepositFactor = ConstU128<{ deposit(0, 68) }>;
	type BlockNumberProvider = System;
	type CallHasher = BlakeTwo256;
	type Currency = Balances;
	type MaxPending = ConstU32<32>;
	type MaxProxies = ConstU32<32>;
	type ProxyDepositBase = ConstU128<{ deposit(1, 16) }>;
	// An account id, a proxy type and a delay.
	type ProxyDepositFactor = ConstU128<{ deposit(0, 37) }>;
	type ProxyType = ProxyType;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_proxy::weights::SubstrateWeight<Runtime>;
}
