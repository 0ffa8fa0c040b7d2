use super::*;
use frame::deps::frame_support::dispatch::Pays;

/// A pot that `lanes` channels paid into, settled.
fn settled(lanes: u32) {
	for _ in 0..lanes {
		collect_on(&bob(), open_channel(&bob()), 0, OPEN, Hash::zero());
	}
	collect_on(&eve(), open_channel(&eve()), 0, OPEN, Hash::zero());
	end_epoch();
	collect_on(&bob(), 2, 0, OPEN, Hash::zero());
	let book = Book::lost(bob(), 0);
	assert_ok!(book.report());
	pass(DisputeWindow::get());
	book.settle_all();
}

fn kept() -> usize {
	Sources::<Test>::iter_key_prefix((bob(), 0)).count()
}

fn sweep(limit: u32) -> Pays {
	let swept = Attribution::sweep(signed(alice()), bob(), 0, limit);
	swept.unwrap().pays_fee
}

#[test]
fn sweep_should_remove_the_sources_of_a_settled_pot_and_no_other() {
	ExtBuilder.build_and_execute(|| {
		settled(5);
		assert_eq!(kept(), 5);
		sweep(3);
		assert_eq!(kept(), 2);
		Attribution::do_try_state().unwrap();
		sweep(u32::MAX);
		assert_eq!(kept(), 0);
		assert_eq!(Sources::<Test>::iter().count(), 2);
		assert_noop!(
			Attribution::sweep(signed(alice()), bob(), 0, 1),
			Error::<Test>::NothingToSweep
		);
	})
}

#[test]
fn sweep_should_cost_nothing_where_it_removes_as_many_as_it_says() {
	ExtBuilder.build_and_execute(|| {
		settled(MAX_SWEEP + 2 * FREE_SWEEP);
		assert_eq!(sweep(FREE_SWEEP), Pays::No);
		assert_eq!(sweep(FREE_SWEEP - 1), Pays::Yes);
		// No more than so many at once.
		assert_eq!(sweep(MAX_SWEEP + 1), Pays::Yes);
		assert_eq!(kept(), 1);
		assert_eq!(sweep(FREE_SWEEP), Pays::Yes);
	})
}

#[test]
fn sweep_should_remove_the_sources_of_a_forfeited_pot() {
	ExtBuilder.build_and_execute(|| {
		collect(&bob(), 0, 40 * OPEN);
		for _ in 0..10 {
			end_epoch();
		}
		assert_ok!(Attribution::forfeit(signed(eve()), bob(), 0));
		sweep(1);
		assert_eq!(kept(), 0);
	})
}
