//! Each test is an attack, and fails as an attack.

use super::*;
use codec::Decode;
use frame::deps::{sp_core::sr25519, sp_runtime::MultiSignature};

#[test]
fn a_voucher_of_another_chain_should_not_be_paid() {
	with_channel(|| {
		for genesis in [Hash::zero(), Hash::repeat_byte(8)] {
			let foreign = Voucher {
				genesis,
				..voucher(OPEN, 0)
			};
			assert_skipped(sign("Alice", foreign), SkipReason::WrongChain);
		}
	})
}

#[test]
fn a_voucher_should_not_be_replayed_on_another_channel() {
	with_channel(|| {
		open(None);
		let good = sign("Alice", voucher(OPEN, 0));
		let mut moved = good.clone();
		moved.voucher.channel = 1;
		assert_skipped(moved, SkipReason::BadSignature);
		assert_eq!(skipped(good), None);
		assert_eq!(Channels::channel(1).unwrap().escrow, 100 * OPEN);
	})
}

#[test]
fn a_voucher_should_not_be_replayed_in_another_generation() {
	with_channel(|| {
		// The payer has moved the escrow on, and the provider kept a voucher back.
		MaxVoucherLifetime::set(&1_000);
		let old = sign(
			"Alice",
			Voucher {
				valid_until: 1_500,
				..voucher(OPEN, 0)
			},
		);
		ThawPeriod::set(&1_001);
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(1_001);
		assert_ok!(Channels::withdraw(signed(alice()), 0));
		assert_ok!(Channels::top_up(signed(alice()), 0, 10 * OPEN));
		assert_skipped(old.clone(), SkipReason::WrongGeneration);
		let mut renamed = old;
		renamed.voucher.generation = 1;
		assert_skipped(renamed, SkipReason::BadSignature);
		let ahead = Voucher {
			generation: 2,
			..voucher(OPEN, 0)
		};
		assert_skipped(sign("Alice", ahead), SkipReason::WrongGeneration);
	})
}

#[test]
fn a_voucher_should_not_be_replayed_on_another_lane() {
	with_channel(|| {
		let good = sign("Alice", voucher(OPEN, 0));
		let mut moved = good.clone();
		moved.voucher.lane = 1;
		assert_eq!(skipped(good), None);
		assert_skipped(moved, SkipReason::BadSignature);
		for lane in [MAX_LANES as Lane, Lane::MAX] {
			let beyond = Voucher {
				lane,
				..voucher(OPEN, 0)
			};
			assert_skipped(sign("Alice", beyond), SkipReason::LaneOutOfRange);
		}
	})
}

#[test]
fn a_voucher_should_not_be_paid_twice_nor_an_old_one_after_a_newer() {
	with_channel(|| {
		let old = sign("Alice", voucher(OPEN, 0));
		let new = sign("Alice", voucher(2 * OPEN, 0));
		redeem(vec![old.clone(), new.clone(), new.clone(), old.clone()]);
		assert_eq!(escrow(), 98 * OPEN);
		assert_skipped(old, SkipReason::Stale);
		assert_skipped(new, SkipReason::Stale);
	})
}

#[test]
fn a_voucher_should_not_be_paid_before_or_after_its_time() {
	with_channel(|| {
		pass(50);
		let now = System::block_number();
		let until = |valid_until| {
			sign(
				"Alice",
				Voucher {
					valid_until,
					..voucher(OPEN, 0)
				},
			)
		};
		assert_skipped(until(now - 1), SkipReason::Expired);
		assert_skipped(
			until(now + MaxVoucherLifetime::get() + 1),
			SkipReason::LifetimeTooLong,
		);
		assert_skipped(until(BlockNumber::MAX), SkipReason::LifetimeTooLong);
		assert_eq!(skipped(until(now + MaxVoucherLifetime::get())), None);
		let last = Voucher {
			valid_until: now,
			..voucher(2 * OPEN, 0)
		};
		assert_eq!(skipped(sign("Alice", last)), None);
	})
}

#[test]
fn escrow_should_not_be_overspent_by_any_mix_of_lanes_and_signers() {
	ExtBuilder.build_and_execute(|| {
		open(Some((hot(), 1_000 * OPEN)));
		// A second channel's escrow lies in the same hold.
		open(None);
		redeem(
			(0..MAX_LANES as Lane)
				.map(|lane| {
					let who = ["Alice", "Hot"][usize::from(lane) % 2];
					sign(
						who,
						Voucher {
							lane,
							..voucher(Balance::MAX, Balance::MAX / 2)
						},
					)
				})
				.collect(),
		);
		assert_eq!(escrow(), 0);
		assert_eq!(channel().unwrap().redeemed, 100 * OPEN);
		assert_eq!(Channels::channel(1).unwrap().escrow, 100 * OPEN);
		assert_eq!(kept(), 100 * OPEN);
	})
}

#[test]
fn locked_money_should_not_become_escrow() {
	ExtBuilder.build_and_execute(|| {
		// As a vote locks it.
		let lock =
			|amount| Balances::set_lock(*b"a vote! ", &alice(), amount, WithdrawReasons::all());
		lock(ENDOWMENT - 50 * OPEN);
		assert_noop!(
			Channels::open(signed(alice()), bob(), 100 * OPEN, None),
			TokenError::Frozen
		);
		assert_ok!(Channels::open(signed(alice()), bob(), 40 * OPEN, None));
		assert_noop!(
			Channels::top_up(signed(alice()), 0, 20 * OPEN),
			TokenError::Frozen
		);
		// Nor does what is in escrow count as the payer's any more.
		assert_eq!(Balances::total_balance(&alice()), ENDOWMENT - 40 * OPEN);
	})
}

#[test]
fn escrow_should_not_be_spent_elsewhere() {
	with_channel(|| {
		assert_noop!(
			Balances::transfer_allow_death(signed(alice()), charlie(), ENDOWMENT - 50 * OPEN),
			TokenError::FundsUnavailable
		);
		assert_ok!(Balances::transfer_all(signed(alice()), charlie(), false));
		assert_eq!(kept(), 100 * OPEN);
		assert_eq!(skipped(sign("Alice", voucher(100 * OPEN, 0))), None);
		assert_eq!(Balances::balance(&bob()), ENDOWMENT + 100 * OPEN);
	})
}

#[test]
fn a_payer_should_not_thaw_spend_and_withdraw() {
	with_channel(|| {
		// Alice thaws, then signs the longest-lived voucher there is. Bob redeems it in its last block.
		assert_ok!(Channels::thaw(signed(alice()), 0));
		let valid_until = System::block_number() + MaxVoucherLifetime::get();
		let spent = sign(
			"Alice",
			Voucher {
				valid_until,
				..voucher(99 * OPEN, 0)
			},
		);
		System::set_block_number(valid_until);
		assert_noop!(
			Channels::withdraw(signed(alice()), 0),
			Error::<Test>::StillThawing
		);
		assert_eq!(skipped(spent), None);
		pass(20);
		assert_ok!(Channels::withdraw(signed(alice()), 0));
		assert_eq!(Balances::total_balance(&alice()), ENDOWMENT - 99 * OPEN);
	})
}

#[test]
fn a_payer_should_not_void_served_vouchers_by_revoking_its_delegate() {
	ExtBuilder.build_and_execute(|| {
		open(Some((hot(), 10 * OPEN)));
		let served = sign("Hot", voucher(10 * OPEN, 0));
		assert_ok!(Channels::set_delegate(signed(alice()), 0, None));
		assert_ok!(Channels::thaw(signed(alice()), 0));
		assert_eq!(skipped(served), None);
		assert_eq!(escrow(), 90 * OPEN);
	})
}

#[test]
fn a_top_up_should_neither_cancel_nor_prolong_a_thaw() {
	with_channel(|| {
		assert_ok!(Channels::thaw(signed(alice()), 0));
		let free_at = channel().unwrap().thaw;
		pass(19);
		for who in [bob(), charlie(), alice()] {
			assert_ok!(Channels::top_up(signed(who), 0, OPEN));
			assert_eq!(channel().unwrap().thaw, free_at);
		}
		pass(1);
		assert_ok!(Channels::withdraw(signed(alice()), 0));
		assert_eq!(
			last_event(),
			Event::Withdrawn {
				channel: 0,
				amount: 103 * OPEN,
				generation: 1
			}
		);
	})
}

#[test]
fn a_stolen_hot_key_should_be_bounded_by_its_limit_and_revocable() {
	ExtBuilder.build_and_execute(|| {
		open(Some((hot(), 2 * OPEN)));
		let on = |lane| {
			sign(
				"Hot",
				Voucher {
					lane,
					..voucher(90 * OPEN, 0)
				},
			)
		};
		redeem(vec![on(0), on(1), on(2)]);
		assert_eq!(escrow(), 98 * OPEN);
		assert_ok!(Channels::set_delegate(signed(alice()), 0, None));
		assert_skipped(on(3), SkipReason::BadSignature);
		// Nor does it open any of the payer's calls.
		assert_noop!(Channels::thaw(signed(hot()), 0), Error::<Test>::NotPayer);
		assert_noop!(
			Channels::set_delegate(signed(hot()), 0, Some((charlie(), OPEN))),
			Error::<Test>::NotPayer
		);
	})
}

#[test]
fn a_revoked_hot_key_should_be_worth_no_more_than_its_limit_until_it_expires() {
	ExtBuilder.build_and_execute(|| {
		open(Some((hot(), 2 * OPEN)));
		redeem(vec![sign("Hot", voucher(OPEN, 0))]);
		assert_ok!(Channels::set_delegate(
			signed(alice()),
			0,
			Some((charlie(), OPEN))
		));
		let on = |lane| {
			sign(
				"Hot",
				Voucher {
					lane,
					..voucher(90 * OPEN, 0)
				},
			)
		};
		redeem(vec![on(1), on(2)]);
		assert_eq!(escrow(), 98 * OPEN);
		pass(MaxVoucherLifetime::get() + 1);
		assert_skipped(on(3), SkipReason::BadSignature);
	})
}

#[test]
fn a_payer_should_not_void_vouchers_by_redeeming_one_itself() {
	ExtBuilder.build_and_execute(|| {
		open(Some((hot(), 50 * OPEN)));
		redeem(vec![sign("Alice", voucher(5 * OPEN, 2 * OPEN))]);
		// Bob has served these, and has yet to redeem them.
		let served = |lane| {
			let voucher = Voucher {
				lane,
				tokens: 100,
				..voucher(10 * OPEN, 4 * OPEN)
			};
			sign("Alice", voucher)
		};
		let all_tokens = Voucher {
			tokens: u64::MAX,
			..voucher(5 * OPEN + 1, 2 * OPEN)
		};
		let all_licence = voucher(9 * OPEN, 6 * OPEN);
		let unused_lane = Voucher {
			lane: 1,
			..voucher(1, 1)
		};
		for poison in [all_tokens, all_licence, unused_lane] {
			for (by, name) in [(alice(), "Alice"), (hot(), "Hot")] {
				let poison = sign(name, poison.clone());
				assert_skipped_by(by, poison, SkipReason::NotProvider);
			}
		}
		redeem(vec![served(0), served(1)]);
		assert_eq!(escrow(), 80 * OPEN);
		for lane in [0, 1] {
			let lane = Channels::lane(0, lane).unwrap();
			assert_eq!((lane.amount, lane.licence), (10 * OPEN, 4 * OPEN));
		}
	})
}

#[test]
fn a_stranger_should_not_redeem() {
	with_channel(|| {
		let good = sign("Alice", voucher(OPEN, 0));
		assert_skipped_by(charlie(), good.clone(), SkipReason::NotProvider);
		// Nor may the hot key of another provider, nor one that Bob has replaced.
		HotKey::set(&(charlie(), account("Mallory")));
		for stranger in [charlie(), worker(), account("Mallory")] {
			assert_skipped_by(stranger, good.clone(), SkipReason::NotProvider);
		}
		assert_eq!(skipped_by(bob(), good), None);
	})
}

#[test]
fn a_provider_should_not_be_locked_out_by_being_named_as_a_hot_key() {
	with_channel(|| {
		let mallory = account("Mallory");
		assert_ok!(Channels::open(signed(alice()), mallory.clone(), OPEN, None));
		HotKey::set(&(bob(), mallory.clone()));
		let on = |channel| {
			sign(
				"Alice",
				Voucher {
					channel,
					..voucher(OPEN, 0)
				},
			)
		};
		// What Mallory gains is that Bob may redeem for her, not that she may for Bob.
		assert_skipped_by(mallory, on(0), SkipReason::NotProvider);
		redeem_by(bob(), vec![on(0), on(1)]);
		assert_eq!(escrow(), 99 * OPEN);
		assert_eq!(Channels::channel(1).unwrap().escrow, 0);
	})
}

#[test]
fn a_forged_signature_should_not_pay() {
	with_channel(|| {
		let owed = voucher(OPEN, 0);
		for name in ["Bob", "Charlie", "Hot"] {
			assert_skipped(sign(name, owed.clone()), SkipReason::BadSignature);
		}
		let good = sign("Alice", owed.clone());
		let MultiSignature::Sr25519(signature) = good.signature.clone() else {
			unreachable!()
		};
		for bit in [0, 255, 511] {
			let mut bytes = signature.0;
			bytes[bit / 8] ^= 1 << (bit % 8);
			let signature = sr25519::Signature::from_raw(bytes).into();
			let forged = SignedVoucher {
				voucher: owed.clone(),
				signature,
			};
			assert_skipped(forged, SkipReason::BadSignature);
		}
		// The same bytes passed off as a signature of another kind.
		let retagged = MultiSignature::Ed25519(signature.0.into());
		assert_skipped(
			SignedVoucher {
				voucher: owed.clone(),
				signature: retagged,
			},
			SkipReason::BadSignature,
		);
		for empty in [
			MultiSignature::Sr25519([0; 64].into()),
			MultiSignature::Ed25519([0; 64].into()),
			MultiSignature::Ecdsa([0; 65].into()),
		] {
			assert_skipped(
				SignedVoucher {
					voucher: owed.clone(),
					signature: empty,
				},
				SkipReason::BadSignature,
			);
		}
	})
}

#[test]
fn a_signed_voucher_should_not_be_changed_in_any_field() {
	with_channel(|| {
		open(None);
		let good = sign("Alice", voucher(10 * OPEN, 5 * OPEN));
		let changes: [fn(&mut Voucher); 8] = [
			|voucher| voucher.channel = 1,
			|voucher| voucher.lane = 1,
			|voucher| voucher.amount += 1,
			|voucher| voucher.licence -= 1,
			|voucher| voucher.tokens += 1,
			|voucher| voucher.receipts = Hash::repeat_byte(1),
			|voucher| voucher.quote += 1,
			|voucher| voucher.valid_until += 1,
		];
		for change in changes {
			let mut changed = good.clone();
			change(&mut changed.voucher);
			assert_skipped(changed, SkipReason::BadSignature);
		}
	})
}

#[test]
fn an_oversized_batch_should_not_decode() {
	let too_many = vec![
		ExtBuilder
			.build()
			.execute_with(|| sign("Alice", voucher(OPEN, 0)));
		MAX_BATCH as usize + 1
	];
	let encoded = codec::Encode::encode(&too_many);
	let decoded =
		BoundedVec::<SignedVoucher, <Test as Config>::MaxBatch>::decode(&mut &encoded[..]);
	assert!(decoded.is_err());
}

#[test]
fn a_payer_that_is_its_own_provider_should_gain_nothing() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(Channels::open(signed(alice()), alice(), 100 * OPEN, None));
		redeem_by(alice(), vec![sign("Alice", voucher(100 * OPEN, 40 * OPEN))]);
		assert_eq!(Balances::total_balance(&alice()), ENDOWMENT - 40 * OPEN);
		assert_eq!(Balances::balance(&pot()), ENDOWMENT + 40 * OPEN);
	})
}

#[test]
fn a_unit_topped_up_by_others_should_not_keep_a_channel_open() {
	with_channel(|| {
		assert_ok!(Channels::thaw(signed(alice()), 0));
		pass(ThawPeriod::get());
		// However often somebody tops up, the payer's next call has it all, the gift included.
		for _ in 0..3 {
			assert_ok!(Channels::top_up(signed(charlie()), 0, 1));
		}
		assert_ok!(Channels::close(signed(alice()), 0));
		assert_eq!(channel(), None);
		assert_eq!(Balances::balance(&alice()), ENDOWMENT + 3);
		assert_eq!(Balances::total_balance_on_hold(&alice()), 0);
	})
}

#[test]
fn closing_should_be_no_shortcut_past_a_thaw() {
	with_channel(|| {
		let served = sign("Alice", voucher(60 * OPEN, 0));
		let early = Channels::close(signed(alice()), 0).unwrap_err();
		assert_eq!(early.error, Error::<Test>::EscrowNotEmpty.into());
		assert_ok!(Channels::thaw(signed(alice()), 0));
		let early = Channels::close(signed(alice()), 0).unwrap_err();
		assert_eq!(early.error, Error::<Test>::StillThawing.into());
		assert_eq!(skipped(served), None);
	})
}
