use super::*;
use frame::traits::{fungible::Balanced as _, Imbalance as _};

#[test]
fn withdraw_credit_should_give_the_money_and_book_it_as_claimed() {
	ExtBuilder.build_and_execute(|| {
		reported().settle_all();
		let credit = Attribution::credit(carol());
		assert_eq!(credit, 38 * OPEN / 10);
		let claimed = Attribution::totals().claimed;
		let money = Attribution::withdraw_credit(&carol());
		assert_eq!(money.peek(), credit);
		assert_eq!(Attribution::credit(carol()), 0);
		assert_eq!(Attribution::totals().claimed, claimed + credit);
		assert_ok!(Balances::resolve(&eve(), money).map_err(|_| ()));
		assert_eq!(Attribution::withdraw_credit(&carol()).peek(), 0);
	})
}
