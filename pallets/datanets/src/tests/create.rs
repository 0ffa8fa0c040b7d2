use crate::{
	mock::{Datanets, *},
	*,
};
use frame::{
	testing_prelude::{assert_noop, assert_ok},
	traits::fungible::InspectHold,
};

fn create(who: AccountId, title: &str, licence: &str, media_type: &str) -> DispatchResult {
	let (title, licence, media_type) = (name(title), name(licence), name(media_type));
	Datanets::create(signed(who), title, licence, media_type, Curation::Owner)
}

#[test]
fn create_should_store_the_datanet_and_say_so() {
	build_and_execute(|| {
		assert_ok!(create(alice(), "birdsong", "CC-BY-4.0", "text/plain"));
		assert_last_event(Event::Created {
			datanet: 0,
			owner: alice(),
			name: name("birdsong"),
			licence: name("CC-BY-4.0"),
			media_type: name("text/plain"),
			curation: Curation::Owner,
		});
		let pool = Datanets::datanet(0).unwrap();
		assert_eq!(pool.owner, alice());
		assert_eq!(pool.licence, name("CC-BY-4.0"));
		assert_eq!(
			(pool.contributions, pool.kept, pool.accepted, pool.snapshots),
			(0, 0, 0, 0)
		);
	});
}

#[test]
fn create_should_give_each_datanet_an_id_of_its_own() {
	build_and_execute(|| {
		assert_ok!(create(alice(), "birdsong", "MIT", "text/plain"));
		assert_ok!(create(bob(), "birdsong", "MIT", "text/plain"));
		assert_eq!(Datanets::datanet(0).unwrap().owner, alice());
		assert_eq!(Datanets::datanet(1).unwrap().owner, bob());
	});
}

#[test]
fn create_should_hold_a_deposit_by_size() {
	build_and_execute(|| {
		assert_ok!(create(alice(), "b", "MIT", "text/plain"));
		let short = Balances::balance_on_hold(&DatanetHold::get(), &alice());
		assert_ok!(create(bob(), "birdsong", "MIT", "text/plain"));
		let long = Balances::balance_on_hold(&DatanetHold::get(), &bob());
		assert!(short > 1_000);
		assert_eq!(long, short + 7);
	});
}

#[test]
fn create_should_fail_without_money_for_the_deposit() {
	build_and_execute(|| {
		assert_noop!(
			create(pauper(), "birdsong", "MIT", "text/plain"),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn create_should_refuse_text_that_is_empty_or_not_printable() {
	build_and_execute(|| {
		for (title, licence, media_type) in [
			("", "MIT", "text/plain"),
			("birdsong", "", "text/plain"),
			("birdsong", "MIT", ""),
			("bird\nsong", "MIT", "text/plain"),
			("bird\u{7f}song", "MIT", "text/plain"),
		] {
			assert_noop!(
				create(alice(), title, licence, media_type),
				Error::<Test>::InvalidText
			);
		}
		let not_utf8: NameOf<Test> = vec![0xff, 0xfe].try_into().unwrap();
		assert_noop!(
			Datanets::create(
				signed(alice()),
				not_utf8,
				name("MIT"),
				name("text/plain"),
				Curation::Open
			),
			Error::<Test>::InvalidText
		);
	});
}

#[test]
fn create_should_refuse_unsigned_origins() {
	build_and_execute(|| {
		assert_noop!(
			Datanets::create(
				RuntimeOrigin::none(),
				name("birdsong"),
				name("MIT"),
				name("text/plain"),
				Curation::Open
			),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn create_should_fail_when_the_ids_are_used_up() {
	build_and_execute(|| {
		NextDatanet::<Test>::put(DatanetId::MAX);
		assert_noop!(
			create(alice(), "birdsong", "MIT", "a/b"),
			ArithmeticError::Overflow
		);
	});
}

#[test]
fn weight_should_grow_with_the_text() {
	build_and_execute(|| {
		let weight = |title: &str| {
			let (name, licence, media_type) = (name(title), name("MIT"), name("text/plain"));
			let curation = Curation::Open;
			Call::<Test>::create {
				name,
				licence,
				media_type,
				curation,
			}
			.get_dispatch_info()
			.call_weight
		};
		assert!(weight("birdsong").all_gte(weight("b")));
		assert!(weight("birdsong").ref_time() > weight("b").ref_time());
	});
}
