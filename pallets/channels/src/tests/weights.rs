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
		let checks = <() as WeightInfo>::check_signature() * 5 * u64::from(MAX_BATCH);
		assert_eq!(weight, <() as WeightInfo>::redeem(MAX_BATCH) + checks);
		assert_ne!(weight, <() as WeightInfo>::redeem(1) + checks);
	})
}

#[test]
fn a_redemption_should_give_back_the_weight_of_signatures_it_did_not_check() {
	let weight_after = |vouchers: Vec<SignedVoucher>| {
		let vouchers = BoundedVec::truncate_from(vouchers);
		let info = Channels::redeem(signed(worker()), vouchers).unwrap();
		info.actual_weight.unwrap()
	};
	let redeem = <() as WeightInfo>::redeem;
	let check = <() as WeightInfo>::check_signature();
	let wrapped = |name: &str, voucher: Voucher| {
		let message = openledger_primitives::voucher::wrap(voucher.digest());
		let signature = key(name).sign(&message).into();
		SignedVoucher { voucher, signature }
	};
	ExtBuilder.build_and_execute(|| {
		open(None);
		// The payer's is the only key: one check, or two if a wallet wrapped what it signed.
		let plain = sign("Alice", voucher(OPEN, 0));
		assert_eq!(weight_after(vec![plain.clone()]), redeem(1));
		// Nothing is checked of what is owed no more.
		assert_eq!(weight_after(vec![plain; 3]), redeem(3));
		let by_wallet = wrapped("Alice", voucher(2 * OPEN, 0));
		assert_eq!(weight_after(vec![by_wallet]), redeem(1) + check);

		let delegate = |who| Some((who, 50 * OPEN));
		assert_ok!(Channels::set_delegate(signed(alice()), 0, delegate(hot())));
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			delegate(account("New"))
		));
		let by_delegate = sign("New", voucher(3 * OPEN, 0));
		assert_eq!(weight_after(vec![by_delegate]), redeem(1));
		let by_former = wrapped("Hot", voucher(4 * OPEN, 0));
		assert_eq!(weight_after(vec![by_former.clone()]), redeem(1) + check * 5);
		assert_eq!(channel().unwrap().redeemed, 4 * OPEN);
		// Who forges pays for all checks of each voucher.
		let forged = sign("Mallory", voucher(5 * OPEN, 0));
		assert_eq!(weight_after(vec![forged; 2]), redeem(2) + check * 10);
		assert_eq!(channel().unwrap().redeemed, 4 * OPEN);
	})
}

#[test]
fn a_closing_should_be_weighed_as_if_every_lane_were_in_use() {
	let weight = weight_of(Call::close { channel: 0 });
	assert_eq!(weight, <() as WeightInfo>::close(MAX_LANES));
	assert_ne!(weight, <() as WeightInfo>::close(0));
}
