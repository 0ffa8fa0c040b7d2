use crate::{mock::*, *};
use frame::testing_prelude::TestState;

#[test]
fn genesis_should_know_both_algorithms_by_default() {
	build_and_execute(|| {
		for (id, title) in [
			(algorithm::EQUAL_1, "equal/1"),
			(algorithm::SPAN_SA_1, "span-sa/1"),
		] {
			let known = Models::algorithm(id).unwrap();
			assert_eq!(known.name, name(title));
			assert_eq!(known.state, AlgorithmState::Active);
		}
		assert_eq!(Models::algorithm(2), None);
		assert_eq!(NextAlgorithm::<Test>::get(), 2);
		assert_eq!(Models::algorithm_by_name(name("span-sa/1")), Some(1));
	});
}

fn build(algorithms: Vec<(AlgorithmId, String, Hash)>) {
	TestState::new_empty().execute_with(|| {
		GenesisConfig::<Test> {
			algorithms,
			_config: Default::default(),
		}
		.build();
		let known = Models::algorithm(7).unwrap();
		assert_eq!(
			(known.name, known.spec),
			(name("mine/1"), Hash::repeat_byte(9))
		);
	});
}

#[test]
fn genesis_should_take_other_algorithms() {
	build(vec![(7, "mine/1".into(), Hash::repeat_byte(9))]);
}

#[test]
#[should_panic(expected = "algorithm 7 is given twice")]
fn genesis_should_refuse_an_algorithm_twice() {
	let mine = (7, "mine/1".to_string(), Hash::repeat_byte(9));
	build(vec![mine.clone(), mine]);
}

#[test]
#[should_panic(expected = "the name of algorithm 7 is too long")]
fn genesis_should_refuse_a_long_name() {
	build(vec![(7, "m".repeat(65), Hash::zero())]);
}
