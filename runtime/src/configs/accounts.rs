//! Tools for accounts: batches, multisig, proxies.

use crate::{
	currency::deposit, weights, Balances, OriginCaller, Runtime, RuntimeCall, RuntimeEvent, System,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::{ConstU128, ConstU32, InstanceFilter};
use scale_info::TypeInfo;
use sp_runtime::traits::BlakeTwo256;

impl pallet_utility::Config for Runtime {
	type PalletsOrigin = OriginCaller;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_utility::WeightInfo<Runtime>;
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
	type WeightInfo = weights::pallet_multisig::WeightInfo<Runtime>;
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
	/// What neither sends the account's OPEN to others nor puts it at stake.
	#[codec(index = 1)]
	NonTransfer,
	/// Rejecting announced calls of other proxies.
	#[codec(index = 2)]
	CancelProxy,
	/// Proposing and voting.
	#[codec(index = 3)]
	Governance,
}

/// Whether a call proposes or votes.
fn governs(call: &RuntimeCall) -> bool {
	matches!(
		call,
		RuntimeCall::ConvictionVoting(..) | RuntimeCall::Preimage(..) | RuntimeCall::Referenda(..)
	)
}

/// Whether a call neither sends its account's OPEN to others nor puts it at stake.
///
/// A list of what is let through, so that a new call is out until somebody has thought about it. Out
/// are, beside transfers: what fills a channel, since its escrow goes to whom its vouchers say; what
/// names who earns; and whatever has a bond or a stake that can be lost, since a part of most goes to
/// who proves the fault, which may be the proxy. Keys that act for the account are out, and so are calls
/// for multisig accounts and other proxies' principals, which this filter would not reach.
fn keeps_money(call: &RuntimeCall) -> bool {
	governs(call)
		|| match call {
			RuntimeCall::System(call) => matches!(
				call,
				frame_system::Call::remark { .. } | frame_system::Call::remark_with_event { .. }
			),
			// What is in a batch passes this filter itself.
			RuntimeCall::Utility(call) => matches!(
				call,
				pallet_utility::Call::batch { .. }
					| pallet_utility::Call::batch_all { .. }
					| pallet_utility::Call::force_batch { .. }
			),
			RuntimeCall::Proxy(call) => {
				matches!(call, pallet_proxy::Call::reject_announcement { .. })
			}
			RuntimeCall::Datanets(call) => matches!(
				call,
				pallet_datanets::Call::create { .. }
					| pallet_datanets::Call::accept { .. }
					| pallet_datanets::Call::reject { .. }
					| pallet_datanets::Call::snapshot { .. }
					| pallet_datanets::Call::withdraw { .. }
					| pallet_datanets::Call::release_bond { .. }
					| pallet_datanets::Call::claim_duplicate { .. }
					| pallet_datanets::Call::leave_panel { .. }
					| pallet_datanets::Call::open_review { .. }
					| pallet_datanets::Call::reveal_vote { .. }
					| pallet_datanets::Call::conclude_review { .. }
					| pallet_datanets::Call::clear_rejected { .. }
			),
			RuntimeCall::Models(call) => matches!(
				call,
				pallet_models::Call::register_base { .. }
					| pallet_models::Call::register_adapter { .. }
					| pallet_models::Call::retire_adapter { .. }
					| pallet_models::Call::propose_algorithm { .. }
					| pallet_models::Call::withdraw_algorithm { .. }
			),
			RuntimeCall::Providers(call) => matches!(
				call,
				pallet_providers::Call::set_quote { .. }
					| pallet_providers::Call::set_endpoint { .. }
					| pallet_providers::Call::leave { .. }
					| pallet_providers::Call::withdraw_bond { .. }
					| pallet_providers::Call::unjail { .. }
			),
			RuntimeCall::Channels(call) => matches!(
				call,
				pallet_channels::Call::thaw { .. }
					| pallet_channels::Call::cancel_thaw { .. }
					| pallet_channels::Call::withdraw { .. }
					| pallet_channels::Call::close { .. }
					| pallet_channels::Call::redeem { .. }
			),
			RuntimeCall::Attribution(call) => matches!(
				call,
				pallet_attribution::Call::settle { .. }
					| pallet_attribution::Call::claim { .. }
					| pallet_attribution::Call::dispute { .. }
					| pallet_attribution::Call::answer_audit { .. }
					| pallet_attribution::Call::fail_audit { .. }
					| pallet_attribution::Call::forfeit { .. }
			),
			RuntimeCall::Stakes(call) => matches!(
				call,
				pallet_stakes::Call::unbond { .. }
					| pallet_stakes::Call::undelegate { .. }
					| pallet_stakes::Call::withdraw_unbonded { .. }
					| pallet_stakes::Call::claim { .. }
					| pallet_stakes::Call::chill { .. }
			),
			_ => false,
		}
}

impl InstanceFilter<RuntimeCall> for ProxyType {
	fn filter(&self, call: &RuntimeCall) -> bool {
		match self {
			ProxyType::Any => true,
			ProxyType::NonTransfer => keeps_money(call),
			ProxyType::Governance => governs(call),
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
	type WeightInfo = weights::pallet_proxy::WeightInfo<Runtime>;
}
