//! One person as payer, provider, owner of base model and adapter, every contributor, and a staker.
//!
//! Such a ring pays itself. No reward is minted for usage, so all it can get back is what it paid
//! less what is burnt, what the treasury keeps and what other stakers earn. The question is whether
//! some setting that governance may choose makes that loss disappear.

use openledger_primitives::{
	fees::{part, split_redemption},
	report::{split, Earning},
	Balance, Payee, Terms, OPEN, PARTS,
};

/// A ring that controls everything on its own path, and `stake` parts per million of all stake.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
	/// The compute part of what it pays itself, in units.
	pub compute: Balance,
	/// The licence part, in units.
	pub licence: Balance,
	/// Its share of all stake, in parts per million.
	pub stake: u32,
	/// Whether the answers come from an adapter with contributors, or from the bare base model.
	pub adapter: bool,
}

/// Where a ring's money went, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
	/// What it paid.
	pub paid: Balance,
	/// What came back.
	pub returned: Balance,
}

impl Outcome {
	/// What the ring is poorer by; `None` if it gained.
	pub fn loss(&self) -> Option<Balance> {
		self.paid.checked_sub(self.returned)
	}

	/// The loss in parts per million of what was paid, rounded down; negative for a gain.
	pub fn loss_parts(&self) -> i128 {
		let whole = self.paid.max(1) as i128;
		(self.paid as i128 - self.returned as i128) * i128::from(PARTS) / whole
	}
}

impl Ring {
	/// What the ring ends with under `terms`; `None` if the terms are not valid.
	pub fn play(&self, terms: &Terms) -> Option<Outcome> {
		if !terms.is_valid() {
			return None;
		}
		let redeemed = split_redemption(self.compute, self.licence, terms)?;
		let earning = Earning {
			paid: self.licence,
			base: Some(0),
			adapter: self
				.adapter
				.then(|| (0, (0..7).map(|at| (0, at, u128::from(at) + 1)).collect())),
		};
		let mut returned = redeemed.provider;
		for (payee, amount) in split(&earning, redeemed.pot, terms)? {
			let own = match payee {
				Payee::Stakers => part(amount, self.stake)?,
				_ => amount,
			};
			returned = returned.checked_add(own)?;
		}
		Some(Outcome {
			paid: self.compute.checked_add(self.licence)?,
			returned,
		})
	}
}

/// The rings that are tried: small and large, all compute, all licence, with and without stake.
pub fn rings() -> Vec<Ring> {
	let mut rings = Vec::new();
	for (compute, licence) in [
		(0, OPEN),
		(OPEN, 0),
		(OPEN, OPEN),
		(OPEN / 7, 1_000_003 * OPEN),
	] {
		for stake in [0, PARTS / 3, PARTS / 2, PARTS] {
			for adapter in [false, true] {
				rings.push(Ring {
					compute,
					licence,
					stake,
					adapter,
				});
			}
		}
	}
	rings
}

/// The corners of what governance may choose between `least` and `most`.
///
/// A ring's loss is linear in each term as long as the others stand still, so no setting between the
/// corners is better for it than the best corner. Three of the four licence shares stand at a bound
/// and the fourth takes the rest, in every way that is within its own bounds.
pub fn corners(least: &Terms, most: &Terms) -> Vec<Terms> {
	let low = shares(least);
	let high = shares(most);
	let mut corners = Vec::new();
	for cut in [least.protocol_cut, most.protocol_cut] {
		for burnt in [least.burnt, most.burnt] {
			for free in 0..low.len() {
				for choice in 0..1u32 << low.len() {
					let mut chosen = [0; 4];
					for (at, share) in chosen.iter_mut().enumerate() {
						let bounds = if choice >> at & 1 == 0 { &low } else { &high };
						*share = bounds[at];
					}
					chosen[free] = 0;
					let Some(rest) = PARTS.checked_sub(chosen.iter().sum()) else {
						continue;
					};
					chosen[free] = rest;
					if (low[free]..=high[free]).contains(&rest) {
						corners.push(Terms {
							protocol_cut: cut,
							burnt,
							base_owner: chosen[0],
							adapter_owner: chosen[1],
							stakers: chosen[2],
							data: chosen[3],
							..*most
						});
					}
				}
			}
		}
	}
	corners.sort_by_key(|terms| (terms.protocol_cut, terms.burnt, shares(terms)));
	corners.dedup();
	corners
}

fn shares(terms: &Terms) -> [u32; 4] {
	[
		terms.base_owner,
		terms.adapter_owner,
		terms.stakers,
		terms.data,
	]
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_runtime::governance::rules::{LEAST_TERMS, MOST_TERMS};

	#[test]
	fn collusion_should_lose_money_at_every_corner_of_what_governance_may_choose() {
		let corners = corners(&LEAST_TERMS, &MOST_TERMS);
		assert!(corners.len() > 20, "there are corners to try");
		for terms in corners {
			assert!(terms.is_valid(), "{terms:?}");
			for ring in rings() {
				let outcome = ring.play(&terms).expect("valid terms");
				assert!(
					outcome.loss().is_some_and(|loss| loss > 0),
					"{ring:?} gains under {terms:?}: {outcome:?}"
				);
			}
		}
	}

	#[test]
	fn without_a_cut_a_ring_with_all_stake_would_lose_nothing() {
		// Shows that the test above can fail, and why the cut has a least value.
		let terms = Terms {
			protocol_cut: 0,
			..Terms::default()
		};
		let ring = Ring {
			compute: OPEN,
			licence: OPEN,
			stake: PARTS,
			adapter: true,
		};
		assert_eq!(
			ring.play(&terms).and_then(|outcome| outcome.loss()),
			Some(0)
		);
	}
}
