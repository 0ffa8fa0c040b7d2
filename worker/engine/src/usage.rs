//! What each tenant was served, for metrics and bills.

use std::{collections::HashMap, time::Duration};

use crate::tenant::Tenant;

/// Tenants listed singly; the one that was quiet for the longest time joins [`Tenant::OTHERS`] when another comes.
const MAX_LISTED: usize = 1024;

/// What a tenant was served since the engine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantStats {
	/// Who.
	pub tenant: Tenant,
	/// Tells these counters from earlier ones of the same tenant, which have joined [`Tenant::OTHERS`].
	pub since: u64,
	/// Requests begun.
	pub requests: u64,
	/// Requests refused because the queue was full.
	pub refused: u64,
	/// Time they waited in total before they were begun.
	pub queue_time: Duration,
	/// Prompt tokens read, computed or from the prefix cache.
	pub tokens_in: u64,
	/// Those of them that came from the prefix cache.
	pub cached_tokens: u64,
	/// Tokens generated.
	pub tokens_out: u64,
}

impl TenantStats {
	fn add(&mut self, other: &Self) {
		self.requests += other.requests;
		self.refused += other.refused;
		self.queue_time += other.queue_time;
		self.tokens_in += other.tokens_in;
		self.cached_tokens += other.cached_tokens;
		self.tokens_out += other.tokens_out;
	}
}

/// The counters of all tenants.
#[derive(Debug, Default)]
pub(crate) struct Usage {
	tenants: HashMap<Tenant, (u64, TenantStats)>,
	clock: u64,
}

impl Usage {
	/// The counters of a tenant.
	pub fn of(&mut self, tenant: Tenant) -> &mut TenantStats {
		self.clock += 1;
		if self.tenants.len() >= MAX_LISTED && !self.tenants.contains_key(&tenant) {
			self.fold();
		}
		let (touched, stats) = self.tenants.entry(tenant).or_insert_with(|| {
			let stats = TenantStats {
				tenant,
				since: self.clock,
				..TenantStats::default()
			};
			(0, stats)
		});
		*touched = self.clock;
		stats
	}

	fn fold(&mut self) {
		let singles = self.tenants.iter().filter(|(t, _)| **t != Tenant::OTHERS);
		let quiet = singles.min_by_key(|(_, (touched, _))| *touched);
		let Some(tenant) = quiet.map(|(tenant, _)| *tenant) else {
			return;
		};
		if let Some((_, stats)) = self.tenants.remove(&tenant) {
			let (_, others) = self.tenants.entry(Tenant::OTHERS).or_default();
			others.tenant = Tenant::OTHERS;
			others.add(&stats);
		}
	}

	/// All counters, ordered by tenant.
	pub fn list(&self) -> Vec<TenantStats> {
		let mut list: Vec<_> = self.tenants.values().map(|(_, stats)| *stats).collect();
		list.sort_unstable_by_key(|stats| stats.tenant);
		list
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn no_token_should_be_lost_when_more_tenants_come_than_are_listed() {
		let mut usage = Usage::default();
		for i in 0..5_000u32 {
			usage.of(Tenant::of(i.to_le_bytes())).tokens_out += 1;
			usage.of(Tenant::ANONYMOUS).tokens_out += 1;
		}
		let list = usage.list();
		assert!(list.len() <= MAX_LISTED + 1, "{}", list.len());
		assert_eq!(list.iter().map(|s| s.tokens_out).sum::<u64>(), 10_000);
		assert_eq!(list[0].tenant, Tenant::ANONYMOUS);
		assert_eq!(list[0].tokens_out, 5_000, "who stays active stays listed");
	}
}
