use super::*;

#[test]
fn genesis_should_begin_the_first_epoch_and_the_pallets_account() {
	ExtBuilder.build_and_execute(|| {
		assert_eq!(
			Attribution::epoch(),
			Epoch {
				index: 0,
				start: 0,
				length: 10,
				terms: 1
			}
		);
		assert_eq!(Attribution::terms(1), Some(Terms::default()));
		assert_eq!(Balances::balance(&Attribution::account_id()), ED);
	})
}

#[test]
fn epochs_should_follow_one_another() {
	ExtBuilder.build_and_execute(|| {
		to_block(9);
		assert_eq!(Attribution::epoch().index, 0);
		to_block(10);
		assert_eq!(
			Attribution::epoch(),
			Epoch {
				index: 1,
				start: 10,
				length: 10,
				terms: 1
			}
		);
		assert_eq!(last_event(), Event::EpochStarted { epoch: 1, terms: 1 });
		to_block(45);
		assert_eq!(
			Attribution::epoch(),
			Epoch {
				index: 4,
				start: 40,
				length: 10,
				terms: 1
			}
		);
	})
}

#[test]
fn epochs_should_take_a_new_length_when_they_begin() {
	ExtBuilder.build_and_execute(|| {
		EpochLength::set(&0);
		assert_eq!(Attribution::epoch().length, 10);
		to_block(10);
		assert_eq!(Attribution::epoch().length, 2);
		EpochLength::set(&BlockNumber::MAX);
		to_block(12);
		assert_eq!(Attribution::epoch().length, BlockNumber::MAX);
		to_block(40);
		assert_eq!(Attribution::epoch().index, 2);
	})
}

#[test]
fn terms_should_change_with_the_next_epoch_and_get_a_version() {
	ExtBuilder.build_and_execute(|| {
		let changed = Terms {
			protocol_cut: 200_000,
			..Terms::default()
		};
		GovernedTerms::set(&changed);
		collect(&bob(), 0, 100);
		end_epoch();
		collect(&bob(), 0, 100);
		assert_eq!(Attribution::epoch().terms, 2);
		assert_eq!(Attribution::terms(1), Some(Terms::default()));
		assert_eq!(Attribution::terms(2), Some(changed));
		assert_eq!(
			Attribution::pot(bob(), 0),
			Some(Pot {
				licence: 100,
				net: 95,
				terms: 1
			})
		);
		assert_eq!(
			Attribution::pot(bob(), 1),
			Some(Pot {
				licence: 100,
				net: 80,
				terms: 2
			})
		);
		end_epoch();
		assert_eq!(Attribution::epoch().terms, 2);
	})
}

#[test]
fn terms_should_stay_when_the_governed_ones_are_invalid() {
	ExtBuilder.build_and_execute(|| {
		for invalid in [
			Terms {
				data: 500_001,
				..Terms::default()
			},
			Terms {
				protocol_cut: 1_000_001,
				..Terms::default()
			},
		] {
			GovernedTerms::set(&invalid);
			end_epoch();
			assert_eq!(Attribution::epoch().terms, 1);
		}
	})
}

#[test]
fn epochs_should_begin_by_themselves_without_a_genesis() {
	TestState::default().execute_with(|| {
		to_block(1);
		assert_eq!(
			Attribution::epoch(),
			Epoch {
				index: 1,
				start: 1,
				length: 10,
				terms: 1
			}
		);
		assert_eq!(Attribution::terms(1), Some(Terms::default()));
	})
}
