//! Whose request is begun next: virtual token counters, one per tenant.
//!
//! The rule is the Virtual Token Counter of Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024).
//! A tenant's counter grows with the tokens it is served, output tokens counting more than input tokens because
//! each costs a step. The waiting tenant with the smallest counter goes first. A tenant that begins to wait is
//! lifted to the smallest counter of those that wait already, so being idle saves up nothing. Why counters rather
//! than deficit round robin: the cost of an answer is unknown when it is begun, and a counter is charged as the
//! tokens come.
//!
//! The bound (theorem 4.4 there): while two tenants both wait, the services they get differ by at most `2 ·
//! max(input weight · longest prompt, output weight · tokens of a full batch)`.

use std::collections::{HashMap, HashSet};

use crate::tenant::Tenant;

/// What a computed prompt token counts; one from the prefix cache counts nothing.
pub(crate) const INPUT_WEIGHT: u64 = 1;
/// What a generated token counts.
pub(crate) const OUTPUT_WEIGHT: u64 = 2;

/// Tenants remembered that neither wait nor run; beyond twice as many, those with the lowest counters are forgotten.
const MAX_DEPARTED: usize = 512;

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Fair {
	counters: HashMap<Tenant, u64>,
	backlogged: HashSet<Tenant>,
	/// Highest counter there was when nobody was active any more.
	clock: u64,
}

impl Fair {
	/// Begins a round of admissions: `backlogged` are the tenants with a request that could begin now if there were
	/// room, `running` those with a sequence that can go on.
	///
	/// Requests that wait for money or for their adapter do not count: a tenant could otherwise park one, and hold
	/// the level down to which newcomers are lifted.
	pub fn round(&mut self, backlogged: &HashSet<Tenant>, running: &HashSet<Tenant>) {
		let least = |tenants: &mut dyn Iterator<Item = &Tenant>| {
			tenants
				.filter_map(|tenant| self.counters.get(tenant).copied())
				.min()
		};
		let queued = least(&mut self.backlogged.intersection(backlogged));
		let mut lifted = Vec::new();
		for tenant in backlogged.difference(&self.backlogged) {
			let level = queued
				.or_else(|| least(&mut running.iter().filter(|other| *other != tenant)))
				.unwrap_or(self.clock);
			lifted.push((*tenant, level));
		}
		// One whose counter was forgotten while its sequences waited for money.
		let level = queued.unwrap_or(self.clock);
		let unknown = running
			.iter()
			.filter(|tenant| !self.counters.contains_key(tenant));
		lifted.extend(unknown.map(|tenant| (*tenant, level)));
		for (tenant, level) in lifted {
			let counter = self.counters.entry(tenant).or_default();
			*counter = level.max(*counter);
		}
		self.backlogged.clone_from(backlogged);
		self.forget(running);
	}

	/// Drops counters that say nothing any more: a tenant at or below the lowest active one would be lifted anyway.
	fn forget(&mut self, running: &HashSet<Tenant>) {
		let backlogged = &self.backlogged;
		let active = |tenant: &Tenant| backlogged.contains(tenant) || running.contains(tenant);
		let floor = self
			.counters
			.iter()
			.filter(|(tenant, _)| active(tenant))
			.map(|(_, counter)| *counter)
			.min();
		let Some(floor) = floor else {
			let highest = self.counters.values().max().copied().unwrap_or(0);
			self.clock = self.clock.max(highest);
			self.counters.clear();
			return;
		};
		self.counters
			.retain(|tenant, counter| active(tenant) || *counter > floor);
		if self.counters.len() <= 2 * MAX_DEPARTED {
			return;
		}
		let mut departed: Vec<(u64, Tenant)> = self
			.counters
			.iter()
			.filter(|(tenant, _)| !active(tenant))
			.map(|(tenant, counter)| (*counter, *tenant))
			.collect();
		departed.sort_unstable();
		let surplus = departed.len().saturating_sub(MAX_DEPARTED);
		for (_, tenant) in &departed[..surplus] {
			self.counters.remove(tenant);
		}
	}

	/// What the tenant has been served, in weighted tokens above an arbitrary zero. Lower goes first.
	pub fn counter(&self, tenant: &Tenant) -> u64 {
		self.counters.get(tenant).copied().unwrap_or(self.clock)
	}

	/// Counts tokens that a tenant was served.
	pub fn charge(&mut self, tenant: &Tenant, input: usize, output: usize) {
		let served = input as u64 * INPUT_WEIGHT + output as u64 * OUTPUT_WEIGHT;
		let counter = self.counters.entry(*tenant).or_insert(self.clock);
		*counter = counter.saturating_add(served);
	}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use std::collections::VecDeque;

	use rand::{Rng, SeedableRng};
	use rand_chacha::ChaCha8Rng;

	use super::*;

	fn tenant(i: usize) -> Tenant {
		Tenant::of(format!("tenant {i}"))
	}

	struct Answer {
		owner: usize,
		left: usize,
	}

	/// A server with `places`, one token per step and place, that begins what [`Fair`] says.
	struct Server {
		fair: Fair,
		queues: Vec<VecDeque<(usize, usize)>>,
		running: Vec<Answer>,
		places: usize,
		/// Weighted tokens each tenant was served.
		served: Vec<u64>,
	}

	impl Server {
		fn new(tenants: usize, places: usize) -> Self {
			Self {
				fair: Fair::default(),
				queues: vec![VecDeque::new(); tenants],
				running: Vec::new(),
				places,
				served: vec![0; tenants],
			}
		}

		fn sets(&self) -> (HashSet<Tenant>, HashSet<Tenant>) {
			let waiting = (0..self.queues.len()).filter(|i| !self.queues[*i].is_empty());
			(
				waiting.map(tenant).collect(),
				self.running.iter().map(|a| tenant(a.owner)).collect(),
			)
		}

		fn step(&mut self) {
			let (waiting, running) = self.sets();
			self.fair.round(&waiting, &running);
			while self.running.len() < self.places {
				let next = (0..self.queues.len())
					.filter(|i| !self.queues[*i].is_empty())
					.min_by_key(|i| (self.fair.counter(&tenant(*i)), *i));
				let Some(owner) = next else {
					break;
				};
				let (prompt, left) = self.queues[owner].pop_front().unwrap();
				self.fair.charge(&tenant(owner), prompt, 0);
				self.served[owner] += prompt as u64 * INPUT_WEIGHT;
				self.running.push(Answer { owner, left });
			}
			for answer in &mut self.running {
				answer.left -= 1;
				self.fair.charge(&tenant(answer.owner), 0, 1);
				self.served[answer.owner] += OUTPUT_WEIGHT;
			}
			self.running.retain(|answer| answer.left > 0);
		}
	}

	#[test]
	fn services_of_two_waiting_tenants_should_never_differ_by_more_than_the_bound() {
		for seed in 0..60 {
			let mut rng = ChaCha8Rng::seed_from_u64(seed);
			let tenants = rng.random_range(2..6);
			let places = rng.random_range(1..12);
			let (longest_prompt, longest_answer) =
				(rng.random_range(1..200), rng.random_range(1..60));
			let answer =
				INPUT_WEIGHT * longest_prompt as u64 + OUTPUT_WEIGHT * longest_answer as u64;
			let bound = 2 * places as u64 * answer;
			let mut server = Server::new(tenants, places);
			// For each pair: what both had been served when they last began to wait together.
			let mut since: HashMap<(usize, usize), (u64, u64)> = HashMap::new();
			let mut both = 0;
			for step in 0..3_000 {
				for i in 0..tenants {
					// Some flood, some come and go.
					let flood = i == 0 || (step / 300 + i) % 3 == 0;
					let few = rng.random_ratio(1, 20);
					let waiting = server.queues[i].len();
					let wanted = match flood {
						true => places + 4,
						false => usize::from(few),
					};
					for _ in waiting..wanted {
						let prompt = rng.random_range(1..=longest_prompt);
						server.queues[i].push_back((prompt, rng.random_range(1..=longest_answer)));
					}
				}
				server.step();
				for i in 0..tenants {
					for j in 0..i {
						if server.queues[i].is_empty() || server.queues[j].is_empty() {
							since.remove(&(i, j));
							continue;
						}
						both += 1;
						let now = (server.served[i], server.served[j]);
						let begin = *since.entry((i, j)).or_insert(now);
						let (a, b) = (now.0 - begin.0, now.1 - begin.1);
						assert!(a.abs_diff(b) <= bound, "{a} {b} {bound}, seed {seed}");
					}
				}
			}
			assert!(both > 500, "the bound was hardly tested");
		}
	}

	#[test]
	fn one_request_should_be_begun_at_the_next_free_place_although_a_thousand_wait() {
		let mut server = Server::new(2, 4);
		server.queues[0].extend((0..1_000).map(|_| (50, 20)));
		for _ in 0..500 {
			server.step();
		}
		assert!(server.queues[0].len() > 800);
		server.queues[1].push_back((50, 5));
		for _ in 0..20 {
			server.step();
		}
		assert!(
			server.queues[1].is_empty(),
			"it waits for one answer, not for all"
		);
	}

	#[test]
	fn idle_time_should_save_up_nothing() {
		let mut server = Server::new(2, 2);
		for _ in 0..1_000 {
			if server.queues[0].is_empty() {
				server.queues[0].extend([(10, 10); 4]);
			}
			server.step();
		}
		// Tenant 1 was idle for all of it, and now floods too.
		let begin = server.served[0];
		for _ in 0..200 {
			for queue in &mut server.queues {
				while queue.len() < 4 {
					queue.push_back((10, 10));
				}
			}
			server.step();
		}
		let share = (server.served[0] - begin) as f64 / server.served[1] as f64;
		assert!((0.8..1.25).contains(&share), "{share}");
	}

	#[test]
	fn one_running_answer_should_save_up_nothing_either() {
		let mut fair = Fair::default();
		let (light, heavy) = (tenant(0), tenant(1));
		let both = HashSet::from([light, heavy]);
		fair.round(&both, &HashSet::new());
		fair.charge(&light, 10, 1_000);
		fair.charge(&heavy, 10, 50_000);
		fair.round(&HashSet::new(), &both);
		fair.round(&HashSet::from([light]), &both);
		assert_eq!(fair.counter(&light), fair.counter(&heavy));
	}

	#[test]
	fn leaving_and_coming_back_should_not_clear_what_was_served() {
		let mut fair = Fair::default();
		let (greedy, modest) = (tenant(0), tenant(1));
		fair.round(&HashSet::from([greedy, modest]), &HashSet::new());
		fair.charge(&greedy, 0, 1_000);
		fair.charge(&modest, 0, 10);
		fair.round(&HashSet::from([modest]), &HashSet::new());
		fair.round(&HashSet::from([modest, greedy]), &HashSet::new());
		assert_eq!(fair.counter(&greedy), 1_000 * OUTPUT_WEIGHT);
	}

	#[test]
	fn counters_should_not_grow_with_the_number_of_tenants_ever_seen() {
		let mut fair = Fair::default();
		let stays = tenant(0);
		for i in 1..4_000 {
			fair.round(&HashSet::from([stays, tenant(i)]), &HashSet::new());
			fair.charge(&tenant(i), 100, 0);
		}
		fair.round(&HashSet::from([stays]), &HashSet::new());
		assert!(fair.counters.len() <= 2 * MAX_DEPARTED + 1);
		fair.round(&HashSet::new(), &HashSet::new());
		assert!(fair.counters.is_empty());
	}
}
