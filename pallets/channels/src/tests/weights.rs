use super::*;

fn weight_of(call: Call<Test>) -> Weight {
	RuntimeCall::Channels(call).get_dispatch_info().call_weight
}

#[test]
fn a_redemption_should_be_weighed_by_its_vouchers() {
	ExtBuilder.build_and_execute(|| {
		let vouchers = vec![sign("Alice", voucher(OPEN, 0)); MAX_BATCH as usize];
		let weight = weight_of(Call::redeem {
			vouchers: BoundedVec::truncate_from(vouchers),
		});
		assert_eq!(weight, <() as WeightInfo>::redeem(MAX_BATCH));
		assert_ne!(weight, <() as WeightInfo>::redeem(1));
	})
}

#[test]
fn a_closing_should_be_weighed_as_if_every_lane_were_in_use() {
	let weight = weight_of(Call::close { channel: 0 });
	assert_eq!(weight, <() as WeightInfo>::close(MAX_LANES));
	assert_ne!(weight, <() as WeightInfo>::close(0));
}
