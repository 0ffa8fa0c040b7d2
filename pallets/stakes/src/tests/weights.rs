use super::*;
use frame::traits::Hooks as _;

/// What a block has for ordinary transactions: three quarters of two seconds.
const NORMAL_REF_TIME: u64 = 2_000_000_000_000 / 4 * 3;
/// Parts of a slash with as many delegators as the runtime allows.
const PARTS: u32 = 257;

#[test]
fn the_largest_slash_should_take_a_small_part_of_a_block() {
	let largest = [
		<() as WeightInfo>::on_offence(PARTS),
		<() as WeightInfo>::on_initialize(PARTS),
		<() as WeightInfo>::cancel_slash(PARTS),
	];
	for weight in largest {
		assert!(weight.ref_time() < NORMAL_REF_TIME / 10, "{weight:?}");
		// No less than the writes it must do.
		assert!(
			weight.ref_time() > u64::from(PARTS) * 100_000_000,
			"{weight:?}"
		);
	}
}

#[test]
fn weights_should_grow_with_the_input() {
	let grows = |weight: fn(u32) -> Weight| weight(2).ref_time() > weight(1).ref_time();
	assert!(grows(<() as WeightInfo>::on_offence));
	assert!(grows(<() as WeightInfo>::on_initialize));
	assert!(grows(<() as WeightInfo>::cancel_slash));
	assert!(grows(<() as WeightInfo>::set_fallback));
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
