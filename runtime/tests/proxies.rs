//! What a proxy may do in its principal's name.

#![allow(clippy::unwrap_used)]

use frame_support::traits::InstanceFilter;
use openledger_runtime::{configs::ProxyType, currency::OPEN, RuntimeCall};
use sp_keyring::Sr25519Keyring::{Bob, Charlie};

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
}
