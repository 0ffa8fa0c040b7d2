use super::*;
use crate::migrations::{MoveEscrow, V1};
use frame::traits::{
	fungible::MutateHold as _, GetStorageVersion as _, OnRuntimeUpgrade as _,
	UncheckedOnRuntimeUpgrade as _,
};

/// Puts the escrow of channel `id` back on hold in its payer's account, as layout 0 had it.
fn put_back(id: ChannelId) {
	let channel = Channels::channel(id).unwrap();
	let (payer, escrow) = (channel.payer, channel.escrow);
	let account = Channels::account();
	assert_ok!(Balances::transfer_allow_death(
		signed(account),
		payer.clone(),
		escrow
	));
	assert_ok!(Balances::hold(&HoldReason::Escrow.into(), &payer, escrow));
}

#[test]
fn escrow_should_move_to_the_pallets_account() {
	ExtBuilder.build_and_execute(|| {
		open(None);
		open(None);
		assert_ok!(Channels::open(signed(charlie()), bob(), 7 * OPEN, None));
		redeem(vec![sign("Alice", voucher(30 * OPEN, 0))]);
		(0..3).for_each(put_back);
		StorageVersion::new(0).put::<Channels>();
		assert_eq!(Balances::balance(&Channels::account()), ED);
		// Not even a lock keeps it.
		let locked = Balances::total_balance(&alice());
		Balances::set_lock(*b"a vote! ", &alice(), locked, WithdrawReasons::all());

		let noted = MoveEscrow::<Test>::note();
		V1::<Test>::on_runtime_upgrade();
		MoveEscrow::<Test>::verify(&noted).unwrap();

		assert_eq!(Channels::on_chain_storage_version(), 1);
		assert_eq!(kept(), 70 * OPEN + 100 * OPEN + 7 * OPEN);
		assert_eq!(Balances::total_balance_on_hold(&alice()), 2 * DEPOSIT);
		assert_eq!(Balances::total_balance_on_hold(&charlie()), DEPOSIT);
		assert_eq!(skipped(sign("Alice", voucher(100 * OPEN, 0))), None);

		// Nothing is moved twice.
		let before = kept();
		V1::<Test>::on_runtime_upgrade();
		assert_eq!(kept(), before);
	})
}

#[test]
fn a_check_of_the_migration_should_see_what_was_left_behind() {
	with_channel(|| {
		let noted = MoveEscrow::<Test>::note();
		put_back(0);
		assert!(MoveEscrow::<Test>::verify(&noted).is_err());
		MoveEscrow::<Test>::on_runtime_upgrade();
	})
}
