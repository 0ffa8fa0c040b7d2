//! Weights of `pallet_channels`: estimates, until `make weights` has measured them. A storage read and a write
//! as the database's weights say, a signature check 60 µs, a hash 2 µs, plus the work between them.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
#[allow(unused_imports)]
use pallet_channels::WeightInfo as _;

const MICROSECOND: u64 = 1_000_000;
/// Verifying one sr25519, ed25519 or ecdsa signature.
const SIGNATURE: u64 = 60 * MICROSECOND;
/// Signature checks of a voucher at worst: the payer, its delegate and the former delegate, each over
/// the digest and the wrapped digest.
const SIGNATURES: u64 = 6;
/// Decoding, hashing, arithmetic and events of one voucher.
const VOUCHER: u64 = 150 * MICROSECOND;
/// The fixed work of any call.
const CALL: u64 = 30 * MICROSECOND;

fn estimate<T: frame_system::Config>(compute: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(compute, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// What a call is thought to cost.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_channels::WeightInfo for WeightInfo<T> {
	// Next id, channel, ticket, payer's account and holds, provider.
	fn open() -> Weight {
		estimate::<T>(CALL.saturating_mul(3), 6, 5)
	}

	// Channel, two accounts, holds.
	fn top_up() -> Weight {
		estimate::<T>(CALL.saturating_mul(2), 4, 4)
	}

	fn set_delegate() -> Weight {
		estimate::<T>(CALL, 2, 1)
	}

	fn thaw() -> Weight {
		estimate::<T>(CALL, 3, 1)
	}

	fn cancel_thaw() -> Weight {
		estimate::<T>(CALL, 1, 1)
	}

	// Channel, account, holds.
	fn withdraw() -> Weight {
		estimate::<T>(CALL.saturating_mul(2), 3, 3)
	}

	// Channel, ticket, account, holds, block number; each lane is one key found and removed.
	fn close(lanes: u32) -> Weight {
		estimate::<T>(CALL.saturating_mul(2), 5, 4)
			.saturating_add(estimate::<T>(0, 1, 1).saturating_mul(lanes.into()))
	}

	// Fixed: hot key, genesis hash, voucher lifetime, and what the collecting reads and writes once however
	// many vouchers there are (epoch, terms, totals, treasury, pot account, the bond factor, and of the
	// two providers that one sender may redeem for bond and value at risk). Of each voucher: channel,
	// lane, payer's account and holds, provider's account and pot.
	fn redeem(vouchers: u32) -> Weight {
		let compute = SIGNATURE.saturating_mul(SIGNATURES).saturating_add(VOUCHER);
		estimate::<T>(CALL, 13, 5)
			.saturating_add(estimate::<T>(compute, 6, 6).saturating_mul(vouchers.into()))
	}
}
