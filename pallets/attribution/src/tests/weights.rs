use super::*;
use frame::deps::frame_support::dispatch::GetDispatchInfo as _;

fn weight_of(call: Call<Test>) -> Weight {
	RuntimeCall::Attribution(call)
		.get_dispatch_info()
		.call_weight
}

#[test]
fn a_settlement_should_be_weighed_by_its_leaves() {
	let leaf = PayoutLeaf {
		payee: Payee::Stakers,
		amount: 1,
	};
	let weight = weight_of(Call::settle {
		provider: bob(),
		epoch: 0,
		leaves: vec![leaf; MAX_SETTLE as usize].try_into().unwrap(),
		proof: Default::default(),
	});
	assert_eq!(weight, <() as WeightInfo>::settle(MAX_SETTLE));
	assert_ne!(weight, <() as WeightInfo>::settle(1));
}

#[test]
fn a_dispute_should_be_weighed_by_its_bytes_and_the_leaves_it_opens() {
	ExtBuilder.build_and_execute(|| {
		let book = reported();
		let receipt = book.receipt.clone().unwrap();
		let weighed = |dispute: Dispute, openings: u32| {
			let bytes = dispute.encoded_size() as u32;
			let weight = weight_of(Call::dispute {
				provider: bob(),
				epoch: 0,
				dispute: Box::new(dispute),
			});
			let expected =
				<() as WeightInfo>::dispute(bytes) + <() as WeightInfo>::openings(openings);
			assert_eq!(weight, expected);
		};
		let overpaid = Dispute::Overpaid {
			leaf: book.leaf(),
			receipt: receipt.clone(),
		};
		weighed(overpaid, 0);
		let duplicate = Dispute::DuplicatePart {
			first: book.part(0),
			second: book.part(1),
		};
		weighed(duplicate, 1);
		let twice = Dispute::PaidTwice {
			leaf: book.leaf(),
			receipt: receipt.clone(),
			others: vec![(1, book.leaf()), (2, book.leaf())].try_into().unwrap(),
		};
		weighed(twice, 2);
		let exceeded = Dispute::DataExceeded {
			leaf: book.leaf(),
			receipt,
			parts: vec![book.part(0), book.part(1), book.part(2)]
				.try_into()
				.unwrap(),
		};
		weighed(exceeded, 3);
	})
}

#[test]
fn a_block_should_be_weighed_by_whether_it_begins_an_epoch() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(9);
		let quiet = Attribution::on_initialize(9);
		System::set_block_number(10);
		let busy = Attribution::on_initialize(10);
		let no_draws = <() as WeightInfo>::draw_audits(0);
		assert_eq!(quiet, <() as WeightInfo>::on_initialize() + no_draws);
		assert_eq!(busy, <() as WeightInfo>::begin_epoch() + no_draws);
		assert_ne!(busy, quiet);
	})
}
