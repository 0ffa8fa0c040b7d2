//! Heartbeats: how a provider's machine shows now and then that it is there.

use crate::{hash::structured_hash, AccountId, BlockNumber, Hash};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::{traits::Verify, MultiSignature};

/// Tag of the structured hash that is signed.
pub const TAG: &[u8] = b"openledger/heartbeat/1";

/// "This provider's machine was running in this block."
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Heartbeat {
	/// Genesis hash of the chain it is meant for.
	pub genesis: Hash,
	/// The provider whose machine it is.
	pub provider: AccountId,
	/// The newest block that the machine knew when it signed.
	pub at: BlockNumber,
}

impl Heartbeat {
	/// The 32 bytes that the provider's hot key signs.
	pub fn digest(&self) -> Hash {
		structured_hash(TAG, self)
	}

	/// Whether `signature` is `hot_key`'s over this heartbeat.
	pub fn is_signed_by(&self, signature: &MultiSignature, hot_key: &AccountId) -> bool {
		signature.verify(self.digest().as_bytes(), hot_key)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_core::{sr25519, Pair};

	#[test]
	fn a_heartbeat_should_be_good_for_its_chain_provider_and_block_only() {
		let key = sr25519::Pair::from_seed(&[1; 32]);
		let hot_key = key.public().into();
		let beat = Heartbeat {
			genesis: Hash::repeat_byte(1),
			provider: AccountId::new([2; 32]),
			at: 3,
		};
		let signature = key.sign(beat.digest().as_bytes()).into();
		assert!(beat.is_signed_by(&signature, &hot_key));
		assert!(!beat.is_signed_by(&signature, &beat.provider));
		for other in [
			Heartbeat {
				genesis: Hash::repeat_byte(2),
				..beat.clone()
			},
			Heartbeat {
				provider: AccountId::new([3; 32]),
				..beat.clone()
			},
			Heartbeat {
				at: 4,
				..beat.clone()
			},
		] {
			assert!(!other.is_signed_by(&signature, &hot_key), "{other:?}");
		}
	}
}
