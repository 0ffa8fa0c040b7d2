use crate::{mock::*, *};
use frame::testing_prelude::{assert_noop, assert_ok};

#[test]
fn retire_adapter_should_take_it_out_of_service_and_keep_it_on_record() {
	build_and_execute(|| {
		let id = adapter(base(), 9);
		let deposit = held(bob());
		assert_ok!(Models::retire_adapter(signed(bob()), id));
		assert_last_event(Event::AdapterRetired {
			adapter: id,
			owner: bob(),
		});
		assert_eq!(Models::adapter(id).unwrap().state, AdapterState::Retired);
		assert_eq!(Models::adapter_owner(id), Some(bob()));
		assert_eq!(
			Models::adapter_lineage(id),
			Some(registration(0, 9).lineage)
		);
		assert_eq!(held(bob()), deposit);
	});
}

#[test]
fn retire_adapter_should_not_free_name_or_files() {
	build_and_execute(|| {
		let base = base();
		let id = adapter(base, 9);
		assert_ok!(Models::retire_adapter(signed(bob()), id));
		assert_noop!(
			Models::register_adapter(signed(bob()), registration(base, 9)),
			Error::<Test>::NameTaken
		);
		let renamed = AdapterRegistration {
			name: name("again"),
			..registration(base, 9)
		};
		assert_noop!(
			Models::register_adapter(signed(bob()), renamed),
			Error::<Test>::DuplicateAdapter
		);
	});
}

#[test]
fn retire_adapter_should_be_the_owners_alone() {
	build_and_execute(|| {
		let id = adapter(base(), 9);
		assert_noop!(
			Models::retire_adapter(signed(alice()), id),
			Error::<Test>::NotOwner
		);
		assert_noop!(
			Models::retire_adapter(RuntimeOrigin::root(), id),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn retire_adapter_should_refuse_a_second_time() {
	build_and_execute(|| {
		let id = adapter(base(), 9);
		assert_ok!(Models::retire_adapter(signed(bob()), id));
		assert_noop!(
			Models::retire_adapter(signed(bob()), id),
			Error::<Test>::AlreadyRetired
		);
	});
}

#[test]
fn retire_adapter_should_refuse_an_unknown_one() {
	build_and_execute(|| {
		assert_noop!(
			Models::retire_adapter(signed(bob()), 0),
			Error::<Test>::UnknownAdapter
		);
	});
}
