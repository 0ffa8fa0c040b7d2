//! Counters of many, told one by one for the few that have most, and together for the rest.
//!
//! Each series only ever grows while it is there, as Prometheus expects of counters: what everybody has is compared with
//! what they had at the last look, and the difference goes to their own series or to that of the rest. Who comes to be
//! shown begins at what is new; who makes room for another goes with their series, and what they do later is the rest's.

use std::{
	collections::{BTreeMap, HashMap},
	hash::Hash,
};

/// What somebody has now.
#[derive(Clone, Copy, Debug)]
pub struct Now<K, const N: usize> {
	/// Who.
	pub key: K,
	/// Tells them from somebody of the same name who is counted among the rest since.
	pub since: u64,
	/// By how much they are measured against others.
	pub weight: u64,
	/// Their counters.
	pub values: [u64; N],
}

/// The counters of many. `N` counters each, at most `shown` of them told one by one.
#[derive(Clone, Debug)]
pub struct Top<K, const N: usize> {
	most: usize,
	last: HashMap<K, (u64, [u64; N])>,
	/// What the source does not tell apart itself.
	others: [u64; N],
	shown: BTreeMap<K, [u64; N]>,
	rest: [u64; N],
}

fn sum<const N: usize>(a: [u64; N], b: [u64; N]) -> [u64; N] {
	std::array::from_fn(|at| a[at].saturating_add(b[at]))
}

fn difference<const N: usize>(a: [u64; N], b: [u64; N]) -> [u64; N] {
	std::array::from_fn(|at| a[at].saturating_sub(b[at]))
}

impl<K: Copy + Eq + Hash + Ord, const N: usize> Top<K, N> {
	/// Tells `most` one by one.
	pub fn new(most: usize) -> Self {
		Self {
			most,
			last: HashMap::new(),
			others: [0; N],
			shown: BTreeMap::new(),
			rest: [0; N],
		}
	}

	/// Counts what happened since the last look. `others` have what the source counts together, among them everybody
	/// who was told apart before and is not any more.
	pub fn look(&mut self, now: &[Now<K, N>], others: [u64; N]) {
		self.choose(now);
		let mut joined = std::mem::take(&mut self.last);
		for one in now {
			let same = joined
				.get(&one.key)
				.is_some_and(|(since, _)| *since == one.since);
			let before = same.then(|| joined.remove(&one.key)).flatten();
			let new = before.map_or(one.values, |(_, before)| difference(one.values, before));
			let series = self.shown.get_mut(&one.key).unwrap_or(&mut self.rest);
			*series = sum(*series, new);
			self.last.insert(one.key, (one.since, one.values));
		}
		// What they had was counted when they had it.
		let known = joined.into_values().map(|(_, values)| values);
		let known = known.fold(self.others, sum);
		self.rest = sum(self.rest, difference(others, known));
		self.others = others;
	}

	/// Chooses whom to tell one by one: nobody is replaced but by one with twice as much, so that series last.
	fn choose(&mut self, now: &[Now<K, N>]) {
		let weights: BTreeMap<K, u64> = now.iter().map(|one| (one.key, one.weight)).collect();
		self.shown.retain(|key, _| weights.contains_key(key));
		let hidden = now.iter().filter(|one| !self.shown.contains_key(&one.key));
		let mut hidden: Vec<(u64, K)> = hidden.map(|one| (one.weight, one.key)).collect();
		hidden.sort_unstable_by(|a, b| b.cmp(a));
		for (weight, key) in hidden {
			if self.shown.len() >= self.most {
				let shown = self
					.shown
					.keys()
					.filter_map(|key| Some((*weights.get(key)?, *key)));
				let Some((least, other)) = shown.min() else {
					return;
				};
				if weight <= least.saturating_mul(2) {
					return;
				}
				self.shown.remove(&other);
			}
			self.shown.insert(key, [0; N]);
		}
	}

	/// Those that are told one by one.
	pub fn shown(&self) -> &BTreeMap<K, [u64; N]> {
		&self.shown
	}

	/// All others together.
	pub fn rest(&self) -> [u64; N] {
		self.rest
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn one(key: u32, since: u64, value: u64) -> Now<u32, 1> {
		Now {
			key,
			since,
			weight: value,
			values: [value],
		}
	}

	fn told(top: &Top<u32, 1>) -> (Vec<(u32, u64)>, u64) {
		let shown = top.shown().iter().map(|(key, [value])| (*key, *value));
		(shown.collect(), top.rest()[0])
	}

	#[test]
	fn few_should_be_told_one_by_one_and_nothing_counted_twice() {
		let mut top = Top::new(2);
		top.look(&[one(1, 0, 5)], [0]);
		assert_eq!(told(&top), (vec![(1, 5)], 0));
		top.look(&[one(1, 0, 6), one(2, 1, 10), one(3, 2, 7)], [0]);
		assert_eq!(
			told(&top),
			(vec![(1, 6), (2, 10)], 7),
			"3 came when the places were taken"
		);
		top.look(&[one(1, 0, 6), one(2, 1, 10), one(3, 2, 12)], [0]);
		assert_eq!(
			told(&top),
			(vec![(1, 6), (2, 10)], 12),
			"12 is not more than twice 6"
		);
		top.look(&[one(1, 0, 7), one(2, 1, 10), one(3, 2, 20)], [0]);
		assert_eq!(
			told(&top),
			(vec![(2, 10), (3, 8)], 13),
			"3 begins at what is new"
		);
		// 2 has joined the others after 4 more; 4 has come, 2 has come back with 5.
		let now = [one(1, 0, 7), one(2, 9, 5), one(3, 2, 20), one(4, 8, 3)];
		top.look(&now, [14]);
		let (shown, rest) = told(&top);
		assert_eq!(shown, [(2, 15), (3, 8)]);
		assert_eq!(rest, 13 + 4 + 3);
		top.look(&now, [14]);
		assert_eq!(told(&top), (shown, rest), "another look changes nothing");
		top.look(&[], [14 + 7 + 5 + 20 + 3]);
		assert_eq!(
			told(&top),
			(vec![], rest),
			"who has gone was counted before"
		);
	}

	#[test]
	fn every_series_should_only_grow_and_their_sum_be_the_truth() {
		use rand::Rng;
		let mut rng = rand::rng();
		let (mut counts, mut others) = (BTreeMap::<u32, (u64, u64)>::new(), 0);
		let mut top = Top::new(4);
		let (mut truth, mut gone) = (0, 0);
		for round in 0..2_000u64 {
			let mut before = top.clone();
			for _ in 0..rng.random_range(0..6) {
				let by = rng.random_range(1..50);
				let key = rng.random_range(0..20);
				counts.entry(key).or_insert((round, 0)).1 += by;
				truth += by;
			}
			if rng.random_bool(0.2) {
				if let Some((_, (_, value))) = counts.pop_first() {
					others += value;
				}
			}
			let now: Vec<_> = counts
				.iter()
				.map(|(key, (since, value))| one(*key, *since, *value))
				.collect();
			top.look(&now, [others]);
			for (key, value) in &before.shown {
				match top.shown.get(key) {
					Some(later) => assert!(later >= value),
					None => gone += value[0],
				}
			}
			assert!(top.rest >= before.rest && top.shown.len() <= 4);
			let told: u64 = top.shown.values().map(|[value]| value).sum();
			assert_eq!(told + top.rest[0] + gone, truth);
			before.look(&now, [others]);
			assert_eq!(before.rest, top.rest);
		}
	}
}
