use super::*;
use frame::deps::frame_support::dispatch::{DispatchClass, GetDispatchInfo};
use frame::traits::Hooks as _;

#[test]
fn weights_should_grow_with_the_input() {
	let grows = |weight: fn(u32) -> Weight| weight(2).ref_time() > weight(1).ref_time();
	assert!(grows(<() as WeightInfo>::on_offence));
	assert!(grows(<() as WeightInfo>::on_initialize));
	assert!(grows(<() as WeightInfo>::cancel_slash));
	assert!(grows(<() as WeightInfo>::set_fallback));
	assert!(grows(<() as WeightInfo>::new_session));
	assert!(grows(<() as WeightInfo>::end_session));
	assert!(grows(<() as WeightInfo>::start_session));
}

#[test]
fn the_hook_should_say_what_a_slash_costs() {
	build_and_execute(|| {
		SlashDelay::set(0);
		let idle = Stakes::on_initialize(1);
		assert_ok!(Stakes::delegate(signed(carol()), alice(), 500));
		next_session();
		report(alice(), 10, 1);
		let busy = Stakes::on_initialize(3);
		assert_eq!(Burnt::get(), 150);
		assert_eq!(idle, <() as WeightInfo>::on_initialize(0));
		assert_eq!(busy, <() as WeightInfo>::on_initialize(2));
	});
}

#[test]
fn no_call_should_take_the_room_that_is_kept_for_operational_ones() {
	let calls: [crate::Call<Test>; 2] = [
		crate::Call::cancel_slash { id: 0 },
		crate::Call::set_fallback {
			validators: Default::default(),
		},
	];
	for call in calls {
		// Referenda carry them out from within a hook.
		assert_eq!(call.get_dispatch_info().class, DispatchClass::Normal);
	}
}
