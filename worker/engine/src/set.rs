//! Several adapters for one request, each with a weight.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{error::AdapterError, store::AdapterKey};

/// A weighted set of adapters: a row's update is the sum of theirs, each times its weight.
///
/// Every update is against the base model (with DoRA, too), so the order does not count, and nothing is merged: the
/// members stay what they are in memory, and other requests use them beside the set.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterSet {
	members: Vec<(AdapterKey, f32)>,
	key: AdapterKey,
}

impl AdapterSet {
	/// Most members: each costs a row what a request for it alone would cost.
	pub const MAX_MEMBERS: usize = 8;

	/// Largest weight, and with the other sign the least.
	pub const MAX_WEIGHT: f32 = 100.0;

	/// Makes a set of adapters and their weights.
	///
	/// # Errors
	/// [`AdapterError::BadSet`] when there is no member, more than [`Self::MAX_MEMBERS`], one twice, or a weight that
	/// is 0, not finite or beyond ±100.
	pub fn new(
		members: impl IntoIterator<Item = (AdapterKey, f32)>,
	) -> Result<Arc<Self>, AdapterError> {
		let bad = |why: &str| Err(AdapterError::BadSet(why.into()));
		let mut members: Vec<_> = members.into_iter().take(Self::MAX_MEMBERS + 1).collect();
		if members.is_empty() || members.len() > Self::MAX_MEMBERS {
			return bad("give between 1 and 8 adapters");
		}
		members.sort_by_key(|(key, _)| *key);
		if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
			return bad("name each adapter once");
		}
		let within =
			|weight: f32| weight.is_finite() && weight != 0.0 && weight.abs() <= Self::MAX_WEIGHT;
		if !members.iter().all(|(_, weight)| within(*weight)) {
			return bad("give weights between -100 and 100, none of them 0");
		}
		let mut hash = Sha256::new_with_prefix(b"openledger adapter set 1\n");
		for (key, weight) in &members {
			hash.update(key.weights);
			hash.update(key.config);
			hash.update(weight.to_le_bytes());
		}
		let weights: [u8; 32] = hash.finalize().into();
		let key = AdapterKey {
			weights,
			config: Sha256::digest(weights).into(),
		};
		Ok(Arc::new(Self { members, key }))
	}

	/// The members and their weights, in the order of their keys.
	pub fn members(&self) -> &[(AdapterKey, f32)] {
		&self.members
	}

	/// Identifies the set: a hash of its members and weights. It stands where an adapter's key would, as in the keys
	/// of cached prefixes.
	pub fn key(&self) -> AdapterKey {
		self.key
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn key(n: u8) -> AdapterKey {
		AdapterKey {
			weights: [n; 32],
			config: [0; 32],
		}
	}

	#[test]
	fn a_set_should_be_known_by_its_members_and_weights_whatever_their_order() {
		let set = |members: &[(AdapterKey, f32)]| {
			AdapterSet::new(members.iter().copied()).map(|set| set.key())
		};
		let one = set(&[(key(1), 0.5), (key(2), 1.0)]);
		assert_eq!(one, set(&[(key(2), 1.0), (key(1), 0.5)]));
		assert_ne!(one, set(&[(key(1), 1.0), (key(2), 0.5)]));
		assert_ne!(one, set(&[(key(1), 0.5)]));
		assert_ne!(set(&[(key(1), 1.0)]), Ok(key(1)));
	}

	#[test]
	fn impossible_sets_should_be_refused() {
		let code = |members: Vec<(AdapterKey, f32)>| {
			AdapterSet::new(members).map_err(|e| e.code()).map(|_| ())
		};
		let refused = Err("adapter-bad-set");
		assert_eq!(code(vec![]), refused);
		assert_eq!(code((0..9).map(|n| (key(n), 1.0)).collect()), refused);
		assert_eq!(code(vec![(key(1), 1.0), (key(1), 2.0)]), refused);
		for weight in [0.0, f32::NAN, f32::INFINITY, 101.0] {
			assert_eq!(code(vec![(key(1), weight)]), refused, "{weight}");
		}
		assert_eq!(code((0..8).map(|n| (key(n), -0.125)).collect()), Ok(()));
	}
}
