use super::*;

#[test]
fn collect_should_burn_pay_and_put_by_to_the_last_unit() {
	ExtBuilder.build_and_execute(|| {
		let issuance = Balances::total_issuance();
		// The cut of 5 % of 61 and of 41 units is 3 and 2; half of 5 is burnt, rounded down.
		collect(&bob(), 61, 41);
		let split = RedemptionSplit {
			burnt: 2,
			treasury: 3,
			provider: 58,
			pot: 39,
		};
		assert_eq!(
			last_event(),
			Event::Collected {
				provider: bob(),
				epoch: 0,
				compute: 61,
				licence: 41,
				split
			}
		);
		assert_eq!(Balances::total_issuance(), issuance - 2);
		assert_eq!(Balances::balance(&bob()), ENDOWMENT + 58);
		assert_eq!(Balances::balance(&treasury()), ENDOWMENT + 3);
		assert_eq!(Balances::balance(&Attribution::account_id()), ED + 39);
		assert_eq!(
			Attribution::pot(bob(), 0),
			Some(Pot {
				licence: 41,
				net: 39,
				terms: 1
			})
		);
		assert_eq!(
			Attribution::totals(),
			Flows {
				redeemed: 102,
				burnt: 2,
				treasury: 3,
				providers: 58,
				licence: 39,
				..Flows::default()
			}
		);
	})
}

#[test]
fn collect_should_add_to_the_pot_of_the_provider_and_epoch() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 100);
		collect(&bob(), 0, 100);
		collect(&eve(), 0, 100);
		end_epoch();
		collect(&bob(), 0, 100);
		let pot = |licence| {
			Some(Pot {
				licence,
				net: licence / 100 * 95,
				terms: 1,
			})
		};
		assert_eq!(Attribution::pot(bob(), 0), pot(200));
		assert_eq!(Attribution::pot(eve(), 0), pot(100));
		assert_eq!(Attribution::pot(bob(), 1), pot(100));
	})
}

#[test]
fn collect_should_make_no_pot_without_licence_money() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 100, 0);
		assert_eq!(Attribution::pot(bob(), 0), None);
	})
}

#[test]
fn collect_should_credit_a_provider_and_a_treasury_that_cannot_be_paid() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(Balances::transfer_all(signed(bob()), alice(), false));
		assert_ok!(Balances::transfer_all(signed(treasury()), alice(), false));
		let money = all_money();
		let issuance = Balances::total_issuance();
		collect(&bob(), 100, 0);
		assert_eq!(Balances::balance(&bob()), 0);
		assert_eq!(
			(Attribution::credit(bob()), Attribution::credit(treasury())),
			(95, 3)
		);
		assert!(events().contains(&Event::Deferred {
			account: bob(),
			amount: 95
		}));
		assert!(events().contains(&Event::Deferred {
			account: treasury(),
			amount: 3
		}));
		assert_eq!(money - all_money(), 2);
		assert_eq!(issuance - Balances::total_issuance(), 2);
		// With enough of it, it is paid.
		collect(&bob(), 10 * ED, 0);
		assert!(Balances::balance(&bob()) > 0);
	})
}

#[test]
fn collect_should_burn_and_book_what_not_even_the_pallet_can_keep() {
	ExtBuilder.build().execute_with(|| {
		// No genesis leaves it so; the money must be accounted for all the same.
		Balances::set_balance(&Attribution::account_id(), 0);
		let issuance = Balances::total_issuance();
		collect(&bob(), 100, 100);
		assert_eq!(
			Attribution::pot(bob(), 0),
			Some(Pot {
				licence: 100,
				net: 0,
				terms: 1
			})
		);
		let totals = Attribution::totals();
		assert_eq!(
			(totals.redeemed, totals.licence, totals.burnt),
			(200, 0, 100)
		);
		assert_eq!(issuance - Balances::total_issuance(), 100);
	})
}

#[test]
fn collect_should_lose_a_provider_money_that_pays_itself() {
	ExtBuilder.build_and_execute(|| {
		// Bob and Alice are one, and so is everyone that Bob's report pays.
		let before = Balances::balance(&bob()) + Balances::balance(&alice());
		collect(&bob(), 60 * OPEN, 40 * OPEN);
		end_epoch();
		let payee = Payee::AdapterOwner(0);
		let amount = Attribution::pot(bob(), 0).unwrap().net;
		let book = Book::with_leaves(bob(), 0, vec![PayoutLeaf { payee, amount }]);
		assert_ok!(book.report());
		pass(DisputeWindow::get());
		book.settle_all();
		let after =
			Balances::balance(&bob()) + Balances::balance(&alice()) + Attribution::credit(dave());
		assert_eq!(before - after, 5 * OPEN);
	})
}

#[test]
fn collect_should_note_which_lanes_the_licence_money_came_from() {
	ExtBuilder.build_and_execute(|| {
		let channel = open_channel(&bob());
		let source = |epoch| Attribution::source_of(bob(), epoch, channel, 0, 0).unwrap();
		let receipts = |byte| Hash::repeat_byte(byte);
		collect_on(&bob(), channel, 10, 40, receipts(1));
		collect_on(&bob(), channel, 10, 2, receipts(2));
		// Without licence money there is nothing to account for.
		collect_on(&bob(), channel, 10, 0, receipts(3));
		collect(&bob(), 0, 5);
		let first = Source {
			licence: 42,
			total: 42,
			receipts: receipts(2),
		};
		assert_eq!(source(0), first);
		assert_eq!(source(1), Source::default());
		end_epoch();
		collect_on(&bob(), channel, 0, 8, receipts(4));
		assert_eq!(source(0), first);
		let second = Source {
			licence: 8,
			total: 50,
			receipts: receipts(4),
		};
		assert_eq!(source(1), second);
		assert_eq!(
			Attribution::source_of(eve(), 1, channel, 0, 0),
			Some(Source::default())
		);
	})
}
