//! What one step computes: which sequences get a row, whose prompt is read on, which adapters take part.
//!
//! Everything here is pure, so that the promises can be tested without a model:
//! - A sequence that has to sit out a step grows older, and the oldest takes part in every step; so neither the
//!   bound on rows nor the one on adapter bytes starves anybody.
//! - Prompts are read in turns, one tenant after the other, so a tenant with many or long prompts does not keep
//!   another's from being read.
//! - How many prompt tokens a step takes along follows from what steps were measured to take ([`Pace`]).

use std::{
	collections::{BTreeMap, HashMap, HashSet},
	time::Duration,
};

use crate::{store::AdapterKey, tenant::Tenant};

/// What a sequence needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
	/// A row for its next token.
	Decode,
	/// To read on: this many prompt tokens are left.
	Prefill(usize),
	/// Nothing until it is paid.
	Stalled,
}

/// A running sequence as the plan sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
	pub tenant: Tenant,
	/// Its adapter and the bytes that takes; `None` for the base model.
	pub adapter: Option<(AdapterKey, usize)>,
	/// The step it took part in last; that of its admission before.
	pub stepped: u64,
	pub work: Work,
}

/// Bounds of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
	/// Sequences that decode.
	pub rows: usize,
	/// Prompt tokens.
	pub prefill: usize,
	/// Bytes of distinct adapters; one adapter takes part whatever it weighs.
	pub adapter_bytes: usize,
}

/// Plans steps. Between them it remembers only whose prompt was read when.
#[derive(Debug, Default)]
pub(crate) struct Planner {
	read: HashMap<Tenant, u64>,
	clock: u64,
}

impl Planner {
	/// The indices of the candidates that take part and the tokens each computes, in the order of the indices.
	pub fn plan(&mut self, candidates: &[Candidate], bounds: &Bounds) -> Vec<(usize, usize)> {
		let mut wishes: Vec<(usize, usize)> = candidates
			.iter()
			.enumerate()
			.filter(|(_, candidate)| candidate.work == Work::Decode)
			.map(|(at, _)| (at, 1))
			.collect();
		wishes.extend(self.prefill(candidates, bounds.prefill));
		wishes.sort_by_key(|(at, _)| (candidates[*at].stepped, *at));

		let mut adapters: HashSet<AdapterKey> = HashSet::new();
		let (mut bytes, mut rows) = (0usize, 0);
		wishes.retain(|(at, _)| {
			let candidate = &candidates[*at];
			let decodes = candidate.work == Work::Decode;
			if decodes && rows >= bounds.rows {
				return false;
			}
			if let Some((key, needed)) = candidate.adapter {
				if !adapters.contains(&key) {
					let sum = bytes.saturating_add(needed);
					if !adapters.is_empty() && sum > bounds.adapter_bytes {
						return false;
					}
					adapters.insert(key);
					bytes = sum;
				}
			}
			rows += usize::from(decodes);
			true
		});

		for (at, _) in &wishes {
			if matches!(candidates[*at].work, Work::Prefill(_)) {
				self.clock += 1;
				self.read.insert(candidates[*at].tenant, self.clock);
			}
		}
		wishes.sort_unstable();
		wishes
	}

	/// Prompts to read on, whose tenant's turn is longest ago first, at most `left` tokens.
	fn prefill(&mut self, candidates: &[Candidate], mut left: usize) -> Vec<(usize, usize)> {
		// Tenant → its prompts in order of admission.
		let mut prompts: BTreeMap<Tenant, Vec<(usize, usize)>> = BTreeMap::new();
		for (at, candidate) in candidates.iter().enumerate().rev() {
			if let Work::Prefill(tokens) = candidate.work {
				prompts
					.entry(candidate.tenant)
					.or_default()
					.push((at, tokens));
			}
		}
		self.read.retain(|tenant, _| prompts.contains_key(tenant));
		let mut turns: Vec<(u64, usize, Tenant)> = prompts
			.iter()
			.filter_map(|(tenant, list)| {
				let last = self.read.get(tenant).copied().unwrap_or(0);
				Some((last, list.last()?.0, *tenant))
			})
			.collect();
		turns.sort_unstable();
		let mut chosen = Vec::new();
		while left > 0 {
			let before = chosen.len();
			for (_, _, tenant) in &turns {
				let next = prompts.get_mut(tenant).and_then(Vec::pop);
				if let Some((at, tokens)) = next.filter(|_| left > 0) {
					let tokens = tokens.min(left);
					left -= tokens;
					chosen.push((at, tokens));
				}
			}
			if chosen.len() == before {
				break;
			}
		}
		chosen
	}
}

/// Most prompt tokens of a step, when nobody waits for the next token of an answer.
pub(crate) const MOST: usize = 256;
/// Fewest: so few rows cost little more than the base weights they stream anyway.
pub(crate) const FEWEST: usize = 16;
/// Prompt tokens beside answers before anything was measured.
const UNMEASURED: usize = 64;
/// How much of what a step surprised by is learned from it.
const LEARNED: f64 = 0.5;
/// Rows beside which what all rows share is of about the same weight.
const USUAL: f64 = 32.0;
/// What a step may be longer for prompts, as a part of a step without: when few wait to be read, and when many do.
const LONGER: (f64, f64) = (1.0, 4.0);
/// Rows that the products take at a time.
const TILE: usize = 8;

/// How many prompt tokens a step takes along.
///
/// Prompts make a step longer, and all running answers wait for it. With few newcomers beside many answers, a
/// step takes twice as long at most. The more newcomers wait for their first token compared to answers that wait for
/// their next, the longer it may be, up to five times.
///
/// A step's time is taken for a constant and as much again for each row, be it a prompt's token or an answer's next
/// one; both numbers follow the steps by normalised least mean squares. Two numbers, because only they can be told
/// apart under steady traffic, when no step is without prompts and the rows hardly change.
#[derive(Debug, Default)]
pub(crate) struct Pace {
	/// Whether prompts are read as fast as they can be, whoever waits for it.
	prompts_first: bool,
	/// Seconds of a step, and of [`USUAL`] rows.
	learned: Option<(f64, f64)>,
}

impl Pace {
	/// One that knows nothing yet.
	pub fn new(prompts_first: bool) -> Self {
		Self {
			prompts_first,
			learned: None,
		}
	}

	/// Learns from a step of so many rows, prompt tokens among them.
	pub fn observe(&mut self, rows: usize, took: Duration) {
		let x = rows as f64 / USUAL;
		let (step, usual) = self.learned.unwrap_or_default();
		let rate = if self.learned.is_some() { LEARNED } else { 1.0 };
		let error = rate * (took.as_secs_f64() - (step + usual * x)) / (1.0 + x * x);
		self.learned = Some(((step + error).max(0.0), (usual + error * x).max(0.0)));
	}

	/// Most prompt tokens of the next step, when `rows` sequences decode and `prompts` are to be read.
	pub fn prompt_tokens(&self, rows: usize, prompts: usize) -> usize {
		if rows == 0 || self.prompts_first {
			return MOST;
		}
		let Some((step, usual)) = self.learned else {
			return UNMEASURED;
		};
		let row = usual / USUAL;
		let longer = (prompts as f64 / rows as f64).clamp(LONGER.0, LONGER.1);
		let tokens = (step + row * rows as f64) * longer / row.max(1e-9);
		let whole = (rows + (tokens as usize).min(MOST)) / TILE * TILE;
		whole.saturating_sub(rows).max(FEWEST)
	}
}

#[cfg(test)]
mod tests {
	use rand::{Rng, SeedableRng};
	use rand_chacha::ChaCha8Rng;

	use super::*;

	fn adapter(i: u8) -> AdapterKey {
		AdapterKey {
			weights: [i; 32],
			config: [0; 32],
		}
	}

	fn candidate(tenant: u8, work: Work) -> Candidate {
		Candidate {
			tenant: Tenant::of([tenant]),
			adapter: None,
			stepped: 0,
			work,
		}
	}

	const OPEN: Bounds = Bounds {
		rows: 100,
		prefill: 64,
		adapter_bytes: usize::MAX,
	};

	#[test]
	fn every_sequence_should_take_part_within_a_bounded_number_of_steps_whatever_the_bounds() {
		for seed in 0..40 {
			let mut rng = ChaCha8Rng::seed_from_u64(seed);
			let count = rng.random_range(1..30usize);
			let distinct = rng.random_range(1..10u8);
			let sizes: Vec<usize> = (0..distinct).map(|_| rng.random_range(1..50)).collect();
			let mut candidates: Vec<Candidate> = (0..count)
				.map(|_| {
					let work = match rng.random_range(0..4) {
						0 => Work::Prefill(rng.random_range(1..200)),
						_ => Work::Decode,
					};
					let which = rng.random_range(0..=distinct);
					Candidate {
						adapter: (which < distinct)
							.then(|| (adapter(which), sizes[usize::from(which)])),
						..candidate(rng.random_range(0..4), work)
					}
				})
				.collect();
			let bounds = Bounds {
				rows: rng.random_range(1..10),
				prefill: rng.random_range(1..50),
				adapter_bytes: rng.random_range(1..100),
			};
			let mut planner = Planner::default();
			let mut waited = vec![0usize; count];
			for step in 1..600u64 {
				let plan = planner.plan(&candidates, &bounds);
				assert!(!plan.is_empty());
				let mut adapters: Vec<_> = plan
					.iter()
					.filter_map(|(at, _)| candidates[*at].adapter)
					.collect();
				adapters.sort_unstable();
				adapters.dedup();
				let bytes: usize = adapters.iter().map(|(_, bytes)| bytes).sum();
				assert!(bytes <= bounds.adapter_bytes || adapters.len() == 1);
				let decodes = |at: &usize| candidates[*at].work == Work::Decode;
				assert!(plan.iter().filter(|(at, _)| decodes(at)).count() <= bounds.rows);
				let read = plan.iter().filter(|(at, _)| !decodes(at)).map(|(_, n)| n);
				assert!(read.sum::<usize>() <= bounds.prefill);
				waited.iter_mut().for_each(|w| *w += 1);
				for (at, tokens) in plan {
					waited[at] = 0;
					candidates[at].stepped = step;
					if let Work::Prefill(left) = &mut candidates[at].work {
						// Prompts go on for ever here: the next one follows.
						assert!(tokens <= *left);
						*left -= tokens;
						if *left == 0 {
							*left = 150;
						}
					}
				}
				for (at, waited) in waited.iter().enumerate() {
					// A tenant's prompts are read one after the other, so only the first is promised a turn;
					// four tenants take turns, and each may have to become the oldest first.
					let first = candidates.iter().position(|c| {
						matches!(c.work, Work::Prefill(_)) && c.tenant == candidates[at].tenant
					});
					if candidates[at].work == Work::Decode || first == Some(at) {
						assert!(
							*waited <= 5 * count,
							"{at} waited {waited} steps, seed {seed}"
						);
					}
				}
			}
		}
	}

	#[test]
	fn a_short_prompt_should_not_wait_for_another_tenants_long_ones() {
		let mut planner = Planner::default();
		let mut candidates = vec![candidate(0, Work::Prefill(4_000)); 20];
		for _ in 0..5 {
			assert_eq!(planner.plan(&candidates, &OPEN), [(0, 64)]);
		}
		candidates.push(candidate(1, Work::Prefill(100)));
		assert_eq!(planner.plan(&candidates, &OPEN), [(20, 64)]);
		candidates[20].work = Work::Prefill(36);
		assert_eq!(planner.plan(&candidates, &OPEN), [(0, 64)]);
		assert_eq!(planner.plan(&candidates, &OPEN), [(0, 28), (20, 36)]);
	}

	#[test]
	fn rows_should_take_turns_when_there_are_more_than_fit() {
		let mut planner = Planner::default();
		let mut candidates = vec![candidate(0, Work::Decode); 5];
		let bounds = Bounds { rows: 2, ..OPEN };
		let mut turns = Vec::new();
		for step in 1..=5u64 {
			let plan = planner.plan(&candidates, &bounds);
			for (at, _) in &plan {
				candidates[*at].stepped = step;
			}
			turns.push(plan.iter().map(|(at, _)| *at).collect::<Vec<_>>());
		}
		assert_eq!(turns, [[0, 1], [2, 3], [0, 4], [1, 2], [0, 3]]);
	}

	#[test]
	fn rows_of_an_adapter_that_takes_part_should_ride_along() {
		let mut planner = Planner::default();
		let with = |which: u8, stepped: u64| Candidate {
			adapter: Some((adapter(which), 60)),
			stepped,
			..candidate(0, Work::Decode)
		};
		let candidates = [
			with(1, 5),
			with(2, 3),
			with(1, 9),
			candidate(0, Work::Decode),
		];
		let bounds = Bounds {
			adapter_bytes: 100,
			..OPEN
		};
		assert_eq!(planner.plan(&candidates, &bounds), [(1, 1), (3, 1)]);
		let candidates = [with(1, 5), with(2, 6), with(1, 9)];
		assert_eq!(planner.plan(&candidates, &bounds), [(0, 1), (2, 1)]);
	}

	#[test]
	fn stalled_sequences_should_not_take_part() {
		let mut planner = Planner::default();
		let candidates = [candidate(0, Work::Stalled), candidate(0, Work::Decode)];
		assert_eq!(planner.plan(&candidates, &OPEN), [(1, 1)]);
		assert!(planner.plan(&candidates[..1], &OPEN).is_empty());
	}

	/// A machine whose step takes `step`, and `row` more for each row, until the pace has settled.
	fn settled(step: f64, row: f64, rows: usize, prompts: usize) -> (usize, f64) {
		let mut pace = Pace::default();
		let time = |rows: usize| step + row * rows as f64;
		pace.observe(256, Duration::from_secs_f64(time(256)));
		pace.observe(rows, Duration::from_secs_f64(time(rows)));
		let mut tokens = UNMEASURED;
		for _ in 0..40 {
			pace.observe(rows + tokens, Duration::from_secs_f64(time(rows + tokens)));
			tokens = pace.prompt_tokens(rows, prompts);
		}
		(tokens, time(rows + tokens) / time(rows))
	}

	#[test]
	fn a_few_newcomers_should_make_steps_twice_as_long_at_most() {
		for (plain, token) in [(0.050, 0.0005), (0.010, 0.0001), (0.004, 0.00001)] {
			let (tokens, gap) = settled(plain, token, 16, 2);
			assert!(gap <= 2.01, "{tokens} tokens make the gap {gap}");
			assert!(tokens > FEWEST, "{tokens}");
		}
		// Where even the fewest take longer than that, they are read all the same.
		assert_eq!(settled(0.010, 0.002, 16, 2).0, FEWEST);
	}

	#[test]
	fn many_newcomers_should_be_read_faster_but_within_bounds() {
		let (few, _) = settled(0.050, 0.0005, 16, 2);
		let (many, gap) = settled(0.050, 0.0005, 2, 6);
		assert!(many > 2 * few && gap <= 5.01, "{few} {many} {gap}");
		assert_eq!(settled(0.050, 0.00001, 8, 100).0, MOST);
		let (tokens, _) = settled(0.050, 0.00001, 3, 100);
		assert!(
			tokens <= MOST && (3 + tokens).is_multiple_of(TILE),
			"{tokens}"
		);
		assert_eq!(Pace::default().prompt_tokens(0, 1), MOST);
		assert_eq!(Pace::default().prompt_tokens(4, 1), UNMEASURED);
	}

	#[test]
	fn prompts_that_go_first_should_wait_for_no_answer() {
		let mut pace = Pace::new(true);
		assert_eq!(pace.prompt_tokens(4, 1), MOST);
		pace.observe(4 + MOST, Duration::from_secs(1));
		assert_eq!(pace.prompt_tokens(16, 1), MOST);
	}

	#[test]
	fn many_at_once_should_soon_run_side_by_side() {
		const REQUESTS: usize = 32;
		const TOKENS: usize = 128;
		let mut pace = Pace::default();
		// What one request alone leaves behind.
		for _ in 0..TOKENS {
			pace.observe(1, Duration::from_secs_f64(0.033));
		}
		let (mut unread, mut running) = (REQUESTS * TOKENS, Vec::new());
		let (mut steps, mut begun) = (0, 0);
		while unread > 0 || !running.is_empty() {
			let prompts = unread.div_ceil(TOKENS);
			let read = match prompts {
				0 => 0,
				_ => pace.prompt_tokens(running.len(), prompts).min(unread),
			};
			let rows = running.len() + read;
			pace.observe(rows, Duration::from_secs_f64(0.030 + 0.003 * rows as f64));
			running.iter_mut().for_each(|left| *left -= 1);
			running.retain(|left| *left > 0);
			unread -= read;
			let read = REQUESTS - unread.div_ceil(TOKENS);
			running.resize(running.len() + read - begun, TOKENS);
			begun = read;
			steps += 1;
		}
		assert!(steps <= 2 * TOKENS, "{steps} steps");
	}
}
