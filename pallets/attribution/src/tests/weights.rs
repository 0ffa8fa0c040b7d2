use super::*;

/// What a block has for ordinary transactions: three quarters of two seconds.
const NORMAL_REF_TIME: u64 = 2_000_000_000_000 / 4 * 3;

#[test]
fn settling_a_full_batch_should_fit_one_block() {
	let leaf = PayoutLeaf {
		payee: Payee::Stakers,
		amount: 1,
	};
	let call = RuntimeCall::Attribution(Call::settle {
		provider: bob(),
		epoch: 0,
		leaves: vec![leaf; MAX_SETTLE as usize].try_into().unwrap(),
		proof: Default::default(),
	});
	let weight = call.get_dispatch_info().call_weight;
	assert!(weight.ref_time() < NORMAL_REF_TIME / 4, "{weight:?}");
	// No less than finding the payees and writing their credits.
	assert!(
		weight.ref_time() > 256 * (5 * 25 + 100) * 1_000_000,
		"{weight:?}"
	);
}

#[test]
fn the_largest_dispute_should_fit_one_block() {
	// Two texts of a MiB each and what leads to them.
	let bytes = 2 * openledger_primitives::dispute::MAX_TEXT + 100_000;
	let weight = <() as WeightInfo>::dispute(bytes);
	assert!(weight.ref_time() < NORMAL_REF_TIME / 4, "{weight:?}");
	assert!(<() as WeightInfo>::answer_audit().ref_time() < NORMAL_REF_TIME / 20);
	assert!(<() as WeightInfo>::draw_audits(128).ref_time() < NORMAL_REF_TIME / 20);
}

#[test]
fn weights_should_grow_with_the_input() {
	assert!(<() as WeightInfo>::dispute(2).all_gte(<() as WeightInfo>::dispute(1)));
	let one = <() as WeightInfo>::settle(1);
	assert!(<() as WeightInfo>::settle(2).all_gte(one));
	assert_ne!(<() as WeightInfo>::settle(2), one);
}

#[test]
fn beginning_an_epoch_should_weigh_more_than_any_other_block() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(9);
		let quiet = Attribution::on_initialize(9);
		System::set_block_number(10);
		let busy = Attribution::on_initialize(10);
		let no_draws = <() as WeightInfo>::draw_audits(0);
		assert_eq!(quiet, <() as WeightInfo>::on_initialize() + no_draws);
		assert_eq!(busy, <() as WeightInfo>::begin_epoch() + no_draws);
		assert!(busy.all_gte(quiet) && busy != quiet);
	})
}
