use super::*;

/// What a block has for ordinary transactions: three quarters of two seconds.
const NORMAL_REF_TIME: u64 = 2_000_000_000_000 / 4 * 3;

#[test]
fn redeeming_a_full_batch_should_fit_one_block() {
	ExtBuilder.build_and_execute(|| {
		let vouchers =
			BoundedVec::truncate_from(vec![sign("Alice", voucher(OPEN, 0)); MAX_BATCH as usize]);
		assert_eq!(vouchers.len(), 200);
		let call = RuntimeCall::Channels(Call::redeem { vouchers });
		let weight = call.get_dispatch_info().call_weight;
		assert!(weight.ref_time() < NORMAL_REF_TIME, "{weight:?}");
		// No less than the signature checks and the storage it must touch.
		assert!(
			weight.ref_time() > 200 * (6 * 60 + 6 * 25 + 6 * 100) * 1_000_000,
			"{weight:?}"
		);
	})
}

#[test]
fn weights_should_grow_with_the_input() {
	let one = <() as WeightInfo>::redeem(1);
	assert!(<() as WeightInfo>::redeem(2).all_gte(one));
	assert_ne!(<() as WeightInfo>::redeem(2), one);
	assert_ne!(<() as WeightInfo>::close(1), <() as WeightInfo>::close(0));
}

#[test]
fn closing_with_every_lane_in_use_should_fit_one_block() {
	assert!(<() as WeightInfo>::close(u32::from(Lane::MAX) + 1).ref_time() > NORMAL_REF_TIME);
	assert!(<() as WeightInfo>::close(256).ref_time() < NORMAL_REF_TIME);
}
