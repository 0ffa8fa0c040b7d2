//! What each call costs the chain.
//!
//! These are estimates until they are benchmarked: a signature check 60 µs, a storage read 25 µs, a
//! write 100 µs, plus the work between them. Proof size is nought, since the chain is no parachain.

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
	/// Weight of `redeem` with `vouchers` vouchers, the collecting of their money included.
	fn redeem(vouchers: u32) -> Weight;
}

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

fn estimate(compute: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(compute, 0).saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
	// Next id, channel, ticket, payer's account and holds, provider.
	fn open() -> Weight {
		estimate(CALL.saturating_mul(3), 6, 5)
	}

	// Channel, two accounts, holds.
	fn top_up() -> Weight {
		estimate(CALL.saturating_mul(2), 4, 4)
	}

	fn set_delegate() -> Weight {
		estimate(CALL, 2, 1)
	}

	fn thaw() -> Weight {
		estimate(CALL, 3, 1)
	}

	fn cancel_thaw() -> Weight {
		estimate(CALL, 1, 1)
	}

	// Channel, account, holds.
	fn withdraw() -> Weight {
		estimate(CALL.saturating_mul(2), 3, 3)
	}

	// Channel, ticket, account, holds, block number; each lane is one key found and removed.
	fn close(lanes: u32) -> Weight {
		estimate(CALL.saturating_mul(2), 5, 4)
			.saturating_add(estimate(0, 1, 1).saturating_mul(lanes.into()))
	}

	// Fixed: hot key, genesis hash, voucher lifetime, and what the collecting reads and writes once however
	// many vouchers there are (epoch, terms, totals, treasury, pot account, the bond factor, and of the
	// two providers that one sender may redeem for bond and value at risk). Of each voucher: channel,
	// lane, payer's account and holds, provider's account and pot.
	fn redeem(vouchers: u32) -> Weight {
		let compute = SIGNATURE.saturating_mul(SIGNATURES).saturating_add(VOUCHER);
		estimate(CALL, 13, 5)
			.saturating_add(estimate(compute, 6, 6).saturating_mul(vouchers.into()))
	}
}
