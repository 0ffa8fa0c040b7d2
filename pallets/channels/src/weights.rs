//! What each call costs the chain, as the runtime's benchmarks measure it.

use frame::weights_prelude::*;

/// Weight of each call.
pub trait WeightInfo {
	/// Weight of `open`.
	fn open() -> Weight;
	/// Weight of `top_up`.
	fn top_up() -> Weight;
	/// Weight of `set_delegate`.
	fn set_delegate() -> Weight;
	/// Weight of `thaw`.
	fn thaw() -> Weight;
	/// Weight of `cancel_thaw`.
	fn cancel_thaw() -> Weight;
	/// Weight of `withdraw`.
	fn withdraw() -> Weight;
	/// Weight of `close` with `lanes` lanes in storage.
	fn close(lanes: u32) -> Weight;
	/// Weight of `redeem` with `vouchers` vouchers, the collecting of their money included, if each is
	/// signed by the key that is tried first.
	fn redeem(vouchers: u32) -> Weight;
	/// Weight of checking one more signature of a voucher.
	fn check_signature() -> Weight;
}

/// For tests: what grows with the input grows here too, and nothing else is true of it.
impl WeightInfo for () {
	fn open() -> Weight {
		steps(0)
	}

	fn top_up() -> Weight {
		steps(0)
	}

	fn set_delegate() -> Weight {
		steps(0)
	}

	fn thaw() -> Weight {
		steps(0)
	}

	fn cancel_thaw() -> Weight {
		steps(0)
	}

	fn withdraw() -> Weight {
		steps(0)
	}

	fn close(lanes: u32) -> Weight {
		steps(lanes)
	}

	fn redeem(vouchers: u32) -> Weight {
		steps(vouchers)
	}

	fn check_signature() -> Weight {
		steps(0)
	}
}

fn steps(count: u32) -> Weight {
	Weight::from_parts(10_000, 0).saturating_mul(u64::from(count).saturating_add(1))
}
