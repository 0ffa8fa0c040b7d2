//! Decisions: governed values within and out of their bounds, by those who may and those who may not;
//! and plain transfers of OPEN.

use crate::world::{World, NEWCOMERS};
use codec::{Decode, DecodeAll, Encode};
use openledger_primitives::{Terms, PARTS};
use openledger_runtime::{
	currency::*,
	governance::{
		rules::{Authority, Bounds, Rule, LEAST_TERMS, MOST_TERMS},
		Call, Origin,
	},
	Governance, RuntimeCall, RuntimeOrigin, RuntimeParameters, RuntimeParametersKey,
};
use rand::Rng;
use sp_runtime::DispatchError;

/// Module and key of a governed value.
type Key = (u8, u8);

/// The terms of the split, which are no number.
const TERMS: Key = (1, 0);

/// For each number, the least and the most with which this chain stays lively: periods short enough to
/// pass, amounts that people have. Every other value is tried too, and taken back soon.
const LIVABLE: &[(Key, u128, u128)] = &[
	((0, 0), MICRO_OPEN, 10 * MILLI_OPEN),
	((0, 1), 0, 10 * MICRO_OPEN),
	((1, 1), 2, 8),
	((1, 2), 1, 10),
	((1, 3), 1, 4),
	((1, 4), OPEN, 200 * OPEN),
	((1, 5), OPEN, 50 * OPEN),
	((1, 6), 2_000_000, 5_000_000),
	((1, 7), 50_000, 500_000),
	((1, 8), 100_000, 900_000),
	((1, 9), 2, 12),
	((1, 10), 100 * MILLI_OPEN, 20 * OPEN),
	((2, 0), 3, 20),
	((2, 1), 4, 16),
	((2, 2), MILLI_OPEN, OPEN),
	((2, 3), 10 * OPEN, 200 * OPEN),
	((2, 4), 5, 30),
	((2, 5), 5 * OPEN, 1_000 * OPEN),
	((2, 6), 2, 12),
	((2, 7), 1_000_000, 20_000_000),
	((2, 8), 1, 10),
	((2, 9), 1, 6),
	((2, 10), 1, 10),
	((3, 0), 0, 10 * OPEN),
	((3, 1), 0, OPEN),
	((3, 2), 5, 60),
	((3, 3), 100_000, 900_000),
	((3, 4), OPEN, 200 * OPEN),
	((3, 5), 1, 3),
	((3, 6), 0, 5 * OPEN),
	((3, 7), 10, 40),
	((3, 8), 10, 40),
	((3, 9), 20, 80),
	((3, 10), 0, 20 * OPEN),
	((3, 11), 100_000, 300_000),
	((3, 12), 100_000, 400_000),
	((3, 13), 0, 500_000),
	((4, 0), 100 * OPEN, 5_000 * OPEN),
	((4, 1), OPEN, 50 * OPEN),
	((4, 2), 1, 5),
	((4, 3), 4, 12),
	((4, 4), 0, 500_000),
	((4, 5), 1, 200),
	((4, 6), 1, 12),
	((4, 7), 1, 12),
];

fn rule((module, key): Key) -> Option<Rule> {
	let key = RuntimeParametersKey::decode(&mut &[module, key][..]).ok()?;
	Some(Governance::rule(key))
}

/// The number `value` for a governed value, or its default.
fn parameter((module, key): Key, value: Option<u128>) -> RuntimeParameters {
	let encoded = |bytes: &[u8]| {
		let head = [module, key, u8::from(value.is_some())];
		RuntimeParameters::decode_all(&mut &[&head[..], bytes].concat()[..]).ok()
	};
	match value {
		None => encoded(&[]),
		Some(value) => encoded(&value.encode())
			.or_else(|| encoded(&u32::try_from(value).unwrap_or(u32::MAX).encode())),
	}
	.expect("governed values are numbers of 4 or 16 bytes")
}

fn rightful(authority: Authority) -> RuntimeOrigin {
	match authority {
		Authority::Root => RuntimeOrigin::root(),
		Authority::Treasurer => Origin::Treasurer.into(),
		Authority::Attribution => Origin::Attribution.into(),
		Authority::Serving => Origin::Serving.into(),
	}
}

impl World {
	/// A call of a track; sometimes by somebody who may not.
	pub fn decide(&mut self, track: Origin, call: impl Into<RuntimeCall>) {
		let (name, origin) = match self.below(12) {
			0 => {
				let who = self.person();
				(who.name, RuntimeOrigin::signed(who.account))
			}
			1 => ("another track".into(), Origin::Killer.into()),
			_ => ("governance".into(), track.into()),
		};
		let rightful = name == "governance";
		let result = self.submit(name, origin, call);
		if !rightful {
			assert_eq!(result, Err(DispatchError::BadOrigin));
		}
	}

	/// Sets every period short enough for things to happen.
	pub fn make_livable(&mut self) {
		for (key, least, most) in LIVABLE {
			let value = self.rng.random_range(*least..=*most);
			let call = Call::set {
				parameter: parameter(*key, Some(value)),
			};
			let set = self.submit("governance".into(), RuntimeOrigin::root(), call);
			assert_eq!(set, Ok(()), "{key:?} may be {value}");
		}
	}

	/// Takes back the values that nobody can live with for long.
	pub fn end_extremes(&mut self) {
		let step = self.step;
		let (over, rest) = std::mem::take(&mut self.extremes)
			.into_iter()
			.partition::<Vec<_>, _>(|(until, _)| *until <= step);
		self.extremes = rest;
		for (_, key) in over {
			self.set_livable(key);
		}
	}

	fn set_livable(&mut self, key: Key) {
		let (_, least, most) = LIVABLE.iter().find(|(known, ..)| *known == key).unwrap();
		let value = self.rng.random_range(*least..=*most);
		self.set(key, parameter(key, Some(value)), true);
	}

	/// Sets a value, by who may, or sometimes by who may not.
	fn set(&mut self, key: Key, parameter: RuntimeParameters, within: bool) {
		let authority = rule(key).unwrap().authority;
		let (name, origin) = match self.below(16) {
			0 => ("a canceller", Origin::Canceller.into()),
			1..4 => ("root", RuntimeOrigin::root()),
			_ => ("its track", rightful(authority)),
		};
		let result = self.submit(name.into(), origin, Call::set { parameter });
		let expected = name != "a canceller" && within;
		assert_eq!(result.is_ok(), expected, "{key:?} by {name}: {result:?}");
	}

	pub fn govern(&mut self) {
		if self.once_in(6) {
			return self.set_terms();
		}
		let at = self.below(LIVABLE.len());
		let (key, ..) = LIVABLE[at];
		let Some(Bounds::Number { least, most, .. }) = rule(key).map(|rule| rule.bounds) else {
			unreachable!("every value but the terms is a number");
		};
		match self.below(8) {
			0 => {
				// Anything within the bounds, for a while.
				let value = match self.below(3) {
					0 => least,
					1 => most,
					_ => least + self.amount(most - least + 1) - 1,
				};
				self.set(key, parameter(key, Some(value)), true);
				self.extremes.push((self.step + 40, key));
			}
			1 => {
				let (value, is_above) = match (least.checked_sub(1), self.once_in(2)) {
					(Some(below), true) => (below, false),
					_ => (most + 1, true),
				};
				// What is no 4 bytes long cannot be said.
				if is_above && u32::try_from(value).is_err() && most < u128::from(u32::MAX) {
					return;
				}
				self.set(key, parameter(key, Some(value)), false);
			}
			_ => self.set_livable(key),
		}
	}

	fn set_terms(&mut self) {
		let between = |world: &mut Self, of: fn(&Terms) -> u32| {
			world.rng.random_range(of(&LEAST_TERMS)..=of(&MOST_TERMS))
		};
		let mut terms = Terms {
			protocol_cut: between(self, |terms| terms.protocol_cut),
			burnt: between(self, |terms| terms.burnt),
			base_owner: between(self, |terms| terms.base_owner),
			adapter_owner: between(self, |terms| terms.adapter_owner),
			stakers: between(self, |terms| terms.stakers),
			data: 0,
			attributed: between(self, |terms| terms.attributed),
			cap: between(self, |terms| terms.cap),
		};
		// What is left is for data, mostly within its bounds.
		terms.data = PARTS.saturating_sub(terms.base_owner + terms.adapter_owner + terms.stakers);
		let within = terms.is_valid() && (LEAST_TERMS.data..=MOST_TERMS.data).contains(&terms.data);
		let bytes = [&[TERMS.0, TERMS.1, 1][..], &terms.encode()].concat();
		let parameter = RuntimeParameters::decode_all(&mut &bytes[..]).unwrap();
		self.set(TERMS, parameter, within);
	}

	pub fn transfer(&mut self) {
		use pallet_balances::Call;
		let who = self.person();
		let dest = self.person().account.into();
		let value = self.amount(1_000 * OPEN);
		match self.below(8) {
			0 => {
				let value = value.min(OPEN);
				self.sign(
					&who,
					Call::burn {
						value,
						keep_alive: true,
					},
				);
			}
			1 => {
				// Newcomers may lose everything.
				let last = self.people.len() - 1 - self.below(NEWCOMERS);
				let who = self.people[last].clone();
				self.sign(
					&who,
					Call::transfer_all {
						dest,
						keep_alive: false,
					},
				);
			}
			2 => {
				self.sign(&who, Call::transfer_allow_death { dest, value });
			}
			_ => {
				self.sign(&who, Call::transfer_keep_alive { dest, value });
			}
		}
	}
}

#[test]
fn every_governed_value_should_be_among_those_that_are_tried() {
	let mut known: Vec<Key> = LIVABLE.iter().map(|(key, ..)| *key).collect();
	known.push(TERMS);
	known.sort_unstable();
	let all: Vec<Key> = (0..=u8::MAX)
		.flat_map(|module| (0..=u8::MAX).map(move |key| (module, key)))
		.filter(|(module, key)| RuntimeParametersKey::decode_all(&mut &[*module, *key][..]).is_ok())
		.collect();
	assert_eq!(known, all);
}
