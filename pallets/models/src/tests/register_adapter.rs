use crate::{mock::*, *};
use frame::testing_prelude::{assert_noop, assert_ok};

/// Registers an adapter that is as good as can be but for what `spoil` does to it.
fn register(spoil: impl FnOnce(&mut AdapterRegistration<Test>)) -> DispatchResult {
	let mut registration = registration(0, 9);
	spoil(&mut registration);
	Models::register_adapter(signed(bob()), registration)
}

/// Whatever `spoil` does must be refused with `error`, and change nothing.
fn refused(spoil: impl FnOnce(&mut AdapterRegistration<Test>), error: Error<Test>) {
	base();
	assert_noop!(register(spoil), error);
}

fn test_refused(spoil: impl FnOnce(&mut AdapterRegistration<Test>), error: Error<Test>) {
	build_and_execute(|| refused(spoil, error));
}

#[test]
fn register_adapter_should_store_it_with_its_lineage() {
	build_and_execute(|| {
		base();
		assert_ok!(register(|_| ()));
		let said = registration(0, 9);
		assert_last_event(Event::AdapterRegistered {
			adapter: 0,
			owner: bob(),
			name: said.name.clone(),
			base: 0,
			weights: said.weights,
			config: said.config,
			index: said.index,
			algorithm: said.algorithm,
			lineage: said.lineage.clone(),
			rate: said.rate,
		});
		assert_eq!(Models::adapter(0), Some(Adapter::new(bob(), said.clone())));
		assert_eq!(Models::adapter(0).unwrap().state, AdapterState::Active);
		assert_eq!(Models::by_name(said.name), Some(Model::Adapter(0)));
		assert_eq!(Models::adapter_owner(0), Some(bob()));
		assert_eq!(Models::adapter_lineage(0), Some(said.lineage));
		assert_eq!(Models::adapter_lineage(1), None);
	});
}

#[test]
fn register_adapter_should_hold_a_deposit_by_size() {
	build_and_execute(|| {
		base();
		assert_ok!(register(|_| ()));
		let first = held(bob());
		assert_ok!(register(|said| {
			*said = registration(0, 8);
			said.uri.try_push(b'x').unwrap();
		}));
		assert_eq!(held(bob()), 2 * first + 1);
		assert_noop!(
			Models::register_adapter(signed(pauper()), registration(0, 7)),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn register_adapter_should_refuse_an_unknown_base() {
	test_refused(|said| said.base = 1, Error::UnknownBase);
}

#[test]
fn register_adapter_should_refuse_a_name_that_is_not_one() {
	test_refused(|said| said.name = name("Birdsong"), Error::InvalidName);
}

#[test]
fn register_adapter_should_refuse_the_name_of_a_base_model() {
	test_refused(|said| said.name = name("base-0"), Error::NameTaken);
}

#[test]
fn register_adapter_should_refuse_the_same_files_under_another_name() {
	build_and_execute(|| {
		base();
		assert_ok!(register(|_| ()));
		let stolen = AdapterRegistration {
			name: name("mine"),
			..registration(0, 9)
		};
		assert_noop!(
			Models::register_adapter(signed(alice()), stolen.clone()),
			Error::<Test>::DuplicateAdapter
		);
		let other = AdapterRegistration {
			config: Hash::repeat_byte(77),
			..stolen
		};
		assert_ok!(Models::register_adapter(signed(alice()), other));
	});
}

#[test]
fn register_adapter_should_refuse_zero_hashes_but_for_the_index() {
	test_refused(|said| said.weights = Hash::zero(), Error::NoHash);
	test_refused(|said| said.config = Hash::zero(), Error::NoHash);
	test_refused(|said| said.manifest = Hash::zero(), Error::NoHash);
	build_and_execute(|| {
		base();
		assert_ok!(register(|said| said.index = Hash::zero()));
	});
}

#[test]
fn register_adapter_should_refuse_a_rank_out_of_bounds() {
	test_refused(|said| said.rank = 0, Error::InvalidRank);
	test_refused(|said| said.rank = MAX_RANK + 1, Error::InvalidRank);
	build_and_execute(|| {
		base();
		assert_ok!(register(|said| said.rank = MAX_RANK));
	});
}

#[test]
fn register_adapter_should_refuse_targets_that_are_missing_doubled_or_no_text() {
	let set = |targets: &[&str]| -> TargetsOf<Test> {
		targets
			.iter()
			.map(|target| name(target))
			.collect::<Vec<_>>()
			.try_into()
			.unwrap()
	};
	for bad in [
		&[][..],
		&["q_proj", "q_proj"],
		&["q_proj", ""],
		&["q\nproj"],
	] {
		test_refused(|said| said.targets = set(bad), Error::InvalidTargets);
	}
}

#[test]
fn register_adapter_should_refuse_a_lineage_that_is_missing_doubled_or_unknown() {
	let set = |lineage: &[(DatanetId, SnapshotVersion)]| -> LineageOf<Test> {
		lineage.to_vec().try_into().unwrap()
	};
	test_refused(|said| said.lineage = set(&[]), Error::NoLineage);
	test_refused(
		|said| said.lineage = set(&[(0, 1), (1, 1), (0, 1)]),
		Error::DuplicateLineage,
	);
	test_refused(
		|said| said.lineage = set(&[(0, 1), (10, 1)]),
		Error::UnknownSnapshot,
	);
	test_refused(|said| said.lineage = set(&[(0, 4)]), Error::UnknownSnapshot);
	test_refused(|said| said.lineage = set(&[(0, 0)]), Error::UnknownSnapshot);
}

#[test]
fn register_adapter_should_refuse_an_algorithm_that_is_unknown_or_not_active() {
	test_refused(|said| said.algorithm = 2, Error::UnknownAlgorithm);
	use AlgorithmState::{Active, Retired};
	for steps in [&[][..], &[Retired], &[Active, Retired]] {
		build_and_execute(|| {
			let id = take_up("mix/1");
			for state in steps {
				assert_ok!(Models::do_change_algorithm(id, *state));
			}
			refused(|said| said.algorithm = id, Error::AlgorithmNotActive);
		});
	}
}

#[test]
fn register_adapter_should_refuse_a_uri_that_is_empty() {
	test_refused(|said| said.uri = Default::default(), Error::InvalidText);
}

#[test]
fn register_adapter_should_refuse_a_rate_above_the_bound() {
	test_refused(|said| said.rate.input = MAX_RATE + 1, Error::RateTooHigh);
	test_refused(|said| said.rate.output = MAX_RATE + 1, Error::RateTooHigh);
}

#[test]
fn weight_should_grow_with_text_and_lineage() {
	build_and_execute(|| {
		let weight = |lineage: Vec<(DatanetId, SnapshotVersion)>, targets: usize, more: usize| {
			let mut said = registration(0, 9);
			said.uri = [said.uri.to_vec(), vec![b'x'; more]]
				.concat()
				.try_into()
				.unwrap();
			said.lineage = lineage.try_into().unwrap();
			said.targets.truncate(targets);
			Call::<Test>::register_adapter { registration: said }
				.get_dispatch_info()
				.call_weight
				.ref_time()
		};
		let least = weight(vec![(0, 1)], 1, 0);
		assert!(weight(vec![(0, 1)], 2, 0) > least);
		// A snapshot costs more than its bytes.
		let bytes = (DatanetId::default(), SnapshotVersion::default()).encoded_size();
		assert!(weight(vec![(0, 1), (0, 2)], 1, 0) > weight(vec![(0, 1)], 1, bytes));
	});
}
