//! Random sequences of calls keep every invariant and every unit.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
	Open {
		payer: usize,
		provider: usize,
		escrow: Balance,
		delegated: Option<Balance>,
	},
	TopUp {
		who: usize,
		channel: ChannelId,
		amount: Balance,
	},
	SetDelegate {
		channel: ChannelId,
		delegated: Option<(bool, Balance)>,
	},
	Thaw {
		channel: ChannelId,
	},
	CancelThaw {
		channel: ChannelId,
	},
	Withdraw {
		channel: ChannelId,
	},
	Close {
		channel: ChannelId,
	},
	Redeem {
		vouchers: Vec<Draft>,
	},
	Room {
		units: Balance,
	},
	Pass {
		blocks: BlockNumber,
	},
}

/// A voucher as it may come in: mostly in order, at times not.
#[derive(Clone, Debug)]
struct Draft {
	channel: ChannelId,
	lane: Lane,
	older_generation: bool,
	amount: Balance,
	licence_parts: u32,
	tokens: u64,
	signer: usize,
	lifetime: BlockNumber,
}

const NAMES: [&str; 4] = ["Alice", "Bob", "Charlie", "Hot"];

fn who(index: usize) -> AccountId {
	account(NAMES[index])
}

fn draft() -> impl Strategy<Value = Draft> {
	(0u64..3, 0u16..5, prop::bool::weighted(0.1), 0..300 * OPEN).prop_flat_map(
		|(channel, lane, older_generation, amount)| {
			(0u32..=1_100, 0u64..20, 0usize..4, 0u32..13).prop_map(
				move |(licence_parts, tokens, signer, lifetime)| Draft {
					channel,
					lane,
					older_generation,
					amount,
					licence_parts,
					tokens,
					signer,
					lifetime,
				},
			)
		},
	)
}

fn step() -> impl Strategy<Value = Step> {
	let channel = 0u64..3;
	let limit = prop::option::of(0..40 * OPEN);
	prop_oneof![
		3 => (0usize..4, 0usize..4, 0..300 * OPEN, limit).prop_map(
			|(payer, provider, escrow, delegated)| Step::Open { payer, provider, escrow, delegated }
		),
		2 => (0usize..4, channel.clone(), 0..100 * OPEN)
			.prop_map(|(who, channel, amount)| Step::TopUp { who, channel, amount }),
		1 => (channel.clone(), prop::option::of((any::<bool>(), 0..40 * OPEN)))
			.prop_map(|(channel, delegated)| Step::SetDelegate { channel, delegated }),
		2 => channel.clone().prop_map(|channel| Step::Thaw { channel }),
		1 => channel.clone().prop_map(|channel| Step::CancelThaw { channel }),
		2 => channel.clone().prop_map(|channel| Step::Withdraw { channel }),
		2 => channel.prop_map(|channel| Step::Close { channel }),
		8 => prop::collection::vec(draft(), 1..6).prop_map(|vouchers| Step::Redeem { vouchers }),
		1 => (0..20 * OPEN).prop_map(|units| Step::Room { units }),
		3 => (0u32..25).prop_map(|blocks| Step::Pass { blocks }),
	]
}

fn sign_draft(draft: &Draft) -> SignedVoucher {
	let generation = Channels::channel(draft.channel).map_or(0, |channel| channel.generation);
	let licence = draft.amount / 1_000 * Balance::from(draft.licence_parts);
	let voucher = Voucher {
		channel: draft.channel,
		lane: draft.lane,
		generation: generation.saturating_sub(draft.older_generation.into()),
		tokens: draft.tokens,
		valid_until: System::block_number() + draft.lifetime,
		..voucher(draft.amount, licence)
	};
	// The payer signs for whoever is not the delegate, so that most vouchers are good.
	let payer = Channels::channel(draft.channel).map(|channel| channel.payer);
	let payer_index = (0..NAMES.len()).find(|index| Some(who(*index)) == payer);
	let signer = if draft.signer == 3 {
		3
	} else {
		payer_index.unwrap_or(draft.signer)
	};
	sign(NAMES[signer], voucher)
}

/// Takes a step; a call that is refused changes nothing, which is as good.
fn take(step: Step) {
	let by_payer =
		|id: ChannelId| signed(Channels::channel(id).map_or(alice(), |channel| channel.payer));
	// As the chain does, keep what a call wrote only if it succeeded.
	let _ = frame::deps::frame_support::storage::with_storage_layer(|| -> DispatchResult {
		match step {
			Step::Open {
				payer,
				provider,
				escrow,
				delegated,
			} => Channels::open(
				signed(who(payer)),
				who(provider),
				escrow,
				delegated.map(|limit| (hot(), limit)),
			),
			Step::TopUp {
				who: by,
				channel,
				amount,
			} => Channels::top_up(signed(who(by)), channel, amount),
			Step::SetDelegate { channel, delegated } => Channels::set_delegate(
				by_payer(channel),
				channel,
				delegated.map(|(is_hot, limit)| (if is_hot { hot() } else { charlie() }, limit)),
			),
			Step::Thaw { channel } => Channels::thaw(by_payer(channel), channel),
			Step::CancelThaw { channel } => Channels::cancel_thaw(by_payer(channel), channel),
			Step::Withdraw { channel } => Channels::withdraw(by_payer(channel), channel),
			Step::Close { channel } => Channels::close(by_payer(channel), channel)
				.map(|_| ())
				.map_err(|refused| refused.error),
			Step::Redeem { vouchers } => {
				let vouchers = vouchers.iter().map(sign_draft).collect::<Vec<_>>();
				// Whoever provides for the first voucher redeems; others' in the batch are skipped.
				let provider = vouchers
					.first()
					.and_then(|first| Channels::channel(first.voucher.channel))
					.map_or(bob(), |channel| channel.provider);
				Channels::redeem(signed(provider), BoundedVec::truncate_from(vouchers))
					.map(drop)
					.map_err(|refused| refused.error)
			}
			Step::Room { units } => {
				Room::set(&units);
				Ok(())
			}
			Step::Pass { blocks } => {
				pass(blocks);
				Ok(())
			}
		}
	});
}

fn all_money() -> Balance {
	[alice(), bob(), charlie(), hot(), pot(), Channels::account()]
		.iter()
		.map(Balances::total_balance)
		.sum()
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(256))]

	#[test]
	fn any_sequence_of_calls_should_keep_the_invariants_and_every_unit(
		steps in prop::collection::vec(step(), 1..40)
	) {
		ExtBuilder.build_and_execute(|| {
			open(Some((hot(), 10 * OPEN)));
			let before = (all_money(), Balances::total_issuance());
			for step in steps {
				take(step);
				Channels::do_try_state().unwrap();
			}
			// What changed in all balances together is what was burnt.
			assert_eq!(before.0 - all_money(), before.1 - Balances::total_issuance());
			let redeemed: Balance =
				crate::Channels::<Test>::iter_values().map(|channel| channel.redeemed).sum();
			let withdrawn: Balance =
				crate::Channels::<Test>::iter_values().map(|channel| channel.withdrawn).sum();
			let deposited: Balance =
				crate::Channels::<Test>::iter_values().map(|channel| channel.deposited).sum();
			assert_eq!(deposited, redeemed + withdrawn + kept());
		});
	}

	#[test]
	fn any_way_of_paying_in_parts_should_come_to_the_same(
		amount in 1..u128::MAX / 2,
		licence_share in 0u32..=1_000_000,
		parts in prop::collection::vec(1..u128::MAX / 4, 0..8),
	) {
		let licence = openledger_primitives::fees::part(amount, licence_share).unwrap();
		let owed = Voucher {
			genesis: Hash::zero(),
			channel: 0,
			generation: 0,
			lane: 0,
			amount,
			licence,
			tokens: 0,
			receipts: Hash::zero(),
			quote: 0,
			valid_until: 0,
		};
		let mut lane = LaneState::default();
		for available in parts.into_iter().chain([u128::MAX]) {
			let Ok(due) = lane.due(&owed) else { break };
			let payment = due.capped(available).unwrap();
			assert_eq!(payment.total().unwrap(), available.min(amount - lane.amount));
			assert!(payment.compute <= due.compute && payment.licence <= due.licence);
			lane = lane.after(&owed, &payment).unwrap();
		}
		assert_eq!((lane.amount, lane.licence), (amount, licence));
		assert_eq!(lane.due(&owed), Err(SkipReason::Stale));
	}
}
