use crate::{mock::*, *};
use frame::testing_prelude::{assert_noop, assert_ok};

/// Registers a base model that is as good as can be but for what `spoil` does to it.
fn register(who: AccountId, spoil: impl FnOnce(&mut BaseModel<Test>)) -> DispatchResult {
	let mut model = BaseModel {
		owner: who,
		name: name("smollm2-135m"),
		architecture: name("llama"),
		weights: Hash::repeat_byte(1),
		tokenizer: Hash::repeat_byte(2),
		licence: name("Apache-2.0"),
		rate: RATE,
	};
	spoil(&mut model);
	let BaseModel {
		owner,
		name,
		architecture,
		weights,
		tokenizer,
		licence,
		rate,
	} = model;
	Models::register_base(
		signed(owner),
		name,
		architecture,
		weights,
		tokenizer,
		licence,
		rate,
	)
}

#[test]
fn register_base_should_store_the_model_and_its_name() {
	build_and_execute(|| {
		assert_ok!(register(alice(), |_| ()));
		assert_last_event(Event::BaseRegistered {
			base: 0,
			owner: alice(),
			name: name("smollm2-135m"),
			weights: Hash::repeat_byte(1),
			tokenizer: Hash::repeat_byte(2),
			rate: RATE,
		});
		assert_eq!(Models::by_name(name("smollm2-135m")), Some(Model::Base(0)));
		let model = Models::base_model(0).unwrap();
		assert_eq!(
			(model.architecture, model.licence),
			(name("llama"), name("Apache-2.0"))
		);
		assert_eq!(Models::base_owner(0), Some(alice()));
		assert!(Models::base_exists(0) && !Models::base_exists(1));
	});
}

#[test]
fn register_base_should_hold_a_deposit_by_size() {
	build_and_execute(|| {
		assert_ok!(register(alice(), |_| ()));
		assert_ok!(register(bob(), |model| model.name = name("smollm2-135m-it")));
		assert!(held(alice()) > 1_000);
		// The name is stored twice.
		assert_eq!(held(bob()), held(alice()) + 2 * 3);
		assert_noop!(
			register(pauper(), |model| model.name = name("mine")),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn register_base_should_refuse_names_a_client_cannot_ask_for() {
	build_and_execute(|| {
		let long = "m".repeat(65);
		assert!(NameOf::<Test>::try_from(long.into_bytes()).is_err());
		for bad in ["", "-m", ".m", "_m", "M", "m m", "m/1", "m\n", "modèle"] {
			assert_noop!(
				register(alice(), |model| model.name = name(bad)),
				Error::<Test>::InvalidName
			);
		}
		for good in ["m", "0", "qwen2.5-0.5b_it", &"m".repeat(64)] {
			assert_ok!(register(alice(), |model| model.name = name(good)));
		}
	});
}

#[test]
fn register_base_should_refuse_a_name_that_is_taken() {
	build_and_execute(|| {
		assert_ok!(register(alice(), |_| ()));
		assert_noop!(register(bob(), |_| ()), Error::<Test>::NameTaken);
		let adapter = registration(0, 9);
		assert_ok!(Models::register_adapter(signed(bob()), adapter.clone()));
		assert_noop!(
			register(alice(), |model| model.name = adapter.name),
			Error::<Test>::NameTaken
		);
	});
}

#[test]
fn register_base_should_refuse_text_that_is_empty_or_not_printable() {
	build_and_execute(|| {
		for bad in ["", "a\tb"] {
			assert_noop!(
				register(alice(), |model| model.architecture = name(bad)),
				Error::<Test>::InvalidText
			);
			assert_noop!(
				register(alice(), |model| model.licence = name(bad)),
				Error::<Test>::InvalidText
			);
		}
	});
}

#[test]
fn register_base_should_refuse_zero_hashes() {
	build_and_execute(|| {
		assert_noop!(
			register(alice(), |model| model.weights = Hash::zero()),
			Error::<Test>::NoHash
		);
		assert_noop!(
			register(alice(), |model| model.tokenizer = Hash::zero()),
			Error::<Test>::NoHash
		);
	});
}

#[test]
fn register_base_should_refuse_a_rate_above_the_bound() {
	build_and_execute(|| {
		assert_noop!(
			register(alice(), |model| model.rate.input = MAX_RATE + 1),
			Error::<Test>::RateTooHigh
		);
		assert_noop!(
			register(alice(), |model| model.rate.output = Balance::MAX),
			Error::<Test>::RateTooHigh
		);
		assert_ok!(register(alice(), |model| {
			model.rate = Rate {
				input: MAX_RATE,
				output: MAX_RATE,
			}
		}));
	});
}

#[test]
fn register_base_should_fail_when_the_ids_are_used_up() {
	build_and_execute(|| {
		NextBaseModel::<Test>::put(BaseModelId::MAX);
		assert_noop!(register(alice(), |_| ()), ArithmeticError::Overflow);
	});
}
