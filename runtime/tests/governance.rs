//! What owners of OPEN can decide, by which vote, and what they cannot.
#![allow(clippy::unwrap_used)]

mod common;

use codec::{DecodeAll, Encode};
use common::{chain_from_preset, check_invariants};
use frame_support::{
	assert_noop, assert_ok,
	traits::{
		fungible::{Inspect, Mutate},
		schedule::DispatchTime,
		tokens::{Fortitude, Precision, Preservation},
		Bounded, Get, Hooks, InstanceFilter, OnRuntimeUpgrade, StorePreimage,
	},
};
use openledger_primitives::Terms;
use openledger_runtime::{
	accounts,
	configs::{Electorate, ProxyType},
	currency::{EXISTENTIAL_DEPOSIT, MILLI_OPEN, OPEN, TOTAL_SUPPLY},
	governance::{
		origins::TREASURER_LIMIT,
		rules::{rule, Authority, Bounds},
		tracks::Tracks,
		Error, Origin,
	},
	parameters::governed,
	AccountId, Attribution, Balances, ConvictionVoting, Governance, LaunchConfig, OriginCaller,
	Parameters, Preimage, Referenda, Runtime, RuntimeCall, RuntimeEvent, RuntimeGenesisConfig,
	RuntimeOrigin, RuntimeParameters, RuntimeParametersKey, Scheduler, System, Treasury, VERSION,
};
use pallet_conviction_voting::{AccountVote, Conviction, Vote};
use pallet_referenda::TracksInfo;
use sp_core::traits::{Externalities, ReadRuntimeVersion, ReadRuntimeVersionExt};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve};
use sp_runtime::{BuildStorage, DispatchError, MultiAddress};

fn signed(key: Sr25519Keyring) -> RuntimeOrigin {
	RuntimeOrigin::signed(key.to_account_id())
}

fn go_to_block(number: u32) {
	while System::block_number() < number {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Scheduler::on_initialize(next);
		Treasury::on_initialize(next);
		Attribution::on_initialize(next);
	}
}

fn pass(blocks: u32) {
	go_to_block(System::block_number() + blocks);
}

fn set(parameter: RuntimeParameters) -> RuntimeCall {
	RuntimeCall::Governance(openledger_runtime::governance::Call::set { parameter })
}

fn with_data_share(data: u32) -> Terms {
	let terms = Terms::default();
	Terms {
		adapter_owner: terms.adapter_owner + terms.data - data,
		data,
		..terms
	}
}

fn set_terms(terms: Terms) -> RuntimeParameters {
	RuntimeParameters::Attribution(governed::attribution::Parameters::SplitTerms(
		governed::attribution::SplitTerms,
		Some(terms),
	))
}

/// Alice puts `call` to the vote and pays for it.
fn propose(origin: impl Into<OriginCaller>, call: RuntimeCall) -> u32 {
	let index = pallet_referenda::ReferendumCount::<Runtime>::get();
	assert_ok!(Referenda::submit(
		signed(Alice),
		Box::new(origin.into()),
		Preimage::bound(call).unwrap(),
		DispatchTime::After(0),
	));
	assert_ok!(Referenda::place_decision_deposit(signed(Alice), index));
	index
}

fn vote(key: Sr25519Keyring, referendum: u32, aye: bool) {
	let vote = AccountVote::Standard {
		vote: Vote {
			aye,
			conviction: Conviction::Locked1x,
		},
		balance: 900_000 * OPEN,
	};
	assert_ok!(ConvictionVoting::vote(signed(key), referendum, vote));
}

/// Nine tenths of what each of four owners of a million has.
fn most_vote_for(referendum: u32) {
	for key in [Alice, Bob, Charlie, Dave] {
		vote(key, referendum, true);
	}
}

fn development(test: impl FnOnce()) {
	chain_from_preset("development").execute_with(|| {
		go_to_block(1);
		test();
		check_invariants();
	});
}

/// Every governed value there is: modules and keys have indices, and nothing else.
fn keys() -> Vec<RuntimeParametersKey> {
	(0..=u8::MAX)
		.flat_map(|module| (0..=u8::MAX).map(move |key| [module, key]))
		.filter_map(|indices| RuntimeParametersKey::decode_all(&mut &indices[..]).ok())
		.collect()
}

/// The parameter that sets the number named by `key`, if `value` fits its type.
fn numbered(key: &RuntimeParametersKey, value: u128) -> Option<RuntimeParameters> {
	let with = |digits: &[u8]| {
		let encoded = [&key.encode()[..], &[1], digits].concat();
		RuntimeParameters::decode_all(&mut &encoded[..]).ok()
	};
	match u32::try_from(value) {
		Ok(short) => with(&short.to_le_bytes()).or_else(|| with(&value.to_le_bytes())),
		Err(_) => with(&value.to_le_bytes()),
	}
}

#[test]
fn a_referendum_on_the_attribution_track_should_change_the_data_share_from_the_next_epoch() {
	development(|| {
		let terms = with_data_share(600_000);
		let referendum = propose(Origin::Attribution, set(set_terms(terms)));
		most_vote_for(referendum);
		let before = pallet_attribution::CurrentEpoch::<Runtime>::get();
		pass(20);
		assert_eq!(governed::attribution::SplitTerms::get(), terms);
		let after = pallet_attribution::CurrentEpoch::<Runtime>::get();
		assert!(after.index > before.index);
		assert_eq!(after.terms, before.terms + 1);
		let in_force = pallet_attribution::TermsOf::<Runtime>::get(after.terms);
		assert_eq!(in_force, Some(terms));
		let version_before = pallet_attribution::TermsOf::<Runtime>::get(before.terms);
		assert_eq!(version_before, Some(Terms::default()));
	});
}

#[test]
fn a_referendum_that_most_reject_should_change_nothing() {
	development(|| {
		let referendum = propose(
			Origin::Attribution,
			set(set_terms(with_data_share(600_000))),
		);
		vote(Alice, referendum, true);
		for key in [Bob, Charlie] {
			vote(key, referendum, false);
		}
		pass(40);
		assert!(matches!(
			pallet_referenda::ReferendumInfoFor::<Runtime>::get(referendum),
			Some(pallet_referenda::ReferendumInfo::Rejected(..))
		));
		assert_eq!(governed::attribution::SplitTerms::get(), Terms::default());
	});
}

#[test]
fn a_referendum_on_another_track_should_not_change_the_data_share() {
	development(|| {
		let referendum = propose(Origin::Serving, set(set_terms(with_data_share(600_000))));
		most_vote_for(referendum);
		pass(20);
		let dispatched =
			System::events()
				.into_iter()
				.find_map(|record| match record.event {
					RuntimeEvent::Scheduler(pallet_scheduler::Event::Dispatched {
						result, ..
					}) if result.is_err() => Some(result),
					_ => None,
				});
		assert_eq!(dispatched, Some(Err(DispatchError::BadOrigin)));
		assert_eq!(governed::attribution::SplitTerms::get(), Terms::default());
	});
}

#[test]
fn where_open_is_worth_something_a_vote_should_take_more_than_a_day() {
	chain_from_preset("local_testnet").execute_with(|| {
		go_to_block(1);
		let referendum = propose(
			Origin::Attribution,
			set(set_terms(with_data_share(600_000))),
		);
		most_vote_for(referendum);
		pass(50);
		assert_eq!(governed::attribution::SplitTerms::get(), Terms::default());
		for track in Tracks::tracks() {
			let info = &track.info;
			let soonest = info.prepare_period + info.confirm_period + info.min_enactment_period;
			let to_cancel = [30, 31].contains(&track.id);
			assert_eq!(soonest < 14_400, to_cancel, "track {}", track.id);
		}
	});
	chain_from_preset("development").execute_with(|| {
		assert!(Tracks::tracks().all(|track| track.info.decision_period < 20));
	});
}

#[test]
fn every_origin_should_have_its_track() {
	sp_io::TestExternalities::default().execute_with(|| {
		Tracks::check_integrity().unwrap();
		let origins = [
			(OriginCaller::from(frame_system::RawOrigin::Root), 0),
			(Origin::Attribution.into(), 10),
			(Origin::Serving.into(), 11),
			(Origin::Treasurer.into(), 20),
			(Origin::Canceller.into(), 30),
			(Origin::Killer.into(), 31),
		];
		for (origin, id) in origins {
			assert_eq!(Tracks::track_for(&origin), Ok(id));
		}
		let alice = OriginCaller::from(frame_system::RawOrigin::Signed(Alice.to_account_id()));
		assert_eq!(Tracks::track_for(&alice), Err(()));
	});
}

#[test]
fn every_value_should_be_set_by_its_track_and_root_alone() {
	let all = [
		(Origin::Treasurer, Some(Authority::Treasurer)),
		(Origin::Attribution, Some(Authority::Attribution)),
		(Origin::Serving, Some(Authority::Serving)),
		(Origin::Canceller, None),
		(Origin::Killer, None),
	];
	development(|| {
		assert!(keys().len() >= 30);
		for key in keys() {
			let rule = rule(&key);
			let parameter = match &rule.bounds {
				Bounds::Number { now, .. } => numbered(&key, *now).unwrap(),
				Bounds::Terms { now, .. } => set_terms(*now),
			};
			assert_ok!(Governance::set(RuntimeOrigin::root(), parameter.clone()));
			assert_noop!(
				Governance::set(signed(Alice), parameter.clone()),
				DispatchError::BadOrigin
			);
			for (origin, authority) in all {
				let allowed = authority == Some(rule.authority);
				let done = Governance::set(origin.into(), parameter.clone());
				assert_eq!(done.is_ok(), allowed, "{key:?} by {origin:?}");
			}
		}
	});
}

#[test]
fn every_number_should_be_refused_beyond_its_bounds() {
	sp_io::TestExternalities::default().execute_with(|| {
		for key in keys() {
			let Bounds::Number { now, least, most } = rule(&key).bounds else {
				continue;
			};
			assert!((least..=most).contains(&now), "the default of {key:?}");
			let root = RuntimeOrigin::root;
			for within in [least, most] {
				assert_ok!(Governance::set(root(), numbered(&key, within).unwrap()));
			}
			if let Some(low) = least.checked_sub(1) {
				assert_noop!(
					Governance::set(root(), numbered(&key, low).unwrap()),
					Error::<Runtime>::TooLow
				);
			}
			assert_noop!(
				Governance::set(root(), numbered(&key, most + 1).unwrap()),
				Error::<Runtime>::TooHigh
			);
		}
	});
}

#[test]
fn terms_should_be_refused_beyond_their_bounds_or_when_shares_do_not_sum() {
	let refuse = |spoil: fn(&mut Terms), error: Error<Runtime>| {
		let mut terms = Terms::default();
		spoil(&mut terms);
		assert_noop!(
			Governance::set(Origin::Attribution.into(), set_terms(terms)),
			error
		);
	};
	development(|| {
		// Without a cut, paying oneself would cost nothing.
		refuse(|terms| terms.protocol_cut = 0, Error::TooLow);
		refuse(|terms| terms.protocol_cut = 200_001, Error::TooHigh);
		refuse(|terms| terms.burnt = 0, Error::TooLow);
		refuse(
			|terms| {
				(terms.data, terms.adapter_owner, terms.base_owner) = (199_999, 400_000, 300_001)
			},
			Error::TooLow,
		);
		refuse(|terms| terms.cap = 0, Error::TooLow);
		refuse(|terms| terms.attributed = 1_000_001, Error::TooHigh);
		refuse(|terms| terms.data = 500_001, Error::SharesDoNotSum);
		assert_ok!(Governance::set(
			Origin::Attribution.into(),
			set_terms(with_data_share(200_000))
		));
	});
}

#[test]
fn a_value_should_go_back_to_its_default() {
	development(|| {
		let fee = |value| {
			RuntimeParameters::Fees(governed::fees::Parameters::BaseFee(
				governed::fees::BaseFee,
				value,
			))
		};
		let treasurer = || RuntimeOrigin::from(Origin::Treasurer);
		assert_ok!(Governance::set(treasurer(), fee(Some(2 * MILLI_OPEN))));
		assert_eq!(governed::fees::BaseFee::get(), 2 * MILLI_OPEN);
		assert_ok!(Governance::set(treasurer(), fee(None)));
		assert_eq!(governed::fees::BaseFee::get(), MILLI_OPEN);
	});
}

#[test]
fn the_unchecked_way_to_set_a_value_should_be_closed_to_everybody() {
	development(|| {
		for origin in [
			RuntimeOrigin::root(),
			Origin::Attribution.into(),
			signed(Alice),
		] {
			assert_noop!(
				Parameters::set_parameter(origin, set_terms(with_data_share(600_000))),
				DispatchError::BadOrigin
			);
		}
	});
}

#[test]
#[should_panic(expected = "out of bounds: TooLow")]
fn genesis_should_refuse_short_periods_where_open_is_worth_something() {
	let config = RuntimeGenesisConfig {
		launch: LaunchConfig {
			dispute_window: Some(3),
			..Default::default()
		},
		..Default::default()
	};
	let _ = config.build_storage();
}

#[test]
fn the_canceller_should_be_faster_than_what_it_cancels() {
	development(|| {
		let harm = propose(
			Origin::Attribution,
			set(set_terms(with_data_share(200_000))),
		);
		let cancel = RuntimeCall::Referenda(pallet_referenda::Call::cancel { index: harm });
		assert_noop!(
			Referenda::cancel(Origin::Attribution.into(), harm),
			DispatchError::BadOrigin
		);
		let rescue = propose(Origin::Canceller, cancel);
		most_vote_for(rescue);
		pass(10);
		assert!(matches!(
			pallet_referenda::ReferendumInfoFor::<Runtime>::get(harm),
			Some(pallet_referenda::ReferendumInfo::Cancelled(..))
		));
		most_cannot_be_done_any_more(harm);
	});
	chain_from_preset("local_testnet").execute_with(|| {
		let slowest = Tracks::tracks()
			.filter(|track| track.id >= 30)
			.map(|track| track.info.clone())
			.map(|info| info.prepare_period + info.confirm_period + info.min_enactment_period)
			.max();
		let fastest = Tracks::tracks()
			.filter(|track| track.id < 30)
			.map(|track| track.info.clone())
			.map(|info| info.prepare_period + info.confirm_period + info.min_enactment_period)
			.min();
		assert!(slowest < fastest);
	});
}

fn most_cannot_be_done_any_more(referendum: u32) {
	assert_noop!(
		ConvictionVoting::vote(
			signed(Bob),
			referendum,
			AccountVote::Split { aye: OPEN, nay: 0 }
		),
		pallet_conviction_voting::Error::<Runtime>::NotOngoing
	);
}

#[test]
fn a_killed_referendum_should_cost_its_deposits_to_the_treasury() {
	development(|| {
		let treasury = Balances::total_balance(&accounts::treasury());
		let harm = propose(
			Origin::Attribution,
			set(set_terms(with_data_share(200_000))),
		);
		assert_ok!(Referenda::kill(Origin::Killer.into(), harm));
		let deposits = 2_000 * OPEN + 10 * OPEN;
		assert_eq!(
			Balances::total_balance(&accounts::treasury()),
			treasury + deposits
		);
		assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY);
	});
}

#[test]
fn the_treasury_should_be_the_account_that_fees_go_to() {
	assert_eq!(Treasury::account_id(), accounts::treasury());
}

#[test]
fn the_treasurer_should_spend_up_to_its_limit_and_never_close_the_treasury() {
	development(|| {
		let eve = Eve.to_account_id();
		let spend = |origin: RuntimeOrigin, amount| {
			Treasury::spend(origin, Box::new(()), amount, Box::new(eve.clone()), None)
		};
		assert_noop!(
			spend(Origin::Treasurer.into(), TREASURER_LIMIT + 1),
			pallet_treasury::Error::<Runtime>::InsufficientPermission
		);
		assert_noop!(
			spend(Origin::Attribution.into(), 1),
			DispatchError::BadOrigin
		);
		assert_ok!(Balances::transfer_keep_alive(
			signed(Alice),
			accounts::treasury().into(),
			5 * OPEN
		));
		let before = Balances::balance(&eve);
		assert_ok!(spend(Origin::Treasurer.into(), 3 * OPEN));
		assert_ok!(Treasury::payout(signed(Bob), 0));
		assert_eq!(Balances::balance(&eve), before + 3 * OPEN);
		// What is left: 2 OPEN and the existential deposit, which must stay.
		assert_ok!(spend(
			Origin::Treasurer.into(),
			2 * OPEN + EXISTENTIAL_DEPOSIT
		));
		assert_noop!(
			Treasury::payout(signed(Bob), 1),
			pallet_treasury::Error::<Runtime>::PayoutError
		);
		assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY);
	});
}

#[test]
fn the_escrow_account_should_be_endowed_on_a_chain_that_began_without_it() {
	use openledger_runtime::migrations::EndowEscrow;
	development(|| {
		let escrow = accounts::escrow();
		let community = Balances::balance(&accounts::community());
		<Balances as Mutate<AccountId>>::burn_from(
			&escrow,
			EXISTENTIAL_DEPOSIT,
			Preservation::Expendable,
			Precision::Exact,
			Fortitude::Force,
		)
		.unwrap();
		for _ in 0..2 {
			EndowEscrow::on_runtime_upgrade();
			assert_eq!(Balances::balance(&escrow), EXISTENTIAL_DEPOSIT);
			let left = Balances::balance(&accounts::community());
			assert_eq!(left, community - EXISTENTIAL_DEPOSIT);
		}
	});
}

#[test]
fn money_that_nobody_could_vote_with_should_not_be_asked_for_support() {
	development(|| {
		let escrow = MultiAddress::Id(accounts::escrow());
		assert_ok!(Balances::transfer_keep_alive(
			signed(Bob),
			escrow,
			100 * OPEN
		));
		let keyless: u128 = [
			accounts::treasury(),
			accounts::community(),
			accounts::stakers_pot(),
			accounts::attribution_pot(),
			accounts::escrow(),
		]
		.iter()
		.map(<Balances as Inspect<AccountId>>::total_balance)
		.sum();
		assert_eq!(Electorate::get(), TOTAL_SUPPLY - keyless);
	});
}

/// Reads the version of whatever code as that of the next runtime.
struct NextVersion;

impl ReadRuntimeVersion for NextVersion {
	fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
		let mut next = VERSION;
		next.spec_version += 1;
		Ok(next.encode())
	}
}

#[test]
fn a_referendum_on_the_root_track_should_upgrade_the_runtime() {
	let mut chain = chain_from_preset("development");
	chain.register_extension(ReadRuntimeVersionExt::new(NextVersion));
	chain.execute_with(|| {
		go_to_block(1);
		let code = b"the next runtime".to_vec();
		let code_hash = sp_io::hashing::blake2_256(&code).into();
		assert_noop!(
			System::apply_authorized_upgrade(signed(Alice), code.clone()),
			frame_system::Error::<Runtime>::NothingAuthorized
		);
		let authorize = RuntimeCall::System(frame_system::Call::authorize_upgrade { code_hash });
		let referendum = propose(frame_system::RawOrigin::Root, authorize);
		most_vote_for(referendum);
		pass(20);
		assert_noop!(
			System::apply_authorized_upgrade(signed(Alice), b"other code".to_vec()),
			frame_system::Error::<Runtime>::Unauthorized
		);
		assert_ok!(System::apply_authorized_upgrade(signed(Eve), code.clone()));
		assert_eq!(sp_io::storage::get(b":code").unwrap(), code);
		assert_eq!(Balances::total_issuance(), TOTAL_SUPPLY);
		check_invariants();
	});
}

#[test]
fn no_other_track_should_upgrade_the_runtime() {
	development(|| {
		for origin in [
			Origin::Treasurer,
			Origin::Attribution,
			Origin::Serving,
			Origin::Canceller,
			Origin::Killer,
		] {
			assert_noop!(
				System::authorize_upgrade(origin.into(), Default::default()),
				DispatchError::BadOrigin
			);
			assert_noop!(
				System::set_storage(origin.into(), vec![]),
				DispatchError::BadOrigin
			);
		}
	});
}

#[test]
fn the_attribution_track_should_decide_on_algorithms() {
	development(|| {
		use openledger_runtime::Models;
		let retire = |origin| Models::retire_algorithm(origin, 0);
		assert_noop!(retire(signed(Alice)), DispatchError::BadOrigin);
		assert_noop!(retire(Origin::Serving.into()), DispatchError::BadOrigin);
		assert_ok!(retire(Origin::Attribution.into()));
	});
}

#[test]
fn the_migrations_should_leave_a_new_chain_as_it_is() {
	development(|| {
		let before = sp_io::storage::root(sp_core::storage::StateVersion::V1);
		openledger_runtime::migrations::SingleBlockMigrations::on_runtime_upgrade();
		assert_eq!(
			sp_io::storage::root(sp_core::storage::StateVersion::V1),
			before
		);
	});
}

/// `12.5 OPEN`, or a plain number.
fn shown(number: u128, is_amount: bool) -> String {
	if !is_amount {
		return number.to_string();
	}
	let digits = format!("{}.{:018}", number / OPEN, number % OPEN);
	format!(
		"{} OPEN",
		digits.trim_end_matches('0').trim_end_matches('.')
	)
}

#[test]
fn the_voters_guide_should_list_every_value_with_its_bounds() {
	let guide = include_str!("../../docs/governance.md");
	let rows: Vec<String> = sp_io::TestExternalities::default().execute_with(|| {
		keys()
			.iter()
			.filter_map(|key| {
				let Bounds::Number { now, least, most } = rule(key).bounds else {
					return None;
				};
				// `Serving(MinBond(MinBond))` is called `Serving.MinBond`.
				let name = format!("{key:?}");
				let mut name = name.split('(');
				let name = format!("{}.{}", name.next().unwrap(), name.next().unwrap());
				let is_amount = numbered(key, u128::MAX).is_some();
				let kind = if is_amount { "u128" } else { "u32" };
				let [now, least, most] = [now, least, most].map(|number| shown(number, is_amount));
				let track = format!("{:?}", rule(key).authority).to_lowercase();
				Some(format!(
					"| `{name}` | {kind} | {now} | {least} | {most} | `{track}` |"
				))
			})
			.collect()
	});
	let missing: Vec<_> = rows.iter().filter(|row| !guide.contains(*row)).collect();
	assert!(
		missing.is_empty(),
		"docs/governance.md must have these rows, each with what the value means after it:\n{}",
		missing
			.iter()
			.map(|row| row.as_str())
			.collect::<Vec<_>>()
			.join("\n")
	);
}

#[test]
fn a_referendum_should_be_small_enough_to_stand_in_its_own_submission() {
	development(|| {
		let call = set(set_terms(with_data_share(600_000)));
		assert!(matches!(Preimage::bound(call).unwrap(), Bounded::Inline(_)));
	});
}

#[test]
fn a_proxy_for_governance_should_vote_and_do_nothing_else() {
	let mine = [
		RuntimeCall::ConvictionVoting(pallet_conviction_voting::Call::remove_vote {
			class: None,
			index: 0,
		}),
		RuntimeCall::Referenda(pallet_referenda::Call::place_decision_deposit { index: 0 }),
		RuntimeCall::Preimage(pallet_preimage::Call::note_preimage { bytes: vec![1] }),
	];
	let others = [
		RuntimeCall::Balances(pallet_balances::Call::burn {
			value: 1,
			keep_alive: true,
		}),
		RuntimeCall::Utility(pallet_utility::Call::batch { calls: vec![] }),
		set(set_terms(Terms::default())),
	];
	for call in mine {
		assert!(ProxyType::Governance.filter(&call), "{call:?}");
	}
	for call in others {
		assert!(!ProxyType::Governance.filter(&call), "{call:?}");
	}
	assert!(!ProxyType::Governance.is_superset(&ProxyType::NonTransfer));
}
