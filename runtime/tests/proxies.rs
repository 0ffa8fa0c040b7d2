//! What a proxy may do in its principal's name.

#![allow(clippy::unwrap_used)]

use frame_support::traits::InstanceFilter;
use openledger_runtime::{configs::ProxyType, currency::OPEN, RuntimeCall, SessionKeys};
use sp_keyring::{
	Ed25519Keyring,
	Sr25519Keyring::{Bob, Charlie},
};

fn sends_money() -> Vec<RuntimeCall> {
	vec![
		RuntimeCall::Balances(pallet_balances::Call::transfer_all {
			dest: Bob.to_account_id().into(),
			keep_alive: false,
		}),
		// A channel's escrow goes to whom its vouchers say.
		RuntimeCall::Channels(pallet_channels::Call::open {
			provider: Bob.to_account_id(),
			escrow: OPEN,
			delegate: Some((Charlie.to_account_id(), OPEN)),
		}),
		RuntimeCall::Channels(pallet_channels::Call::top_up {
			channel: 0,
			amount: OPEN,
		}),
		RuntimeCall::Channels(pallet_channels::Call::set_delegate {
			channel: 0,
			delegate: Some((Charlie.to_account_id(), OPEN)),
		}),
		// The bond of a duplicate goes in part to who proves it.
		RuntimeCall::Datanets(pallet_datanets::Call::contribute {
			datanet: 0,
			records: Default::default(),
			uri: b"https://example.org".to_vec().try_into().unwrap(),
			payout: Bob.to_account_id(),
		}),
		RuntimeCall::Datanets(pallet_datanets::Call::set_payout_account {
			datanet: 0,
			contribution: 0,
			payout: Bob.to_account_id(),
		}),
		RuntimeCall::Datanets(pallet_datanets::Call::appeal {
			datanet: 0,
			contribution: 0,
		}),
		RuntimeCall::Datanets(pallet_datanets::Call::join_panel {
			datanet: 0,
			stake: OPEN,
		}),
		// Half of a false report's deposit goes to who disproves it, and of a provider's bond, too.
		RuntimeCall::Attribution(pallet_attribution::Call::report_for {
			provider: Bob.to_account_id(),
			epoch: 0,
			receipts: Default::default(),
			parts: Default::default(),
			payouts: Default::default(),
		}),
		RuntimeCall::Attribution(pallet_attribution::Call::report {
			epoch: 0,
			receipts: Default::default(),
			parts: Default::default(),
			payouts: Default::default(),
		}),
		RuntimeCall::Providers(pallet_providers::Call::register {
			hot_key: Bob.to_account_id(),
			endpoint: b"https://example.org".to_vec().try_into().unwrap(),
			bond: OPEN,
			bases: vec![0].try_into().unwrap(),
			rate: Default::default(),
		}),
		RuntimeCall::Providers(pallet_providers::Call::bond_more { amount: OPEN }),
		// Who has the hot key reports in the provider's name.
		RuntimeCall::Providers(pallet_providers::Call::set_hot_key {
			hot_key: Bob.to_account_id(),
		}),
		// A validator's stake is slashed, and its keys can be anybody's.
		RuntimeCall::Stakes(pallet_stakes::Call::bond {
			amount: OPEN,
			commission: Default::default(),
		}),
		RuntimeCall::Stakes(pallet_stakes::Call::bond_more { amount: OPEN }),
		RuntimeCall::Session(pallet_session::Call::set_keys {
			keys: SessionKeys {
				babe: Bob.public().into(),
				grandpa: Ed25519Keyring::Bob.public().into(),
			},
			proof: Vec::new(),
		}),
		// Whose money these send, the filter cannot see.
		RuntimeCall::Proxy(pallet_proxy::Call::proxy {
			real: Charlie.to_account_id().into(),
			force_proxy_type: None,
			call: Box::new(RuntimeCall::System(frame_system::Call::remark {
				remark: Vec::new(),
			})),
		}),
		RuntimeCall::Multisig(pallet_multisig::Call::as_multi_threshold_1 {
			other_signatories: vec![Bob.to_account_id()],
			call: Box::new(RuntimeCall::System(frame_system::Call::remark {
				remark: Vec::new(),
			})),
		}),
	]
}

#[test]
fn a_proxy_without_transfers_should_not_send_money_in_other_ways_either() {
	for call in sends_money() {
		assert!(!ProxyType::NonTransfer.filter(&call), "{call:?}");
		assert!(ProxyType::Any.filter(&call), "{call:?}");
	}
}

#[test]
fn a_proxy_without_transfers_should_bring_money_home() {
	let withdraw = RuntimeCall::Channels(pallet_channels::Call::withdraw { channel: 0 });
	let claim = RuntimeCall::Attribution(pallet_attribution::Call::claim {
		beneficiary: Bob.to_account_id(),
	});
	assert!(ProxyType::NonTransfer.filter(&withdraw));
	assert!(ProxyType::NonTransfer.filter(&claim));
	assert!(!ProxyType::CancelProxy.filter(&claim));
	for call in [
		RuntimeCall::Datanets(pallet_datanets::Call::leave_panel { datanet: 0 }),
		RuntimeCall::Providers(pallet_providers::Call::leave {}),
		RuntimeCall::Stakes(pallet_stakes::Call::chill {}),
		RuntimeCall::Stakes(pallet_stakes::Call::unbond { amount: OPEN }),
	] {
		assert!(ProxyType::NonTransfer.filter(&call), "{call:?}");
	}
}

#[test]
fn a_proxy_without_transfers_should_do_what_the_proxies_below_it_can() {
	let vote = RuntimeCall::ConvictionVoting(pallet_conviction_voting::Call::remove_vote {
		class: None,
		index: 0,
	});
	let reject = RuntimeCall::Proxy(pallet_proxy::Call::reject_announcement {
		delegate: Bob.to_account_id().into(),
		call_hash: Default::default(),
	});
	// It stands above these two, so it must be able to do what they can.
	assert!(ProxyType::NonTransfer.filter(&vote));
	assert!(ProxyType::NonTransfer.filter(&reject));
}
