//! What fits into a block. `make bench` prints the figures.
#![allow(clippy::unwrap_used)]

use frame_support::{dispatch::DispatchClass, traits::Get, weights::Weight};
use openledger_runtime::{configs::BlockWeights, Runtime};
use pallet_attribution::WeightInfo as _;
use pallet_channels::WeightInfo as _;
use pallet_datanets::WeightInfo as _;

/// The most an ordinary transaction may weigh.
fn largest_transaction() -> Weight {
	BlockWeights::get()
		.get(DispatchClass::Normal)
		.max_extrinsic
		.expect("ordinary transactions are limited")
}

fn assert_fits(what: &str, weight: Weight) {
	let limit = largest_transaction();
	let milliseconds = |weight: Weight| weight.ref_time() / 1_000_000_000;
	println!(
		"{what}: {} ms of the {} ms a transaction may take ({} %)",
		milliseconds(weight),
		milliseconds(limit),
		weight.ref_time() * 100 / limit.ref_time(),
	);
	assert!(weight.all_lte(limit), "{what} does not fit into a block");
}

#[test]
fn the_largest_redemption_should_fit_into_a_block() {
	let vouchers = <Runtime as pallet_channels::Config>::MaxBatch::get();
	assert_eq!(vouchers, 200);
	type Channels = <Runtime as pallet_channels::Config>::WeightInfo;
	let usual = Channels::redeem(vouchers);
	assert_fits(
		"redeem of 200 vouchers, each signed by the key that is tried first",
		usual,
	);
	// Three keys in two ways.
	let worst = usual + Channels::check_signature() * 5 * u64::from(vouchers);
	assert_fits(
		"redeem of 200 vouchers, each signed by the key that is tried last",
		worst,
	);
}

#[test]
fn the_largest_settlement_should_fit_into_a_block() {
	let leaves = <Runtime as pallet_attribution::Config>::MaxSettle::get();
	let weight = <Runtime as pallet_attribution::Config>::WeightInfo::settle(leaves);
	assert_fits(&format!("settle of {leaves} payouts"), weight);
}

#[test]
fn a_snapshot_of_a_full_datanet_should_fit_into_a_block() {
	let contributions = <Runtime as pallet_datanets::Config>::MaxContributions::get();
	let weight = <Runtime as pallet_datanets::Config>::WeightInfo::snapshot(contributions);
	assert_fits(
		&format!("snapshot of {contributions} contributions"),
		weight,
	);
}

#[test]
fn ending_a_review_of_a_full_panel_should_fit_into_a_block() {
	let seats = <Runtime as pallet_datanets::Config>::MaxPanel::get();
	assert_fits(
		&format!("conclude_review with {seats} seats"),
		<<Runtime as pallet_datanets::Config>::WeightInfo as pallet_datanets::WeightInfo>::conclude_review(seats),
	);
	assert_fits(
		&format!("withdraw under review by {seats}"),
		<<Runtime as pallet_datanets::Config>::WeightInfo as pallet_datanets::WeightInfo>::withdraw(
			seats,
		),
	);
}

#[test]
fn closing_a_channel_with_every_lane_should_fit_into_a_block() {
	let lanes = <Runtime as pallet_channels::Config>::MaxLanes::get();
	let weight = <Runtime as pallet_channels::Config>::WeightInfo::close(lanes);
	assert_fits(&format!("close of a channel with {lanes} lanes"), weight);
}

#[test]
fn slashing_a_validator_with_every_delegator_should_fit_into_a_block() {
	use pallet_stakes::WeightInfo as _;

	fn check<T: pallet_stakes::Config>() {
		let positions = pallet_stakes::MaxParts::<T>::get();
		let offence = T::WeightInfo::on_offence(positions);
		assert_fits("a validator's offence", offence);
		let cancelled = T::WeightInfo::cancel_slash(positions);
		assert_fits("cancel_slash", cancelled);
		// This comes on top of all transactions.
		let hook = T::WeightInfo::on_initialize(positions);
		assert_fits("ten slashes that are carried out", hook.saturating_mul(10));
	}
	check::<Runtime>();
}

#[test]
fn a_change_of_sessions_should_fit_into_a_block() {
	use pallet_stakes::WeightInfo as _;

	fn check<T: pallet_stakes::Config>() {
		let candidates = T::MaxCandidates::get();
		// At worst, all who may be elected and all of the fallback.
		let validators = 2 * candidates;
		let weight = T::WeightInfo::new_session(candidates)
			.saturating_add(T::WeightInfo::end_session(validators))
			.saturating_add(T::WeightInfo::start_session(validators));
		assert_fits("a change of sessions", weight);
	}
	check::<Runtime>();
}
